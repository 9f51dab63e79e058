"""`TikTokAdPlatform`: the port on TikTok. It only composes the readers and writers of this room."""

from collections.abc import Sequence
from typing import Unpack

from pydantic import SecretStr

from stakazo_pipelines.errors import NotFoundError, RejectedError
from stakazo_pipelines.platforms.adapter import Connection, HttpAdPlatform, below, secret_of
from stakazo_pipelines.platforms.guards import check_usable
from stakazo_pipelines.platforms.http import ApiClient, HeaderTokenAuth, RetryRule
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
from stakazo_pipelines.platforms.tiktok.accounts import Credentials, list_accounts
from stakazo_pipelines.platforms.tiktok.calls import post, read_list
from stakazo_pipelines.platforms.tiktok.changes import BATCH, BUDGET_LEVELS, status_body
from stakazo_pipelines.platforms.tiktok.creates import Creator
from stakazo_pipelines.platforms.tiktok.dialect import BasicQuota, TikTokDialect
from stakazo_pipelines.platforms.tiktok.entities import creatives, parse_entities, parse_entity
from stakazo_pipelines.platforms.tiktok.fields import (
    BREAKDOWN_PAIRS,
    BREAKDOWNS,
    DATA_LEVELS,
    KINDS,
    NOT_DELETED,
    VERSION,
    kind_of,
)
from stakazo_pipelines.platforms.tiktok.files import upload
from stakazo_pipelines.platforms.tiktok.insights import InsightsReader
from stakazo_pipelines.platforms.tiktok.together import EntityReads
from stakazo_pipelines.platforms.tiktok.writer import Writer, settled
from stakazo_pipelines.platforms.wire import trusted
from stakazo_pipelines.vocabulary import EntityStatus, Level

_WRITABLE = frozenset(KINDS)
# Five waits of this outlast the five minutes of a limit whose kind TikTok did not name.
_THROTTLE_WAIT = 65.0


class TikTokAdPlatform(HttpAdPlatform):
    """Implements `AdPlatform`. Account ids are advertiser ids; a token is bare or `app_id:secret:access_token`.

    The wait for one asynchronous report ends after `max_report_seconds`.
    """

    name = "tiktok"
    capabilities = Capabilities(
        levels=_WRITABLE | {Level.CREATIVE},
        insight_levels=frozenset(DATA_LEVELS),
        breakdowns=frozenset(BREAKDOWNS),
        async_reports=True,
        validate_only=False,
        write_batch=BATCH,
        budget_levels=BUDGET_LEVELS,
        breakdown_pairs=BREAKDOWN_PAIRS,
        create_levels=_WRITABLE,
        update_levels=_WRITABLE,
        delete_levels=_WRITABLE,
        media=frozenset(MediaKind),
    )

    def __init__(
        self,
        *,
        base_url: str,
        token: SecretStr | str,
        max_report_seconds: float = 3600.0,
        **connection: Unpack[Connection],
    ) -> None:
        self._credentials = Credentials.read(secret_of(token))
        super().__init__(
            ApiClient(
                base_url=below(base_url, VERSION),
                auth=HeaderTokenAuth(self._credentials.token, header="Access-Token"),
                token=self._credentials.token,
                secrets=[self._credentials.secret],
                dialect=TikTokDialect(),
                retry=RetryRule(throttle_wait=_THROTTLE_WAIT),
                quota=BasicQuota(),
                **connection,
            )
        )
        self._insights = InsightsReader(self._client, max_report_seconds=max_report_seconds)
        self._creator = Creator(self._client)
        self._writer = Writer(self._client)
        self._reads = EntityReads(self._client)

    async def accounts(self) -> Sequence[Account]:
        """Every advertiser of the token; one that cannot be worked on says why in `problem`."""
        return await list_accounts(self._client, self._credentials)

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        """Every entity of the level that is not deleted. Creatives are the different contents that the ads show."""
        check_usable(account, "tiktok")
        listed = Level.AD if level is Level.CREATIVE else level
        rule = {"filtering": {"primary_status": NOT_DELETED}}
        rows = await read_list(self._client, f"{kind_of(listed).path}/get/", rule, account=account.id)
        found = parse_entities(rows, listed, account)
        return creatives(found, account) if level is Level.CREATIVE else found

    async def read(self, account: Account, level: Level, entity_id: str) -> Entity:
        """One entity as it is now, deleted or not. Raises NotFoundError, MalformedError."""
        check_usable(account, "tiktok")
        if level is Level.CREATIVE:
            shown = (await self.entities(account, level)).entities
            return _only([one for one in shown if one.id == entity_id], account, level, entity_id)
        rows = await self._reads.rows(account.id, level, _id(entity_id))
        named = [(row, row.get(kind_of(level).id)) for row in rows if isinstance(row, dict)]
        own = [row for row, name in named if name == entity_id]
        nameless = [row for row, name in named if not isinstance(name, str)]  # parsing will say what is wrong
        found = trusted(
            lambda: [parse_entity(row, level, account) for row in own or nameless],
            f"account {account.id}: {level} {entity_id}",
            self.name,
        )
        return _only([one for one in found if one.id == entity_id], account, level, entity_id)

    async def insights(self, query: InsightsQuery) -> InsightsResult:
        """Daily rows; see `InsightsReader`."""
        check_usable(query.account, "tiktok")
        return await self._insights.read(query)

    async def create(self, account: Account, draft: EntityDraft, *, validate_only: bool = False) -> str:
        """See `Creator`. The tag is added to the entity's name. Raises RejectedError when only to be validated."""
        check_usable(account, "tiktok")
        if validate_only:
            raise RejectedError("TikTok cannot validate without creating", "tiktok")
        return await self._creator.create(account, draft)

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """See `Writer`: errors stand in the outcomes, so that what was written is never lost sight of."""
        check_usable(account, "tiktok")
        return await self._writer.update(account, changes)

    async def delete(self, account: Account, level: Level, entity_id: str) -> None:
        """Delete; fine when it is deleted or gone already. Raises RejectedError when TikTok refuses."""
        check_usable(account, "tiktok")
        kind = kind_of(level)
        body = status_body(level, EntityStatus.DELETED, [_id(entity_id)])
        path = f"{kind.path}/status/update/"
        try:
            data = await settled(
                self._client, lambda: post(self._client, path, body, account=account.id, repeatable=True)
            )
        except NotFoundError:
            return
        except RejectedError as error:
            refused = error
        else:
            entries = data.get("error_list")
            if not entries:
                return
            refused = RejectedError(f"account {account.id}: {level} {entity_id} was not deleted: {entries}", "tiktok")
        try:
            entity = await self.read(account, level, entity_id)
        except NotFoundError:
            return
        if entity.status is not EntityStatus.DELETED:
            raise refused

    async def upload(self, account: Account, media: Media) -> str:
        """The image_id or video_id by which ads show the media; the same bytes give the same id."""
        check_usable(account, "tiktok")
        return await upload(self._client, account, media)


def _only(found: Sequence[Entity], account: Account, level: Level, entity_id: str) -> Entity:
    if not found:
        raise NotFoundError(f"account {account.id}: there is no {level} {entity_id[:40]}", "tiktok")
    return found[0]


def _id(entity_id: str) -> str:
    """TikTok's ids are digits; another text is not worth a call."""
    if not entity_id.isascii() or not entity_id.isdigit():
        raise NotFoundError(f"{entity_id[:40]!r} is not an id of TikTok", "tiktok")
    return entity_id
