"""`LinkedInAdPlatform`: the port on LinkedIn. It only composes the readers and writers of this room."""

from collections.abc import Sequence
from typing import Unpack

from pydantic import SecretStr

from stakazo_pipelines.errors import NotFoundError, RejectedError
from stakazo_pipelines.platforms.adapter import Connection, HttpAdPlatform, below, secret_of
from stakazo_pipelines.platforms.guards import check_usable
from stakazo_pipelines.platforms.http import ApiClient, BearerAuth
from stakazo_pipelines.platforms.linkedin import restli
from stakazo_pipelines.platforms.linkedin.accounts import list_accounts
from stakazo_pipelines.platforms.linkedin.analytics import InsightsReader
from stakazo_pipelines.platforms.linkedin.batch import BATCH, BatchWriter
from stakazo_pipelines.platforms.linkedin.contents import Contents
from stakazo_pipelines.platforms.linkedin.creates import Creator
from stakazo_pipelines.platforms.linkedin.deletes import delete_entity
from stakazo_pipelines.platforms.linkedin.dialect import LinkedInDialect
from stakazo_pipelines.platforms.linkedin.entities import parse_contents, parse_entities, parse_entity
from stakazo_pipelines.platforms.linkedin.fields import (
    BREAKDOWNS,
    BUDGET_LEVELS,
    PIVOTS,
    RESOURCES,
    WITHOUT_CONVERSIONS,
    collection,
    key_of,
    resource_of,
)
from stakazo_pipelines.platforms.linkedin.finders import get_one
from stakazo_pipelines.platforms.linkedin.listing import list_level
from stakazo_pipelines.platforms.linkedin.media import Uploader
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
from stakazo_pipelines.platforms.wire import trusted
from stakazo_pipelines.vocabulary import Level

_WRITTEN = frozenset(RESOURCES)


class LinkedInAdPlatform(HttpAdPlatform):
    """Implements `AdPlatform`. Ids are bare numbers (URNs are built on the wire), report days are UTC."""

    name = "linkedin"
    capabilities = Capabilities(
        levels=_WRITTEN | {Level.CREATIVE},
        insight_levels=frozenset(PIVOTS),
        breakdowns=frozenset(BREAKDOWNS),
        async_reports=False,
        validate_only=False,
        write_batch=BATCH,
        budget_levels=BUDGET_LEVELS,
        without_conversions=WITHOUT_CONVERSIONS,
        create_levels=_WRITTEN | {Level.CREATIVE},
        update_levels=_WRITTEN,
        delete_levels=_WRITTEN,
        media=frozenset({MediaKind.IMAGE, MediaKind.VIDEO}),
    )

    def __init__(self, *, base_url: str, token: SecretStr | str, **connection: Unpack[Connection]) -> None:
        secret = secret_of(token)
        super().__init__(
            ApiClient(
                base_url=below(base_url, "rest"),
                auth=BearerAuth(secret),
                token=secret,
                dialect=LinkedInDialect(),
                **connection,
            )
        )
        self._insights = InsightsReader(self._client)
        self._contents = Contents(self._client)
        self._creator = Creator(self._client, self._contents)
        self._writer = BatchWriter(self._client, self.read)
        self._uploader = Uploader(self._client, base_url)

    async def accounts(self) -> Sequence[Account]:
        """Every ad account of the token; one that cannot be worked on says why in `problem`."""
        return await list_accounts(self._client)

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        """Every entity of the level but deleted ones; archived ones too. Creatives are what the ads show."""
        check_usable(account, "linkedin")
        if level is Level.CREATIVE:
            return parse_contents(await list_level(self._client, account, Level.AD), account)
        return parse_entities(await list_level(self._client, account, level), level, account)

    async def read(self, account: Account, level: Level, entity_id: str) -> Entity:
        """One entity as it is now, deleted or not. Raises NotFoundError, MalformedError."""
        check_usable(account, "linkedin")
        if level is Level.CREATIVE:
            return await self._contents.read(account, entity_id)
        path = f"{collection(account, level)}/{restli.encode(key_of(level, entity_id))}"
        row = await get_one(self._client, path, account=account.id)
        return trusted(
            lambda: parse_entity(row, level, account), f"account {account.id}: {level} {entity_id}", self.name
        )

    async def insights(self, query: InsightsQuery) -> InsightsResult:
        """Daily rows; see `InsightsReader`. By country there is no conversions' value (`without_conversions`)."""
        check_usable(query.account, "linkedin")
        return await self._insights.read(query)

    async def create(self, account: Account, draft: EntityDraft, *, validate_only: bool = False) -> str:
        """See `Creator`. The tag is added to the entity's name. Raises RejectedError for `validate_only`."""
        check_usable(account, "linkedin")
        if validate_only:
            raise RejectedError("LinkedIn validates nothing without creating it", "linkedin")
        return await self._creator.create(account, draft)

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """See `BatchWriter`: errors stand in the outcomes, so that what was written is never lost sight of."""
        check_usable(account, "linkedin")
        return await self._writer.update(account, changes)

    async def delete(self, account: Account, level: Level, entity_id: str) -> None:
        """Delete a draft; anything else LinkedIn deletes by itself once it is marked for it. See `delete_entity`."""
        check_usable(account, "linkedin")
        resource_of(level)
        try:
            entity = await self.read(account, level, entity_id)
        except NotFoundError:
            return
        await delete_entity(self._client, account, entity)

    async def upload(self, account: Account, media: Media) -> str:
        """The URN by which posts refer to it; the same bytes give the same URN while this object lives."""
        check_usable(account, "linkedin")
        return await self._uploader.upload(account, media)
