"""Pacing of a flight or a month: what to spend today so that the whole comes to its exact total on the last day.

Days may count differently (weekday weights), and platforms may deliver more than a day's budget; both are foreseen,
so that the plan need not jump at the end. Followed, the sums end on the total to the minor unit, by integers.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import numpy as np

from stakazo_pipelines.allocation.rounding import round_to_total
from stakazo_pipelines.errors import AllocationError

EVEN = (1.0,) * 7


@dataclass(frozen=True, slots=True)
class Flight:
    """A total for the days first..last, both within, in whole minor units.

    weekday: how much each weekday counts, Monday first. over_delivery: the largest multiple of a day's budget that the
    platform may deliver on one day, 1 for never more than the budget.
    """

    first: date
    last: date
    total: int
    weekday: tuple[float, ...] = EVEN
    over_delivery: float = 1.0

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise AllocationError(f"the flight ends on {self.last}, before it begins on {self.first}")
        if self.total < 0:
            raise AllocationError(f"a flight's total is at least zero, not {self.total}")
        if len(self.weekday) != len(EVEN) or not all(np.isfinite(w) and w >= 0 for w in self.weekday):
            raise AllocationError("weekday weights are seven finite numbers of at least zero, Monday first")
        if not any(self.weekday[day.weekday()] > 0 for day in self.days(self.first)[:7]):
            raise AllocationError("no day of the flight has a weight above zero")
        if not (np.isfinite(self.over_delivery) and self.over_delivery >= 1):
            raise AllocationError(f"over-delivery is a factor of at least 1, not {self.over_delivery}")

    def days(self, since: date) -> list[date]:
        """Days of the flight from `since` on."""
        start = max(since, self.first)
        return [start + timedelta(days=at) for at in range((self.last - start).days + 1)]


@dataclass(frozen=True, slots=True)
class Pace:
    """Today's plan in minor units, all of at least zero.

    today: what should be spent today. budget: the daily budget to set for that, lower where the platform's
    over-delivery could otherwise overshoot the flight's total today. rest: the plan of every day from today on (or
    from the first day on, before the flight), which adds up to `left`. left: what is left of the total before today.
    overspent: what was spent beyond the total already. reason: what is out of the ordinary, else empty.
    """

    today: int
    budget: int
    rest: tuple[int, ...]
    left: int
    overspent: int
    reason: str


def pace(flight: Flight, today: date, spent: int) -> Pace:
    """Today's share of what is left, by the weights of the days that are left, to the unit.

    spent: what the flight's days before today cost, as known today, in minor units. Days that delivered more or less
    than planned are made up for by all days left alike. Outside the flight today's share is 0.
    """
    if spent < 0:
        raise AllocationError(f"what was spent is at least zero, not {spent}")
    left, overspent = max(flight.total - spent, 0), max(spent - flight.total, 0)
    days = flight.days(today)
    if not days:
        words = "the flight is over" + (f", with {left} minor units left" if left else "")
        return Pace(0, 0, (), left, overspent, words)
    weights = np.array([flight.weekday[day.weekday()] for day in days])
    reason = ""
    if overspent:
        reason = f"the flight's total is overspent by {overspent} minor units: nothing is left to spend"
    elif left and not weights.any():
        reason = "no day that is left has a weight above zero: what is left is spread evenly"
    weights = weights if weights.any() else np.ones(len(days))
    exact = left * (weights / weights.sum())
    rest = round_to_total(exact, np.zeros(len(days), dtype=np.int64), np.where(weights > 0, left, 0), left)
    if today < flight.first:
        return Pace(0, 0, tuple(map(int, rest)), left, overspent, "the flight has not begun")
    share = int(rest[0])
    budget = min(share, int(Fraction(left) / Fraction(flight.over_delivery)))
    return Pace(share, budget, tuple(map(int, rest)), left, overspent, reason)
