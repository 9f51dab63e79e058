"""Creating entities: safe to repeat by the tag in the name, and for campaigns and ad groups by TikTok's `request_id`.

A `request_id` that was used before is refused (40050); then the entity is looked for by its tag.
"""

import hashlib
from collections.abc import Mapping

from stakazo_pipelines.errors import RejectedError, UnknownOutcomeError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.port import Account, EntityDraft
from stakazo_pipelines.platforms.tags import TaggedCreates, check_tag, tagged_name
from stakazo_pipelines.platforms.tiktok.calls import Row, post, read_list
from stakazo_pipelines.platforms.tiktok.changes import BUDGET_LEVELS, budget_value
from stakazo_pipelines.platforms.tiktok.entities import CONTENT_FIELDS, creatives, parse_entities
from stakazo_pipelines.platforms.tiktok.errors import DUPLICATE
from stakazo_pipelines.platforms.tiktok.fields import (
    MODES,
    NO_BUDGET,
    NOT_DELETED,
    STATUS_TO_WIRE,
    kind_of,
)
from stakazo_pipelines.platforms.tiktok.writer import settled
from stakazo_pipelines.vocabulary import EntityStatus, Level

_LONGEST_NAME = 512
_PICTURES = frozenset({"SINGLE_IMAGE", "CAROUSEL_ADS"})


class Creator:
    """Creates through one client, one create of a tag at a time."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._tagged = TaggedCreates("tiktok", sleep=client.sleep)

    async def create(self, account: Account, draft: EntityDraft) -> str:
        """The id. Raises UnknownOutcomeError when it may exist but cannot be found yet."""
        check_tag(draft, "tiktok")
        kind_of(draft.level)
        body = draft_body(draft, account)
        return await self._tagged.create(
            draft, find=lambda: self._named(account, draft), send=lambda: self._send(account, draft, body)
        )

    async def _send(self, account: Account, draft: EntityDraft, body: Mapping[str, object]) -> str:
        path = f"{kind_of(draft.level).path}/create/"
        if draft.level is Level.AD and draft.creative_id:
            body = ad_body(draft, body, await self._shown(account, draft.creative_id))
        try:
            data = await settled(
                self._client,
                # Of several creates with one request_id TikTok carries out one.
                lambda: post(self._client, path, body, account=account.id, repeatable="request_id" in body),
            )
        except RejectedError as error:
            if error.code != DUPLICATE:
                raise
            used = error
        else:
            return _created(data, draft.level)
        raise UnknownOutcomeError(used.message, "tiktok", used.code, "", used.request_id, used.status)

    async def _named(self, account: Account, draft: EntityDraft) -> Mapping[str, str]:
        """Id and name of every entity whose name may hold the tag."""
        kind = kind_of(draft.level)
        rule: dict[str, object] = {"primary_status": NOT_DELETED}
        match draft.level:
            case Level.CAMPAIGN:
                rule["campaign_name"] = draft.tag
            case Level.AD_GROUP:
                rule["campaign_ids"] = [draft.parent_id]
            case _:
                rule["adgroup_ids"] = [draft.parent_id]
        rows = await read_list(self._client, f"{kind.path}/get/", {"filtering": rule}, account=account.id)
        return {str(row.get(kind.id)): str(row.get(kind.name) or "") for row in rows if isinstance(row, dict)}

    async def _shown(self, account: Account, creative_id: str) -> Row:
        """The content of the ads that show the creative now; {} where none does."""
        rule = {"filtering": {"primary_status": NOT_DELETED}}
        rows = await read_list(self._client, "ad/get/", rule, account=account.id)
        shown = creatives(parse_entities(rows, Level.AD, account), account)
        return next((one.native for one in shown.entities if one.id == creative_id), {})


def draft_body(draft: EntityDraft, account: Account) -> Mapping[str, object]:
    """A draft as the body of its create; `settings` wins over what is derived. Raises RejectedError."""
    kind = kind_of(draft.level)
    if draft.status not in (EntityStatus.ACTIVE, EntityStatus.PAUSED):
        raise RejectedError(f"an entity is created active or paused, not {draft.status}", "tiktok")
    if draft.budget is not None and draft.level not in BUDGET_LEVELS:
        raise RejectedError(f"a budget belongs to a campaign or an ad group, not to {draft.level}", "tiktok")
    own: dict[str, object] = {
        kind.name: tagged_name(draft.name, draft.tag, longest=_LONGEST_NAME),
        "operation_status": STATUS_TO_WIRE[draft.status],
    }
    if draft.budget is not None:
        own["budget_mode"] = MODES[draft.budget.period]
        own["budget"] = budget_value(draft.budget, account.currency)
    match draft.level:
        case Level.CAMPAIGN:
            own["objective_type"] = draft.objective
            own["budget_optimize_on"] = draft.budget is not None
            own.setdefault("budget_mode", NO_BUDGET)
        case Level.AD_GROUP:
            own["campaign_id"] = draft.parent_id
        case _:
            return {"adgroup_id": draft.parent_id, "creatives": [own | dict(draft.settings)]}
    return own | {"request_id": request_id(account, draft)} | dict(draft.settings)


def ad_body(draft: EntityDraft, body: Mapping[str, object], shown: Row) -> Mapping[str, object]:
    """The ad with the content of its creative: as other ads show it, or by its bare id; `settings` still wins."""
    creative_id = draft.creative_id or ""
    bare: dict[str, object]
    if draft.settings.get("ad_format") in _PICTURES or "," in creative_id:
        bare = {"image_ids": creative_id.split(",")}
    else:
        bare = {"video_id": creative_id}
    content = {field: shown[field] for field in CONTENT_FIELDS if field in shown} or bare
    given = body["creatives"]
    entries = given if isinstance(given, list) else []
    return {**body, "creatives": [content | entry for entry in entries]}


def request_id(account: Account, draft: EntityDraft) -> str:
    """The same 63-bit number for the same tag, level and account, as text."""
    named = f"{account.id}/{draft.level}/{draft.tag}".encode()
    return str(int.from_bytes(hashlib.sha256(named).digest()[:8]) >> 1)


def _created(data: Row, level: Level) -> str:
    """The id in the answer to a create, or ""."""
    if level is not Level.AD:
        found = data.get(kind_of(level).id)
    else:
        listed = data.get("ad_ids")
        found = listed[0] if isinstance(listed, list) and listed else None
    return found if isinstance(found, str) else ""
