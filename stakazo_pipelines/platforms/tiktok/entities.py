"""Accounts and entities from TikTok's JSON to the port's types. Pure; a row that cannot be trusted raises WireError.

All of TikTok's words are open sets: an unknown status counts as paused and an unknown kind of budget as none, so that
nothing is spent on a word nobody understood; the word itself stays in `native`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, EntitiesResult, Entity
from stakazo_pipelines.platforms.rows import collect_entities
from stakazo_pipelines.platforms.tiktok.fields import (
    ACCOUNT_ACTIVE,
    KINDS,
    PARENT_FIELD,
    PERIODS,
    STATUS_FROM_WIRE,
)
from stakazo_pipelines.platforms.tiktok.money import floors, from_wire, minor_units
from stakazo_pipelines.platforms.wire import WireError, ident, settings_digest, text, zone_problem
from stakazo_pipelines.vocabulary import EntityStatus, Level

# What makes up the content of an ad, besides the media itself; a new ad of the same creative takes it over.
CONTENT_FIELDS = (
    "ad_format", "identity_type", "identity_id", "identity_authorized_bc_id", "video_id", "image_ids", "tiktok_item_id",
    "music_id", "ad_text", "call_to_action", "call_to_action_id", "landing_page_url", "page_id", "deeplink",
    "deeplink_type", "utm_params", "tracking_pixel_id",
)  # fmt: skip

# What an edit changes besides status, budget and the media.
_SETTINGS: Mapping[Level, tuple[str, ...]] = {
    Level.CAMPAIGN: ("objective_type", "bid_type", "roas_bid", "budget_optimize_on"),
    Level.AD_GROUP: (
        "optimization_goal", "optimization_event", "billing_event", "bid_type", "bid_price", "conversion_bid_price",
        "deep_bid_type", "deep_cpa_bid", "roas_bid", "pacing", "pixel_id", "promotion_type", "placement_type",
        "placements", "location_ids", "age_groups", "gender", "languages", "audience_ids", "excluded_audience_ids",
        "interest_category_ids", "interest_keyword_ids", "actions", "operating_systems", "device_model_ids",
        "network_types", "spending_power", "household_income", "smart_audience_enabled", "dayparting",
    ),
    Level.AD: CONTENT_FIELDS,
}  # fmt: skip


def parse_account(row: Mapping[str, object]) -> Account:
    """One advertiser. An unknown currency or time zone is told in `problem`, so that other accounts go on.

    Raises WireError where not even the id can be read.
    """
    account_id = ident(row, "advertiser_id")
    currency = text(row, "currency")
    zone = text(row, "display_timezone") or text(row, "timezone")
    unknown = ""
    units, group_floor, campaign_floor = 0, None, None
    try:
        units = minor_units(currency)
        group_floor, campaign_floor = floors(currency)
    except RejectedError as error:
        unknown = error.message
    return Account(
        id=account_id,
        name=text(row, "name") or account_id,
        currency=currency,
        timezone=zone,
        minor_units=units,
        status=EntityStatus.ACTIVE if text(row, "status") == ACCOUNT_ACTIVE else EntityStatus.PAUSED,
        min_daily_budget=group_floor,
        min_campaign_budget=campaign_floor,
        problem="; ".join(filter(None, (unknown, zone_problem(zone)))),
    )


def parse_entity(row: Mapping[str, object], level: Level, account: Account) -> Entity:
    """One campaign, ad group or ad of the account. Raises WireError."""
    owner = text(row, "advertiser_id")
    if owner and owner != account.id:
        raise WireError("advertiser_id", f"belongs to advertiser {owner}")
    kind = KINDS[level]
    return Entity(
        level=level,
        id=ident(row, kind.id),
        account_id=account.id,
        parent_id=ident(row, PARENT_FIELD[level]) if level in PARENT_FIELD else account.id,
        name=text(row, kind.name),
        status=_status(row),
        native_type=kind.path,
        delivery=text(row, "secondary_status"),
        objective=text(row, "objective_type"),
        optimization_goal=text(row, "optimization_goal"),
        budget=budget_of(row, level, account.currency),
        created_at=utc(row, "create_time"),
        updated_at=utc(row, "modify_time"),
        creative_id=content_id(row) or None if level is Level.AD else None,
        settings=settings_digest(row, _SETTINGS.get(level, ())),
        native=row,
    )


def parse_entities(rows: Iterable[object], level: Level, account: Account) -> EntitiesResult:
    """Every row that can be read and is not deleted, once; the others quarantined with field and reason."""
    found = collect_entities(
        rows, lambda row: parse_entity(row, level, account), where=f"{level} list of account {account.id}"
    )
    alive = tuple(entity for entity in found.entities if entity.status is not EntityStatus.DELETED)
    return EntitiesResult(alive, found.quarantined)


def creatives(ads: EntitiesResult, account: Account) -> EntitiesResult:
    """The different contents that these ads show. A creative has no switch and no date of its own."""
    shown: dict[str, Entity] = {}
    for ad in ads.entities:
        if ad.creative_id is None or ad.creative_id in shown:
            continue
        content = {field: ad.native[field] for field in CONTENT_FIELDS if ad.native.get(field) not in (None, "", [])}
        shown[ad.creative_id] = Entity(
            level=Level.CREATIVE,
            id=ad.creative_id,
            account_id=account.id,
            parent_id=account.id,
            name=text(content, "ad_text") if isinstance(content.get("ad_text"), str) else ad.name,
            status=EntityStatus.ACTIVE,
            native_type="creative",
            native=content,
        )
    return EntitiesResult(tuple(shown.values()), ads.quarantined)


def content_id(row: Mapping[str, object]) -> str:
    """The id of what an ad shows: its film, else its pictures joined by commas, else the post; "" where it has none."""
    if film := _optional_id(row, "video_id"):
        return film
    pictures = row.get("image_ids")
    if pictures is not None and not isinstance(pictures, list):
        raise WireError("image_ids", "not a list")
    joined = ",".join(ident({"image_ids": picture}, "image_ids") for picture in pictures or [])
    return joined or _optional_id(row, "tiktok_item_id")


def budget_of(row: Mapping[str, object], level: Level, currency: str) -> Budget | None:
    """What the entity itself distributes. A campaign does so only under CBO; its ad groups then have none.

    A daily budget that is scheduled for the next midnight is the one that counts: it has been decided already.
    A daily cap on a campaign without CBO only limits what its ad groups hold: it stays in `native`.
    """
    if level not in (Level.CAMPAIGN, Level.AD_GROUP):
        return None
    if level is Level.CAMPAIGN and not is_cbo(row):
        return None
    period = PERIODS.get(text(row, "budget_mode"))
    if period is None:
        return None
    field = "scheduled_budget" if period is BudgetPeriod.DAILY and is_scheduled(row) else "budget"
    money = from_wire(row, field, currency=currency)
    return Budget(money, period) if money.amount else None


def is_scheduled(ad_group: Mapping[str, object]) -> bool:
    """Whether another daily budget comes into force at the account's next midnight (TikTok: 0 = none)."""
    return ad_group.get("scheduled_budget") not in (None, 0, "", "0")


def is_cbo(campaign: Mapping[str, object]) -> bool:
    """Whether the campaign distributes one budget over its ad groups. Raises WireError."""
    cbo = campaign.get("budget_optimize_on")
    if cbo is not None and not isinstance(cbo, bool):
        raise WireError("budget_optimize_on", "neither true nor false")
    return bool(cbo)


def utc(row: Mapping[str, object], field: str) -> datetime | None:
    """An instant in UTC from "YYYY-MM-DD HH:MM:SS", which TikTok means without saying so; None where absent."""
    value = text(row, field)
    if not value:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise WireError(field, f"not an instant: {value[:30]!r}") from None


def _status(row: Mapping[str, object]) -> EntityStatus:
    if text(row, "secondary_status").endswith("_DELETE"):  # by itself or with its parent; either is final
        return EntityStatus.DELETED
    word = text(row, "operation_status")
    if not word:
        raise WireError("operation_status", "missing")
    return STATUS_FROM_WIRE.get(word, EntityStatus.PAUSED)


def _optional_id(row: Mapping[str, object], field: str) -> str:
    return ident(row, field) if row.get(field) not in (None, "") else ""
