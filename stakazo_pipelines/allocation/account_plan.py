"""One account's budgets, in whole minor units: reachable total, optimum, smallest change, rounding, binding reasons."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.guardrails import Bounds, Reasons
from stakazo_pipelines.allocation.posterior import ExpectedCurve
from stakazo_pipelines.allocation.problem import AllocationProblem, Flags, Floats, Ints
from stakazo_pipelines.allocation.rounding import round_to_total, trim_moves
from stakazo_pipelines.allocation.solver import Allocation, solve
from stakazo_pipelines.vocabulary import Binding

_HALF = 0.5  # unit: an exact move below this rounds to no move


@dataclass(frozen=True, slots=True)
class Limits:
    """An account's bounds in whole minor units: int64[n] arrays that contain `current`, and the cap on moved units."""

    current: Ints
    lower: Ints
    upper: Ints
    why_lower: Reasons
    why_upper: Reasons
    max_moved: int

    @staticmethod
    def of(bounds: Bounds, current: Ints, units: int) -> "Limits":
        """Bounds rounded inwards; `units` minor units make one major."""
        lower = np.ceil(np.round(bounds.lower * units, 6)).astype(np.int64)
        upper = np.floor(np.round(bounds.upper * units, 6)).astype(np.int64)
        return Limits(
            current=current,
            lower=np.minimum(lower, current),
            upper=np.maximum(upper, current),
            why_lower=bounds.why_lower,
            why_upper=bounds.why_upper,
            max_moved=int(np.floor(round(bounds.max_moved * units, 6))),
        )

    def pinned(self, chosen: Flags) -> "Limits":
        """The same with the chosen arms kept at their current budgets."""
        return replace(
            self,
            lower=np.where(chosen, self.current, self.lower),
            upper=np.where(chosen, self.current, self.upper),
        )


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """Proposed budgets int64[n] in minor units; `asked` is the total wanted, which the bounds may keep out of reach."""

    proposed: Ints
    binding: Reasons
    total: int
    asked: int
    shadow_price: float  # value of one more minor unit; NaN when no arm was free to move
    kkt_residual: float
    reason: str  # why nothing moves, else empty


def plan_account(
    *, arm_ids: list[str], limits: Limits, curve: ExpectedCurve, asked: int, most: int, min_change: float
) -> AccountPlan:
    """The best reachable budgets of one account.

    asked: the total wanted; most: the largest total allowed. The total is met exactly when the bounds allow it, and
    otherwise comes as near as they do. min_change: changes below this fraction of a budget are dropped (the smaller
    half of them first, so that what is left can grow past it) unless the total could not be met without them.
    """
    current = limits.current
    now = int(current.sum())
    reach = min(int(limits.upper.sum()), now + limits.max_moved, max(most, now))
    total = int(np.clip(asked, max(int(limits.lower.sum()), now - limits.max_moved), reach))
    if (limits.lower >= limits.upper).all() or (limits.max_moved < 2 and total == now):
        binding = limits.why_upper if (limits.lower >= limits.upper).all() else _all_capped(limits)
        return AccountPlan(current, binding, now, asked, float("nan"), 0.0, _nothing_free(limits, binding))

    best = _optimum(arm_ids, limits, curve, total)
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
        tried = limits.pinned(drop)
        if not (tried.lower.sum() <= total <= tried.upper.sum()):
            break
        small, best = drop, _optimum(arm_ids, tried, curve, total)

    free = limits.pinned(small)
    proposed = _rounded(best.proposed, free, total, min_change)
    # What wanted to move before the small changes went, and has nothing left to move against, is too small as well.
    small |= (np.abs(first.proposed - current) >= _HALF) & (proposed == current) & small.any()
    return AccountPlan(
        proposed=proposed,
        binding=_binding(limits, free, small, best, proposed),
        total=int(proposed.sum()),
        asked=asked,
        shadow_price=best.shadow_price,
        kkt_residual=best.kkt_residual,
        reason=_reason(first, proposed, current, small, min_change),
    )


