"""Floors on what money must earn: turned exactly into bounds on money, so that the solver need not know of them.

A marginal or average floor of one arm is an upper bound of it, since a concave curve's returns only fall. A floor on
the average of a group holds for a range of the group's sums: its best value V(t) is concave in the sum t, so
V(t) >= floor x t is an interval, and inside it the best allocation of t meets the floor. Likewise for the portfolio.
"""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.problem import SLACK, AllocationProblem, Flags, Floats, Groups
from stakazo_pipelines.allocation.returns import floor_range, reach
from stakazo_pipelines.allocation.solver import Allocation, solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError

_ARRAYS = ("current", "lower", "upper", "scale", "elasticity", "ref_spend")


@dataclass(frozen=True, slots=True)
class Floors:
    """All in value per unit of money; NaN or None: no such floor.

    marginal: float[n], what the last unit of each arm's budget must earn. arm: float[n], what each arm's budget must
    earn on average. group: float[g], what each group's arms must earn together on average. portfolio: the same of all.
    """

    marginal: Floats | None = None
    arm: Floats | None = None
    group: Floats | None = None
    portfolio: float | None = None


@dataclass(frozen=True, slots=True)
class FlooredAllocation:
    """allocation: the optimum under the floors; its prices are those of the bounds that the floors became.

    group_multiplier (float[g]), multiplier: of the floors of groups and portfolio, by how much value counts more than
    once there: 0 where the floor does not bind. Raising a floor a little costs multiplier x sum of money x the raise.
    """

    allocation: Allocation
    problem: AllocationProblem
    group_multiplier: Floats
    multiplier: float


def cpa_floor(cost_per_conversion: Floats | float, value_per_conversion: Floats | float) -> Floats:
    """The average floor that says the same as a ceiling on cost per conversion, where a conversion has one value.

    For a group or a portfolio that takes the same value per conversion in all its arms.
    """
    cost = np.asarray(cost_per_conversion, dtype=np.float64)
    if not (cost > 0).all():
        raise AllocationError("a ceiling on cost per conversion is above zero")
    return np.asarray(np.asarray(value_per_conversion) / cost, dtype=np.float64)


def solve_with_floors(problem: AllocationProblem, floors: Floors) -> FlooredAllocation:
    """The optimum under the floors. Raises InfeasibleError with the smallest relaxation if they cannot be met.

    A floor of a group cannot be combined with a cap on moved money (its best value would depend on who moves).
    """
    _check(problem, floors)
    bounded = _arms(problem, floors)
    bounded = _groups(bounded, floors.group)
    bounded = _portfolio(bounded, floors.portfolio)
    answer = solve(bounded)
    floor = floors.portfolio
    if floor is not None and bounded.max_moved is not None:
        _met(answer.value, float(answer.proposed.sum()), floor)
    group = np.zeros(0)
    if problem.groups is not None:
        outer = np.append(answer.group_price, answer.shadow_price)[problem.groups.above]
        group = _multipliers(answer.group_price, outer, floors.group)
    total_binds = floor is not None and bounded.total < problem.total
    own = _multipliers(np.array([answer.shadow_price]), np.zeros(1), np.array([floor if total_binds else np.nan]))
    return FlooredAllocation(answer, bounded, group, float(own[0]))


def _multipliers(price: Floats, outer: Floats, floor: Floats | None) -> Floats:
    """From (1 + m) v' = outer + m floor with v' the group's own price: m = (outer - v') / (v' - floor)."""
    if floor is None:
        return np.zeros(len(price))
    binds = np.isfinite(floor) & (np.abs(price - outer) > 1e-12 * np.maximum(price, outer))
    ratio = np.divide(outer - price, price - floor, out=np.zeros(len(price)), where=binds & (price != floor))
    return np.maximum(ratio, 0.0)


def _check(problem: AllocationProblem, floors: Floors) -> None:
    count = 0 if problem.groups is None else len(problem.groups.names)
    for name, floor, size in (
        ("arm", floors.arm, problem.size),
        ("marginal", floors.marginal, problem.size),
        ("group", floors.group, count),
    ):
        if floor is not None and (floor.shape != (size,) or (floor < 0).any() or np.isinf(floor).any()):
            raise AllocationError(f"{name} floors must be one ratio of at least zero for each of {size}, or NaN")
    if floors.portfolio is not None and not (np.isfinite(floors.portfolio) and floors.portfolio >= 0):
        raise AllocationError(f"the portfolio's floor is a ratio of at least zero, not {floors.portfolio}")
    if floors.group is not None and np.isfinite(floors.group).any() and problem.max_moved is not None:
        raise AllocationError("a floor of a group cannot be combined with a cap on moved money")


