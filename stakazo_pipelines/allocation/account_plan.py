"""One account's budgets, in whole minor units: reachable total, optimum, smallest change, rounding, binding reasons."""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.account_words import nothing_free, nothing_moved, out_of_reach
from stakazo_pipelines.allocation.exploration import explore
from stakazo_pipelines.allocation.guardrails import Reasons
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.posterior import ExpectedCurve
from stakazo_pipelines.allocation.problem import AllocationProblem, Flags, Floats, Groups, Ints
from stakazo_pipelines.allocation.rounding import round_in_groups, round_to_total, trim_moves
from stakazo_pipelines.allocation.solver import Allocation, solve
from stakazo_pipelines.allocation.targets import Targets, aimed
from stakazo_pipelines.vocabulary import Binding

_HALF = 0.5  # unit: an exact move below this rounds to no move
_PARTS = (1.0, 0.5, 0.25)  # of what exploring may cost, tried in turn
_APART = 1e-9  # relative: prices that differ by more are different


@dataclass(frozen=True, slots=True)
class Trial:
    """One draw of the posterior's curves at today's budgets, and the share of expected value that it may cost."""

    curve: ExpectedCurve
    share: float


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """Proposed budgets int64[n] in minor units; `asked` is the total wanted, which the bounds may keep out of reach.

    price: float[n], value of one more minor unit in each arm's innermost group. groups: in minor units, None without
    any. group_price: float[g], what one more minor unit is worth in each. shadow_price: the same of the account; NaN
    when no arm was free to move, or a cost per conversion rules.
    short: why the total is not the one asked for, else empty. reason: why nothing moves, else empty. cost: expected
    value a day that these budgets give up to explore, against those without a trial. told: what else there is to say.
    forced: today's budgets are not among those allowed, so that something must move whatever it earns.
    """

    proposed: Ints
    binding: Reasons
    total: int
    asked: int
    price: Floats
    groups: Groups | None
    group_price: Floats
    shadow_price: float
    kkt_residual: float
    short: str
    reason: str
    cost: float = 0.0
    told: str = ""
    forced: bool = False


