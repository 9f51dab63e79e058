"""Updates in batches: BATCH_PARTIAL_UPDATE, one status for each entity. See `Settler` for what is sent again.

A 409 is a change that met another writer: it was not executed, and is read back before it is resent.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from stakazo_pipelines.errors import PlatformError, TransientError, UnknownOutcomeError
from stakazo_pipelines.platforms.http import ApiClient, ApiReply
from stakazo_pipelines.platforms.linkedin import restli
from stakazo_pipelines.platforms.linkedin.changes import patch
from stakazo_pipelines.platforms.linkedin.dialect import until_midnight
from stakazo_pipelines.platforms.linkedin.errors import CONFLICT, error_from
from stakazo_pipelines.platforms.linkedin.fields import collection, key_of
from stakazo_pipelines.platforms.port import Account, EntityChange, WriteOutcome
from stakazo_pipelines.platforms.settling import NotExecutedError, Read, Settler, rounds
from stakazo_pipelines.vocabulary import Level

BATCH = 50  # keys of creatives are long; so many of them stay well within a URL


class BatchWriter:
    """Applies changes through one client. `read` reads an entity back."""

    def __init__(self, client: ApiClient, read: Read) -> None:
        self._client = client
        self._settler = Settler(client, read)

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """Outcomes in the order given. What goes wrong with a change stands in its outcome and is not raised."""
        errors: dict[int, PlatformError | None] = {}
        patches: dict[int, Mapping[str, object]] = {}
        for position, change in enumerate(changes):
            try:
                key_of(change.level, change.id)
                patches[position] = patch(change, account.currency)
            except PlatformError as error:
                errors[position] = error
        for level in dict.fromkeys(changes[position].level for position in patches):
            positions = [position for position in patches if changes[position].level is level]
            for batch in rounds([changes[position] for position in positions], size=BATCH):
                members = {positions[index]: changes[positions[index]] for index in batch}
                errors |= await self._settler.settle(account, members, partial(self._send, account, level, patches))
        return [WriteOutcome(change, errors[position]) for position, change in enumerate(changes)]

    async def _send(
        self,
        account: Account,
        level: Level,
        patches: Mapping[int, Mapping[str, object]],
        changes: Mapping[int, EntityChange],
    ) -> dict[int, PlatformError | None]:
        keys = {at: key_of(level, change.id) for at, change in changes.items()}
        request = restli.post(
            collection(account, level),
            {"entities": {restli.encode(key): patches[at] for at, key in keys.items()}},
            account=account.id,
            method="BATCH_PARTIAL_UPDATE",
            params={"ids": list(keys.values())},
        )
        try:
            reply = await self._client.send(request)
        except PlatformError as error:
            if error.status == CONFLICT:
                return {at: _not_executed(_who(change), error) for at, change in changes.items()}
            return dict.fromkeys(changes, error)
        return {at: self._outcome(_who(changes[at]), keys[at], reply) for at in changes}

    def _outcome(self, who: str, key: str, reply: ApiReply) -> PlatformError | None:
        entry = _entry(reply.body, key)
        status = entry.get("status") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(status, int):
            return UnknownOutcomeError(f"{who}: the answer says nothing of it; read it back", "linkedin")
        if status < 400:
            return None
        said = entry.get("error")
        error = error_from(
            said if isinstance(said, dict) else entry,
            status=status,
            request_id=reply.headers.get("x-li-request-id", ""),
            wait=until_midnight(reply.headers.get("date", "")),
        )
        error.message = self._client.redact(f"{who}: {error.message}")
        if status == CONFLICT:
            return _not_executed(who, error)
        if isinstance(error, TransientError):
            return UnknownOutcomeError(
                f"{error.message}; read it back before trying again", "linkedin", error.code, status=status
            )
        return error


def _who(change: EntityChange) -> str:
    return f"account {change.account_id}: {change.level} {change.id}"


def _not_executed(who: str, error: PlatformError) -> NotExecutedError:
    return NotExecutedError(
        f"{who}: not executed, somebody else wrote at the same time", "linkedin", error.code, status=CONFLICT
    )


def _entry(body: object, key: str) -> object:
    """What the answer says of one key, which it may write encoded or not; an error counts before a result."""
    for part in ("errors", "results"):
        entries = body.get(part) if isinstance(body, dict) else None
        for written in (key, restli.encode(key)):
            if isinstance(entries, dict) and written in entries:
                return entries[written]
    return None
