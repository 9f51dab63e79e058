"""Creates that are safe to repeat, on platforms without an idempotency key.

The draft's tag ends the entity's name. A create looks for the tag first, and looks again when its answer was lost; it
never sends a second create by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from stakazo_pipelines.errors import MalformedError, RejectedError, UnknownOutcomeError
from stakazo_pipelines.platforms.port import EntityDraft

_LOOKS_AFTER_LOSS = (2.0, 5.0, 15.0)  # seconds before each look: a new object may take a moment to be listed

Find = Callable[[], Awaitable[Mapping[str, str]]]  # id to name, of everything whose name may hold the tag
Send = Callable[[], Awaitable[str]]  # sends the create once; the new id, "" where the answer holds none


class TaggedCreates:
    """One create of a tag at a time. `platform` is the slug that errors carry."""

    def __init__(self, platform: str, *, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._platform = platform
        self._sleep = sleep
        self._locks: dict[str, asyncio.Lock] = {}

    async def create(self, draft: EntityDraft, *, find: Find, send: Send) -> str:
        """The id of the entity of this tag, made now or before.

        `send` raises UnknownOutcomeError where its create may have taken effect; so does this, when such an entity is
        not listed after some looks. Raises RejectedError without a tag, MalformedError when several carry it.
        """
        check_tag(draft, self._platform)
        async with self._locks.setdefault(f"{draft.account_id}/{draft.level}/{draft.tag}", asyncio.Lock()):
            return self._only(draft, await find()) or await self._send(draft, find, send)

    async def _send(self, draft: EntityDraft, find: Find, send: Send) -> str:
        try:
            created = await send()
        except UnknownOutcomeError as error:
            lost = error
        else:
            if created:
                return created
            lost = UnknownOutcomeError("the answer holds no id", self._platform)
        for wait in _LOOKS_AFTER_LOSS:
            await self._sleep(wait)
            if found := self._only(draft, await find()):
                return found
        raise UnknownOutcomeError(
            f"{lost.message}; no {draft.level} tagged {draft.tag} is listed yet: repeat it later with the same tag",
            self._platform,
            lost.code,
            lost.subcode,
            lost.request_id,
            lost.status,
        )

    def _only(self, draft: EntityDraft, named: Mapping[str, str]) -> str:
        """The id of the one entity of this tag, or "". The name decides, whatever a platform's search took for it."""
        ids = _tagged(named.items(), draft.tag)
        if len(ids) > 1:
            raise MalformedError(
                f"account {draft.account_id}: {len(ids)} {draft.level}s are tagged {draft.tag}; delete the extra ones",
                self._platform,
            )
        return ids[0] if ids else ""


def check_tag(draft: EntityDraft, platform: str) -> None:
    """Raises RejectedError for a draft without a tag."""
    if not draft.tag.strip():
        raise RejectedError("a create needs a tag: without it a repeat would make a second entity", platform)


def tagged_name(name: str, tag: str, *, longest: int | None = None) -> str:
    """The name with its tag at the end, once. Where it gets longer than `longest` characters, the name gives way."""
    suffix = _suffix(tag)
    bare = name.removesuffix(suffix)
    if longest is not None:
        bare = bare[: max(longest - len(suffix), 0)]
    return f"{bare}{suffix}"


def _tagged(named: Iterable[tuple[str, str]], tag: str) -> list[str]:
    return [entity_id for entity_id, name in named if name.endswith(_suffix(tag))]


def _suffix(tag: str) -> str:
    return f" [{tag}]"
