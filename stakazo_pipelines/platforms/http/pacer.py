"""Slows down before the platform has to refuse: waits that grow as a limit fills, told by the usage headers.

The state is one "not before" instant per account and one for the app. Time and sleep are handed in.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from stakazo_pipelines.platforms.http.messages import Usage

_LOG = logging.getLogger(__name__)
APP = ""


@dataclass(frozen=True, slots=True)
class PacingRule:
    """Below `slow_from` no wait; from there the wait grows with the square of the way to `stop_from`, up to `longest`.

    From `stop_from` on every call waits `longest`. The server's own time to regain access is waited in full, whatever
    the utilisation, but never beyond `longest_regain` at once: the call after it then hears the server again.
    """

    slow_from: float = 0.75
    stop_from: float = 0.95
    longest: float = 60.0
    longest_regain: float = 900.0

    def wait(self, usage: Usage) -> float:
        """Seconds to hold the next call back."""
        way = (usage.utilisation - self.slow_from) / (self.stop_from - self.slow_from)
        ramp = self.longest * min(max(way, 0.0), 1.0) ** 2
        return max(ramp, min(usage.regain_seconds, self.longest_regain))


class Pacer:
    """Holds calls back per account and for the whole app."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._rule = PacingRule()
        self._not_before: dict[str, float] = {}

    def observe(self, usages: Iterable[Usage]) -> None:
        """Take in what an answer said; the newest answer about an account replaces the one before."""
        waits: dict[str, float] = {}
        for usage in usages:
            waits[usage.account] = max(waits.get(usage.account, 0.0), self._rule.wait(usage))
        for account, wait in waits.items():
            self._not_before[account] = self._monotonic() + wait

    async def pause(self, account: str) -> None:
        """Wait until the account and the app may be called again."""
        now = self._monotonic()
        wait = max(self._not_before.get(account, now), self._not_before.get(APP, now)) - now
        if wait > 0:
            _LOG.info("pacing: account %s waits %.1f s before its next call", account or "(app)", wait)
            await self._sleep(wait)
