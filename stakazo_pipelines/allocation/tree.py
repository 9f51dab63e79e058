"""Water-filling in a tree of groups: sums with bounds, nested or side by side, at prices that are equal where they can.

A group's spend at a price is the sum of its parts' spends, clipped to its bounds, and falls in the price. So one root
fixes the price of a whole tree; a group that is clipped there is a tree of its own with its bound as total, and all
such groups of a round are solved at once. As many rounds as the tree is deep, exact at each.

Sums are counted above the arms' lower bounds throughout: a total that leaves a millionth of itself to choose is met as
exactly, in what is to choose, as one that leaves all.
"""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.problem import Flags, Floats, Groups, Ints
from stakazo_pipelines.allocation.waterfill import Curves

_ROUNDS = 240  # bisection alone needs about 60; Newton usually ends within 12
_EXACT = 4e-16
_CLOSE = 2e-15  # relative distance from what is to be shared out that is left to the last correction
_APART = 1e-12  # relative: node sums at neighbouring prices that differ by more hold a jump
_MARGIN = 1e-9  # of a log price, so that rounding never leaves the root outside its bracket


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes 0..k-1 with bounds on their sums. member: int[n], each arm's innermost node. parent: int[k], -1 for roots.

    levels: nodes that have a parent, by depth, deepest first. Bounds of roots are not looked at: they have targets.
    """

    member: Ints
    parent: Ints
    low: Floats
    high: Floats
    levels: tuple[Ints, ...]

    @staticmethod
    def of(groups: Groups | None, arms: int) -> "Tree":
        """One root, the last node, above all groups and all arms without one."""
        if groups is None:
            return Tree.flat(np.zeros(arms, dtype=np.int64), 1)
        count = len(groups.names)
        return Tree(
            member=np.where(groups.member < 0, count, groups.member),
            parent=np.append(np.where(groups.above < 0, count, groups.above), -1),
            low=np.append(groups.lower, 0.0),
            high=np.append(groups.upper, np.inf),
            levels=groups.levels,
        )

    @staticmethod
    def flat(member: Ints, count: int) -> "Tree":
        """`count` roots and nothing below them but arms."""
        return Tree(member, np.full(count, -1, dtype=np.int64), np.zeros(count), np.full(count, np.inf), ())

    @property
    def size(self) -> int:
        return len(self.parent)

    def take(self, arms: Ints) -> "Tree":
        return replace(self, member=self.member[arms])

    def above(self, lower: Floats) -> "Tree":
        """The same tree with its bounds counted above the sums of `lower` (float[n]).

        An upper bound that rounding has put below that sum leaves nothing to choose, not less than nothing.
        """
        least = self.whole(lower)
        return replace(self, low=self.low - least, high=np.maximum(self.high - least, 0.0))

    def whole(self, parts: Floats) -> Floats:
        """float[k]: what all arms within each node add up to, whatever its bounds."""
        sums = np.bincount(self.member, parts, self.size).astype(np.float64)
        for level in self.levels:
            sums += np.bincount(self.parent[level], sums[level], self.size)
        return sums

    def sums(self, spend: Floats) -> tuple[Floats, Floats]:
        """Sums of the nodes as their parts add up, and clipped to their bounds: float[k] each."""
        raw = np.bincount(self.member, spend, self.size).astype(np.float64)
        clipped = raw.copy()
        for level in self.levels:
            clipped[level] = np.clip(raw[level], self.low[level], self.high[level])
            raw += np.bincount(self.parent[level], clipped[level], self.size)
        return raw, np.where(self.parent < 0, raw, clipped)

    def slopes(self, slope: Floats, inside: Flags) -> Floats:
        """float[k]: how fast the sums fall, with nothing from below a node that is clipped (not `inside`)."""
        falls = np.bincount(self.member, slope, self.size).astype(np.float64)
        for level in self.levels:
            falls += np.bincount(self.parent[level], np.where(inside[level], falls[level], 0.0), self.size)
        return falls


@dataclass(frozen=True, slots=True)
class Filled:
    """spend: float[n]. price: float[k], each node's log price (of a raise, where moving costs)."""

    spend: Floats
    price: Floats


