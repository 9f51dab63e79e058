"""Keeps under limits that no header tells: at most so many calls in any window of so many seconds, per endpoint.

A call reserves its instant at once and then waits for it, so calls that come together go out one after the other.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stakazo_pipelines.platforms.http.messages import ApiRequest


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in any `seconds`."""

    calls: int
    seconds: float


class Quota(Protocol):
    """What a platform allows. Pure: no I/O, no state."""

    def limits(self, request: ApiRequest) -> tuple[str, Sequence[Rate]]:
        """Which counter a request counts on, and the rates of that counter."""
        ...


class Limiter:
    """Sliding windows, one history a counter. Time and sleep are handed in."""

    def __init__(
        self, quota: Quota, *, sleep: Callable[[float], Awaitable[None]], monotonic: Callable[[], float]
    ) -> None:
        self._quota = quota
        self._sleep = sleep
        self._monotonic = monotonic
        self._calls: dict[str, deque[float]] = {}
        self._closed_until: dict[str, float] = {}

    async def admit(self, request: ApiRequest) -> None:
        """Wait until the request fits under every rate of its counter."""
        counter, rates = self._quota.limits(request)
        if not rates:
            return
        longest = max(rate.calls for rate in rates)
        calls = self._calls.setdefault(counter, deque(maxlen=longest))
        now = self._monotonic()
        due = max(now, self._closed_until.get(counter, now))
        for rate in rates:
            if len(calls) >= rate.calls:
                due = max(due, calls[-rate.calls] + rate.seconds)
        calls.append(due)
        if due > now:
            await self._sleep(due - now)

    def close(self, request: ApiRequest, seconds: float) -> None:
        """The server suspends the request's counter: let nobody else try it before."""
        counter, _ = self._quota.limits(request)
        self._closed_until[counter] = self._monotonic() + seconds
