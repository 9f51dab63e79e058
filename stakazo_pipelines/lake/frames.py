"""The columns of raw files, and how the port's objects become rows of them. Pure: no file is touched here."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import polars as pl

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.platforms.port import Account, Entity, InsightRow, Quarantined
from stakazo_pipelines.vocabulary import Level

MONEY = pl.Decimal(18, 6)
INSTANT = pl.Datetime("us", "UTC")

RAW_INSIGHTS_SCHEMA: Mapping[str, Any] = {
    "platform": pl.String(),
    "account_id": pl.String(),
    "currency": pl.String(),
    "timezone": pl.String(),
    "level": pl.String(),
    "date_day": pl.Date(),
    "campaign_id": pl.String(),
    "campaign_name": pl.String(),
    "ad_group_id": pl.String(),
    "ad_group_name": pl.String(),
    "ad_id": pl.String(),
    "ad_name": pl.String(),
    "impressions": pl.Int64(),
    "clicks": pl.Int64(),
    "link_clicks": pl.Int64(),
    "reach": pl.Int64(),
    "video_plays": pl.Int64(),
    "engagements": pl.Int64(),
    "spend": MONEY,
    "conversions": MONEY,
    "conversions_value": MONEY,
    "attribution_window": pl.String(),
    "fetched_at": INSTANT,
    "native": pl.String(),
}

RAW_ENTITIES_SCHEMA: Mapping[str, Any] = {
    "platform": pl.String(),
    "account_id": pl.String(),
    "account_name": pl.String(),
    "currency": pl.String(),
    "timezone": pl.String(),
    "level": pl.String(),
    "entity_id": pl.String(),
    "parent_id": pl.String(),
    "name": pl.String(),
    "status": pl.String(),
    "delivery": pl.String(),
    "native_type": pl.String(),
    "objective": pl.String(),
    "optimization_goal": pl.String(),
    "budget": MONEY,
    "budget_period": pl.String(),
    "in_learning": pl.Boolean(),
    "creative_id": pl.String(),
    "settings": pl.String(),
    "created_at": INSTANT,
    "updated_at": INSTANT,
    "fetched_at": INSTANT,
    "native": pl.String(),
}

RAW_QUARANTINE_SCHEMA: Mapping[str, Any] = {
    "platform": pl.String(),
    "account_id": pl.String(),
    "where": pl.String(),
    "field": pl.String(),
    "reason": pl.String(),
    "since": pl.Date(),
    "until": pl.Date(),
    "fetched_at": INSTANT,
    "native": pl.String(),
}


class RejectedRow(Protocol):
    """What a quarantined row must tell, whoever rejected it (an adapter, an import)."""

    @property
    def reason(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def native(self) -> object: ...
    @property
    def where(self) -> str: ...


def instant(moment: datetime) -> datetime:
    """Aware UTC in whole seconds, as file names carry it. Raises LakeError on a naive time."""
    if moment.tzinfo is None:
        raise LakeError(f"fetch time {moment} has no time zone; pass an aware datetime")
    return moment.astimezone(UTC).replace(microsecond=0)


def insight_rows_frame(
    rows: Sequence[InsightRow], *, account: Account, level: Level, platform: str, fetched_at: datetime
) -> pl.DataFrame:
    """Rows of one account and level, in RAW_INSIGHTS_SCHEMA. Breakdown rows are refused: they would add up twice."""
    fetched = instant(fetched_at)
    for row in rows:
        if row.segments or row.level is not level or row.account_id != account.id:
            raise LakeError(
                f"{platform} {account.id} {row.day}: a {row.level} row of {row.account_id} with segments "
                f"{sorted(row.segments)} does not belong into the {level} file of {account.id}"
            )
    records = [
        {
            "platform": platform,
            "account_id": account.id,
            "currency": account.currency,
            "timezone": account.timezone,
            "level": level.value,
            "date_day": row.day,
            "campaign_id": row.campaign_id,
            "campaign_name": row.campaign_name,
            "ad_group_id": row.ad_group_id,
            "ad_group_name": row.ad_group_name,
            "ad_id": row.ad_id,
            "ad_name": row.ad_name,
            "impressions": row.impressions,
            "clicks": row.clicks,
            "link_clicks": row.link_clicks,
            "reach": row.reach,
            "video_plays": row.video_plays,
            "engagements": row.engagements,
            "spend": row.spend,
            "conversions": row.conversions,
            "conversions_value": row.conversions_value,
            "attribution_window": row.attribution_window,
            "fetched_at": fetched,
            "native": as_json(row.native),
        }
        for row in rows
    ]
    return pl.DataFrame(records, schema=dict(RAW_INSIGHTS_SCHEMA), orient="row")


def insight_days(
    rows: Sequence[InsightRow],
    *,
    account: Account,
    level: Level,
    platform: str,
    fetched_at: datetime,
    since: date,
    until: date,
) -> dict[date, pl.DataFrame]:
    """`insight_rows_frame` day by day: every day of `since`..`until`, one on which nothing was delivered without rows.

    Raises LakeError for a row of a day outside of them.
    """
    frame = insight_rows_frame(rows, account=account, level=level, platform=platform, fetched_at=fetched_at)
    found = {key[0]: part for key, part in frame.partition_by("date_day", as_dict=True).items()}
    days = [since + timedelta(days=offset) for offset in range((until - since).days + 1)]
    strangers = sorted(found.keys() - set(days))
    if strangers:
        raise LakeError(f"{platform} {account.id}: a row of {strangers[0]} among those of {since} to {until}")
    return {day: found.get(day, frame.clear()) for day in days}


def entities_frame(
    entities: Sequence[Entity], *, account: Account, platform: str, fetched_at: datetime
) -> pl.DataFrame:
    """One account's whole snapshot, all levels together, in RAW_ENTITIES_SCHEMA."""
    fetched = instant(fetched_at)
    records = [
        {
            "platform": platform,
            "account_id": account.id,
            "account_name": account.name,
            "currency": account.currency,
            "timezone": account.timezone,
            "level": entity.level.value,
            "entity_id": entity.id,
            "parent_id": entity.parent_id,
            "name": entity.name,
            "status": entity.status.value,
            "delivery": entity.delivery,
            "native_type": entity.native_type,
            "objective": entity.objective,
            "optimization_goal": entity.optimization_goal,
            "budget": entity.budget.money.amount if entity.budget else None,
            "budget_period": entity.budget.period.value if entity.budget else None,
            "in_learning": entity.in_learning,
            "creative_id": entity.creative_id,
            "settings": entity.settings,
            "created_at": entity.created_at,
            "updated_at": entity.updated_at,
            "fetched_at": fetched,
            "native": as_json(entity.native),
        }
        for entity in entities
    ]
    return pl.DataFrame(records, schema=dict(RAW_ENTITIES_SCHEMA), orient="row")


def quarantine_frame(
    rejected: Sequence[Quarantined | RejectedRow],
    *,
    account: Account,
    platform: str,
    fetched_at: datetime,
    asked: tuple[date, date] | None = None,
) -> pl.DataFrame:
    """Rejected rows of one account, in RAW_QUARANTINE_SCHEMA. `asked`: the report days, one of which they belong to."""
    fetched = instant(fetched_at)
    since, until = asked or (None, None)
    records = [
        {
            "platform": platform,
            "account_id": account.id,
            "where": row.where,
            "field": row.field,
            "reason": row.reason,
            "since": since,
            "until": until,
            "fetched_at": fetched,
            "native": as_json(row.native),
        }
        for row in rejected
    ]
    return pl.DataFrame(records, schema=dict(RAW_QUARANTINE_SCHEMA), orient="row")


def as_json(native: object) -> str:
    """A payload as JSON with sorted keys, so that the same payload is always the same text."""
    return json.dumps(native, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
