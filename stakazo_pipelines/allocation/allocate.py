"""Budgets of many accounts at once: estimates, policy and ledger in; proposals with gains, bounds and words out."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from math import ceil

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.account_plan import AccountPlan, Trial, plan_account
from stakazo_pipelines.allocation.arm_groups import arm_groups
from stakazo_pipelines.allocation.arm_table import ArmTable, arm_table, one_draw, value_per_conversion
from stakazo_pipelines.allocation.guardrails import ChangeLedger, bounds, judged
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.posterior import CurvePosterior, ExpectedCurve
from stakazo_pipelines.allocation.problem import Ints
from stakazo_pipelines.allocation.report import AllocationResult, plan_gains, report
from stakazo_pipelines.allocation.switching import Viable, plan_viable
from stakazo_pipelines.allocation.targets import Targets
from stakazo_pipelines.policy import AccountPolicy, Policy
from stakazo_pipelines.vocabulary import Binding


@dataclass(frozen=True, slots=True)
class AccountReach:
    """Where one account's budgets may go, what they earn there and must earn; arrays in the order of `arm_ids`."""

    arm_ids: tuple[str, ...]
    limits: Limits
    curve: ExpectedCurve
    targets: Targets | None = None
    trial: Trial | None = None
    viable: Viable | None = None


def allocate(
    *,
    estimates: CurvePosterior,
    arms: pl.DataFrame,
    policy: Policy,
    ledger: ChangeLedger,
    total: float | None = None,
    held: AbstractSet[str] = frozenset(),
    minor_units: Mapping[str, int],
    seed: int,
    step_cap: float | None = None,
    granted: int | None = None,
    min_viable: Decimal | None = None,
) -> AllocationResult:
    """Budgets that earn most under the posterior, within policy, by account.

    arms: arm_id, account_id, platform, currency, budget (major units per day), and optionally campaign_id (for policy's
    groups) and min_budget, max_budget (the platform's, null for none). total: per account and day, instead of policy's
    and of today's sum. held: arm ids kept as they are, besides policy's. minor_units: by account id, how many make one
    major unit. granted: the total of every account in its minor units, as decided over a portfolio; it stands before
    `total` and policy's growth.
    min_viable: an arm that may move gets nothing or at least so much a day, in major units; `plan_viable` says how. One
    with a lower bound of its own is never switched off. Raises InfeasibleError where that cannot be.
    An arm without an estimate, or whose state is not `ok`, is kept where it is. A change set whose expected gain is
    not positive is dropped whole, unless policy asks for care or for exploring, which may cost expected value. Raises
    AllocationError for arms that are not a table of distinct budgets, or policy's groups that overlap.
    """
    table = arm_table(estimates, arms, policy, held, minor_units)
    slices, current = table.accounts, table.current
    drawn = one_draw(estimates, table, seed) if policy.allocation.explore else None
    plans = [
        _plan(
            _reach(table, rows, policy, ledger, step_cap, drawn, min_viable),
            policy,
            int(table.units[rows[0]]),
            granted if granted is not None else _asked(table, rows, policy, total),
            granted,
        )
        for rows in slices
    ]
    gain = plan_gains(estimates, table, plans, seed)
    dropped = False
    for index, (plan, rows) in enumerate(zip(plans, slices, strict=True)):
        balanced = plan.total == int(current[rows].sum())
        careful = (
            policy.allocation.careful or policy.account(*_key(table, rows)).target_cpa is not None or plan.cost > 0
        )
        if balanced and not (careful or plan.forced or plan.reason) and not gain.account_mean[index] > 0:
            dropped = True
            plans[index] = _dropped(plan, current[rows], float(gain.account_mean[index]))
    if dropped:
        gain = plan_gains(estimates, table, plans, seed)
    return report(estimates, table, plans, gain, seed)


def account_reach(
    *,
    estimates: CurvePosterior,
    arms: pl.DataFrame,
    policy: Policy,
    ledger: ChangeLedger,
    held: AbstractSet[str],
    minor_units: int,
) -> AccountReach:
    """What `allocate` would choose from, for the arms of one account."""
    account = str(arms["account_id"][0])
    table = arm_table(estimates, arms, policy, held, {account: minor_units})
    return _reach(table, np.arange(len(table.rows)), policy, ledger, None)


def _key(table: ArmTable, rows: Ints) -> tuple[str, str]:
    first = int(rows[0])
    return str(table.rows["platform"][first]), str(table.rows["account_id"][first])


