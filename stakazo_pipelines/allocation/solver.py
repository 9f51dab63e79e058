"""Exact allocation of a total over concave power curves: a water-filling whose answer carries its own proof.

`solve` handles bounds, group bounds and a cap on moved money. Shape of the argument: see `waterfill`; Boyd and
Vandenberghe, Convex Optimization, example 5.2 (water-filling) and section 5.5.3 (KKT conditions).
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.allocation.certificate import certify
from stakazo_pipelines.allocation.problem import AllocationProblem, Floats, Groups, Ints
from stakazo_pipelines.allocation.waterfill import Curves, fill
from stakazo_pipelines.errors import AllocationError

MAX_GAP = 1e-6  # relative to the optimum; the solver is usually at 1e-12
_ROUNDS = 120
_CRUMB = 1e-13  # relative: sums that agree this far are the same sum
_NOTHING = 1e-9  # a relative gain below this is rounding noise


@dataclass(frozen=True, slots=True)
class Allocation:
    """The optimum. Money and values per day; float[n] arrays in the problem's order.

    price: each arm's own shadow price (the marginal value its group settles at; with a turnover cap a raise must
    earn more than a cut loses). shadow_price: value of one more unit of money in total. move_price: value of one
    more unit of allowed moved money. kkt_residual: the largest relative breach of the optimality conditions.
    gap: (upper bound of the optimum - value) / value. reason: why nothing can be gained, else empty.
    """

    proposed: Floats
    price: Floats
    shadow_price: float
    move_price: float
    value: float
    value_now: float
    kkt_residual: float
    gap: float
    reason: str


def solve(problem: AllocationProblem) -> Allocation:
    """The allocation that maximises the problem's value. Raises AllocationError if its own proof fails."""
    curves = Curves.of(problem)
    if problem.groups is not None:
        proposed, log_price, log_shadow = _grouped(problem, curves, problem.groups)
        log_move = -np.inf
    else:
        proposed, log_price, log_shadow = _plain(problem, curves)
        log_move = -np.inf
        cap = problem.max_moved
        if cap is not None and float(np.abs(proposed - problem.current).sum()) > cap:
            proposed, log_price, log_shadow, log_move = _with_turnover(problem, curves, cap)
    proof = certify(problem, proposed, log_price, log_shadow, log_move)
    if not proof.gap <= MAX_GAP:
        raise AllocationError(
            f"the allocation could not be proved optimal: its value is within {proof.gap:.2e} of the best possible, "
            f"more than {MAX_GAP:.0e}; a curve may be numerically flat or vertical"
        )
    value, value_now = float(problem.value(proposed).sum()), float(problem.value(problem.current).sum())
    return Allocation(
        proposed=proposed,
        price=np.exp(log_price),
        shadow_price=float(np.exp(log_shadow)),
        move_price=float(np.exp(log_move)),
        value=value,
        value_now=value_now,
        kkt_residual=proof.kkt_residual,
        gap=proof.gap,
        reason=_reason(problem, value, value_now),
    )


def _plain(problem: AllocationProblem, curves: Curves) -> tuple[Floats, Floats, float]:
    most = float(np.where(np.isneginf(curves.q), curves.lower, curves.upper).sum())
    target = problem.total if problem.spend_all else min(problem.total, most)
    spend, price = fill(curves, np.array([target]), np.zeros(problem.size, dtype=np.int64))
    shadow = -np.inf if not problem.spend_all and problem.total > most else float(price[0])
    return spend, np.full(problem.size, shadow), shadow


