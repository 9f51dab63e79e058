"""`MetaAdPlatform`: the port on Meta. It only composes the readers and writers of this room."""

from collections.abc import Sequence
from typing import Unpack

from pydantic import SecretStr

from stakazo_pipelines.errors import MalformedError, NotFoundError, RejectedError
from stakazo_pipelines.platforms.adapter import Connection, HttpAdPlatform, below, secret_of
from stakazo_pipelines.platforms.guards import check_usable
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest, BearerAuth
from stakazo_pipelines.platforms.meta.batch import BatchWriter
from stakazo_pipelines.platforms.meta.changes import BATCH, BUDGET_LEVELS
from stakazo_pipelines.platforms.meta.creates import Creator
from stakazo_pipelines.platforms.meta.dialect import MetaDialect
from stakazo_pipelines.platforms.meta.edges import list_edge, read_node
from stakazo_pipelines.platforms.meta.entities import parse_account, parse_entities, parse_entity
from stakazo_pipelines.platforms.meta.errors import DELETED_SUBCODES
from stakazo_pipelines.platforms.meta.fields import (
    ACCOUNT_FIELDS,
    BREAKDOWN_PAIRS,
    BREAKDOWNS,
    EDGES,
    ENTITY_FIELDS,
    INSIGHT_LEVELS,
    LISTED_STATES,
    VERSION,
    WITHOUT_CONVERSIONS,
    account_node,
    edge_of,
)
from stakazo_pipelines.platforms.meta.insights import InsightsReader
from stakazo_pipelines.platforms.port import (
    Account,
    Capabilities,
    EntitiesResult,
    Entity,
    EntityChange,
    EntityDraft,
    InsightsQuery,
    InsightsResult,
    Media,
    MediaKind,
    WriteOutcome,
)
from stakazo_pipelines.platforms.rows import collect_accounts
from stakazo_pipelines.platforms.wire import to_form, trusted
from stakazo_pipelines.vocabulary import EntityStatus, Level


class MetaAdPlatform(HttpAdPlatform):
    """Implements `AdPlatform`. Account ids are the bare numbers (`act_` is added on the wire).

    The wait for one asynchronous report ends after `max_report_seconds`.
    """

    name = "meta"
    capabilities = Capabilities(
        levels=frozenset(EDGES),
        insight_levels=frozenset(INSIGHT_LEVELS),
        breakdowns=frozenset(BREAKDOWNS),
        async_reports=True,
        validate_only=True,
        write_batch=BATCH,
        budget_levels=BUDGET_LEVELS,
        breakdown_pairs=BREAKDOWN_PAIRS,
        without_conversions=WITHOUT_CONVERSIONS,
        media=frozenset({MediaKind.IMAGE}),
    )

    def __init__(
        self,
        *,
        base_url: str,
        token: SecretStr | str,
        max_report_seconds: float = 3600.0,
        **connection: Unpack[Connection],
    ) -> None:
        secret = secret_of(token)
        super().__init__(
            ApiClient(
                base_url=below(base_url, VERSION),
                auth=BearerAuth(secret),
                token=secret,
                dialect=MetaDialect(),
                **connection,
            )
        )
        self._insights = InsightsReader(self._client, max_report_seconds=max_report_seconds)
        self._creator = Creator(self._client)
        self._writer = BatchWriter(self._client, self.read)

    async def accounts(self) -> Sequence[Account]:
        """Every ad account of the token; one that cannot be worked on says why in `problem`."""
        rows = await list_edge(self._client, "me/adaccounts", {"fields": ACCOUNT_FIELDS})
        return collect_accounts(rows, parse_account)

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        """Every entity of the level but deleted ones (Meta lists those never); archived ones too."""
        check_usable(account, "meta")
        path = f"{account_node(account)}/{edge_of(level)}"
        params = {"fields": ENTITY_FIELDS[level]}
        if level in LISTED_STATES:
            params["effective_status"] = to_form(LISTED_STATES[level])
        rows = await list_edge(self._client, path, params, account=account.id)
        return parse_entities(rows, level, account)

    async def read(self, account: Account, level: Level, entity_id: str) -> Entity:
        """One entity as it is now, deleted or not. Raises NotFoundError, MalformedError."""
        check_usable(account, "meta")
        edge_of(level)
        row = await read_node(self._client, _id(entity_id), ENTITY_FIELDS[level], account=account.id)
        return trusted(
            lambda: parse_entity(row, level, account), f"account {account.id}: {level} {entity_id}", self.name
        )

    async def insights(self, query: InsightsQuery) -> InsightsResult:
        """Daily rows; see `InsightsReader`. By hour no purchases are reported (`capabilities.without_conversions`)."""
        check_usable(query.account, "meta")
        return await self._insights.read(query)

    async def create(self, account: Account, draft: EntityDraft, *, validate_only: bool = False) -> str:
        """See `Creator`. The tag is added to the entity's name."""
        check_usable(account, "meta")
        return await self._creator.create(account, draft, validate_only=validate_only)

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """See `BatchWriter`: errors stand in the outcomes, so that what was written is never lost sight of."""
        check_usable(account, "meta")
        return await self._writer.update(account, changes)

    async def delete(self, account: Account, level: Level, entity_id: str) -> None:
        """Delete; fine when it is deleted or gone already. Raises RejectedError when Meta refuses."""
        check_usable(account, "meta")
        edge_of(level)
        try:
            await self._client.send(ApiRequest("DELETE", _id(entity_id), account.id, repeatable=True))
        except NotFoundError:
            return
        except RejectedError as error:
            refused = error
        else:
            return
        if refused.subcode in DELETED_SUBCODES:
            entity = await self.read(account, level, entity_id)
            if entity.status is EntityStatus.DELETED:
                return
        raise refused

    async def upload(self, account: Account, media: Media) -> str:
        """The hash by which creatives refer to the picture; the same bytes give the same hash."""
        check_usable(account, "meta")
        if media.kind not in self.capabilities.media:
            raise RejectedError(f"{media.name}: a {media.kind} cannot be uploaded", "meta")
        path = f"{account_node(account)}/adimages"
        request = ApiRequest("POST", path, account.id, files={"filename": (media.name, media.content)}, repeatable=True)
        body = (await self._client.send(request)).body
        images = body.get("images") if isinstance(body, dict) else None
        for image in images.values() if isinstance(images, dict) else ():
            if isinstance(image, dict) and isinstance(image.get("hash"), str):
                return str(image["hash"])
        raise MalformedError(f"account {account.id}: the upload of {media.name} was answered without a hash", "meta")


def _id(entity_id: str) -> str:
    """An id that is not one must not become another path."""
    if not entity_id.isascii() or not entity_id.isalnum():
        raise NotFoundError(f"{entity_id[:40]!r} is not an id of Meta", "meta")
    return entity_id
