"""Updates: fields one entity a call, statuses up to 20 ids a call; each change is sent once.

It is sent again only where TikTok says by a code that nothing was written, or alone where a batch refused it.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence

from stakazo_pipelines.errors import (
    NotFoundError,
    NotNowError,
    PermissionDeniedError,
    PlatformError,
    RejectedError,
    TooMuchDataError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.port import Account, BudgetPeriod, EntityChange, WriteOutcome
from stakazo_pipelines.platforms.settling import rounds
from stakazo_pipelines.platforms.tiktok.calls import Row, post, read_by_ids
from stakazo_pipelines.platforms.tiktok.changes import (
    budget_value,
    by_target,
    check_change,
    has_fields,
    needs_current,
    schedule_body,
    status_body,
    update_body,
)
from stakazo_pipelines.platforms.tiktok.entities import is_scheduled
from stakazo_pipelines.platforms.tiktok.errors import NOT_EXECUTED
from stakazo_pipelines.platforms.tiktok.fields import NOT_DELETED, kind_of
from stakazo_pipelines.vocabulary import EntityStatus, Level

_WAITS = (0.5, 1.0, 2.0, 4.0)  # before a write that was not executed is sent again
_OF_ONE = (RejectedError, NotFoundError, PermissionDeniedError, TooMuchDataError)  # refusals that one id may cause
_STOPS = frozenset({EntityStatus.PAUSED, EntityStatus.DELETED})
Errors = dict[int, PlatformError]


async def settled(client: ApiClient, send: Callable[[], Awaitable[Row]]) -> Row:
    """What `send` answers; sent again where TikTok wrote nothing. Raises TransientError when it never does."""
    for wait in (*_WAITS, None):
        try:
            return await send()
        except UnknownOutcomeError as error:
            if error.code not in NOT_EXECUTED:
                raise
            refused = error
        if wait is not None:
            await client.sleep(wait)
    raise TransientError(
        "TikTok could not write it now, and did not; send it again later",
        "tiktok",
        refused.code,
        "",
        refused.request_id,
    )


class Writer:
    """Applies changes through one client."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """Outcomes in the order given. What goes wrong with a change stands in its outcome and is not raised."""
        errors: Errors = {}
        sound: dict[int, EntityChange] = {}
        for at, change in enumerate(changes):
            try:
                check_change(change)
                if change.budget is not None:
                    budget_value(change.budget, account.currency)
            except RejectedError as error:
                errors[at] = error
            else:
                sound[at] = change
        positions = list(sound)
        for some in rounds(list(sound.values()), size=max(len(sound), 1)):
            errors |= await self._round(account, {positions[index]: sound[positions[index]] for index in some})
        return [WriteOutcome(change, errors.get(at)) for at, change in enumerate(changes)]

    async def _round(self, account: Account, changes: Mapping[int, EntityChange]) -> Errors:
        """Fields first; the status follows unless they failed. A stop follows in any case."""
        current, errors = await self._current(account, changes)
        for at, change in changes.items():
            if at not in errors and has_fields(change):
                try:
                    await self._fields(account, change, current.get((change.level, change.id), {}))
                except PlatformError as error:
                    errors[at] = _of(change, error)
        follow = {at: change for at, change in changes.items() if at not in errors or change.status in _STOPS}
        for level, status, members in by_target(follow):
            failed = await self._statuses(account, level, status, {at: changes[at].id for at in members})
            errors = {at: _of(changes[at], error) for at, error in failed.items()} | errors
        return errors

    async def _fields(self, account: Account, change: EntityChange, current: Row) -> None:
        """Everything but the status; a daily budget that TikTok does not take today, from the next midnight on."""
        body, path = update_body(change, current, account.currency), f"{kind_of(change.level).path}/update/"
        daily = change.budget is not None and change.budget.period is BudgetPeriod.DAILY
        can_wait = daily and change.level is Level.AD_GROUP
        # What waits for midnight would undo what is set now.
        if not (can_wait and is_scheduled(current)):
            try:
                await self._send(account, path, body)
            except NotNowError:
                if not can_wait:
                    raise
            else:
                return
        rest = dataclasses.replace(change, budget=None)
        if has_fields(rest):
            await self._send(account, path, update_body(rest, current, account.currency))
        await self._send(account, "adgroup/budget/update/", schedule_body(change, account.currency))

    async def _current(
        self, account: Account, changes: Mapping[int, EntityChange]
    ) -> tuple[dict[tuple[Level, str], Row], Errors]:
        """The entities as they are now, where that matters; an error for each that cannot be read."""
        wanted: dict[Level, dict[str, int]] = {}
        for at, change in changes.items():
            if needs_current(change):
                wanted.setdefault(change.level, {})[change.id] = at
        found: dict[tuple[Level, str], Row] = {}
        errors: Errors = {}
        for level, positions in wanted.items():
            kind = kind_of(level)
            try:
                rows = await read_by_ids(
                    self._client, f"{kind.path}/get/", kind.ids, positions, account=account.id, status=NOT_DELETED
                )
            except PlatformError as error:
                errors |= {at: _of(changes[at], error) for at in positions.values()}
                continue
            found |= {(level, str(row.get(kind.id))): row for row in rows if isinstance(row, dict)}
            gone = NotFoundError("is not there, or deleted", "tiktok")
            errors |= {at: _of(changes[at], gone) for one, at in positions.items() if (level, one) not in found}
        return found, errors

    async def _statuses(self, account: Account, level: Level, status: EntityStatus, ids: Mapping[int, str]) -> Errors:
        """One call for all; then each refused one alone, because a batch refuses in words and a single call by code."""
        path = f"{kind_of(level).path}/status/update/"
        try:
            data = await self._send(account, path, status_body(level, status, list(ids.values())))
        except _OF_ONE as error:
            errors: Errors = dict.fromkeys(ids, error)
        except PlatformError as error:
            return dict.fromkeys(ids, error)
        else:
            errors = _refused(data, level, ids)
        if len(ids) > 1:
            for at in [at for at, error in errors.items() if isinstance(error, _OF_ONE)]:
                del errors[at]
                errors |= await self._statuses(account, level, status, {at: ids[at]})
        return errors

    async def _send(self, account: Account, path: str, body: Mapping[str, object]) -> Row:
        return await settled(self._client, lambda: post(self._client, path, body, account=account.id))


def _refused(data: Row, level: Level, ids: Mapping[int, str]) -> Errors:
    """Which entries of a status update failed. One that is neither done nor failed has an unknown outcome."""
    kind = kind_of(level)
    listed = data.get("error_list")
    failed = {
        str(entry.get(kind.id)): str(entry.get("error_message") or "refused without a reason")
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    }
    done = data.get(kind.ids)
    named = {str(one) for one in done} if isinstance(done, list) else set()
    errors: Errors = {}
    for at, one in ids.items():
        if one in failed:
            errors[at] = RejectedError(failed[one], "tiktok")
        elif one not in named:
            errors[at] = UnknownOutcomeError("the answer does not name it; read it back before trying again", "tiktok")
    return errors


def _of(change: EntityChange, error: PlatformError) -> PlatformError:
    """The same error, saying which entity it is about."""
    return dataclasses.replace(error, message=f"{change.level} {change.id}: {error.message}")
