"""The proof that an allocation is optimal: its KKT residual, and a dual upper bound on the best possible value.

Kept apart from the solver so that nothing the solver assumed is taken on trust: both figures are computed from the
problem, the spends and the prices alone.
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.allocation.problem import AllocationProblem, Floats
from stakazo_pipelines.allocation.tree import Tree
from stakazo_pipelines.allocation.waterfill import Curves

_TOUCH = 1e-10  # relative distance at which a spend lies on its bound
_GRAIN = 1e-15  # relative to the money that is shared out: its rounding
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True)
class Prices:
    """The multipliers. node: float[k], value of one more unit of money in each node of the tree, the total's last.

    move: value of one more unit of moved money. A node's price is its group's own; it differs from that of the node
    around it only where a bound of the group binds. Below 0: money is forced where moving it costs more than it earns.
    """

    node: Floats
    move: float


@dataclass(frozen=True, slots=True)
class Proof:
    """Both relative and dimensionless; 0 is perfect."""

    kkt_residual: float
    gap: float


def certify(problem: AllocationProblem, tree: Tree, spend: Floats, prices: Prices) -> Proof:
    """Proof for spends float[n] at these prices."""
    stationarity = _stationarity(problem, tree, spend, prices)
    return Proof(
        kkt_residual=max(stationarity, _feasibility(problem, tree, spend)), gap=_gap(problem, tree, spend, prices)
    )


def _stationarity(problem: AllocationProblem, tree: Tree, spend: Floats, prices: Prices) -> float:
    free = problem.upper > problem.lower
    touch = _TOUCH * np.maximum(spend, problem.total / problem.size)
    may_rise, may_fall = problem.upper - spend > touch, spend - problem.lower > touch
    up, down = _both_sides(prices)
    dearest, cheapest = up[tree.member], down[tree.member]  # what a raise must earn, what a cut may lose
    if prices.move > 0:
        dearest, cheapest = (
            np.where(spend - problem.current > -touch, dearest, cheapest),
            np.where(spend - problem.current > touch, dearest, cheapest),
        )
    # No spend is known to less than the rounding of the money that is shared out, and steep curves feel that: what
    # counts is the marginal that far up or down. A spend of 0 may stand for one too small for a number.
    curves, grain = Curves.of(problem), _GRAIN * max(problem.total - float(problem.lower.sum()), 0.0)
    higher = curves.log_marginal(np.maximum(spend + grain, _TINY))
    lower = curves.log_marginal(np.maximum(spend - grain, _TINY))
    # Relative to what a raise must earn: a cut's price may be the nothing that rounding leaves of p - move.
    unit = up[tree.member]
    with np.errstate(invalid="ignore", over="ignore"):
        gains, saves = (np.where(np.isneginf(at), 0.0, np.minimum(np.exp(at - unit), 2.0)) for at in (higher, lower))
        missed = gains - np.where(np.isneginf(dearest), 0.0, np.exp(dearest - unit))
        wasted = np.where(np.isneginf(cheapest), 0.0, np.exp(cheapest - unit)) - saves
    missed, wasted = np.nan_to_num(missed, nan=0.0), np.nan_to_num(wasted, nan=0.0)
    breach = np.maximum(np.where(may_rise, missed, 0.0), np.where(may_fall, wasted, 0.0))
    return float(np.where(free, breach, 0.0).max(initial=0.0))


def _feasibility(problem: AllocationProblem, tree: Tree, spend: Floats) -> float:
    size = max(problem.total, float(problem.lower.sum()), np.finfo(np.float64).tiny)
    sums = tree.whole(spend)
    total = float(sums[-1]) - problem.total
    breaches = [abs(total) if problem.spend_all else max(total, 0.0)]
    breaches += [float((problem.lower - spend).max()), float((spend - problem.upper).max())]
    breaches += [float((tree.low - sums)[:-1].max(initial=0.0)), float((sums - tree.high)[:-1].max(initial=0.0))]
    if problem.max_moved is not None:
        breaches.append(float(np.abs(spend - problem.current).sum()) - problem.max_moved)
    return max(*breaches, 0.0) / size


def _gap(problem: AllocationProblem, tree: Tree, spend: Floats, prices: Prices) -> float:
    """Lagrange dual at these prices minus the primal value, relative. Weak duality makes it a bound for any prices.

    Every arm answers its price on its own: above today's budget that of a raise, below it that of a cut. What is left
    is each constraint's price times its slack, which is nothing for the constraints that bind. Slacks are counted
    above the lower bounds, like the solver's sums: the digits that matter are those of what there is to choose.
    """
    own = prices.node[tree.member]
    # An infinite price: no money at all above the lower bounds there, so that there is nothing to choose.
    own_known = np.isfinite(own)
    least = tree.whole(problem.lower)
    spare = problem.total - float(least[-1])
    # No arm can have more than its lower bound and all spare money: what it would do with more is no bound's concern.
    curves = Curves.of(problem)
    curves = curves.within(curves.lower, np.minimum(curves.upper, curves.lower + max(spare, 0.0)))
    move, now = prices.move, problem.current
    if curves.barren.all():
        return 0.0  # no allocation earns more than another, and what none earns is no measure of a gap
    up, down = _both_sides(prices)

    def best(log_price: Floats) -> Floats:
        chosen, _ = curves.spend(log_price, tree.member)
        return np.where(np.isneginf(log_price)[tree.member] & ~curves.barren, curves.upper, chosen)

    def worth(at: Floats) -> Floats:
        away = move * np.abs(at - now) if move > 0 else 0.0
        return np.asarray(problem.value(at) - np.where(own_known, own, 0.0) * at - away, dtype=np.float64)

    # Less the present worth arm by arm: the differences are small, the sums are not.
    here = worth(spend)
    if move > 0:
        high, low = np.maximum(best(up), now), np.minimum(best(down), now)
        high, low = (np.clip(side, curves.lower, curves.upper) for side in (high, low))
        excess = np.maximum(worth(high), worth(low)) - here
    else:
        excess = worth(best(up)) - here
    money = float(np.where(own_known, excess, 0.0).sum())

    extra_sums = tree.whole(spend - problem.lower)
    if np.isfinite(prices.node[-1]):
        money += float(prices.node[-1]) * (spare - float(extra_sums[-1]))
    inner = np.flatnonzero(tree.parent >= 0)
    with np.errstate(invalid="ignore"):
        extra = prices.node[inner] - prices.node[tree.parent[inner]]
        limit = np.where(extra > 0, tree.high[inner], tree.low[inner]) - least[inner]
        slack = np.where((extra == 0) | ~np.isfinite(extra), 0.0, extra * (limit - extra_sums[inner]))
    money += float(slack.sum())
    if problem.max_moved is not None and move > 0:
        money += move * (problem.max_moved - float(np.abs(spend - now).sum()))
    return max(money, 0.0) / max(float(problem.value(spend).sum()), np.finfo(np.float64).tiny)


def _both_sides(prices: Prices) -> tuple[Floats, Floats]:
    """Log prices of a raise and of a cut in each node."""
    with np.errstate(divide="ignore"):
        return (
            np.log(np.maximum(prices.node + prices.move, 0.0)),
            np.log(np.maximum(prices.node - prices.move, 0.0)),
        )
