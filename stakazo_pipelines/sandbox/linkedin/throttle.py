"""LinkedIn's two throttles: calls a UTC day on each endpoint, and metric values in five minutes. No header tells."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

_WINDOW = 300.0


@dataclass(slots=True)
class DayQuota:
    """Calls by endpoint; all begin anew at 00:00 UTC of the world."""

    limit: int
    limits: Mapping[str, int]
    _day: date | None = None
    _calls: Counter[str] = field(default_factory=Counter)

    def admit(self, endpoint: str, today: date) -> bool:
        if today != self._day:
            self._day = today
            self._calls.clear()
        self._calls[endpoint] += 1
        return self._calls[endpoint] <= self.limits.get(endpoint, self.limit)


@dataclass(slots=True)
class ValueThrottle:
    """Metric values (metrics x rows) given out within the last five minutes of real time."""

    clock: Callable[[], float]
    limit: int
    _given: deque[tuple[float, int]] = field(default_factory=deque)

    def admit(self, values: int) -> bool:
        now = self.clock()
        while self._given and self._given[0][0] <= now - _WINDOW:
            self._given.popleft()
        if sum(count for _, count in self._given) + values > self.limit:
            return False
        self._given.append((now, values))
        return True
