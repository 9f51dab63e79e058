"""A ceiling on the portfolio's cost per conversion while value is maximised, where conversions differ in value.

Conversions then are another sum than value, so the ceiling cannot become a bound on money. It gets a multiplier m of
its own: the solver maximises value + m x (conversions - money / ceiling), and the smallest m that keeps the ceiling is
the answer. Whatever bounds, groups and cap on moved money the problem has, they hold throughout.
"""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.problem import SLACK, AllocationProblem, Floats, Groups
from stakazo_pipelines.allocation.returns import best_average, reach
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError

_ROUNDS = 100
_CLOSE = 1e-13


@dataclass(frozen=True, slots=True)
class CostedAllocation:
    """proposed: float[n]. cost: money per conversion there. multiplier: what one more conversion would be worth.

    gap: (upper bound of the optimum - value) / value, proved by the multiplier whatever led to it.
    """

    proposed: Floats
    value: float
    conversions: float
    cost: float
    multiplier: float
    gap: float


@dataclass(frozen=True, slots=True)
class _Side:
    spend: Floats
    spare: float  # conversions beyond those that the ceiling asks for
    bound: float  # of what the weighted sum can be


def solve_under_cost(problem: AllocationProblem, value_per_conversion: Floats, ceiling: float) -> CostedAllocation:
    """The most value at no more than `ceiling` of money per conversion over all arms together.

    value_per_conversion: float[n], above 0. Raises InfeasibleError with the lowest cost that can be had.
    """
    if value_per_conversion.shape != (problem.size,) or not (value_per_conversion > 0).all():
        raise AllocationError("every arm needs a value per conversion above zero")
    if not (np.isfinite(ceiling) and ceiling > 0):
        raise AllocationError(f"a ceiling on cost per conversion is an amount above zero, not {ceiling}")
    per_value = 1 / value_per_conversion
    unit = float(np.median(per_value))

    def at(weight: float) -> _Side:
        """The optimum of (1 - weight) x value + weight x (conversions - money / ceiling) / unit."""
        weighted = _weighted(problem, 1 - weight + weight * per_value / unit, weight / (ceiling * unit))
        answer = solve(weighted)
        spend = answer.proposed[: problem.size]
        spare = float((per_value * problem.value(spend)).sum() - spend.sum() / ceiling)
        return _Side(spend, spare, answer.value - weight * problem.total / (ceiling * unit))

    low, high = 0.0, 1.0
    loose = at(low)
    tolerance = SLACK * max(problem.total / ceiling, np.finfo(np.float64).tiny)
    if loose.spare >= -tolerance:
        return _answer(problem, per_value, loose.spend, 0.0, loose.bound)
    tight = at(high)
    if tight.spare < -tolerance:
        raise _infeasible(problem, per_value, tight.spend, ceiling)
    for turn in range(_ROUNDS):
        if high - low <= _CLOSE * high or tight.spare <= _CLOSE * problem.total / ceiling:
            break
        gap = tight.spare - loose.spare
        middle = (low + high) / 2 if turn % 3 == 2 else high - (high - low) * max(tight.spare / gap, 1e-6)
        tried = at(middle)
        if tried.spare >= 0:
            high, tight = middle, tried
        else:
            low, loose = middle, tried
    # Both sides are best at one weight; conversions are concave, so the mixture that just keeps the ceiling does.
    share = float(np.clip(tight.spare / (tight.spare - loose.spare), 0.0, 1.0)) if tight.spare > 0 else 0.0
    spend = tight.spend + share * (loose.spend - tight.spend)
    if high >= 1:
        return _answer(problem, per_value, spend, np.inf, np.inf)
    return _answer(problem, per_value, spend, high / ((1 - high) * unit), tight.bound / (1 - high))


def _answer(
    problem: AllocationProblem, per_value: Floats, spend: Floats, multiplier: float, bound: float
) -> CostedAllocation:
    earned = problem.value(spend)
    value, conversions = float(earned.sum()), float((per_value * earned).sum())
    cost = float(spend.sum()) / conversions if conversions > 0 else float("nan")
    return CostedAllocation(
        spend, value, conversions, cost, multiplier, max(bound - value, 0.0) / value if value else 0.0
    )


def _weighted(problem: AllocationProblem, weights: Floats, unspent: float) -> AllocationProblem:
    """The problem with other values; where the total is only a limit, money may also lie idle and save its cost."""
    scale = problem.scale * weights
    if problem.spend_all:
        return replace(problem, scale=scale)
    groups = problem.groups
    if groups is not None:
        groups = Groups(np.append(groups.member, -1), groups.lower, groups.upper, groups.names, groups.parent)
    total = problem.total
    idle = total if total > 0 else 1.0
    return replace(
        problem,
        arm_ids=[*problem.arm_ids, "unspent money"],
        current=np.append(problem.current, 0.0),
        lower=np.append(problem.lower, 0.0),
        upper=np.append(problem.upper, idle),
        scale=np.append(scale, unspent * idle),
        elasticity=np.append(problem.elasticity, 1.0),
        ref_spend=np.append(problem.ref_spend, idle),
        spend_all=True,
        groups=groups,
    )


def _infeasible(problem: AllocationProblem, per_value: Floats, spend: Floats, ceiling: float) -> InfeasibleError:
    converting = replace(problem, scale=problem.scale * per_value)
    if problem.spend_all:
        ratio = float(converting.value(spend).sum()) / problem.total
    else:
        ratio, _ = best_average(replace(converting, spend_all=True, total=reach(problem)[0]), *reach(problem))
    cost = 1 / ratio if ratio > 0 else float("inf")
    return InfeasibleError(
        f"a cost of {ceiling:.6g} per conversion cannot be had within the bounds: at best {cost:.6g}; raise the "
        f"ceiling by at least {cost - ceiling:.6g}",
        cost - ceiling,
    )
