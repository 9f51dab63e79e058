"""The arms' response to a price: how much each spends when its next unit of money must earn that much.

For value a (s/r)^e the marginal a e / r (s/r)^(e-1) inverts in closed form: s(u) = r exp((q - u) / (1 - e)) with
q = log(a e / r) and u the log price. An elasticity of 1 is a straight piece: all of it below its price, none above.
Everything is in logarithms of prices and in ratios: scaling money or value changes nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.problem import AllocationProblem, Flags, Floats, Ints

_STRAIGHT = 1e18  # 1 / (1 - e) of a straight piece: steep enough that its price is one number


@dataclass(frozen=True, slots=True)
class Curves:
    """The arms' inverse marginals: log r, q and b = 1 / (1 - e), with their bounds. q is -inf for barren arms.

    With `move` > 0 every unit that a budget departs from `now` costs that much: a raise must earn the price p + move,
    a cut may lose p - move. Prices here are then those of a raise, log(p + move), of which p may be below 0.
    """

    log_ref: Floats
    q: Floats
    b: Floats
    lower: Floats
    upper: Floats
    now: Floats
    move: float = 0.0

    @staticmethod
    def of(problem: AllocationProblem) -> "Curves":
        with np.errstate(divide="ignore"):
            q = np.log(problem.scale) + np.log(problem.elasticity) - np.log(problem.ref_spend)
            b = np.minimum(1 / (1 - problem.elasticity), _STRAIGHT)
        # No arm can spend more than the total: a finite stand-in for upper bounds that cannot bind.
        most = 2 * max(problem.total, float(problem.lower.max()))
        upper = np.minimum(problem.upper, most if most > 0 else 1.0)
        return Curves(np.log(problem.ref_spend), q, b, problem.lower, upper, problem.current)

    def within(self, lower: Floats, upper: Floats) -> "Curves":
        return replace(self, lower=lower, upper=upper)

    def sticky(self, move: float) -> "Curves":
        return replace(self, move=move)

    def take(self, chosen: Ints) -> "Curves":
        return Curves(
            log_ref=self.log_ref[chosen],
            q=self.q[chosen],
            b=self.b[chosen],
            lower=self.lower[chosen],
            upper=self.upper[chosen],
            now=self.now[chosen],
            move=self.move,
        )

    @property
    def barren(self) -> Flags:
        return np.isneginf(self.q)

    def spend(self, log_price: Floats, of: Ints) -> tuple[Floats, Floats]:
        """What each arm spends at log_price[of], and how fast that falls in it: float[n] each.

        log_price: float[g]. of: int[n], which of the prices is the arm's.
        """
        up = self._free(log_price[of])
        if not self.move:
            spend = np.clip(up, self.lower, self.upper)
            return spend, np.where(spend == up, self.b * spend, 0.0)
        rise = np.clip(up, self.now, self.upper)
        cut_price = self.cut_price(log_price)
        down = np.where(np.isneginf(cut_price)[of], np.inf, self._free(cut_price[of]))
        falls = down < self.now
        with np.errstate(over="ignore", invalid="ignore"):
            steeper = np.where(np.isneginf(cut_price), 0.0, np.exp(log_price - cut_price))
        spend = np.where(falls, np.maximum(down, self.lower), rise)
        slope = np.where(spend == np.where(falls, down, up), self.b * spend * np.where(falls, steeper[of], 1.0), 0.0)
        return spend, slope

    def cut_price(self, log_price: Floats) -> Floats:
        """The log price of a cut beside that of a raise: log(e^u - 2 move), -inf where a cut can never pay."""
        if not self.move:
            return log_price
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(np.log(np.maximum(np.exp(log_price) - 2 * self.move, 0.0)), dtype=np.float64)

    def sated(self) -> Floats:
        """float[n]: what each arm spends when money is worth nothing: all that earns anything."""
        idle = np.maximum(self.lower, self.now) if self.move else self.lower
        return np.where(self.barren, np.minimum(idle, self.upper), self.upper)

    def log_marginal(self, spend: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):  # a barren arm at no spend is -inf + inf
            sloped = np.where(self.b < _STRAIGHT, self.q - (np.log(spend) - self.log_ref) / self.b, self.q)
        return np.where(self.barren, -np.inf, sloped)

    def price_to_leave(self, bound: Floats, cutting: Flags) -> Floats:
        """float[n]: the log price (of a raise) at which each arm leaves `bound`; `cutting` where that is a cut's."""
        marginal = self.log_marginal(bound)
        if not self.move:
            return marginal
        return np.where(cutting, np.logaddexp(marginal, np.log(2 * self.move)), marginal)

    def _free(self, log_price: Floats) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            free = np.exp(self.log_ref + self.b * (self.q - log_price))
        # A barren arm at a price of nothing is -inf + inf: it wants nothing.
        return np.where(self.barren, 0.0, free)
