"""Water-filling: the spends at which every free arm of a segment earns the same from its next unit of money.

For value a (s/r)^e the marginal a e / r (s/r)^(e-1) inverts in closed form: s(u) = r exp((q - u) / (1 - e)) with
q = log(a e / r) and u the log price. Segment sums fall in u, so one bracketed root per segment is the whole problem.
Everything is in logarithms of prices and in ratios to the target: scaling money or value changes nothing.
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.allocation.problem import AllocationProblem, Flags, Floats, Ints

_ROUNDS = 200  # bisection alone needs about 60; Newton usually ends within 12
_EXACT = 4e-16


@dataclass(frozen=True, slots=True)
class Curves:
    """The arms' inverse marginals: log r, q and b = 1 / (1 - e), with their bounds. q is -inf for barren arms."""

    log_ref: Floats
    q: Floats
    b: Floats
    lower: Floats
    upper: Floats

    @staticmethod
    def of(problem: AllocationProblem) -> "Curves":
        with np.errstate(divide="ignore"):
            q = np.log(problem.scale) + np.log(problem.elasticity) - np.log(problem.ref_spend)
        # No arm can spend more than the total: a finite stand-in for upper bounds that cannot bind.
        upper = np.minimum(problem.upper, 2 * max(problem.total, float(problem.lower.max())))
        return Curves(np.log(problem.ref_spend), q, 1 / (1 - problem.elasticity), problem.lower, upper)

    def within(self, lower: Floats, upper: Floats) -> "Curves":
        return Curves(self.log_ref, self.q, self.b, lower, upper)

    def take(self, chosen: Ints) -> "Curves":
        return Curves(self.log_ref[chosen], self.q[chosen], self.b[chosen], self.lower[chosen], self.upper[chosen])

    def spend(self, log_price: Floats | float) -> Floats:
        """float[n]: what each arm spends at that log price (one number, or one per arm)."""
        with np.errstate(over="ignore", invalid="ignore"):
            free = np.exp(self.log_ref + self.b * (self.q - log_price))
        # A barren arm at a price of nothing is -inf + inf: it stays at its lower bound.
        return np.clip(np.where(np.isneginf(self.q), 0.0, free), self.lower, self.upper)

    def log_marginal(self, spend: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):  # a barren arm at no spend is -inf + inf
            return np.where(np.isneginf(self.q), -np.inf, self.q - (np.log(spend) - self.log_ref) / self.b)


def fill(curves: Curves, target: Floats, segment: Ints) -> tuple[Floats, Floats]:
    """Spends (float[n]) whose sums by segment are `target` (float[g]), and the log price of each segment (float[g]).

    Targets must lie between the segments' sums of bounds. A target that productive arms cannot take up ends at the
    price 0 (log price -inf), the rest spread over the barren arms in proportion to their room. A target at the sum of
    lower bounds ends at the smallest price at which nothing more would be bought.
    """
    count = len(target)
    barren = np.isneginf(curves.q)
    productive = np.where(barren, curves.lower, curves.upper)
    most = np.bincount(segment, productive, count)
    least: Floats = np.bincount(segment, curves.lower, count).astype(np.float64)
    sated = target >= most * (1 - _EXACT)
    starved = ~sated & (target <= least * (1 + _EXACT))
    price = _root(curves, target, segment, least, sated | starved)

    # The price of a starved segment is the dearest marginal that it leaves unbought.
    top = np.full(count, -np.inf)
    free = curves.upper > curves.lower
    np.maximum.at(top, segment[free], curves.log_marginal(curves.lower)[free])
    price = np.where(starved, top, price)
    # A segment that is full prices at its cheapest arm, unless money is left over: then money is worth nothing.
    bottom = np.full(count, np.inf)
    np.minimum.at(bottom, segment[free & ~barren], curves.log_marginal(curves.upper)[free & ~barren])
    full = sated & (target <= most * (1 + _EXACT)) & np.isfinite(bottom)
    price = np.where(sated, np.where(full, bottom, -np.inf), price)

    spend = curves.spend(price[segment])
    spend = np.where(sated[segment], productive, np.where(starved[segment], curves.lower, spend))
    return _settle(curves, spend, target, segment), price


def _root(curves: Curves, target: Floats, segment: Ints, least: Floats, done: Flags) -> Floats:
    """Log price per segment by Newton's method on log sums, kept inside a bisection bracket."""
    count = len(target)
    size = np.maximum(np.bincount(segment, minlength=count), 1)
    with np.errstate(divide="ignore"):
        slack = np.maximum(target - least, 0.0) / size
        all_upper = np.where(np.isneginf(curves.q), np.inf, curves.log_marginal(curves.upper))
        all_lower = np.minimum(curves.log_marginal(np.maximum(curves.lower, slack[segment])), np.finfo(np.float64).max)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, segment, all_upper)
    np.maximum.at(high, segment, all_lower)
    settled = done | ~np.isfinite(low) | ~np.isfinite(high)
    low, high = np.where(settled, 0.0, low), np.where(settled, 0.0, np.maximum(high, low))
    price = (low + high) / 2
    for step in range(_ROUNDS):
        spend = curves.spend(price[segment])
        total = np.bincount(segment, spend, count)
        above = total > target
        low, high = np.where(above, price, low), np.where(above, high, price)
        width = high - low
        settled |= (np.abs(total - target) <= _EXACT * target) | (width <= 2e-16 * np.maximum(np.abs(price), 1e-3))
        if settled.all():
            break
        interior = (spend > curves.lower) & (spend < curves.upper)
        slope = np.bincount(segment, np.where(interior, curves.b * spend, 0.0), count)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = price + np.log(total / target) * total / slope
        # Every third step halves, so that a bad start cannot crawl.
        trusted = np.isfinite(newton) & (newton > low) & (newton < high) & (step % 3 != 2)
        price = np.where(settled, price, np.where(trusted, newton, low + width / 2))
    return np.asarray(price, dtype=np.float64)


def _settle(curves: Curves, spend: Floats, target: Floats, segment: Ints) -> Floats:
    """Close the last rounding gap (or spread what productive arms cannot take), without leaving the bounds."""
    count = len(target)
    barren = np.isneginf(curves.q)
    for attempt in range(4):
        gap = target - np.bincount(segment, spend, count)
        short = gap[segment] > 0
        room = np.where(short, curves.upper - spend, spend - curves.lower)
        interior = (spend > curves.lower) & (spend < curves.upper)
        weight = np.where(interior, np.minimum(room, curves.b * spend), 0.0)
        wide = np.bincount(segment, weight, count) >= np.abs(gap)
        # Where the interior arms cannot take it: barren arms first (they lose nothing), then anyone with room.
        spare = np.where(barren, room, 0.0) if attempt < 2 else room
        weight = np.where(wide[segment], weight, spare)
        whole = np.bincount(segment, weight, count)
        share = np.divide(gap, whole, out=np.zeros(count), where=whole > 0)
        spend = np.clip(spend + weight * share[segment], curves.lower, curves.upper)
    return spend