def _optimum(arm_ids: list[str], limits: Limits, curve: ExpectedCurve, total: int) -> Allocation:
    current = limits.current.astype(np.float64)
    return solve(
        AllocationProblem(
            arm_ids=arm_ids,
            current=current,
            lower=limits.lower.astype(np.float64),
            upper=limits.upper.astype(np.float64),
            scale=curve.scale,
            elasticity=curve.elasticity,
            ref_spend=np.where(current > 0, current, 1.0),
            total=float(total),
            max_moved=float(limits.max_moved),
        )
    )


def _rounded(exact: Floats, limits: Limits, total: int, min_change: float) -> Ints:
    """Whole units; arms that stay are left out, and those that move keep to the smallest change if the total allows."""
    current = limits.current
    up, down = exact - current >= _HALF, current - exact >= _HALF
    least = np.ceil(current * min_change - 1e-9).astype(np.int64)
    lower = np.where(up, np.minimum(current + np.maximum(least, 1), limits.upper), limits.lower)
    upper = np.where(down, np.maximum(current - np.maximum(least, 1), limits.lower), limits.upper)
    still = ~up & ~down
    lower, upper = np.where(still, current, lower), np.where(still, current, upper)
    if not lower.sum() <= total <= upper.sum():
        lower, upper = limits.lower, limits.upper
    units = round_to_total(exact, lower, upper, total)
    return trim_moves(units, current, limits.max_moved)


def _binding(limits: Limits, free: Limits, small: Flags, best: Allocation, proposed: Ints) -> Reasons:
    """What keeps each arm where it is: its own bound, the account's cap on moved money, or nothing (interior)."""
    account_cap = best.move_price > 0 or (best.proposed.size and _moved(best.proposed, limits) >= limits.max_moved)
    interior = Binding.DAILY_CAP if account_cap else Binding.NONE
    at_upper = (best.proposed >= free.upper - _HALF) & (proposed >= free.upper - 1)
    at_lower = (best.proposed <= free.lower + _HALF) & (proposed <= free.lower + 1)
    binding = np.full(len(proposed), interior, dtype=object)
    binding = np.where(at_lower, limits.why_lower, binding)
    binding = np.where(at_upper, limits.why_upper, binding)
    return np.where(small, Binding.TOO_SMALL, binding)


def _moved(proposed: Floats, limits: Limits) -> float:
    return float(np.abs(proposed - limits.current).sum()) + 1e-6


def _all_capped(limits: Limits) -> Reasons:
    own = limits.lower >= limits.upper
    return np.where(own, limits.why_upper, Binding.DAILY_CAP)


_WORDS = {
    Binding.HELD: "held by a person, an experiment or learning",
    Binding.STATE: "without an estimate fit to act on",
    Binding.DAILY_CAP: "at the cumulative cap of the last 24 hours, the day or the month",
    Binding.MINIMUM: "at the smallest budget allowed",
    Binding.MAXIMUM: "at the largest budget allowed",
    Binding.STEP_UP: "with a budget too small for a step of one unit of money",
    Binding.STEP_DOWN: "with a budget too small for a step of one unit of money",
}


def _nothing_free(limits: Limits, binding: Reasons) -> str:
    counts = Counter(_WORDS[reason] for reason in binding)
    return f"all {len(limits.current)} arms held: " + ", ".join(f"{n} {words}" for words, n in counts.most_common())


def _reason(first: Allocation, proposed: Ints, current: Ints, small: Flags, min_change: float) -> str:
    if (proposed != current).any():
        return ""
    if first.reason:
        return first.reason
    if small.any():
        return f"nothing to gain: every change worth making is below the smallest worth publishing ({min_change:.0%})"
    return "nothing to gain: the best changes are below one minor unit of money"
