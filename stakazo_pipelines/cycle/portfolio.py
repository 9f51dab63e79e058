"""Budgets over many accounts: money moves between accounts, platforms and currencies, then inside each account.

`allocate_portfolio` needs no Dagster and no files: the daily asset and the simulation call it alike.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import ceil

import polars as pl

from stakazo_pipelines.allocation.allocate import account_reach
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.allocation.portfolio import PlatformBounds, PortfolioPlan, Stake, plan_portfolio
from stakazo_pipelines.allocation.report import AccountSummary, AllocationResult
from stakazo_pipelines.currency import Rates
from stakazo_pipelines.cycle.accounts import AccountKey, KnownAccounts
from stakazo_pipelines.cycle.budgets import READINESS, AccountInputs, account_inputs, allocate_accounts
from stakazo_pipelines.cycle.experiments import with_experiments
from stakazo_pipelines.cycle.frontier import day_frontier
from stakazo_pipelines.cycle.pacing import flight_spend, paced_totals
from stakazo_pipelines.cycle.portfolio_summary import PortfolioSummary, portfolio_gain, summarise
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.cycle.soundness import sound_days
from stakazo_pipelines.decisions.candidate import Stop
from stakazo_pipelines.errors import InputError, LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import Autonomy


@dataclass(frozen=True, slots=True)
class PortfolioResult:
    """frame, accounts and groups as in AllocationResult; portfolio: the same told in one currency.

    frontier: what the accounts that share money would earn with more or less of it (`cycle.frontier`).
    """

    frame: pl.DataFrame
    accounts: tuple[AccountSummary, ...]
    groups: pl.DataFrame
    portfolio: PortfolioSummary
    frontier: pl.DataFrame


def allocate_day(
    lake: Lake,
    policy: Policy,
    day: date,
    *,
    accounts: KnownAccounts,
    ledgers: Mapping[str, ChangeLedger],
    rates: Rates,
    sandbox: bool,
    held: AbstractSet[str] = frozenset(),
    stops: Collection[Stop] = (),
) -> PortfolioResult:
    """Budgets of every account for the day after `day`, from the estimates and readiness in the lake.

    An account that is set aside or whose data is not ready keeps its budgets, and says why. Raises LakeError when
    nothing runs.
    """
    estimates = Estimates.from_frame(lake.read_asset(ESTIMATES, day))
    readiness = lake.read_asset(READINESS, day)
    unready = {
        (row["platform"], row["account_id"]): row["reason"]
        for row in readiness.iter_rows(named=True)
        if not row["ready"]
    }
    given = sound_days(lake, day + timedelta(days=1), policy.measurement.window_days)
    arms = given.arms
    if arms.is_empty():
        raise LakeError(f"no arm runs on {day}: is there an entity snapshot or an import of that day or before?")
    return allocate_portfolio(
        estimates,
        arms,
        policy,
        day,
        accounts=accounts.found,
        ledgers=ledgers,
        unready={**accounts.aside, **given.aside, **unready},
        rates=rates,
        sandbox=sandbox,
        held=held,
        stops=stops,
        spent=flight_spend(lake, policy, day),
    )


def allocate_portfolio(
    estimates: Estimates,
    arms: pl.DataFrame,
    policy: Policy,
    day: date,
    *,
    accounts: Mapping[AccountKey, Account],
    ledgers: Mapping[str, ChangeLedger],
    unready: Mapping[AccountKey, str],
    rates: Rates,
    sandbox: bool,
    held: AbstractSet[str] = frozenset(),
    stops: Collection[Stop] = (),
    spent: pl.DataFrame | None = None,
) -> PortfolioResult:
    """Like `allocate_accounts`, but the accounts share the sum of their totals, converted at `day`'s rates.

    An account keeps its own total where policy sets one or lets none move, where its data is not ready, its currency
    has no rate, it is imported, or a stop covers it. Money moves only among accounts of the same autonomy: a cut that
    is written at once would otherwise pay for a raise that nobody lets through. Where moving money between accounts is
    expected to gain nothing, none moves. sandbox: as in `Policy.autonomy_of`; stops: the switches in force. spent:
    account days (see `cycle.pacing`) for the accounts that have a flight.
    """
    inputs = account_inputs(estimates, arms, accounts=accounts, unready=unready, held=held)
    paced = {}
    if spent is not None:
        paced = paced_totals(policy, spent, day, minor_units={one.key: one.minor_units for one in inputs})
    worths, apart = _worths(inputs, policy, rates, day)
    for one in inputs:
        if why := _kept(one, policy, accounts, stops):
            apart[one.key] = why

    pools: dict[Autonomy, list[Stake]] = {}
    for one in inputs:
        if one.key not in apart:
            pool = pools.setdefault(policy.autonomy_of(*one.key, sandbox=sandbox), [])
            pool.append(_stake(one, worths[one.key], policy, ledgers.get(one.key[0], ChangeLedger())))
    step, least = policy.portfolio.account_step, policy.allocation.min_change
    plans: list[PortfolioPlan] = []
    totals: dict[str, int] = {}
    for pool in pools.values():
        bounds = _platform_bounds(inputs, policy, worths, pool, totals)
        plans.append(plan_portfolio(pool, account_step=step, min_change=least, platforms=bounds))
        totals |= {share.name: share.total for share in plans[-1].shares}
    today = {stake.name: stake.now for pool in pools.values() for stake in pool}

    def allocated(granted: Mapping[str, int]) -> AllocationResult:
        return allocate_accounts(
            inputs,
            policy,
            day,
            ledgers=ledgers,
            granted={one.key: granted[name] for one in inputs if (name := _name(one.key)) in granted},
            totals={key: own.total for key, own in paced.items() if own.total is not None},
        )

    reason = "; ".join(sorted({plan.reason for plan in plans if plan.reason}))
    result = allocated(totals if totals != today else {})
    gain = portfolio_gain(estimates, result.frame, worths, seed=day.toordinal())
    if totals != today and gain.mean <= 0:
        reason = f"moving money between accounts is expected to earn {gain.mean:.6g} a day in all, so none moves"
        result = allocated({})
        gain = portfolio_gain(estimates, result.frame, worths, seed=day.toordinal())
    imported = [one.key for one in inputs if one.key not in accounts]
    stepped = with_experiments(result, inputs, policy, day, ledgers=ledgers, left_out=imported)
    if stepped is not result:
        result, gain = stepped, portfolio_gain(estimates, stepped.frame, worths, seed=day.toordinal())
    apart |= {key: own.words for key, own in paced.items()}
    currency = policy.portfolio.reporting_currency
    summary = summarise(result.accounts, plans, worths, apart, currency=currency, gain=gain, reason=reason)
    frontier = day_frontier([stake for pool in pools.values() for stake in pool])
    return PortfolioResult(result.frame, result.accounts, result.groups, summary, frontier)


def worth_for(policy: Policy, rates: Rates, platform: str, account: Account, on: date) -> Decimal | None:
    """What one unit of the account's money is in the reporting currency; None where its total is its own business."""
    if not policy.shares_total(platform, account.id):
        return None
    try:
        return rates.worth(account.currency, policy.portfolio.reporting_currency, on)
    except InputError:
        return None  # the allocation has said which row is missing; such an account can only keep its total


