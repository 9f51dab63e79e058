"""The proof that an allocation is optimal: its KKT residual, and a dual upper bound on the best possible value.

Kept apart from the solver so that nothing the solver assumed is taken on trust: both figures are computed from the
problem, the spends and the prices alone.
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.allocation.problem import AllocationProblem, Floats
from stakazo_pipelines.allocation.waterfill import Curves

_TOUCH = 1e-10  # relative distance at which a spend lies on its bound


@dataclass(frozen=True, slots=True)
class Proof:
    """Both relative and dimensionless; 0 is perfect."""

    kkt_residual: float
    gap: float


def certify(
    problem: AllocationProblem, spend: Floats, log_price: Floats, log_shadow: float, log_move: float = -np.inf
) -> Proof:
    """Proof for spends float[n] at log prices float[n], one log price of the total and one of moved money."""
    stationarity = _stationarity(problem, spend, log_price, log_shadow, log_move)
    return Proof(
        kkt_residual=max(stationarity, _feasibility(problem, spend)),
        gap=_gap(problem, spend, log_price, log_shadow, log_move),
    )


def _stationarity(
    problem: AllocationProblem, spend: Floats, log_price: Floats, log_shadow: float, log_move: float
) -> float:
    free = problem.upper > problem.lower
    touch = _TOUCH * np.maximum(spend, problem.total / problem.size)
    may_rise, may_fall = problem.upper - spend > touch, spend - problem.lower > touch
    dearest, cheapest = log_price, log_price  # what a raise must earn, what a cut may lose
    if problem.max_moved is not None and np.isfinite(log_move):
        up, down = _turnover_prices(log_shadow, log_move)
        dearest = np.where(spend - problem.current > -touch, up, down)
        cheapest = np.where(spend - problem.current > touch, up, down)
    marginal = Curves.of(problem).log_marginal(spend)
    with np.errstate(invalid="ignore", over="ignore"):
        missed = np.expm1(np.nan_to_num(marginal - dearest, nan=0.0, neginf=-1.0, posinf=1.0))
        wasted = -np.expm1(np.nan_to_num(marginal - cheapest, nan=0.0, neginf=-1.0, posinf=1.0))
    breach = np.maximum(np.where(may_rise, missed, 0.0), np.where(may_fall, wasted, 0.0))
    return float(np.where(free, breach, 0.0).max(initial=0.0))


def _feasibility(problem: AllocationProblem, spend: Floats) -> float:
    size = max(problem.total, float(problem.lower.sum()), np.finfo(np.float64).tiny)
    total = float(spend.sum()) - problem.total
    breaches = [abs(total) if problem.spend_all else max(total, 0.0)]
    breaches += [float((problem.lower - spend).max()), float((spend - problem.upper).max())]
    if problem.max_moved is not None:
        breaches.append(float(np.abs(spend - problem.current).sum()) - problem.max_moved)
    if problem.groups is not None:
        inside = problem.groups.member >= 0
        sums = np.bincount(problem.groups.member[inside], spend[inside], len(problem.groups.names))
        breaches += [float((problem.groups.lower - sums).max()), float((sums - problem.groups.upper).max())]
    return max(*breaches, 0.0) / size


def _gap(problem: AllocationProblem, spend: Floats, log_price: Floats, log_shadow: float, log_move: float) -> float:
    """Lagrange dual at these prices minus the primal value, relative. Weak duality makes it a bound for any prices."""
    curves = Curves.of(problem)
    price, shadow = np.exp(log_price), float(np.exp(log_shadow))
    if not np.isfinite(price).all():
        return 0.0  # an infinite price: no money at all above the lower bounds, so there is nothing to choose
    value = problem.value(spend)
    if problem.max_moved is not None and np.isfinite(log_move):
        up, down = _turnover_prices(log_shadow, log_move)
        move, now = float(np.exp(log_move)), problem.current
        above = np.clip(curves.spend(up), now, np.maximum(curves.upper, now))
        below = np.clip(curves.spend(down), curves.lower, now)
        best = np.maximum(
            problem.value(above) - np.exp(up) * (above - now),
            problem.value(below) - np.exp(down) * (below - now),
        )
        money = shadow * (problem.total - float(now.sum())) + move * problem.max_moved
        excess = float((best - value).sum()) + money
    else:
        best_spend = np.where(np.isneginf(log_price) & ~np.isneginf(curves.q), curves.upper, curves.spend(log_price))
        excess = float((problem.value(best_spend) - value - price * (best_spend - spend)).sum())
        excess += shadow * problem.total - float((price * spend).sum()) + _group_money(problem, price, shadow)
    return max(excess, 0.0) / max(float(value.sum()), np.finfo(np.float64).tiny)


def _group_money(problem: AllocationProblem, price: Floats, shadow: float) -> float:
    """What the binding group bounds are worth: (p_g - p) U_g where a group is capped, (p_g - p) L_g where forced."""
    groups = problem.groups
    if groups is None:
        return 0.0
    money = 0.0
    for index in range(len(groups.names)):
        mine = price[groups.member == index]
        if mine.size:
            extra = float(mine[0]) - shadow
            limit = float(groups.upper[index] if extra > 0 else groups.lower[index])
            money += extra * limit if extra != 0 and np.isfinite(limit) else 0.0
    return money


def _turnover_prices(log_shadow: float, log_move: float) -> tuple[float, float]:
    shadow, move = np.exp(log_shadow), np.exp(log_move)
    with np.errstate(divide="ignore"):
        return float(np.log(shadow + move)), float(np.log(max(shadow - move, 0.0)))
