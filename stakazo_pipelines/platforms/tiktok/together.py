"""Reads that are asked for at one moment go out as one call: TikTok counts calls, and a filter takes many ids."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stakazo_pipelines.errors import NotFoundError, PermissionDeniedError, RejectedError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.tiktok.calls import read_by_ids
from stakazo_pipelines.platforms.tiktok.fields import ALL, kind_of
from stakazo_pipelines.vocabulary import Level

_OF_ONE = (RejectedError, NotFoundError, PermissionDeniedError)  # refusals that one id may cause for all


@dataclass(slots=True)
class _Batch:
    ids: set[str]
    rows: "asyncio.Task[Sequence[object]]"


class EntityReads:
    """Reads of campaigns, ad groups and ads by id. Belongs to one event loop, as its client does."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._open: dict[tuple[str, Level], _Batch] = {}

    async def rows(self, account: str, level: Level, entity_id: str) -> Sequence[object]:
        """Rows in which the entity stands, if it is there; others may stand beside it. Raises PlatformError."""
        key = (account, level)
        batch = self._open.get(key)
        if batch is None:
            ids: set[str] = set()
            # The task begins only after everybody who asks at this moment has joined.
            batch = self._open[key] = _Batch(ids, asyncio.ensure_future(self._read(key, ids)))
        batch.ids.add(entity_id)
        try:
            return await asyncio.shield(batch.rows)
        except _OF_ONE:
            if len(batch.ids) == 1:
                raise
        return await self._ask(key, {entity_id})

    async def _read(self, key: tuple[str, Level], ids: set[str]) -> Sequence[object]:
        del self._open[key]
        return await self._ask(key, ids)

    async def _ask(self, key: tuple[str, Level], ids: set[str]) -> Sequence[object]:
        account, level = key
        kind = kind_of(level)
        return await read_by_ids(self._client, f"{kind.path}/get/", kind.ids, ids, account=account, status=ALL)
