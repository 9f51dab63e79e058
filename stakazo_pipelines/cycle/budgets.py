"""Budgets for a day: the allocator under policy, what was moved already, who holds what, and whose data is in order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from stakazo_pipelines import marts
from stakazo_pipelines.allocation.allocate import AccountSummary, AllocationResult, allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import Level

ALLOCATIONS = "budget_allocations"
READINESS = "account_readiness"
_DEFAULT_MINOR_UNITS = 100  # of imported accounts, whose platform nobody asked

AccountKey = tuple[str, str]  # platform, account id


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What allocation must know of an account: its smallest money unit, smallest budget (None: none told), zone."""

    minor_units: int
    min_budget: Decimal | None
    timezone: str


def account_facts(lake: Lake, as_of: date) -> dict[AccountKey, AccountFacts]:
    """Of every account in the newest entity snapshots on or before `as_of`."""
    rows = lake.entities(as_of=as_of).whole().filter(pl.col("level") == Level.ACCOUNT.value)
    facts: dict[AccountKey, AccountFacts] = {}
    for row in rows.iter_rows(named=True):
        native = json.loads(row["native"])
        least = native["min_daily_budget"]
        facts[row["platform"], row["account_id"]] = AccountFacts(
            native["minor_units"], None if least is None else Decimal(least), row["timezone"]
        )
    return facts


def allocate_day(
    lake: Lake,
    policy: Policy,
    day: date,
    *,
    facts: Mapping[AccountKey, AccountFacts],
    ledgers: Mapping[AccountKey, ChangeLedger],
    held: frozenset[str] = frozenset(),
) -> AllocationResult:
    """Budgets of every account for the day after `day`, account by account.

    `ledgers` tell what was moved already (none: nothing was). An account whose data is not ready keeps its budgets,
    and says why.
    """
    estimates = Estimates.from_frame(lake.read_asset(ESTIMATES, day)).frame
    readiness = lake.read_asset(READINESS, day)
    unready = {
        (row["platform"], row["account_id"]): row["reason"] for row in readiness.rows(named=True) if not row["ready"]
    }
    _, arms = marts.arm_days(lake, as_of=day + timedelta(days=1), window_days=policy.measurement.window_days)
    if arms.is_empty():
        raise LakeError(f"no arm runs on {day}: is there an entity snapshot or an import of that day or before?")
    frames: list[pl.DataFrame] = []
    accounts: list[AccountSummary] = []
    for (platform, account_id), own in arms.group_by("platform", "account_id", maintain_order=True):
        key = (str(platform), str(account_id))
        fact = facts.get(key, AccountFacts(_DEFAULT_MINOR_UNITS, None, "UTC"))
        least = pl.lit(None if fact.min_budget is None else float(fact.min_budget), dtype=pl.Float64)
        ours = (pl.col("platform") == key[0]) & (pl.col("account_id") == key[1])
        result = allocate(
            estimates=Estimates(estimates.filter(ours)),
            arms=own.with_columns(min_budget=least),
            policy=policy,
            ledger=ledgers.get(key, ChangeLedger()),
            held=held | (set(own["arm_id"]) if key in unready else frozenset()),
            minor_units={key[1]: fact.minor_units},
            seed=day.toordinal(),
        )
        level = (
            pl.when(pl.col("arm_id") == pl.col("campaign_id")).then(pl.lit("campaign")).otherwise(pl.lit("ad_group"))
        )
        names = own.select("arm_id", "campaign_id", level=level)
        frames.append(result.frame.join(names, on="arm_id", how="left", maintain_order="left"))
        accounts += [_with_reason(summary, unready.get(key)) for summary in result.accounts]
    return AllocationResult(pl.concat(frames), tuple(accounts))


def _with_reason(summary: AccountSummary, reason: str | None) -> AccountSummary:
    if reason is None:
        return summary
    return replace(summary, reason=f"budgets kept, its data is not in order: {reason}")
