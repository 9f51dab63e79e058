"""Insight rows from Meta's JSON to the port's type. Pure.

One purchase shows up under several action types; one type is chosen, types are never added.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from stakazo_pipelines.platforms.meta.fields import BREAKDOWNS
from stakazo_pipelines.platforms.port import Breakdown, InsightRow, InsightsQuery
from stakazo_pipelines.platforms.rows import RowCollector, asked_days
from stakazo_pipelines.platforms.wire import WireError, amount, count, ident, optional_count, text
from stakazo_pipelines.vocabulary import Level

# From the widest definition to the narrowest: the first that a row has is the count of its purchases.
PURCHASE_TYPES = (
    "omni_purchase",  # web, app and shop, deduplicated by Meta
    "purchase",
    "offsite_conversion.fb_pixel_purchase",
    "onsite_web_purchase",
    "web_in_store_purchase",
)
VIDEO_PLAY = "video_view"  # plays of at least 3 seconds
DEFAULT_WINDOW = "7d_click_1d_view"
UNKNOWN_SEGMENT = "unknown"
_ZERO = Decimal(0)
_KEY_FIELD = {Level.ACCOUNT: "account_id", Level.CAMPAIGN: "campaign_id", Level.AD_GROUP: "adset_id", Level.AD: "ad_id"}
_DEPTH = {Level.ACCOUNT: 0, Level.CAMPAIGN: 1, Level.AD_GROUP: 2, Level.AD: 3}


def collector(query: InsightsQuery) -> RowCollector:
    """What keeps the rows of a query."""
    return RowCollector(query, RowParser(query), key_field=_KEY_FIELD[query.level])


class RowParser:
    """Reads the rows of one query."""

    def __init__(self, query: InsightsQuery) -> None:
        self._query = query
        self._account = query.account.id.removeprefix("act_")
        self._depth = _DEPTH[query.level]
        self._days = asked_days(query)

    def __call__(self, row: Mapping[str, object]) -> InsightRow:
        """Raises WireError."""
        depth = self._depth
        impressions = count(row, "impressions")
        conversions, value, plays = _actions(row)
        account_id = ident(row, "account_id").removeprefix("act_")
        if account_id != self._account:
            raise WireError("account_id", f"of another account: {account_id}")
        return InsightRow(
            day=self._day(row),
            level=self._query.level,
            account_id=self._query.account.id,
            campaign_id=ident(row, "campaign_id") if depth > 0 else None,
            ad_group_id=ident(row, "adset_id") if depth > 1 else None,
            ad_id=ident(row, "ad_id") if depth > 2 else None,
            campaign_name=text(row, "campaign_name") if depth > 0 else None,
            ad_group_name=text(row, "adset_name") if depth > 1 else None,
            ad_name=text(row, "ad_name") if depth > 2 else None,
            impressions=impressions,
            clicks=count(row, "clicks"),
            spend=amount(row, "spend"),
            conversions=conversions,
            conversions_value=value,
            attribution_window=text(row, "attribution_setting") or DEFAULT_WINDOW,
            link_clicks=optional_count(row, "inline_link_clicks"),
            reach=optional_count(row, "reach"),
            video_plays=plays,
            engagements=optional_count(row, "inline_post_engagement"),
            segments=self._segments(row, impressions) if self._query.breakdowns else {},
            native=row,
        )

    def _day(self, row: Mapping[str, object]) -> date:
        start, stop = row.get("date_start"), row.get("date_stop")
        if not isinstance(start, str) or not start:
            raise WireError("date_start", "missing" if start in (None, "") else f"not a date: {start!r}")
        day = self._days.get(start)
        if day is None:
            raise WireError("date_start", f"not a day that was asked for: {start[:30]!r}")
        if stop != start:
            raise WireError("date_stop", "not the same day as date_start")
        return day

    def _segments(self, row: Mapping[str, object], impressions: int) -> dict[Breakdown, str]:
        segments = {}
        for breakdown in self._query.breakdowns:
            value = text(row, BREAKDOWNS[breakdown])
            if not value and impressions:
                raise WireError(BREAKDOWNS[breakdown], "missing")
            # A conversion that came late may have no segment; it is still a conversion.
            segments[breakdown] = _hour(value) if breakdown is Breakdown.HOUR else value or UNKNOWN_SEGMENT
        return segments


def _actions(row: Mapping[str, object]) -> tuple[Decimal, Decimal, int]:
    """Purchases, their value, and video plays. A row without the lists had none: Meta leaves empty lists out."""
    actions, values = row.get("actions"), row.get("action_values")
    if actions is None and values is None:
        return _ZERO, _ZERO, 0
    counted = _by_type(actions, "actions")
    valued = _by_type(values, "action_values")
    plays = counted.get(VIDEO_PLAY)
    purchase = next((kind for kind in PURCHASE_TYPES if kind in counted or kind in valued), None)
    return (
        amount(counted[purchase], "value") if purchase in counted else _ZERO,
        amount(valued[purchase], "value") if purchase in valued else _ZERO,
        count(plays, "value") if plays is not None else 0,
    )


def _by_type(stats: object, field: str) -> dict[str, Mapping[str, object]]:
    if stats is None:
        return {}
    if not isinstance(stats, list):
        raise WireError(field, "not a list")
    found: dict[str, Mapping[str, object]] = {}
    for stat in stats:
        if not isinstance(stat, dict):
            raise WireError(field, "an entry is not an object")
        kind = stat.get("action_type")
        if not isinstance(kind, str) or kind in found:
            raise WireError(field, f"action_type missing, not text or twice: {str(kind)[:40]!r}")
        found[kind] = stat
    return found


def _hour(value: str) -> str:
    """Hour of the day as two digits, from "13:00:00 - 13:59:59"."""
    if not value:
        return UNKNOWN_SEGMENT
    if len(value) < 3 or not value[:2].isdigit() or value[2] != ":" or int(value[:2]) > 23:
        raise WireError(BREAKDOWNS[Breakdown.HOUR], f"not an hour: {value[:30]!r}")
    return value[:2]
