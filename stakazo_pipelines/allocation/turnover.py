"""Water-filling under a cap on moved money, sum(|s - current|) <= cap, within any tree of groups.

Each moved unit is given a price m: an arm is raised only while its marginal is above p + m, cut only while below p - m,
with p the price of its group. What moves falls in m, so one more root, around the tree's, meets the cap.
"""

from dataclasses import replace

import numpy as np

from stakazo_pipelines.allocation.certificate import Prices
from stakazo_pipelines.allocation.problem import Flags, Floats, Ints
from stakazo_pipelines.allocation.tree import Filled, Tree, fill
from stakazo_pipelines.allocation.waterfill import Curves

_ROUNDS = 120
_CLOSE = 1e-13
_EXACT = 1e-13  # relative to the total: a cap so near the least that must move leaves nothing else to move
_TINY = np.finfo(np.float64).tiny
_STEPS = (1.0, 3.0, 9.0, 27.0, 80.0, 240.0)  # of a log price


def fill_moving(curves: Curves, tree: Tree, spare: Floats, cap: float) -> tuple[Floats, Prices]:
    """Spends and prices when the cap binds: without it more would move, and the least that must move is within it.

    spare: float[k], money of each root above its arms' lower bounds.
    """
    if tree.size == 1:
        return _two_sides(curves, float(spare[0]), cap)
    spend, prices = least_moved(curves, tree, spare)
    if cap - float(np.abs(spend - curves.now).sum()) <= _EXACT * float(spend.sum()):
        return spend, prices
    return _searched(curves, tree, spare, cap)


def _two_sides(curves: Curves, spare: float, cap: float) -> tuple[Floats, Prices]:
    """Without groups a binding cap fixes both sums: raised - cut = total - now and raised + cut = cap.

    So the problem falls into two independent water-fillings, one above the current budgets and one below them.
    """
    now = curves.now
    here = float((now - curves.lower).sum())
    raised, cut = max((cap + spare - here) / 2, 0.0), max((cap - spare + here) / 2, 0.0)
    one = Tree.flat(np.zeros(len(now), dtype=np.int64), 1)
    above = fill(curves.within(now, np.maximum(curves.upper, now)), one, np.array([raised]))
    below = fill(curves.within(curves.lower, now), one, np.array([here - cut]))
    high, low = float(np.exp(above.price[0])), float(np.exp(below.price[0]))
    # Not up + (down - now) throughout: that would lose the digits of a budget cut to nearly nothing.
    up, down = above.spend, below.spend
    spend = np.where(down >= now, up, np.where(up <= now, down, up + (down - now)))
    if high < low:  # the cap is just what must move: money is worth what the side that moves says
        return spend, Prices(np.array([low if cut > raised else high]), 0.0)
    return spend, Prices(np.array([(high + low) / 2]), (high - low) / 2)


def least_moved(curves: Curves, tree: Tree, spare: Floats) -> tuple[Floats, Prices]:
    """The best of the spends that move as little money as bounds and total allow.

    Nothing then moves both ways: what lies in a group that must grow is only raised, in one that must shrink only cut,
    and everything else goes the way of what lies around it; a group that must go against that goes no further than it
    must. With the ways known it is one water-filling.
    """
    now = curves.now
    ways, against = _ways(tree, now, spare + tree.whole(curves.lower))
    way = ways[tree.member]
    pinned = replace(
        tree,
        low=np.where(against & (ways < 0), tree.high, tree.low),
        high=np.where(against & (ways > 0), tree.low, tree.high),
    )
    oneway = curves.within(np.where(way > 0, now, curves.lower), np.where(way > 0, curves.upper, now))
    filled = fill(oneway, pinned, spare - tree.whole(oneway.lower - curves.lower))
    # Turning round must not pay, neither for an arm nor for a group that goes against what lies around it.
    can = np.where(way > 0, filled.spend > curves.lower, filled.spend < curves.upper)
    with np.errstate(invalid="ignore", over="ignore"):  # prices are infinite where there is nothing to share out
        settled = np.exp(filled.price)  # what a raise must earn, or what a cut may lose
        marginal, own = np.exp(curves.log_marginal(np.maximum(filled.spend, _TINY))), settled[tree.member]
        turned = np.where(way > 0, own - marginal, marginal - own)[can]
        around = settled[tree.parent]
        opposed = np.where(ways > 0, settled - around, around - settled)[against]
    missed = np.append(turned, opposed)
    move = float(np.where(np.isfinite(missed), missed, 0.0).max(initial=0.0)) / 2
    return filled.spend, Prices(np.where(ways > 0, settled - move, settled + move), move)