def _reach(
    table: ArmTable,
    rows: Ints,
    policy: Policy,
    ledger: ChangeLedger,
    step_cap: float | None,
    drawn: ExpectedCurve | None = None,
    min_viable: Decimal | None = None,
) -> AccountReach:
    part = table.rows[int(rows[0]) : int(rows[-1]) + 1]
    arm_ids, units, curve = part["arm_id"].to_list(), int(table.units[rows[0]]), table.curve
    own = policy.account(*_key(table, rows))
    wanted = [own.arms.get(arm) for arm in arm_ids]
    least = [0.0 if bound is None else float(bound.min) for bound in wanted]
    most = [np.inf if bound is None or bound.max is None else float(bound.max) for bound in wanted]
    (may_rise, may_fall), valued = judged(part, policy), curve.scale[rows] > 0
    smallest = np.maximum(part["least"].to_numpy(), least)
    largest = np.minimum(part["most"].to_numpy(), most)
    may_rise, may_fall = may_rise & valued, may_fall & valued
    rails = bounds(
        account_id=part["account_id"][0],
        arm_ids=arm_ids,
        current=table.budgets[rows],
        average=part["average"].to_numpy(),
        may_rise=may_rise,
        may_fall=may_fall,
        held=table.kept[rows],
        policy=policy,
        ledger=ledger,
        platform_minimum=smallest,
        platform_maximum=largest,
        step_cap=step_cap,
    )
    groups = arm_groups(own.groups, arm_ids, part["campaign_id"].fill_null("").to_list())
    limits = Limits.of(rails, table.current[rows], units, groups)
    trial = None
    if drawn is not None:
        trial = Trial(ExpectedCurve(drawn.scale[rows], drawn.elasticity[rows]), policy.allocation.explore)
    viable = None
    if min_viable is not None:
        free = ~table.kept[rows]
        viable = Viable(
            least=ceil(min_viable * units),
            may_rise=may_rise & free,
            may_fall=may_fall & free,
            must=np.array(least) > 0,
            most=largest * units,
            step=policy.allocation.step_cap if step_cap is None else step_cap,
        )
    return AccountReach(
        arm_ids=tuple(arm_ids),
        limits=limits,
        curve=ExpectedCurve(curve.scale[rows], curve.elasticity[rows]),
        targets=_targets(own, policy, part),
        trial=trial,
        viable=viable,
    )


def _targets(own: AccountPolicy, policy: Policy, part: pl.DataFrame) -> Targets | None:
    roas = policy.allocation.target_roas if own.target_roas is None else own.target_roas
    last = policy.allocation.min_marginal_roas if own.min_marginal_roas is None else own.min_marginal_roas
    if roas is None and last is None and own.target_cpa is None:
        return None
    worth = value_per_conversion(part) if own.target_cpa is not None else None
    return Targets(roas=roas, marginal_roas=last, cpa=own.target_cpa, per_conversion=worth)


def _asked(table: ArmTable, rows: Ints, policy: Policy, total: float | None) -> int:
    """The total wanted of an account in its minor units, within policy's bounds on it.

    Today's sum is a total that nobody asked for: there the bounds force no move.
    """
    key, units = _key(table, rows), int(table.units[rows[0]])
    own = policy.total_of(*key)
    wanted = own if total is None else Decimal(str(total))
    if wanted is None:
        return int(table.current[rows].sum())
    asked, allowed = int(wanted * units), policy.account(*key).bounds
    asked = max(asked, ceil(allowed.min * units))
    return asked if allowed.max is None else min(asked, int(allowed.max * units))


def _plan(reach: AccountReach, policy: Policy, units: int, asked: int, granted: int | None) -> AccountPlan:
    now = int(reach.limits.current.sum())
    plan = plan_account if reach.viable is None else partial(plan_viable, viable=reach.viable)
    return plan(
        arm_ids=list(reach.arm_ids),
        limits=reach.limits,
        curve=reach.curve,
        asked=asked,
        most=int(now * (1 + policy.guardrails.max_budget_growth)) if granted is None else granted,
        min_change=policy.allocation.min_change,
        units=units,
        targets=reach.targets,
        trial=reach.trial,
    )


def _dropped(plan: AccountPlan, current: Ints, gain: float) -> AccountPlan:
    return replace(
        plan,
        proposed=current,
        binding=np.where(plan.proposed != current, Binding.NONE, plan.binding),
        told="",
        reason=f"nothing to gain: the best change within the bounds is expected to earn {gain:.6g} a day",
    )