def fill(curves: Curves, tree: Tree, spare: Floats, *, leftover: bool = False) -> Filled:
    """Spends that earn most when roots spend `spare` (float[k], read for roots only) above their arms' lower bounds.

    The spare money must be within reach. What productive arms cannot take up ends at the price 0 (log price -inf), the
    rest spread over the barren arms in proportion to their room; so does a sum that they can just take up, if money is
    `leftover` besides. No spare money ends at the smallest price that buys nothing.
    """
    tree = tree.above(curves.lower)
    fresh = tree.parent < 0
    target = np.where(fresh, spare, 0.0)
    segment = np.arange(tree.size)
    for level in reversed(tree.levels):
        segment[level] = segment[tree.parent[level]]
    price, extra = np.zeros(tree.size), np.zeros(len(tree.member))
    while fresh.any():
        active = fresh[segment]
        arms = np.flatnonzero(active[tree.member])
        every = len(arms) == len(extra)
        part, branch = (curves, tree) if every else (curves.take(arms), tree.take(arms))
        found, dear, cheap = _solve(part, branch, target, segment, fresh, leftover=leftover)
        price = np.where(active, _nested(tree, found, price, target, fresh)[segment], price)

        # Between the two sides of the price lies the answer: a mixture keeps every sum that both sides keep.
        raw_dear, sum_dear = branch.sums(dear)
        raw_cheap, sum_cheap = branch.sums(cheap)
        span = raw_cheap - raw_dear
        share = np.divide(target - raw_dear, span, out=np.zeros(tree.size), where=fresh & (span > 0))
        share = np.clip(share, 0.0, 1.0)[segment]
        extra[arms] = dear + share[branch.member] * (cheap - dear)

        wanted = sum_dear + share * (sum_cheap - sum_dear)
        clipped = (raw_dear != sum_dear) | (raw_cheap != sum_cheap)
        clipped |= sum_cheap - sum_dear > _APART * target[segment]
        opened = np.zeros(tree.size, dtype=np.bool_)
        for level in reversed(tree.levels):  # from the outside in: what lies below an opened group waits for it
            outer = segment[tree.parent[level]]
            opens = active[level] & ~fresh[level] & clipped[level] & ~opened[outer]
            segment[level] = np.where(opens, level, np.where(active[level] & ~fresh[level], outer, segment[level]))
            opened[level] = opens
        target = np.where(opened, np.clip(wanted, tree.low, tree.high), target)
        fresh = opened
    own = np.flatnonzero((segment == np.arange(tree.size)) & (tree.parent >= 0))
    residual: Floats = target - np.bincount(segment[tree.parent[own]], target[own], tree.size)
    extra = settle(curves, extra, residual, segment[tree.member])
    return Filled(np.minimum(curves.lower + extra, curves.upper), price)


def _nested(tree: Tree, found: Floats, price: Floats, target: Floats, fresh: Flags) -> Floats:
    """A capped group's money is worth at least the outer price, a forced one's at most, any other's the same.

    Where a sum is flat in the price the root is any of many prices: this one also suits what lies outside.
    """
    outer = price[tree.parent]
    capped, forced = target >= tree.high * (1 - _APART), target <= tree.low * (1 + _APART)
    own = np.where(capped & ~forced, np.maximum(found, outer), found)
    own = np.where(forced & ~capped, np.minimum(own, outer), own)
    own = np.where(~forced & ~capped, outer, own)
    return np.where(fresh & (tree.parent >= 0), own, found)


