"""What an account's money must earn, turned into how much of it is spent: whole minor units, within every bound.

The best value of a total is concave in it, whatever the bounds, groups and cap on moved money. So the next unit's worth
only falls, the totals that earn a floor on average are an interval, and a bisection over whole units finds the largest
that will do. Where none does, the nearest is used, and the words say by how much it misses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.cost_ceiling import solve_under_cost
from stakazo_pipelines.allocation.problem import SLACK, AllocationProblem, Floats
from stakazo_pipelines.allocation.returns import best_average, reach
from stakazo_pipelines.allocation.solver import Allocation, solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError

_ROUNDS = 40
_CENTS = 1e-6  # relative: what whole units of money may miss a ceiling by


@dataclass(frozen=True, slots=True)
class Targets:
    """Of an account's arms together, in major units of money; None: no such target.

    roas: value per unit of money on average. marginal_roas: what the last unit spent must earn. cpa: money per
    conversion, with `per_conversion` (float[n]) the value of a conversion of each arm.
    """

    roas: float | None = None
    marginal_roas: float | None = None
    cpa: float | None = None
    per_conversion: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("roas", "marginal_roas", "cpa"):
            given = getattr(self, name)
            if given is not None and not (np.isfinite(given) and given > 0):
                raise AllocationError(f"a target for {name} is a number above zero, not {given}")
        if self.cpa is not None and self.per_conversion is None:
            raise AllocationError("a target for cpa needs the value of each arm's conversions")


def aimed(problem: AllocationProblem, targets: Targets, *, least: int, units: int) -> tuple[AllocationProblem, str]:
    """The problem with the largest whole total, from `least` to its own, at which the targets hold; and what is missed.

    Money in `units` minor units to a major one; the words are empty where every target holds. Under a ceiling on cost
    per conversion values are weighted by what conversions are worth to keep it: the best of the weighted values is the
    best that keeps it.
    """
    words = []
    if targets.cpa is not None and targets.per_conversion is not None:
        problem, why = _under_cost(problem, targets.per_conversion, targets.cpa * units, least, units)
        words.append(why)
    if targets.marginal_roas is not None:
        problem, why = _while_the_last_unit_earns(problem, targets.marginal_roas, least, units)
        words.append(why)
    if targets.roas is not None:
        problem, why = _on_average(problem, targets.roas, least, units)
        words.append(why)
    return problem, "; ".join(filter(None, words))


def _while_the_last_unit_earns(
    problem: AllocationProblem, floor: float, least: int, units: int
) -> tuple[AllocationProblem, str]:
    total = _while_worth(problem, least, int(problem.total), floor / units)
    found = replace(problem, total=float(total))
    earns = solve(found).shadow_price * units
    if total > least or earns >= floor * (1 - SLACK):
        return found, ""
    return found, (
        f"the last unit of money earns {earns:.4g} even at the smallest total within the bounds, below the {floor:.4g} "
        f"asked for; lower that by {floor - earns:.4g}, or allow larger cuts"
    )


def _on_average(problem: AllocationProblem, floor: float, least: int, units: int) -> tuple[AllocationProblem, str]:
    def spare(at: int) -> float:
        return _at(problem, at).value - floor * at / units

    asked = int(problem.total)
    if spare(asked) >= -SLACK * floor * asked / units:
        return problem, ""
    peak = _while_worth(problem, least, asked, floor / units)
    if spare(peak) >= 0:
        total = _largest(peak, asked, lambda at: spare(at) >= 0)
        return replace(problem, total=float(total)), ""
    total = _best_average(problem, least, asked)
    ratio = _at(problem, total).value * units / total
    return replace(problem, total=float(total)), (
        f"a ROAS of {floor:.4g} cannot be reached within the bounds: at best {ratio:.4g}, which is used; lower the "
        f"target by {floor - ratio:.4g}, or allow larger cuts"
    )


def _best_average(problem: AllocationProblem, least: int, most: int) -> int:
    """The whole total with the best ratio of value to money (Dinkelbach 1967: each ratio is the next one's price)."""
    total = least or most
    ratio = _at(problem, total).value / total

    for _ in range(_ROUNDS):
        tried = max(_while_worth(problem, least, most, ratio), 1)
        better = _at(problem, tried).value / tried
        if better <= ratio * (1 + SLACK):
            break
        total, ratio = tried, better
    return total


def _under_cost(
    problem: AllocationProblem, per_conversion: Floats, ceiling: float, least: int, units: int
) -> tuple[AllocationProblem, str]:
    """At a fixed total the best value under the ceiling is the optimum of value + multiplier x conversions."""
    at_most = replace(problem, spend_all=False, max_moved=None)
    try:
        found = solve_under_cost(at_most, per_conversion, ceiling)
    except InfeasibleError:
        weight = 1 / per_conversion
        converting = replace(at_most, scale=at_most.scale * weight, spend_all=True, total=reach(at_most)[0])
        best = best_average(converting, *reach(at_most))[1]
    else:
        weight = 1 + found.multiplier / per_conversion if np.isfinite(found.multiplier) else 1 / per_conversion
        best = float(found.proposed.sum())
    total = float(np.clip(round(best), least, problem.total))
    weighted = replace(problem, scale=problem.scale * weight, total=total)
    conversions = float((problem.value(solve(weighted).proposed) / per_conversion).sum())
    cost = total / conversions if conversions > 0 else np.inf
    if cost <= ceiling * (1 + _CENTS):
        return weighted, ""
    return weighted, (
        f"a cost of {ceiling / units:.4g} per conversion cannot be reached within the bounds: at best "
        f"{cost / units:.4g}, which is used; raise the target by {(cost - ceiling) / units:.4g}, or allow larger cuts"
    )


def _while_worth(problem: AllocationProblem, least: int, most: int, price: float) -> int:
    """The largest total whose last unit earns the price. Where arms meet their bounds a total has a range of prices."""
    total = _largest(least, most, lambda at: _at(problem, at).shadow_price >= price * (1 - SLACK))
    if total < most and _at(problem, total + 1).value - _at(problem, total).value >= price:
        return total + 1
    return total


def _at(problem: AllocationProblem, total: int) -> Allocation:
    return solve(replace(problem, total=float(total)))


def _largest(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest whole number from low to high that holds, if those that hold come first; low if none does."""
    if high <= low or holds(high):
        return max(low, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