def _ways(tree: Tree, now: Floats, total: Floats) -> tuple[Ints, Flags]:
    """1 where a node's arms may only be raised, -1 where only cut; and which nodes must go against what lies around.

    int[k], bool[k]. total: float[k], of roots.
    """
    centre, forced = np.bincount(tree.member, now, tree.size).astype(np.float64), np.zeros(tree.size, dtype=np.int64)
    for level in tree.levels:
        kept = np.clip(centre[level], tree.low[level], tree.high[level])
        forced[level] = np.sign(kept - centre[level])
        centre += np.bincount(tree.parent[level], kept, tree.size)
    way: Ints = np.where(total >= centre, 1, -1)
    against = np.zeros(tree.size, dtype=np.bool_)
    for level in reversed(tree.levels):
        around = way[tree.parent[level]]
        way[level] = np.where(forced[level] != 0, forced[level], around)
        against[level] = way[level] != around
    return way, against


def _searched(curves: Curves, tree: Tree, spare: Floats, cap: float) -> tuple[Floats, Prices]:
    """The price of moving, by a guarded secant on its logarithm; the answer is a mixture of its two sides."""

    def at(log_move: float) -> tuple[Filled, float]:
        filled = fill(curves.sticky(float(np.exp(log_move))), tree, spare)
        return filled, float(np.abs(filled.spend - curves.now).sum()) - cap

    typical = _typical(curves)
    low = high = typical
    (loose, over) = (tight, short) = at(typical)
    for step in _STEPS:  # outwards, until the cap lies between
        if over < 0:
            high, tight, short, low = low, loose, over, typical - step
            loose, over = at(low)
        elif short > 0:
            low, loose, over, high = high, tight, short, typical + step
            tight, short = at(high)
        else:
            break
    if over < 0:  # even nearly free moves stay within the cap: among equals, those that move less
        return tight.spend, _prices(tight, high)
    if short > 0:  # only what must move may move
        return least_moved(curves, tree, spare)
    for turn in range(_ROUNDS):
        if min(over, -short) <= _CLOSE * cap or high - low <= _CLOSE * max(abs(high), 1.0):
            break
        middle = (low + high) / 2 if turn % 3 == 2 else low + (high - low) * over / (over - short)
        filled, rest = at(middle)
        if rest >= 0:
            low, loose, over = middle, filled, rest
        else:
            high, tight, short = middle, filled, rest
    share = _share(over, short)
    nearer, price = (loose, low) if share > 1 / 2 else (tight, high)
    return tight.spend + share * (loose.spend - tight.spend), _prices(nearer, price)


def _share(over: float, short: float) -> float:
    """How much of the looser side keeps the mixture within the cap: what moves is convex in the spends."""
    return min(max(-short / (over - short), 0.0), 1.0) if over > short else 0.0


def _prices(filled: Filled, log_move: float) -> Prices:
    move = float(np.exp(log_move))
    return Prices(np.exp(filled.price) - move, move)


def _typical(curves: Curves) -> float:
    """A log price to start from: the middle one of what the next units earn today."""
    marginal = curves.log_marginal(np.clip(curves.now, curves.lower, curves.upper))
    known = marginal[np.isfinite(marginal)]
    if not known.size:
        known = curves.q[~curves.barren]
    return float(np.median(known)) - 1.0 if known.size else 0.0