def _solve(
    curves: Curves, tree: Tree, target: Floats, segment: Ints, fresh: Flags, *, leftover: bool
) -> tuple[Floats, Floats, Floats]:
    """float[k] log price of each fresh segment, and float[n] spends above the lower bounds just above and below it."""
    of = segment[tree.member]
    sated_extra, room = curves.sated() - curves.lower, curves.upper - curves.lower
    least, most = tree.sums(np.zeros(len(of)))[0], tree.sums(sated_extra)[0]
    sated = fresh & (target >= most * (1 - _EXACT))
    starved = fresh & ~sated & (target - least <= _EXACT * tree.whole(curves.lower))
    done = ~fresh | sated | starved
    low, high = _bracket(curves, tree, target - least, of, done)
    price = (low + high) / 2
    for step in range(_ROUNDS):
        spend, slope = curves.spend(price, of)
        total, kept = tree.sums(spend - curves.lower)
        met = np.abs(total - target) <= _CLOSE * target
        low = np.where(~done & (met | (total > target)), price, low)
        high = np.where(~done & (met | (total <= target)), price, high)
        done |= met
        width = high - low
        done |= width <= 2e-16 * np.maximum(np.abs(price), 1e-3)
        if done.all():
            break
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = price + np.log(total / target) * total / tree.slopes(slope, total == kept)
        # A third step halves, and late ones all do: neither a bad start nor a jump can make it crawl.
        trusted = np.isfinite(newton) & (newton > low) & (newton < high) & (step % 3 != 2) & (step < _ROUNDS // 4)
        price = np.where(done, price, np.where(trusted, newton, low + width / 2))

    dear, cheap = (curves.spend(side, of)[0] - curves.lower for side in (high, low))
    dear = np.where(sated[of], sated_extra, np.where(starved[of], 0.0, dear))
    cheap = np.where(sated[of], room, np.where(starved[of], 0.0, cheap))

    # The price of a starved segment is the dearest marginal that it leaves unbought.
    free = curves.upper > curves.lower
    top = np.full(tree.size, -np.inf)
    np.maximum.at(top, of[free], curves.price_to_leave(curves.lower, curves.lower < curves.now)[free])
    # A segment that is full prices at its cheapest arm, unless money is left over: then money is worth nothing.
    bottom = np.full(tree.size, np.inf)
    reach = curves.sated()
    free &= ~curves.barren | ((curves.move > 0) & (reach > curves.lower))
    np.minimum.at(bottom, of[free], curves.price_to_leave(reach, reach <= curves.now)[free])
    idle = (target > most * (1 + _EXACT)) | ~np.isfinite(bottom) | (leftover & (tree.parent < 0))
    price = np.where(sated, np.where(idle, -np.inf, bottom), np.where(starved, top, price))
    return price, dear, cheap


def _bracket(curves: Curves, tree: Tree, slack: Floats, of: Ints, done: Flags) -> tuple[Floats, Floats]:
    """Log prices at which every segment spends at least, and at most, its target; 0 where that is not asked."""
    size = np.maximum(np.bincount(of, minlength=tree.size), 1)
    barren = curves.barren
    with np.errstate(divide="ignore"):
        least = np.maximum(curves.lower, np.maximum(slack / size, 0.0)[of])
        cheap = np.where(barren, np.inf, curves.price_to_leave(curves.upper, curves.upper <= curves.now))
        dear = np.where(barren, -np.inf, curves.price_to_leave(least, least < curves.now))
    low, high = np.full(tree.size, np.inf), np.full(tree.size, -np.inf)
    np.minimum.at(low, of, cheap)
    np.maximum.at(high, of, np.minimum(dear, np.finfo(np.float64).max))
    if curves.move:  # where cuts begin to pay, all that earns nothing goes at once
        low, high = np.minimum(low, np.log(2 * curves.move)), np.maximum(high, np.log(2 * curves.move))
    idle = done | ~np.isfinite(low) | ~np.isfinite(high)
    low, high = np.where(idle, 0.0, low), np.where(idle, 0.0, np.maximum(high, low))
    return low - _MARGIN * (1 + np.abs(low)), high + _MARGIN * (1 + np.abs(high))


def settle(curves: Curves, extra: Floats, target: Floats, segment: Ints) -> Floats:
    """Close the last rounding gap of each segment's sum, without leaving the bounds of its arms."""
    count, width = len(target), curves.upper - curves.lower
    for attempt in range(4):
        gap = target - np.bincount(segment, extra, count)
        if (np.abs(gap) <= _EXACT * target).all():
            break
        short = gap[segment] > 0
        room = np.where(short, width - extra, extra)
        interior = (extra > 0) & (extra < width)
        weight = np.where(interior, np.minimum(room, curves.b * (curves.lower + extra)), 0.0)
        wide = np.bincount(segment, weight, count) >= np.abs(gap)
        # Where the interior arms cannot take it: barren arms first (they lose nothing), then anyone with room.
        spare = np.where(curves.barren, room, 0.0) if attempt < 2 else room
        weight = np.where(wide[segment], weight, spare)
        whole = np.bincount(segment, weight, count)
        share = np.divide(gap, whole, out=np.zeros(count), where=whole > 0)
        extra = np.clip(extra + weight * share[segment], 0.0, width)
    return extra
