"""The optimum under many posterior draws at once, and exploration by one of them at a stated cost.

Thompson sampling (Thompson 1933; Russo et al. 2018, A Tutorial on Thompson Sampling): act as if one draw of the
posterior were the truth. What that costs in expected value against the greedy optimum is known before it is done.
"""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.problem import AllocationProblem, Floats
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.allocation.tree import Tree, fill
from stakazo_pipelines.allocation.waterfill import Curves
from stakazo_pipelines.errors import AllocationError

_BLOCK = 16_000  # arms x draws held at once: what stays near the processor
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Exploration:
    """Budgets (float[n]) part of the way from the greedy optimum to that of one posterior draw.

    cost: expected value per day given up against the greedy optimum, at least 0. share: how far of the way they are.
    """

    proposed: Floats
    greedy: Floats
    cost: float
    share: float


def reoptimise(problem: AllocationProblem, scale: Floats, elasticity: Floats) -> Floats:
    """float[d, n]: the optimum under each of d posterior draws of the curves, float[d, n] each, at the ref_spends.

    Without groups and turnover cap all draws are water-filled side by side; with them each is a problem of its own.
    """
    draws, n = scale.shape
    if n != problem.size or elasticity.shape != scale.shape:
        raise AllocationError(f"draws of shapes {scale.shape} and {elasticity.shape} for {problem.size} arms")
    if not (np.isfinite(scale).all() and (scale >= 0).all() and (elasticity >= 0).all() and (elasticity < 1).all()):
        raise AllocationError("draws need finite scales of at least zero and elasticities in [0, 1)")
    if problem.groups is not None or problem.max_moved is not None or not problem.spend_all:
        each_draw = zip(scale, elasticity, strict=True)
        return np.stack([solve(replace(problem, scale=a, elasticity=e)).proposed for a, e in each_draw])
    spends = np.empty((draws, n))
    base = Curves.of(problem)
    step = max(_BLOCK // n, 1)
    log_ref, spare = np.log(problem.ref_spend), problem.total - float(base.lower.sum())
    for start in range(0, draws, step):
        block = slice(start, min(start + step, draws))
        count = block.stop - block.start

        def each(values: Floats, count: int = count) -> Floats:
            return np.tile(values, count)

        with np.errstate(divide="ignore"):
            q = np.log(scale[block]) + np.log(elasticity[block]) - log_ref
        curves = Curves(
            log_ref=each(log_ref),
            q=q.ravel(),
            b=(1 / (1 - elasticity[block])).ravel(),
            lower=each(base.lower),
            upper=each(base.upper),
            now=each(base.now),
        )
        tree = Tree.flat(np.repeat(np.arange(count), n), count)
        spends[block] = fill(curves, tree, np.full(count, spare)).spend.reshape(count, n)
    return spends


def explore(
    problem: AllocationProblem, scale: Floats, elasticity: Floats, *, max_cost: float | None = None
) -> Exploration:
    """Budgets that are best under one posterior draw of the curves (float[n] each), at what they cost in expectation.

    The problem's own curves are the expected ones. max_cost: the most expected value per day to give up; the budgets
    then go only as far from the greedy ones as that allows. Every mixture of two feasible allocations is feasible and
    the cost is convex in it, so the furthest one is found exactly.
    """
    if max_cost is not None and not max_cost >= 0:
        raise AllocationError(f"the cost allowed for exploration is at least zero, not {max_cost}")
    greedy = solve(problem)
    drawn = solve(replace(problem, scale=scale, elasticity=elasticity)).proposed

    def at(share: float) -> tuple[Floats, float]:
        spend = greedy.proposed + share * (drawn - greedy.proposed)
        return spend, max(greedy.value - float(problem.value(spend).sum()), 0.0)

    spend, cost = at(1.0)
    share = 1.0
    if max_cost is not None and cost > max_cost:
        low, high = 0.0, 1.0
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            low, high = (middle, high) if at(middle)[1] <= max_cost else (low, middle)
        share = low
        spend, cost = at(share)
    return Exploration(spend, greedy.proposed, cost, share)
