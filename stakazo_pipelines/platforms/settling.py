"""Updates until each is settled: a change is sent once, and sent again only when it provably was not executed.

What was not executed is read back before it is resent; what was throttled is resent after the server's wait. Anything
else is the outcome of that change and concerns no other.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from stakazo_pipelines.errors import PlatformError, ThrottledError, TransientError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.port import Account, Entity, EntityChange
from stakazo_pipelines.platforms.wire import to_form
from stakazo_pipelines.vocabulary import Level

_TRIES = 4
Read = Callable[[Account, Level, str], Awaitable[Entity]]
Send = Callable[[Mapping[int, EntityChange]], Awaitable[Mapping[int, PlatformError | None]]]


class NotExecutedError(TransientError):
    """The platform says that it did not execute this change; the next try may."""


class Settler:
    """`read` reads an entity back; waits are as long as the client's own, and end as those do."""

    def __init__(self, client: ApiClient, read: Read) -> None:
        self._sleep = client.sleep
        self._read = read
        self._rule = client.retry

    async def settle(
        self, account: Account, changes: Mapping[int, EntityChange], send: Send
    ) -> dict[int, PlatformError | None]:
        """The outcome of each change by its position. `send` sends the changes once and tells each one's outcome."""
        settled: dict[int, PlatformError | None] = {}
        waited, wait, tries = 0.0, 1.0, 0
        while changes:
            tries += 1
            outcomes = await send(changes)
            pauses = {
                at: self._pause(error, wait)
                for at, error in outcomes.items()
                if isinstance(error, ThrottledError | NotExecutedError)
                and tries < _TRIES
                and waited + self._pause(error, wait) <= self._rule.total_seconds
            }
            settled |= {at: _final(error) for at, error in outcomes.items() if at not in pauses}
            if pauses:
                pause = max(pauses.values())
                await self._sleep(pause)
                waited, wait = waited + pause, wait * 2
            there = [at for at in pauses if await self._is_there(account, changes[at], outcomes[at])]
            settled |= dict.fromkeys(there)
            changes = {at: changes[at] for at in pauses if at not in there}
        return settled

    def _pause(self, error: PlatformError | None, wait: float) -> float:
        if isinstance(error, ThrottledError):
            return self._rule.throttle_wait if error.retry_after is None else error.retry_after
        return wait

    async def _is_there(self, account: Account, change: EntityChange, error: PlatformError | None) -> bool:
        """Read back an entry that was reported as not executed: sending a change twice is worse than one read."""
        if not isinstance(error, NotExecutedError):
            return False
        try:
            return shows(await self._read(account, change.level, change.id), change)
        except PlatformError:
            return False  # the resend says what is wrong with it


def rounds(
    changes: Sequence[EntityChange], *, size: int, claims: Callable[[EntityChange], Collection[str]] = lambda _: ()
) -> Sequence[Sequence[int]]:
    """Positions of the changes, in batches to be sent one after the other.

    At most `size` a batch, never two changes of one entity or with one claim in a batch, and changes of one entity in
    the order given.
    """
    batches: list[list[int]] = []
    taken: list[set[str]] = []
    earliest: dict[str, int] = {}
    for position, change in enumerate(changes):
        wanted = {f"entity {change.id}", *claims(change)}
        at = earliest.get(change.id, 0)
        while at < len(batches) and (len(batches[at]) >= size or wanted & taken[at]):
            at += 1
        if at == len(batches):
            batches.append([])
            taken.append(set())
        batches[at].append(position)
        taken[at] |= wanted
        earliest[change.id] = at + 1
    return batches


def shows(entity: Entity, change: EntityChange) -> bool:
    """Whether the entity, as it reads now, has everything the change asks for."""
    return (
        (change.name is None or entity.name == change.name)
        and (change.status is None or entity.status is change.status)
        and (change.budget is None or entity.budget == change.budget)
        and all(key in entity.native and _same(entity.native[key], value) for key, value in change.settings.items())
    )


def _same(native: object, wanted: object) -> bool:
    """Platforms answer numbers as text."""
    return native == wanted or to_form(native) == to_form(wanted)


def _final(error: PlatformError | None) -> PlatformError | None:
    """Not executed is not unknown: whoever asked may simply ask again."""
    if isinstance(error, NotExecutedError):
        return TransientError(f"{error.message}; send it again later", error.platform, status=error.status)
    return error
