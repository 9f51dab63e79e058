"""Reading entities back from the platform, and judging what is seen before anything is sent."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from stakazo_pipelines.decisions.candidate import Value
from stakazo_pipelines.errors import ConflictError, PlatformError
from stakazo_pipelines.operations.states import ActionStatus
from stakazo_pipelines.platforms.port import Account, AdPlatform
from stakazo_pipelines.publishing.plan import PlannedChange, text_of, value_of


@dataclass(frozen=True, slots=True)
class Seen:
    """What one entity's field held when read, or the error that kept it from being read."""

    value: Value | None
    error: PlatformError | None = None

    @property
    def text(self) -> str | None:
        return None if self.value is None else text_of(self.value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state an action gets, and why."""

    status: ActionStatus
    error: str | None = None


async def look(platform: AdPlatform, account: Account, changes: Mapping[int, PlannedChange]) -> dict[int, Seen]:
    """Read the entity of each change, all at once; an error of one does not hide the others."""
    seen = await asyncio.gather(*(_read(platform, account, change) for change in changes.values()))
    return dict(zip(changes, seen, strict=True))


async def _read(platform: AdPlatform, account: Account, change: PlannedChange) -> Seen:
    try:
        entity = await platform.read(account, change.entity.level, change.entity.id)
    except PlatformError as error:
        return Seen(None, error)
    return Seen(value_of(entity, change.field))


def before_sending(change: PlannedChange, seen: Seen) -> Verdict | None:
    """Why this change must not go out as planned; None when the platform holds the planned old value."""
    if seen.error is not None:
        return Verdict(ActionStatus.FAILED, str(seen.error))
    if seen.value == change.after:
        return Verdict(ActionStatus.ALREADY)
    return None if seen.value == change.before else foreign(change, seen)


def after_sending(change: PlannedChange, seen: Seen) -> Verdict | None:
    """What a read-back proves; None when it shows the old value still, or could not be made."""
    if seen.value == change.after:
        return Verdict(ActionStatus.VERIFIED)
    return None if seen.error is not None or seen.value == change.before else foreign(change, seen)


def foreign(change: PlannedChange, seen: Seen) -> Verdict:
    """Someone else's value: reported, never overwritten."""
    holds = "no such value" if seen.value is None else str(seen.value)
    error = ConflictError(f"{change.entity} holds {holds}, neither {change.before} nor {change.after}")
    return Verdict(ActionStatus.CONFLICT, str(error))