def plan_account(
    *,
    arm_ids: list[str],
    limits: Limits,
    curve: ExpectedCurve,
    asked: int,
    most: int,
    min_change: float,
    units: int = 100,
    targets: Targets | None = None,
    trial: Trial | None = None,
) -> AccountPlan:
    """The best reachable budgets of one account.

    asked: the total wanted; most: the largest total allowed. The total is met exactly when the bounds allow it, and
    otherwise comes as near as they do; targets may ask for less. min_change: changes below this fraction of a budget
    are dropped (the smaller half of them first, so that what is left can grow past it) unless the total could not be
    met without them. units: minor units in a major one. trial: go part of the way to what a draw of the posterior would
    do; not under targets, which are promises about expected returns.
    """
    current = limits.current
    now = int(current.sum())
    low, high = limits.sums()
    least = max(low, now - limits.max_moved)
    total = int(np.clip(asked, least, min(high, now + limits.max_moved, max(most, now))))
    short = out_of_reach(asked, total, units)
    if limits.fixed or (limits.max_moved < 2 and total == now and targets is None):
        binding = limits.why_upper if limits.fixed else _all_capped(limits)
        return _kept(limits, asked, binding, nothing_free(binding), short)

    problem, missed = _aimed(_problem(arm_ids, limits, curve, total), limits, targets, least, units)
    best = solve(problem)
    first = best
    small = np.zeros(len(current), dtype=np.bool_)
    while True:
        change = np.abs(best.proposed - current)
        weak = np.flatnonzero((change >= _HALF) & (change < min_change * current * (1 - 1e-9)))
        if not weak.size:
            break
        share = change[weak] / current[weak]
        drop = small.copy()
        drop[weak[np.argsort(share, kind="stable")][: (len(weak) + 1) // 2]] = True
        pinned = limits.pinned(drop)
        if not pinned.hold(int(problem.total)):
            break
        lower, upper = pinned.lower.astype(np.float64), pinned.upper.astype(np.float64)
        small, problem = drop, replace(problem, lower=lower, upper=upper)
        best = solve(problem)

    free = limits.pinned(small)
    if targets is not None and small.any():  # without the small changes the targets may hold at another total
        again = _problem(arm_ids, free, curve, int(np.clip(total, *free.sums())))
        problem, missed = _aimed(again, free, targets, least, units)
        best = solve(problem)
    proposed, best = _whole(problem, best, free, min_change)
    cost = 0.0
    if trial is not None and targets is None and proposed is not None:
        proposed, best, cost = _explored(problem, free, min_change, trial, proposed, best)
    if proposed is None:
        return _kept(
            limits, asked, _all_capped(limits), "whole units of money cannot keep the cap on moved money", short
        )
    # What wanted to move before the small changes went, and has nothing left to move against, is too small as well.
    small |= (np.abs(first.proposed - current) >= _HALF) & (proposed == current) & small.any()
    if int(proposed.sum()) < total:
        short = f"a target on returns keeps {(total - int(proposed.sum())) / units:,.2f} of the total unspent"
    weighted = targets is not None and targets.cpa is not None
    return AccountPlan(
        proposed=proposed,
        binding=_binding(limits, free, small, best, proposed),
        total=int(proposed.sum()),
        asked=asked,
        price=np.full(len(current), np.nan) if weighted else best.price,
        groups=limits.groups,
        group_price=np.full(len(best.group_price), np.nan) if weighted else best.group_price,
        shadow_price=float("nan") if weighted else best.shadow_price,
        kkt_residual=best.kkt_residual,
        short="; ".join(filter(None, [short, missed])),
        reason=nothing_moved(first.reason, proposed, current, small, min_change),
        cost=cost,
    )


def _problem(arm_ids: list[str], limits: Limits, curve: ExpectedCurve, total: int) -> AllocationProblem:
    current = limits.current.astype(np.float64)
    return AllocationProblem(
        arm_ids=arm_ids,
        current=current,
        lower=limits.lower.astype(np.float64),
        upper=limits.upper.astype(np.float64),
        scale=curve.scale,
        elasticity=curve.elasticity,
        ref_spend=np.where(current > 0, current, 1.0),
        total=float(total),
        groups=limits.groups,
        max_moved=float(limits.max_moved),
    )


def _aimed(
    problem: AllocationProblem, limits: Limits, targets: Targets | None, least: int, units: int
) -> tuple[AllocationProblem, str]:
    """The problem at the total that the targets allow, and what is missed of them."""
    if targets is None:
        return problem, ""
    return aimed(problem, targets, least=max(limits.sums()[0], least), units=units)


def _explored(
    problem: AllocationProblem, limits: Limits, min_change: float, trial: Trial, greedy: Ints, best: Allocation
) -> tuple[Ints, Allocation, float]:
    """Whole budgets on the way to those of the trial's draw, the optimum that they come from, and what they cost.

    Whole units, the smallest change and the cap may cost more than going there exactly: then it goes less far, or not.
    """
    value = float(problem.value(greedy.astype(np.float64)).sum())
    for part in _PARTS:
        less = replace(trial, share=trial.share * part)
        tried, optimum = _whole(problem, _tried(problem, less), limits, min_change, less)
        if tried is not None:
            cost = value - float(problem.value(tried.astype(np.float64)).sum())
            if cost <= trial.share * value:
                return tried, optimum, max(cost, 0.0)
    return greedy, best, 0.0


def _tried(problem: AllocationProblem, trial: Trial) -> Allocation:
    """The optimum, with budgets on the way to those of the trial's draw."""
    best = solve(problem)
    drawn = trial.curve
    explored = explore(problem, drawn.scale, drawn.elasticity, max_cost=trial.share * best.value)
    return replace(best, proposed=explored.proposed)


def _whole(
    problem: AllocationProblem, best: Allocation, limits: Limits, min_change: float, trial: Trial | None = None
) -> tuple[Ints | None, Allocation]:
    """Whole units, and the optimum that they were rounded from.

    Pairs of moves taken back for the cap on moved money could leave a group's bounds: there the cap is drawn in by what
    rounding went over, and the optimum found anew. None if not even the tightest cap has whole units.
    """
    cap, least = limits.max_moved, abs(int(problem.total) - int(limits.current.sum()))
    while True:
        proposed = _rounded(best.proposed, limits, int(problem.total), min_change)
        over = int(np.abs(proposed - limits.current).sum()) - limits.max_moved
        if over <= 0:
            return proposed, best
        if cap <= least:
            return None, best
        cap = max(cap - 2 * over, least)
        tighter = replace(problem, max_moved=float(cap))
        best = solve(tighter) if trial is None else _tried(tighter, trial)


def _rounded(exact: Floats, limits: Limits, total: int, min_change: float) -> Ints:
    """Whole units; arms that stay are left out, and those that move keep to the smallest change if the total allows."""
    current = limits.current
    up, down = exact - current >= _HALF, current - exact >= _HALF
    least = np.ceil(current * min_change - 1e-9).astype(np.int64)
    lower = np.where(up, np.minimum(current + np.maximum(least, 1), limits.upper), limits.lower)
    upper = np.where(down, np.maximum(current - np.maximum(least, 1), limits.lower), limits.upper)
    still = ~up & ~down
    moving = limits.within(np.where(still, current, lower), np.where(still, current, upper))
    rounding = moving if moving.hold(total) else limits
    if limits.groups is not None:
        return round_in_groups(exact, rounding.lower, rounding.upper, total, limits.groups)
    return trim_moves(round_to_total(exact, rounding.lower, rounding.upper, total), current, limits.max_moved)


def _kept(limits: Limits, asked: int, binding: Reasons, reason: str, short: str) -> AccountPlan:
    n, groups = len(limits.current), 0 if limits.groups is None else len(limits.groups.names)
    nothing = float("nan")
    return AccountPlan(
        proposed=limits.current,
        binding=binding,
        total=int(limits.current.sum()),
        asked=asked,
        price=np.full(n, nothing),
        groups=limits.groups,
        group_price=np.full(groups, nothing),
        shadow_price=nothing,
        kkt_residual=0.0,
        short=short,
        reason=reason,
    )


def _binding(limits: Limits, free: Limits, small: Flags, best: Allocation, proposed: Ints) -> Reasons:
    """What keeps each arm where it is: its own bound, the account's cap on moved money, or nothing (interior)."""
    account_cap = best.move_price > 0 or (best.proposed.size and _moved(best.proposed, limits) >= limits.max_moved)
    interior = Binding.DAILY_CAP if account_cap else Binding.NONE
    at_upper = (best.proposed >= free.upper - _HALF) & (proposed >= free.upper - 1)
    at_lower = (best.proposed <= free.lower + _HALF) & (proposed <= free.lower + 1)
    binding = np.full(len(proposed), interior, dtype=object)
    if limits.groups is not None:  # where a unit of money is worth another sum, a group's bound keeps it
        with np.errstate(invalid="ignore"):  # prices are infinite where there is nothing to share out
            apart = np.abs(best.price - best.shadow_price) > _APART * np.maximum(best.price, best.shadow_price)
        binding = np.where(apart, Binding.GROUP, binding)
    binding = np.where(at_lower, limits.why_lower, binding)
    binding = np.where(at_upper, limits.why_upper, binding)
    return np.where(small, Binding.TOO_SMALL, binding)


def _moved(proposed: Floats, limits: Limits) -> float:
    return float(np.abs(proposed - limits.current).sum()) + 1e-6


def _all_capped(limits: Limits) -> Reasons:
    own = limits.lower >= limits.upper
    return np.where(own, limits.why_upper, Binding.DAILY_CAP)
