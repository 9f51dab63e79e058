"""Exact allocation of a total over concave power curves: a water-filling whose answer carries its own proof.

`solve` handles bounds, nested group bounds and a cap on moved money, all together. Shape of the argument: see
`waterfill` and `tree`; Boyd and Vandenberghe, Convex Optimization, example 5.2 (water-filling), 5.5.3 (KKT conditions).
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.allocation.certificate import Prices, certify
from stakazo_pipelines.allocation.problem import AllocationProblem, Floats
from stakazo_pipelines.allocation.tree import Tree, fill
from stakazo_pipelines.allocation.turnover import fill_moving
from stakazo_pipelines.allocation.waterfill import Curves
from stakazo_pipelines.errors import AllocationError

MAX_GAP = 1e-6  # relative to the optimum; the solver is usually at 1e-12
_NOTHING = 1e-9  # a relative gain below this is rounding noise


@dataclass(frozen=True, slots=True)
class Allocation:
    """The optimum. Money and values per day; float[n] arrays in the problem's order.

    price: each arm's own shadow price (the marginal value its group settles at; with a turnover cap a raise must
    earn more than a cut loses). group_price: float[g]: value of one more unit in each group's own total, equal to
    shadow_price where no bound of it binds. shadow_price: value of one more unit of money in total. move_price: value
    of one more unit of allowed moved money. kkt_residual: the largest relative breach of the optimality conditions.
    gap: (upper bound of the optimum - value) / value. reason: why nothing can be gained, else empty.
    """

    proposed: Floats
    price: Floats
    group_price: Floats
    shadow_price: float
    move_price: float
    value: float
    value_now: float
    kkt_residual: float
    gap: float
    reason: str


def solve(problem: AllocationProblem) -> Allocation:
    """The allocation that maximises the problem's value. Raises AllocationError if its own proof fails."""
    curves, tree = Curves.of(problem), Tree.of(problem.groups, problem.size)
    spare = problem.total - float(tree.whole(problem.lower)[-1])
    useful = float(tree.above(problem.lower).sums(curves.sated() - problem.lower)[0][-1])
    leftover = not problem.spend_all and spare > useful
    spares = np.full(tree.size, useful if leftover else spare)
    filled = fill(curves, tree, spares, leftover=leftover)
    proposed, prices = filled.spend, Prices(np.exp(filled.price), 0.0)
    cap = problem.max_moved
    if cap is not None and float(np.abs(proposed - problem.current).sum()) > cap:
        proposed, prices = fill_moving(curves, tree, spares, cap)
    proof = certify(problem, tree, proposed, prices)
    if not proof.gap <= MAX_GAP:
        raise AllocationError(
            f"the allocation could not be proved optimal: its value is within {proof.gap:.2e} of the best possible, "
            f"more than {MAX_GAP:.0e}; a curve may be numerically flat or vertical"
        )
    value, value_now = float(problem.value(proposed).sum()), float(problem.value(problem.current).sum())
    return Allocation(
        proposed=proposed,
        price=prices.node[tree.member],
        group_price=prices.node[:-1],
        shadow_price=float(prices.node[-1]),
        move_price=prices.move,
        value=value,
        value_now=value_now,
        kkt_residual=proof.kkt_residual,
        gap=proof.gap,
        reason=_reason(problem, value, value_now),
    )


def _reason(problem: AllocationProblem, value: float, value_now: float) -> str:
    if not (problem.scale * problem.elasticity > 0).any():
        return "nothing to gain: no arm is expected to earn anything from its next unit of money"
    if (problem.lower >= problem.upper).all():
        return "nothing can move: the bounds leave every arm one budget"
    reachable = (problem.current >= problem.lower).all() and (problem.current <= problem.upper).all()
    balanced = abs(float(problem.current.sum()) - problem.total) <= _NOTHING * problem.total
    if reachable and balanced and value - value_now <= _NOTHING * value_now:
        return "nothing to gain: within these bounds the budgets are already where they earn most"
    return ""