def _with_turnover(problem: AllocationProblem, curves: Curves, cap: float) -> tuple[Floats, Floats, float, float]:
    """Exact under sum(|s - current|) <= cap when it binds.

    With multipliers p (total) and m >= 0 (moved money), an arm is raised only while its marginal is above p + m, cut
    only while below p - m. A binding cap fixes both sums: raised - cut = total - now and raised + cut = cap. So the
    problem falls into two independent water-fillings, one above the current budgets and one below them.
    """
    now = problem.current
    surplus = problem.total - float(now.sum())
    raised, cut = max((cap + surplus) / 2, 0.0), max((cap - surplus) / 2, 0.0)
    one = np.zeros(problem.size, dtype=np.int64)
    up, price_up = fill(curves.within(now, np.maximum(curves.upper, now)), np.array([float(now.sum()) + raised]), one)
    down, price_down = fill(curves.within(curves.lower, now), np.array([float(now.sum()) - cut]), one)
    high, low = np.exp(float(price_up[0])), np.exp(float(price_down[0]))
    with np.errstate(divide="ignore"):
        shadow, move = float(np.log((high + low) / 2)), float(np.log(max(high - low, 0.0) / 2))
    price = np.where(up > now, price_up[0], np.where(down < now, price_down[0], shadow))
    # Not up + (down - now) throughout: that would lose the digits of a budget cut to nearly nothing.
    spend = np.where(down >= now, up, np.where(up <= now, down, up + (down - now)))
    return spend, price, shadow, move


def _grouped(problem: AllocationProblem, curves: Curves, groups: Groups) -> tuple[Floats, Floats, float]:
    """Find which group bounds bind; then every binding group is a segment of its own, the rest share one price."""
    count = len(groups.names)
    member: Ints = np.where(groups.member < 0, count, groups.member)
    low = np.append(groups.lower, 0.0)
    high = np.append(groups.upper, np.inf)

    def sums(spend: Floats) -> Floats:
        return np.bincount(member, spend, count + 1).astype(np.float64)

    productive = np.where(np.isneginf(curves.q), curves.lower, curves.upper)
    least = np.maximum(sums(curves.lower), low)
    most = np.clip(sums(productive), low, high)

    if problem.total >= float(most.sum()) * (1 - _CRUMB):  # money to spare: worth nothing but to capped groups
        room = np.minimum(sums(curves.upper), high) - most
        extra = max(problem.total - float(most.sum()), 0.0) if problem.spend_all else 0.0
        spend, price = fill(curves, most + room * (extra / room.sum() if room.sum() > 0 else 0.0), member)
        return spend, np.where(most >= high, price, -np.inf)[member], -np.inf
    if problem.total <= float(least.sum()) * (1 + _CRUMB):  # no more than the floors: dearer than anything unbought
        spend, price = fill(curves, least, member)
        shadow = float(price.max())
        return spend, np.where(least > sums(curves.lower), price, shadow)[member], shadow

    log_price = _group_price(problem, curves, member, low, high, float(least.sum()))
    wanted = sums(curves.spend(log_price))
    at_low, at_high = (wanted <= low) & (low > 0), wanted >= high
    bound = at_low | at_high
    target = np.where(bound, np.clip(wanted, low, high), 0.0)
    shared = count + 1
    segment: Ints = np.where(bound[member], member, shared)
    rest = max(problem.total - float(target.sum()), 0.0)
    spend, price = fill(curves, np.append(target, rest), segment)
    # The outer price is the one that also suits the binding groups where the shared sum is flat in the price.
    # A capped group's money is worth at least the shadow price, a forced group's at most (either, if it is pinned).
    own = np.where(at_high & ~at_low, np.maximum(price[:-1], log_price), price[:-1])
    own = np.where(at_low & ~at_high, np.minimum(own, log_price), own)
    return spend, np.append(own, log_price)[segment], log_price


def _group_price(
    problem: AllocationProblem, curves: Curves, member: Ints, low: Floats, high: Floats, least: float
) -> float:
    """The common log price at which the clipped group sums meet the total, by bisection."""
    slack = (problem.total - least) / problem.size
    productive = ~np.isneginf(curves.q)
    floor = float(curves.log_marginal(curves.upper)[productive].min())
    ceiling = float(curves.log_marginal(np.maximum(curves.lower, slack))[productive].max())
    for _ in range(_ROUNDS):
        middle = (floor + ceiling) / 2
        sums = np.clip(np.bincount(member, curves.spend(middle), len(low)), low, high)
        if float(sums.sum()) > problem.total:
            floor = middle
        else:
            ceiling = middle
        if ceiling - floor <= 2e-16 * max(abs(middle), 1e-3):
            break
    return (floor + ceiling) / 2


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