def _arms(problem: AllocationProblem, floors: Floors) -> AllocationProblem:
    """Upper bounds where the floors of single arms end. A lower bound that breaks one is a contradiction."""
    upper = problem.upper
    for floor, factor, words in (
        (floors.marginal, problem.elasticity, "with its last unit of money"),
        (floors.arm, np.ones(problem.size), "on average"),
    ):
        if floor is None:
            continue
        # factor x scale / ref x (s / ref)^(e - 1) >= floor
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = factor * problem.scale / problem.ref_spend / floor
            most = problem.ref_spend * np.power(ratio, 1 / (1 - problem.elasticity))
        straight = np.where(ratio >= 1, np.inf, 0.0)
        most = np.where(problem.elasticity == 1, straight, most)
        most = np.where(floor > 0, np.where(ratio > 0, most, 0.0), np.inf)
        gap = np.where(np.isnan(floor), 0.0, problem.lower - most)
        broken: Flags = gap > SLACK * np.maximum(problem.lower, problem.total / problem.size)
        if broken.any():
            at = int(np.argmax(np.where(broken, gap, -np.inf)))
            raise InfeasibleError(
                f"the floor of {floor[at]:.6g} on what {problem.arm_ids[at]} earns {words} allows "
                f"{most[at]:.6g}, below its lower bound of {problem.lower[at]:.6g} ({int(broken.sum())} arms so); "
                f"cut that bound by at least {gap[at]:.6g} or lower the floor",
                float(gap[at]),
            )
        upper = np.where(np.isnan(floor), upper, np.maximum(np.minimum(upper, most), problem.lower))
    return replace(problem, upper=upper) if upper is not problem.upper else problem


def _groups(problem: AllocationProblem, floor: Floats | None) -> AllocationProblem:
    """Bounds of groups narrowed to the sums at which their floors can hold, from the innermost outwards."""
    groups = problem.groups
    if groups is None or floor is None:
        return problem
    for level in groups.levels:
        for index in level:
            least, most = (float(reach[index]) for reach in groups.reach(problem.lower, problem.upper))
            if np.isnan(floor[index]) or floor[index] == 0 or most == 0:
                continue
            part = _only(problem, groups, int(index))
            least, most = max(least, float(groups.lower[index])), min(most, float(groups.upper[index]), problem.total)
            low, high = floor_range(part, least, most, float(floor[index]), f"group {groups.names[index]}")
            lower, upper = groups.lower.copy(), groups.upper.copy()
            lower[index], upper[index] = low, high
            groups = replace(groups, lower=lower, upper=upper)
            problem = _again(problem, groups, f"group {groups.names[index]}")
    return problem


def _again(problem: AllocationProblem, groups: Groups, name: str) -> AllocationProblem:
    try:
        return replace(problem, groups=groups)
    except InfeasibleError as error:
        raise InfeasibleError(f"with the floor of {name}: {error}", error.relaxation) from None


def _only(problem: AllocationProblem, groups: Groups, index: int) -> AllocationProblem:
    """The arms and groups within one group, with a total that is yet to be set."""
    within = np.arange(len(groups.names)) == index
    for level in reversed(groups.levels):
        within[level] |= within[groups.above[level]] & (groups.above[level] >= 0)
    arms = np.flatnonzero((groups.member >= 0) & within[groups.member])
    kept = np.flatnonzero(within & (np.arange(len(groups.names)) != index))
    renamed = np.full(len(groups.names) + 1, -1, dtype=np.int64)
    renamed[kept] = np.arange(len(kept))
    inner = Groups(
        member=renamed[groups.member[arms]],
        lower=groups.lower[kept],
        upper=groups.upper[kept],
        names=tuple(groups.names[at] for at in kept),
        parent=renamed[groups.above[kept]],
    )
    arrays = {name: getattr(problem, name)[arms] for name in _ARRAYS}
    least = float(inner.reach(arrays["lower"], arrays["upper"])[0][-1])
    names = [problem.arm_ids[at] for at in arms.tolist()]
    return replace(problem, arm_ids=names, groups=inner, total=least, spend_all=True, **arrays)


def _portfolio(problem: AllocationProblem, floor: float | None) -> AllocationProblem:
    if not floor or problem.max_moved is not None:
        return problem
    least, most = reach(problem)
    if not problem.spend_all:
        _, high = floor_range(replace(problem, spend_all=True, total=most), least, most, floor, "the portfolio")
        return replace(problem, total=min(problem.total, high))
    value = solve(problem).value
    if value < floor * problem.total * (1 - SLACK):
        _, high = floor_range(problem, least, most, floor, "the portfolio")
        gap = problem.total - high
        raise InfeasibleError(
            f"the best that the total of {problem.total:.6g} can earn is {value / problem.total:.6g} on average, below "
            f"the floor of {floor:.6g}; cut the total by at least {gap:.6g} or lower the floor by "
            f"{floor - value / problem.total:.6g}",
            gap,
        )
    return problem


def _met(value: float, spent: float, floor: float) -> None:
    if value < floor * spent * (1 - SLACK):
        raise InfeasibleError(
            f"the best that {spent:.6g} can earn within the cap on moved money is {value / spent:.6g} on average, "
            f"below the floor of {floor:.6g}; lower the floor by at least {floor - value / spent:.6g}",
            floor - value / spent,
        )
