"""Minimum viable budgets: an arm gets nothing, or at least so much a day.

First who is on: branch and bound over all that the bounds allow at the total. Then how much: with those that are off at
0 and those that are on at the smallest viable budget or above, `plan_account` does the rest as if these budgets were
today's. So reaching 0 or the smallest viable budget is exempt from the step cap; every other move keeps to it.
"""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.account_plan import AccountPlan, Trial, plan_account
from stakazo_pipelines.allocation.account_words import out_of_reach, switches
from stakazo_pipelines.allocation.envelope import EnvelopeAllocation, Nonconcave, solve_nonconcave
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.posterior import ExpectedCurve
from stakazo_pipelines.allocation.problem import AllocationProblem, Flags, Floats, Ints
from stakazo_pipelines.allocation.targets import Targets
from stakazo_pipelines.errors import InfeasibleError
from stakazo_pipelines.vocabulary import Binding

_DECISIONS = 3  # of who is on, each at the total that targets left of the one before
_ON = 1 - 1e-9  # of the smallest viable budget: rounding


@dataclass(frozen=True, slots=True)
class Viable:
    """least: the smallest budget of an arm that is on, in minor units. The rest by arm, of length n:

    may_rise, may_fall: by estimates and holds. must: a lower bound of its own keeps it on. most: its largest budget
    whatever the step, in minor units. step: the step cap, which counts from `least` for whoever is raised to it.
    """

    least: int
    may_rise: Flags
    may_fall: Flags
    must: Flags
    most: Floats
    step: float


@dataclass(frozen=True, slots=True)
class _Ranges:
    """int64[n] budgets from lower to upper, and 0 as well for `switch`. `raised` must be on; `stays` stay below."""

    lower: Ints
    upper: Ints
    switch: Flags
    raised: Flags
    stays: Flags

    @staticmethod
    def of(viable: Viable, limits: Limits) -> "_Ranges":
        """Only arms that steps would let below the smallest viable budget are concerned."""
        least, current = viable.least, limits.current
        below = limits.lower < least
        movable = viable.may_rise | (viable.may_fall & (current >= least))
        switch, raised = below & movable & viable.may_fall & ~viable.must, below & movable & viable.must
        stays = below & ~switch & ~raised
        top = np.floor(np.minimum(least * (1 + viable.step) + 1e-6, viable.most)).astype(np.int64)
        upper = np.where((switch | raised) & (current < least), np.maximum(limits.upper, top), limits.upper)
        lower = np.where(switch, least, np.where(raised, np.minimum(least, upper), limits.lower))
        return _Ranges(np.where(stays, current, lower), np.where(stays, current, upper), switch, raised, stays)

    def sums(self, limits: Limits) -> tuple[int, int]:
        return limits.within(np.where(self.switch, 0, self.lower), self.upper).sums()

    def forced(self, current: Ints) -> bool:
        """Whether today's budgets are out of these ranges."""
        return bool(((current < self.lower) & ~(self.switch & (current == 0))).any())


@dataclass(frozen=True, slots=True)
class _Decision:
    """Limits as if those that are off were at 0 today and the others at least viable; the total decided for."""

    limits: Limits
    ranges: _Ranges
    off: Flags
    wanted: int
    gap: float


