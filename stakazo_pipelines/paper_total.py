"""A plan on paper for another total than today's: budgets brought to it first, and the plan told from today's."""

from decimal import Decimal

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.arm_groups import arm_groups
from stakazo_pipelines.allocation.guardrails import Bounds, judged
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.problem import AllocationProblem, Floats
from stakazo_pipelines.allocation.report import AccountSummary, retold
from stakazo_pipelines.allocation.rounding import round_in_groups, round_to_total
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.allocation.tree import Tree
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.paper import Wishes
from stakazo_pipelines.policy import AccountPolicy, Policy, RangePolicy
from stakazo_pipelines.table_input import MOST
from stakazo_pipelines.vocabulary import Binding

# A larger total goes to ad groups that are `ok` as long as this grows them at most so many times more than the total.
MAX_STRETCH = 2.0


def check_total(total: Decimal | None) -> None:
    """Raises InputError for a total that is no amount to spend a day, whatever the table."""
    if total is None:
        return
    if not (total.is_finite() and total > 0):
        raise InputError(f"the total must be an amount above 0, not {total}")
    if total > MOST:
        raise InputError(f"the total is above {MOST:g}; check its unit")


def check_currencies(arms: pl.DataFrame, total: Decimal | None, wishes: Wishes) -> None:
    """Raises InputError for an amount that is asked of arms in several currencies."""
    currencies = arms["currency"].unique().sort().to_list()
    if len(currencies) < 2:
        return
    if wishes.min_viable is not None:
        raise InputError(f"one min-viable budget cannot hold in several currencies ({', '.join(currencies)})")
    if total is not None:
        raise InputError(
            f"one total cannot be split over several currencies ({', '.join(currencies)}); "
            "give a table of one currency, or leave the total out to keep each currency's own"
        )


def brought_to(
    arms: pl.DataFrame,
    estimates: Estimates,
    total: Decimal,
    policy: Policy,
    own: AccountPolicy,
    step_cap: float | None,
    units: dict[str, int],
    notes: list[str],
) -> pl.DataFrame:
    """The arms with budgets that add up to the total, from which the step cap counts (see `plan_table`).

    own: whose bounds on arms and groups they keep, or today's budgets where these do not. Raises InputError for a total
    that the bounds do not allow.
    """
    unit = units[arms["account_id"][0]]
    today: Floats = arms["budget"].to_numpy()
    sum_today, wanted = float(today.sum()), float(total)
    if sum_today <= 0:
        raise InputError("no ad group has a budget or spend to start from, so the total cannot be split")
    found = arms.select("arm_id").join(estimates.frame, on="arm_id", how="left", maintain_order="left")
    ok, may_fall = judged(found, policy)
    step = policy.allocation.step_cap if step_cap is None else step_cap
    average = (found["spend"] / found["days"]).fill_nan(0.0).to_numpy()
    floor = np.maximum(today * max(1 - step, 0.0), np.minimum(policy.allocation.min_budget_share * average, today))
    limits = _limits(arms, own, today, unit, int(total * unit))
    least, most = _sums(limits, np.where(may_fall, floor, today), np.where(ok, today * (1 + step), today), unit)
    margin = len(today) / unit  # bounds are rounded inwards to the minor unit
    if least + margin <= wanted <= most - margin:
        return arms
    _check_reach(limits, total, unit)
    factor = wanted / sum_today
    known = float(today[ok].sum())
    stretch = (wanted - (sum_today - known)) / known if known > 0 else np.inf
    base, rest = today * factor, limits
    if abs(factor - 1) <= 0.5 / unit / sum_today:
        words = ""
    elif factor < 1:
        words = f"every budget is first cut to {factor:.1%}"
    elif stretch <= MAX_STRETCH * factor:
        base, rest = np.where(ok, today * stretch, today), limits.pinned(~ok)
        words = f"the {int(ok.sum())} ad groups that are ok are first raised to {stretch:.1%}, the others stay"
    else:
        words = f"too little is known of most ad groups, so every budget is first raised to {factor:.1%}"
    exact = _kept_within(base * unit, limits, rest, int(total * unit))
    if words:
        words += "" if np.array_equal(exact, base * unit) else ", as far as the bounds allow"
        notes.append(
            f"steps of {step:.0%} from today's {sum_today:,.2f} do not reach the total of {wanted:,.2f}: {words}, "
            "and the steps count from there"
        )
    if limits.groups is None:
        whole = round_to_total(exact, limits.lower, limits.upper, int(total * unit))
    else:
        whole = round_in_groups(exact, limits.lower, limits.upper, int(total * unit), limits.groups)
    return arms.with_columns(pl.Series("budget", whole / unit))


