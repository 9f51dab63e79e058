"""Budgets for a day: the allocator under policy, what was moved already, who holds what, and whose data is in order."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.allocation.report import AccountSummary, AllocationResult
from stakazo_pipelines.cycle.accounts import AccountKey
from stakazo_pipelines.decisions.record import current_holds
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.operations import Operations
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.ledger import change_ledger
from stakazo_pipelines.publishing.plan import smallest_budget
from stakazo_pipelines.vocabulary import Level

ALLOCATIONS = "budget_allocations"
READINESS = "account_readiness"
_DEFAULT_MINOR_UNITS = 100  # of imported accounts, whose platform nobody asked
_AS_THE_LAKE = 1_000_000  # of accounts that are kept and whose own row cannot be read: rounding would move budgets

_HOLDS_OWN = pl.col("arm_id") == pl.col("campaign_id")  # a campaign that is an arm of its own


@dataclass(frozen=True, slots=True)
class AccountInputs:
    """What allocating one account takes; `held` are the arms that stay, `unready` is why they all do, if so."""

    key: AccountKey
    currency: str
    arms: pl.DataFrame
    estimates: Estimates
    held: frozenset[str]
    minor_units: int
    unready: str | None


def account_inputs(
    estimates: Estimates,
    arms: pl.DataFrame,
    *,
    accounts: Mapping[AccountKey, Account],
    unready: Mapping[AccountKey, str],
    held: AbstractSet[str] = frozenset(),
) -> list[AccountInputs]:
    """Account by account, in the order of `arms`.

    `unready` tells which accounts are kept and why, `held` which entities a person or an experiment keeps: ids of arms,
    or of campaigns above them.
    """
    found: list[AccountInputs] = []
    for (platform, account_id), own in arms.group_by("platform", "account_id", maintain_order=True):
        key = (str(platform), str(account_id))
        account = accounts.get(key)
        unknown = _AS_THE_LAKE if key in unready else _DEFAULT_MINOR_UNITS
        kept = (
            own
            if key in unready
            else own.filter(pl.col("arm_id").is_in(list(held)) | pl.col("campaign_id").is_in(list(held)))
        )
        least = pl.when(_HOLDS_OWN).then(_least(account, Level.CAMPAIGN)).otherwise(_least(account, Level.AD_GROUP))
        found.append(
            AccountInputs(
                key=key,
                currency=str(own["currency"][0]),
                arms=own.with_columns(min_budget=least),
                estimates=Estimates(
                    estimates.frame.filter(pl.col("platform") == key[0], pl.col("account_id") == key[1])
                ),
                held=frozenset(kept["arm_id"]),
                minor_units=unknown if account is None else account.minor_units,
                unready=unready.get(key),
            )
        )
    return found


def allocate_accounts(
    inputs: Iterable[AccountInputs],
    policy: Policy,
    day: date,
    *,
    ledgers: Mapping[str, ChangeLedger],
    granted: Mapping[AccountKey, int] | None = None,
    totals: Mapping[AccountKey, Decimal] | None = None,
) -> AllocationResult:
    """Account by account; the frame also has each arm's level and campaign_id.

    `ledgers` tell by platform what was moved already (none: nothing was). `granted`: totals in minor units that were
    decided over a portfolio (see cycle.portfolio); the other accounts keep their own, or go to one in `totals` (in
    major units) as far as policy's growth lets them.
    """
    frames: list[pl.DataFrame] = []
    groups: list[pl.DataFrame] = []
    summaries: list[AccountSummary] = []
    for one in inputs:
        platform, account_id = one.key
        wanted = (totals or {}).get(one.key)
        result = allocate(
            estimates=one.estimates,
            arms=one.arms,
            policy=policy,
            ledger=ledgers.get(platform, ChangeLedger()),
            total=None if wanted is None else float(wanted),
            held=one.held,
            minor_units={account_id: one.minor_units},
            seed=day.toordinal(),
            granted=(granted or {}).get(one.key),
        )
        level = pl.when(_HOLDS_OWN).then(pl.lit(Level.CAMPAIGN.value)).otherwise(pl.lit(Level.AD_GROUP.value))
        names = one.arms.select("arm_id", "campaign_id", level=level)
        frames.append(result.frame.join(names, on="arm_id", how="left", maintain_order="left"))
        groups.append(result.groups)
        summaries += [_with_reason(summary, one.unready) for summary in result.accounts]
    return AllocationResult(pl.concat(frames), tuple(summaries), pl.concat(groups))


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


def _least(account: Account | None, level: Level) -> pl.Expr:
    smallest = None if account is None else smallest_budget(account, level)
    return pl.lit(None if smallest is None else float(smallest.amount), dtype=pl.Float64)


def _with_reason(summary: AccountSummary, reason: str | None) -> AccountSummary:
    if reason is None:
        return summary
    return replace(summary, reason=f"budgets kept, its data is not in order: {reason}")
