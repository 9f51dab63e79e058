"""When to send again and after how long: the server's wait if it gave one, else exponential with jitter.

Only decides; the client sleeps, with a sleep handed in, so that tests need no real time and the total is bounded
before it is spent. (Libraries such as stamina sleep by themselves.)
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from stakazo_pipelines.errors import PlatformError, ThrottledError, TransientError


@dataclass(frozen=True, slots=True)
class RetryRule:
    """At most `attempts` sends and `total_seconds` from the first send to the last one, waits included."""

    attempts: int = 6
    total_seconds: float = 900.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    throttle_wait: float = 60.0  # when the server throttles without saying for how long


class Retries:
    """The retries of one call. The client counts `sent`; `gave_up` says in words why there was no further attempt."""

    def __init__(self, rule: RetryRule, *, monotonic: Callable[[], float], jitter: random.Random) -> None:
        self._rule = rule
        self._monotonic = monotonic
        self._jitter = jitter
        self._began = monotonic()
        self.sent = 0
        self.gave_up = ""

    @property
    def elapsed(self) -> float:
        return self._monotonic() - self._began

    def wait_after(self, error: PlatformError) -> float | None:
        """Seconds until the next attempt; None where there shall be none."""
        if not isinstance(error, TransientError | ThrottledError):
            return None
        wait = self._wait(error)
        if self.sent >= self._rule.attempts:
            self.gave_up = f"gave up after {self.sent} attempts in {self.elapsed:.0f} s"
            return None
        if self.elapsed + wait > self._rule.total_seconds:
            self.gave_up = f"the next attempt would have to wait {wait:.0f} s, beyond {self._rule.total_seconds:.0f} s"
            return None
        return wait

    def _wait(self, error: PlatformError) -> float:
        if isinstance(error, ThrottledError):
            return self._rule.throttle_wait if error.retry_after is None else error.retry_after
        backoff: float = min(self._rule.longest_wait, self._rule.first_wait * 2.0 ** max(self.sent - 1, 0))
        return backoff * self._jitter.uniform(0.5, 1.0)
