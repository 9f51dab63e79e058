"""What the best allocation of a sum earns on average, over all sums: where it keeps a floor, and where it is best."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from stakazo_pipelines.allocation.problem import SLACK, AllocationProblem
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.allocation.tree import Tree
from stakazo_pipelines.allocation.waterfill import Curves
from stakazo_pipelines.errors import InfeasibleError

_ROUNDS = 80
_NARROW = 1e-13


def reach(problem: AllocationProblem) -> tuple[float, float]:
    """The smallest and largest sum that the bounds of arms and groups allow, within the total."""
    if problem.groups is None:
        least, most = float(problem.lower.sum()), float(problem.upper.sum())
    else:
        least, most = (float(sums[-1]) for sums in problem.groups.reach(problem.lower, problem.upper))
    return least, min(most, problem.total)


def floor_range(part: AllocationProblem, least: float, most: float, floor: float, name: str) -> tuple[float, float]:
    """The smallest and largest sum, within least..most, of which the best allocation earns the floor on average."""

    def spare(total: float) -> float:
        return solve(replace(part, total=total)).value - floor * total if total > 0 else 0.0

    peak = _richest(part, least, most, floor)
    if spare(peak) < -SLACK * floor * peak:
        best, at = best_average(part, least, most)
        raise InfeasibleError(
            f"{name} cannot earn its floor of {floor:.6g} within its bounds: at most {best:.6g}, with {at:.6g} of "
            f"money; lower the floor by at least {floor - best:.6g} or cut the lower bounds",
            floor - best,
        )
    return _edge(spare, least, peak), _edge(spare, most, peak)


def _edge(spare: Callable[[float], float], far: float, near: float) -> float:
    """How far from `near`, where there is value to spare, one can go towards `far`."""
    if far == near or spare(far) >= 0:
        return far
    if spare(near) <= 0:
        return near
    return float(brentq(spare, near, far, xtol=_NARROW * max(near, far), rtol=1e-14, maxiter=_ROUNDS, disp=False))


def _richest(part: AllocationProblem, least: float, most: float, floor: float) -> float:
    """The sum at which value most exceeds floor x sum: where the next unit earns just the floor."""
    whole = replace(part, total=most) if most > least else part
    curves, tree = Curves.of(whole), Tree.of(part.groups, part.size)
    spend, _ = curves.spend(np.full(tree.size, np.log(floor)), tree.member)
    return float(np.clip(tree.sums(spend)[0][-1], least, most))


def best_average(part: AllocationProblem, least: float, most: float) -> tuple[float, float]:
    """The best ratio of value to money and its sum (Dinkelbach 1967: each ratio is the next one's price)."""
    at = least if least > 0 else most
    ratio = solve(replace(part, total=at)).value / at
    for _ in range(_ROUNDS):
        if ratio <= 0:
            break
        tried = _richest(part, least, most, ratio)
        better = solve(replace(part, total=tried)).value / tried if tried > 0 else ratio
        if better <= ratio * (1 + _NARROW):
            break
        ratio, at = better, tried
    return ratio, at
