"""Accounts and entities from Meta's JSON to the port's types. Pure; a row that cannot be trusted raises WireError."""

from collections.abc import Iterable, Mapping

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.meta.fields import ACCOUNT_STATUS, NATIVE_TYPES, SETTINGS, STATUS_FROM_WIRE
from stakazo_pipelines.platforms.meta.money import from_wire, minor_units
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, EntitiesResult, Entity
from stakazo_pipelines.platforms.rows import collect_entities
from stakazo_pipelines.platforms.wire import (
    WireError,
    count,
    ident,
    instant,
    optional_count,
    settings_digest,
    text,
    zone_problem,
)
from stakazo_pipelines.vocabulary import EntityStatus, Level

_PARENT_FIELD = {Level.AD_GROUP: "campaign_id", Level.AD: "adset_id"}


def parse_account(row: Mapping[str, object]) -> Account:
    """One ad account. An unknown currency or time zone is told in `problem`, so that other accounts go on.

    Raises WireError where not even the id can be read.
    """
    account_id = ident(row, "account_id")
    currency, zone = text(row, "currency"), text(row, "timezone_name")
    unknown = ""
    units = 0
    try:
        units = minor_units(currency)
    except RejectedError as error:
        unknown = error.message
    floor = optional_count(row, "min_daily_budget")
    return Account(
        id=account_id,
        name=text(row, "name") or account_id,
        currency=currency,
        timezone=zone,
        minor_units=units,
        status=ACCOUNT_STATUS.get(optional_count(row, "account_status") or 0, EntityStatus.PAUSED),
        min_daily_budget=from_wire(floor, currency=currency) if floor and units else None,
        problem="; ".join(filter(None, (unknown, zone_problem(zone)))),
    )


def parse_entity(row: Mapping[str, object], level: Level, account: Account) -> Entity:
    """One campaign, ad set, ad or creative of the account. Raises WireError."""
    owner = text(row, "account_id").removeprefix("act_")
    if owner and owner != account.id.removeprefix("act_"):
        raise WireError("account_id", f"belongs to account {owner}")
    return Entity(
        level=level,
        id=ident(row, "id"),
        account_id=account.id,
        parent_id=ident(row, _PARENT_FIELD[level]) if level in _PARENT_FIELD else account.id,
        name=text(row, "name"),
        status=_status(row, level),
        native_type=NATIVE_TYPES[level],
        delivery=text(row, "effective_status"),
        objective=text(row, "objective"),
        optimization_goal=text(row, "optimization_goal"),
        budget=_budget(row, account.currency),
        created_at=instant(row, "created_time"),
        updated_at=instant(row, "updated_time"),
        creative_id=_creative_id(row) if level is Level.AD else None,
        settings=settings_digest(row, SETTINGS.get(level, ())),
        in_learning=_in_learning(row),
        native=row,
    )


def parse_entities(rows: Iterable[object], level: Level, account: Account) -> EntitiesResult:
    """Every row that can be read, once; the others quarantined with field and reason."""
    return collect_entities(
        rows, lambda row: parse_entity(row, level, account), where=f"{level} list of account {account.id}"
    )


def _status(row: Mapping[str, object], level: Level) -> EntityStatus:
    word = text(row, "status")
    if not word and level is Level.CREATIVE:
        return EntityStatus.ACTIVE  # unset fields are left out, and a creative has no switch
    if word not in STATUS_FROM_WIRE:
        raise WireError("status", f"unknown: {word!r}" if word else "missing")
    return STATUS_FROM_WIRE[word]


def _budget(row: Mapping[str, object], currency: str) -> Budget | None:
    """Daily or lifetime; the one not in use is absent or "0"."""
    daily, lifetime = (
        count(row, field) if row.get(field) not in (None, "") else 0 for field in ("daily_budget", "lifetime_budget")
    )
    if daily and lifetime:
        raise WireError("daily_budget", "a daily and a lifetime budget at once")
    if not daily and not lifetime:
        return None
    period = BudgetPeriod.DAILY if daily else BudgetPeriod.LIFETIME
    return Budget(from_wire(daily or lifetime, currency=currency), period)


def _creative_id(row: Mapping[str, object]) -> str | None:
    creative = row.get("creative")
    if creative is None:
        return None
    if not isinstance(creative, dict):
        raise WireError("creative", "not an object")
    return ident(creative, "id")


def _in_learning(row: Mapping[str, object]) -> bool:
    stage = row.get("learning_stage_info")
    return isinstance(stage, dict) and stage.get("status") == "LEARNING"