def _worths(
    inputs: Collection[AccountInputs], policy: Policy, rates: Rates, day: date
) -> tuple[dict[AccountKey, Decimal], dict[AccountKey, str]]:
    """The accounts' rates, and why some have none."""
    worths: dict[AccountKey, Decimal] = {}
    missing: dict[AccountKey, str] = {}
    for one in inputs:
        try:
            worths[one.key] = rates.worth(one.currency, policy.portfolio.reporting_currency, day)
        except InputError as error:
            missing[one.key] = str(error)
    return worths, missing


def _kept(
    one: AccountInputs,
    policy: Policy,
    accounts: Mapping[AccountKey, Account],
    stops: Collection[Stop],
) -> str:
    """Why an account keeps its own total; '' when it need not."""
    if not policy.portfolio.move_between_accounts:
        return "portfolio.move_between_accounts is false"
    if policy.account(*one.key).flight is not None:
        return "its flight sets its total"
    if policy.total_of(*one.key) is not None:
        return "policy sets its total"
    if one.unready is not None:
        return f"its data is not in order: {one.unready}"
    if one.key not in accounts:
        return "it is imported: nothing can be published to it"
    stop = next((stop for stop in stops if stop.scope in {"*", one.key[0], _name(one.key)}), None)
    return "" if stop is None else str(stop)


def _stake(one: AccountInputs, worth: Decimal, policy: Policy, ledger: ChangeLedger) -> Stake:
    reach = account_reach(
        estimates=one.estimates,
        arms=one.arms,
        policy=policy,
        ledger=ledger,
        held=one.held,
        minor_units=one.minor_units,
    )
    grown = round(ledger.account_growth.get(one.key[1], 0.0) * one.minor_units)
    allowed = policy.account(*one.key).bounds
    return Stake(
        name=_name(one.key),
        reach=reach,
        units=one.minor_units,
        worth=worth,
        grown=grown,
        low=ceil(allowed.min * one.minor_units),
        high=None if allowed.max is None else int(allowed.max * one.minor_units),
        platform=one.key[0],
    )


def _platform_bounds(
    inputs: Collection[AccountInputs],
    policy: Policy,
    worths: Mapping[AccountKey, Decimal],
    pool: Collection[Stake],
    planned: Mapping[str, int],
) -> dict[str, PlatformBounds]:
    """Policy's bounds on platforms, with what their accounts outside the pool spend (those with a rate).

    planned: totals of pools planned before, in minor units. Nobody knows which of them is carried out, so against a
    maximum the larger of today's and the planned total counts, and against a minimum the smaller.
    """
    inside = {stake.name for stake in pool}
    found: dict[str, PlatformBounds] = {}
    for platform, allowed in policy.portfolio.platforms.items():
        least = most = 0.0
        for one in inputs:
            if one.key[0] != platform or one.key not in worths or (name := _name(one.key)) in inside:
                continue
            now, worth = float(one.arms["budget"].sum()), float(worths[one.key])
            after = planned[name] / one.minor_units if name in planned else now
            least, most = least + min(now, after) * worth, most + max(now, after) * worth
        high = None if allowed.max is None else float(allowed.max)
        found[platform] = PlatformBounds(float(allowed.min) + most - least, high, most)
    return found


def _name(key: AccountKey) -> str:
    return f"{key[0]}/{key[1]}"