def _limits(arms: pl.DataFrame, own: AccountPolicy, today: Floats, unit: int, total: int) -> Limits:
    """What bounds leave every arm and group, steps aside; like all bounds they contain today's budgets."""
    arm_ids, current = arms["arm_id"].to_list(), np.rint(today * unit).astype(np.int64)
    most_of_all = (total + int(current.sum())) / unit
    wanted = [own.arms.get(arm) or RangePolicy() for arm in arm_ids]
    groups = arm_groups(own.groups, arm_ids, arms["campaign_id"].fill_null("").to_list())
    bounds = Bounds(
        lower=np.array([float(bound.min) for bound in wanted]),
        upper=np.array([most_of_all if bound.max is None else min(float(bound.max), most_of_all) for bound in wanted]),
        why_lower=np.full(len(arm_ids), Binding.MINIMUM, dtype=object),
        why_upper=np.full(len(arm_ids), Binding.MAXIMUM, dtype=object),
        max_moved=most_of_all,
    )
    return Limits.of(bounds, current, unit, groups)


def _sums(limits: Limits, least: Floats, most: Floats, unit: int) -> tuple[float, float]:
    """The smallest and largest total of budgets between `least` and `most` within the limits."""
    least, most = np.maximum(least, limits.lower / unit), np.minimum(most, limits.upper / unit)
    if limits.groups is None:
        return float(least.sum()), float(most.sum())
    low, high = limits.groups.reach(least * unit, most * unit)
    return float(low[-1]) / unit, float(high[-1]) / unit


def _check_reach(limits: Limits, total: Decimal, unit: int) -> None:
    low, high = limits.sums()
    if int(total * unit) > high:
        raise InputError(
            f"the bounds allow at most {high / unit:,.2f} a day, {float(total) - high / unit:,.2f} less than the total "
            f"of {total:,.2f}; widen them or lower the total"
        )
    if int(total * unit) < low:
        raise InputError(
            f"the bounds allow at least {low / unit:,.2f} a day, {low / unit - float(total):,.2f} more than the total "
            f"of {total:,.2f}; widen them or raise the total"
        )


def _kept_within(base: Floats, limits: Limits, rest: Limits, total: int) -> Floats:
    """`base` where it keeps the limits, else what is within them in proportion to it: of `rest` if they hold the total.

    Equal elasticities and returns in proportion to budgets make the optimum that: one price is one factor.
    """
    apart = (base < limits.lower) | (base > limits.upper)
    if limits.groups is not None:
        sums = Tree.of(limits.groups, len(base)).whole(base)[:-1]
        apart = np.append(apart, (sums < limits.groups.lower) | (sums > limits.groups.upper))
    if not apart.any():
        return base
    chosen = rest if rest.hold(total) else limits
    problem = AllocationProblem(
        arm_ids=[str(at) for at in range(len(base))],
        current=limits.current.astype(np.float64),
        lower=chosen.lower.astype(np.float64),
        upper=chosen.upper.astype(np.float64),
        scale=base,
        elasticity=np.full(len(base), 0.5),
        ref_spend=np.where(base > 0, base, 1.0),
        total=float(total),
        groups=chosen.groups,
    )
    return solve(problem).proposed


def since_today(
    frame: pl.DataFrame, summary: AccountSummary, arms: pl.DataFrame, estimates: Estimates, unit: int, seed: int
) -> tuple[pl.DataFrame, AccountSummary]:
    """The same plan told from today's budgets instead of those that the total started from."""
    today = arms.select("arm_id", ((pl.col("budget") * unit).round() / unit).alias("current_budget"))
    return retold(
        frame.drop("current_budget").join(today, on="arm_id", maintain_order="left"), summary, estimates, seed=seed
    )
