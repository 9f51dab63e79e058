"""Carrying out one approved plan: look, put the intention on record, write, read back, journal.

Nothing is held in memory that a crash could lose: an action found in `sending` is read back before anything else, and
sent again only where the platform still holds the old value.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from stakazo_pipelines.errors import (
    MalformedError,
    OperationsError,
    PlatformError,
    PublishError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.operations.states import ActionStatus
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.publishing.book import Book
from stakazo_pipelines.publishing.reading import Seen, look

_UNCERTAIN = (UnknownOutcomeError, TransientError, MalformedError)  # the write may have been taken all the same


@dataclass(frozen=True, slots=True)
class Pace:
    """How a plan is carried out.

    `chunk` writes at most go out in one request (the platform's own limit permitting): the stop switch is read before
    each request, so ten is what a stop can still let through. `waits` are the seconds before each read-back; platforms
    may apply a write late. `attempts` bounds how often one execution sends a write whose answer was lost. `lease` is
    how long a silent execution keeps its lock; heartbeats come three times as often.
    """

    chunk: int = 10
    waits: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    attempts: int = 3
    lease: timedelta = timedelta(seconds=60)


async def carry_out(book: Book, platform: AdPlatform, pace: Pace, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Finish the plan of `book`. Raises PublishError when another execution took the lock over."""
    execution = _Execution(book, platform, pace, sleep)
    heartbeat = asyncio.create_task(_keep_lease(book, pace.lease))
    try:
        await execution.run()
    finally:
        heartbeat.cancel()


class _Execution:
    def __init__(self, book: Book, platform: AdPlatform, pace: Pace, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._book = book
        self._platform = platform
        self._pace = pace
        self._sleep = sleep
        self._sent: Counter[int] = Counter()  # by this execution: one that was killed before may not have got that far

    async def run(self) -> None:
        await self._settle_in_flight()
        size = max(1, min(self._pace.chunk, self._platform.capabilities.write_batch))
        for chunk in self._chunks(size):
            if self._book.halt:
                break
            await self._write_until_settled(self._book.intend_new(await self._look(chunk)))
        self._book.finish()

    def _chunks(self, size: int) -> Iterator[list[int]]:
        """One request each. Phases never share one: a raise waits until the cuts that pay for it are seen."""
        changes = self._book.changes(self._book.ids(ActionStatus.PLANNED))
        for _, group in groupby(changes, key=lambda one: changes[one].phase):
            ids = list(group)
            yield from (ids[start : start + size] for start in range(0, len(ids), size))

    async def _settle_in_flight(self) -> None:
        """Actions that a killed execution left in `sending`: read back before anything is sent again."""
        ids = self._book.ids(ActionStatus.SENDING)
        if ids:
            lost = UnknownOutcomeError("the process that sent it ended before the answer came", self._platform.name)
            await self._write_until_settled(await self._read_back(ids, dict.fromkeys(ids, lost)))

    async def _write_until_settled(self, ids: Sequence[int]) -> None:
        while ids:
            ids = await self._read_back(ids, await self._send(ids))

    async def _send(self, ids: Sequence[int]) -> dict[int, PlatformError | None]:
        changes = self._book.changes(ids)
        self._sent.update(ids)
        try:
            outcomes = await self._platform.update(
                self._book.account, [change.request() for change in changes.values()]
            )
        except PlatformError as error:
            return dict.fromkeys(ids, error)
        return {one: outcome.error for one, outcome in zip(changes, outcomes, strict=True)}

    async def _read_back(self, ids: Sequence[int], errors: Mapping[int, PlatformError | None]) -> list[int]:
        """Journal what became of these writes; returns those put on record to be sent again."""
        refused = {one: error for one, error in errors.items() if error and not isinstance(error, _UNCERTAIN)}
        if refused:
            self._book.journal_refusals(refused)
        pending = [one for one in ids if one not in refused]
        seen: dict[int, Seen] = {}
        for wait in self._pace.waits:
            if not pending:
                return []
            await self._sleep(wait)
            seen = await self._look(pending)
            pending = self._book.journal_seen(seen)
        if not pending:
            return []
        lost = {one for one in pending if errors[one] and self._sent[one] < self._pace.attempts}
        again = self._book.journal_unseen({one: seen[one] for one in pending}, errors, repeatable=lost)
        return self._book.intend_again(again) if again else []

    async def _look(self, ids: Sequence[int]) -> dict[int, Seen]:
        return await look(self._platform, self._book.account, self._book.changes(ids))


async def _keep_lease(book: Book, lease: timedelta) -> None:
    """Heartbeats while a slow platform is waited for. A busy database is tried again; a lost lock ends them, and the
    next transaction of the execution finds that out by itself.
    """
    while True:
        await asyncio.sleep(lease.total_seconds() / 3)
        try:
            book.renew_lease()
        except OperationsError:
            continue
        except PublishError:
            return