def plan_viable(
    *,
    viable: Viable,
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
    """`plan_account` (whose arguments these are) where an arm gets nothing or at least `viable.least`.

    An arm that its step keeps at `viable.least` or above anyway is not switched: nothing asks for more than a step of
    it. Arms that may not move stay where they are, and are counted in words. Where no choice of arms adds up to the
    total, the best that spends less is used, and `short` says how much less. Under targets who is on is decided anew
    at the total that they leave; under a ceiling on cost per conversion by value alone.
    Raises InfeasibleError, with relaxations that would do, where nothing keeps every bound or the cap on moved money.
    """
    at = min(asked, max(most, int(limits.current.sum())))
    made = _decided_or_told(viable, arm_ids, limits, curve, at, units)
    reach = made.wanted
    for again in range(_DECISIONS):
        if again:
            made = _decided_or_told(viable, arm_ids, limits, curve, at, units)
        total = int(np.clip(reach, *made.limits.sums()))
        plan = plan_account(
            arm_ids=arm_ids,
            limits=made.limits,
            curve=_through(curve, limits.current, made.limits.current),
            asked=total,
            most=total,
            min_change=min_change,
            units=units,
            targets=targets,
            trial=trial and replace(trial, curve=_through(trial.curve, limits.current, made.limits.current)),
        )
        if targets is None or targets.cpa is not None or plan.total >= at:
            break
        at = plan.total
    least = f"{viable.least / units:,.2f}"
    unspent = max(reach - total, 0) / units
    left = f"budgets of nothing or at least {least} leave {unspent:,.2f} of the total unspent" if unspent else ""
    moved = bool((plan.proposed != limits.current).any())
    stays = int(np.count_nonzero(made.ranges.stays & (limits.current > 0)))
    return replace(
        plan,
        asked=asked,
        short="; ".join(filter(None, [out_of_reach(asked, reach, units), left, plan.short])),
        reason="" if moved else plan.reason,
        told=switches(made.off, stays, least, made.gap),
        forced=made.ranges.forced(limits.current),
    )


def _through(curve: ExpectedCurve, current: Ints, other: Ints) -> ExpectedCurve:
    """The same curves given by their values at other budgets than today's; nothing at 0."""
    ratio = np.divide(other, current, out=np.zeros(len(current)), where=current > 0)
    kept = other == current
    return replace(curve, scale=np.where(kept, curve.scale, curve.scale * ratio**curve.elasticity))


def _decided_or_told(
    viable: Viable, arm_ids: list[str], limits: Limits, curve: ExpectedCurve, wanted: int, units: int
) -> _Decision:
    """Who is on; if nobody can be, the largest viable budget at which somebody could is named as well."""
    try:
        return _decided(viable, arm_ids, limits, curve, wanted, units)
    except InfeasibleError as error:
        works, fails = 0, viable.least
        while fails - works > max(viable.least * len(arm_ids) >> 22, 1):  # coarser where every try takes longer
            middle = (works + fails) // 2
            try:
                _decided(replace(viable, least=middle), arm_ids, limits, curve, wanted, units)
            except InfeasibleError:
                fails = middle
            else:
                works = middle
        raise InfeasibleError(
            f"{error}; or lower the smallest viable budget to {works / units:,.2f}",
            error.relaxation or (viable.least - works) / units,
        ) from None


def _decided(
    viable: Viable, arm_ids: list[str], limits: Limits, curve: ExpectedCurve, wanted: int, units: int
) -> _Decision:
    """Raises InfeasibleError where no choice keeps every bound, with the relaxation in major units if it is known."""
    ranges, current = _Ranges.of(viable, limits), limits.current.astype(np.float64)
    low, high = ranges.sums(limits)
    if low > wanted and ranges.raised.any():
        gap = (low - wanted) / units
        raise InfeasibleError(
            f"the {int(ranges.raised.sum())} arms that must be on need at least {viable.least / units:,.2f} each, with "
            f"the others {low / units:,.2f} together, above the total of {wanted / units:,.2f}; raise the total by at "
            f"least {gap:,.2f}",
            gap,
        )
    _check_groups(viable, limits, ranges, units)
    now = int(limits.current.sum())
    total = int(np.clip(wanted, max(low, now - limits.max_moved), max(low, min(high, now + limits.max_moved))))
    problem = AllocationProblem(
        arm_ids=arm_ids,
        current=current,
        lower=np.where(ranges.switch, 0.0, ranges.lower),
        upper=ranges.upper.astype(np.float64),
        scale=curve.scale,
        elasticity=curve.elasticity,
        ref_spend=np.where(current > 0, current, 1.0),
        total=float(total),
        groups=limits.groups,
    )
    answer = _best(problem, np.where(ranges.switch, float(viable.least), 0.0), viable, units)
    off = ranges.switch & (answer.proposed < viable.least * _ON)
    decided = _as_if_today(viable, limits, ranges, off)
    reachable = int(np.clip(total, *decided.sums()))
    settled = replace(
        problem,
        current=decided.current.astype(np.float64),
        lower=decided.lower.astype(np.float64),
        upper=decided.upper.astype(np.float64),
        total=float(reachable),
    )
    gap = (settled.least_moved() - decided.max_moved) / units
    if gap > 0:
        raise InfeasibleError(
            f"budgets of nothing or at least {viable.least / units:,.2f} move {limits.max_moved / units + gap:,.2f} a "
            f"day, above the cap of {limits.max_moved / units:,.2f} on moved money; raise it by {gap:,.2f}",
            gap,
        )
    return _Decision(decided, ranges, off, total, 0.0 if answer.exact else answer.gap)


def _check_groups(viable: Viable, limits: Limits, ranges: _Ranges, units: int) -> None:
    if limits.groups is None:
        return
    smallest = np.where(ranges.switch, 0.0, ranges.lower)
    over = limits.groups.reach(smallest, ranges.upper.astype(np.float64))[0][:-1] - limits.groups.upper
    worst = int(np.argmax(over))
    if over[worst] > 0:
        gap = float(over[worst]) / units
        raise InfeasibleError(
            f"group {limits.groups.names[worst]}: its arms that must be on, at {viable.least / units:,.2f} or more, "
            f"need {gap:,.2f} more than it may have; raise its upper bound by that",
            gap,
        )


def _best(problem: AllocationProblem, minimum: Floats, viable: Viable, units: int) -> EnvelopeAllocation:
    """The best choice at the total; where none adds up to it, the best that spends less."""
    try:
        return solve_nonconcave(Nonconcave(problem, minimum))
    except InfeasibleError:
        pass
    try:
        answer = solve_nonconcave(Nonconcave(replace(problem, spend_all=False), minimum))
    except InfeasibleError:
        raise InfeasibleError(
            f"no choice of arms with budgets of nothing or at least {viable.least / units:,.2f} keeps every bound of "
            "arms and groups"
        ) from None
    if answer.proposed.any():
        return answer
    gap = max(viable.least - problem.total, 0.0) / units
    raise InfeasibleError(
        f"no arm can be on: the smallest viable budget of {viable.least / units:,.2f} does not fit into the total of "
        f"{problem.total / units:,.2f}" + (f"; raise the total by at least {gap:,.2f}" if gap else " and the bounds"),
        gap,
    )


def _as_if_today(viable: Viable, limits: Limits, ranges: _Ranges, off: Flags) -> Limits:
    """The limits around budgets that are 0 where off and at least viable elsewhere, less what it takes to get there."""
    lower, upper = np.where(off, 0, ranges.lower), np.where(off, 0, ranges.upper)
    current = np.clip(limits.current, lower, upper)
    held_up = (ranges.switch & ~off) | ranges.raised
    why_lower = np.where(held_up, Binding.MINIMUM, np.where(ranges.stays, limits.why_upper, limits.why_lower))
    widened = (upper > limits.upper) & (viable.most < viable.least * (1 + viable.step))
    why_upper = np.where(widened, Binding.MAXIMUM, limits.why_upper)
    return replace(
        limits,
        current=current,
        lower=lower,
        upper=upper,
        why_lower=np.where(off, Binding.SWITCHED_OFF, why_lower),
        why_upper=np.where(off, Binding.SWITCHED_OFF, why_upper),
        max_moved=limits.max_moved - int(np.abs(current - limits.current).sum()),
    )
