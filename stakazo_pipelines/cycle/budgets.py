"""Budgets for a day: the allocator under policy, what was moved already, who holds what, and whose data is in order."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from stakazo_pipelines import marts
from stakazo_pipelines.allocation.allocate import AccountSummary, AllocationResult, allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.decisions.record import current_holds
from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import Operations
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.ledger import change_ledger
from stakazo_pipelines.vocabulary import EntityStatus, Level

ALLOCATIONS = "budget_allocations"
READINESS = "account_readiness"
_DEFAULT_MINOR_UNITS = 100  # of imported accounts, whose platform nobody asked

AccountKey = tuple[str, str]  # platform, account id


def known_accounts(lake: Lake, as_of: date) -> dict[AccountKey, Account]:
    """Every account in the newest entity snapshots on or before `as_of`."""
    rows = lake.entities(as_of=as_of).whole().filter(pl.col("level") == Level.ACCOUNT.value)
    return {(row["platform"], row["account_id"]): _account(row) for row in rows.iter_rows(named=True)}


def allocate_day(
    lake: Lake,
    policy: Policy,
    day: date,
    *,
    accounts: Mapping[AccountKey, Account],
    ledgers: Mapping[str, ChangeLedger],
    held: AbstractSet[str] = frozenset(),
) -> AllocationResult:
    """Budgets of every account for the day after `day`, from the estimates and readiness in the lake.

    An account whose data is not ready keeps its budgets, and says why. Raises LakeError when nothing runs.
    """
    estimates = Estimates.from_frame(lake.read_asset(ESTIMATES, day))
    readiness = lake.read_asset(READINESS, day)
    unready = {
        (row["platform"], row["account_id"]): row["reason"]
        for row in readiness.iter_rows(named=True)
        if not row["ready"]
    }
    _, arms = marts.arm_days(lake, as_of=day + timedelta(days=1), window_days=policy.measurement.window_days)
    if arms.is_empty():
        raise LakeError(f"no arm runs on {day}: is there an entity snapshot or an import of that day or before?")
    return allocate_accounts(
        estimates, arms, policy, day, accounts=accounts, ledgers=ledgers, unready=unready, held=held
    )


def allocate_accounts(
    estimates: Estimates,
    arms: pl.DataFrame,
    policy: Policy,
    day: date,
    *,
    accounts: Mapping[AccountKey, Account],
    ledgers: Mapping[str, ChangeLedger],
    unready: Mapping[AccountKey, str],
    held: AbstractSet[str] = frozenset(),
) -> AllocationResult:
    """Account by account; the frame also has each arm's level and campaign_id.

    `ledgers` tell by platform what was moved already (none: nothing was), `unready` which accounts are kept and why,
    `held` which entities a person or an experiment keeps: ids of arms, or of campaigns above them.
    """
    frames: list[pl.DataFrame] = []
    summaries: list[AccountSummary] = []
    for (platform, account_id), own in arms.group_by("platform", "account_id", maintain_order=True):
        key = (str(platform), str(account_id))
        account = accounts.get(key)
        smallest = None if account is None else account.min_daily_budget
        least = pl.lit(None if smallest is None else float(smallest.amount), dtype=pl.Float64)
        kept = (
            own
            if key in unready
            else own.filter(pl.col("arm_id").is_in(list(held)) | pl.col("campaign_id").is_in(list(held)))
        )
        result = allocate(
            estimates=Estimates(estimates.frame.filter(pl.col("platform") == key[0], pl.col("account_id") == key[1])),
            arms=own.with_columns(min_budget=least),
            policy=policy,
            ledger=ledgers.get(key[0], ChangeLedger()),
            held=frozenset(kept["arm_id"]),
            minor_units={key[1]: _DEFAULT_MINOR_UNITS if account is None else account.minor_units},
            seed=day.toordinal(),
        )
        holds_own = pl.col("arm_id") == pl.col("campaign_id")
        level = pl.when(holds_own).then(pl.lit(Level.CAMPAIGN.value)).otherwise(pl.lit(Level.AD_GROUP.value))
        names = own.select("arm_id", "campaign_id", level=level)
        frames.append(result.frame.join(names, on="arm_id", how="left", maintain_order="left"))
        summaries += [_with_reason(summary, unready.get(key)) for summary in result.accounts]
    return AllocationResult(pl.concat(frames), tuple(summaries))


def platform_ledgers(
    operations: Operations, accounts: Mapping[AccountKey, Account], *, now: datetime
) -> dict[str, ChangeLedger]:
    """What was moved lately, by platform."""
    by_platform: dict[str, list[Account]] = {}
    for (platform, _), account in accounts.items():
        by_platform.setdefault(platform, []).append(account)
    return {platform: change_ledger(operations, platform, own, now=now) for platform, own in by_platform.items()}


def held_entities(operations: Operations, accounts: Mapping[AccountKey, Account], *, now: datetime) -> frozenset[str]:
    """Ids of every entity under a hold, so that the rest of an account is allocated around them."""
    return frozenset(
        hold.entity.id
        for platform, account_id in accounts
        for hold in current_holds(operations, platform, account_id, now=now)
    )


def _account(row: Mapping[str, Any]) -> Account:
    native = json.loads(row["native"])
    least = native["min_daily_budget"]
    return Account(
        id=row["account_id"],
        name=row["account_name"],
        currency=row["currency"],
        timezone=row["timezone"],
        minor_units=native["minor_units"],
        status=EntityStatus(row["status"]),
        min_daily_budget=None if least is None else Money(Decimal(least), row["currency"]),
    )


def _with_reason(summary: AccountSummary, reason: str | None) -> AccountSummary:
    if reason is None:
        return summary
    return replace(summary, reason=f"budgets kept, its data is not in order: {reason}")
