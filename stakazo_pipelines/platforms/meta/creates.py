"""Creating entities so that a repeated create makes no second one.

Meta has no idempotency key. The draft's tag ends the entity's name; a create looks for the tag first, and looks again
when its answer was lost. It never sends a second create by itself.
"""

import asyncio
from collections.abc import Mapping

from stakazo_pipelines.errors import (
    MalformedError,
    RejectedError,
    UnknownOutcomeError,
)
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.meta.changes import budget_params
from stakazo_pipelines.platforms.meta.edges import list_edge
from stakazo_pipelines.platforms.meta.fields import LISTED_STATES, STATUS_TO_WIRE, account_node, edge_of
from stakazo_pipelines.platforms.meta.wire import to_form
from stakazo_pipelines.platforms.port import Account, EntityDraft
from stakazo_pipelines.vocabulary import EntityStatus, Level

_LOOKS_AFTER_LOSS = (2.0, 5.0, 15.0)  # seconds before each look: a new object may take a moment to be listed


class Creator:
    """Creates through one client, one create of a tag at a time."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._locks: dict[str, asyncio.Lock] = {}

    async def create(self, account: Account, draft: EntityDraft, *, validate_only: bool) -> str:
        """The id ("" when only validated). Raises UnknownOutcomeError when it may exist but cannot be found yet."""
        if not draft.tag.strip():
            raise RejectedError("a create needs a tag: without it a repeat would make a second entity", "meta")
        path = f"{account_node(account)}/{edge_of(draft.level)}"
        form = draft_params(draft, account.currency)
        if validate_only:
            options = {"execution_options": to_form(["validate_only"])}
            await self._client.send(ApiRequest("POST", path, account.id, form={**form, **options}, repeatable=True))
            return ""
        async with self._locks.setdefault(f"{account.id}/{draft.level}/{draft.tag}", asyncio.Lock()):
            return await self._find(account, draft) or await self._send(account, draft, path, form)

    async def _send(self, account: Account, draft: EntityDraft, path: str, form: Mapping[str, str]) -> str:
        try:
            reply = await self._client.send(ApiRequest("POST", path, account.id, form=form))
        except UnknownOutcomeError as error:
            lost = error
        else:
            created = reply.body.get("id") if isinstance(reply.body, dict) else None
            if isinstance(created, str) and created:
                return created
            lost = UnknownOutcomeError("the answer holds no id", "meta")
        for wait in _LOOKS_AFTER_LOSS:
            await self._client.sleep(wait)
            if found := await self._find(account, draft):
                return found
        raise UnknownOutcomeError(
            f"{lost.message}; no {draft.level} tagged {draft.tag} is listed yet: repeat it later with the same tag",
            "meta",
            lost.code,
            lost.subcode,
            lost.request_id,
            lost.status,
        )

    async def _find(self, account: Account, draft: EntityDraft) -> str:
        """The id of the entity of this tag, or ""."""
        path = f"{account_node(account)}/{edge_of(draft.level)}"
        params = {"fields": "id,name"}
        if draft.level in LISTED_STATES:
            params["effective_status"] = to_form(LISTED_STATES[draft.level])
        rule = {"filtering": to_form([{"field": "name", "operator": "CONTAIN", "value": draft.tag}])}
        try:
            rows = await list_edge(self._client, path, {**params, **rule}, account=account.id)
        except RejectedError:  # not every edge filters by name; then all of it is read
            rows = await list_edge(self._client, path, params, account=account.id)
        # The filter is a help only: the name itself decides.
        found = [row for row in rows if isinstance(row, dict) and str(row.get("name", "")).endswith(_suffix(draft.tag))]
        ids = {row.get("id") for row in found}
        if len(ids) > 1:
            raise MalformedError(
                f"account {account.id}: {len(ids)} {draft.level}s are tagged {draft.tag}; delete the extra ones",
                "meta",
            )
        return str(ids.pop()) if ids else ""


def tagged_name(name: str, tag: str) -> str:
    """The name with its tag at the end, once."""
    suffix = _suffix(tag)
    return name if name.endswith(suffix) else f"{name}{suffix}"


def draft_params(draft: EntityDraft, currency: str) -> Mapping[str, str]:
    """A draft as Meta's parameters; `settings` wins over what is derived. Raises RejectedError."""
    edge_of(draft.level)
    params: dict[str, object] = {"name": tagged_name(draft.name, draft.tag)}
    if draft.level is not Level.CREATIVE:
        if draft.status not in (EntityStatus.ACTIVE, EntityStatus.PAUSED):
            raise RejectedError(f"an entity is created active or paused, not {draft.status}", "meta")
        params["status"] = STATUS_TO_WIRE[draft.status]
    if draft.budget is not None:
        params.update(budget_params(draft.budget, draft.level, currency))
    match draft.level:
        case Level.CAMPAIGN:
            params["objective"] = draft.objective
            params["special_ad_categories"] = []
            if draft.budget is None:  # Meta wants it said whether ad sets may lend each other budget
                params["is_adset_budget_sharing_enabled"] = False
        case Level.AD_GROUP:
            params["campaign_id"] = draft.parent_id
        case Level.AD:
            params["adset_id"] = draft.parent_id
            if draft.creative_id:
                params["creative"] = {"creative_id": draft.creative_id}
        case _:
            pass
    return {key: to_form(value) for key, value in (params | dict(draft.settings)).items()}


def _suffix(tag: str) -> str:
    return f" [{tag}]"
