"""Creating entities on LinkedIn, which has no idempotency key: see `TaggedCreates`. Also the posts that ads show.

A create answers with an empty body; the new id stands in the header `x-restli-id`.
"""

from collections.abc import Mapping

from stakazo_pipelines.errors import NotFoundError, RejectedError, UnknownOutcomeError
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.linkedin import restli, urns
from stakazo_pipelines.platforms.linkedin.changes import budget_fields
from stakazo_pipelines.platforms.linkedin.contents import POSTS, Contents
from stakazo_pipelines.platforms.linkedin.errors import CONFLICT
from stakazo_pipelines.platforms.linkedin.fields import STATUS_TO_WIRE, collection, resource_of
from stakazo_pipelines.platforms.linkedin.listing import list_level
from stakazo_pipelines.platforms.port import Account, BudgetPeriod, EntityDraft
from stakazo_pipelines.platforms.tags import TaggedCreates, check_tag, tagged_name
from stakazo_pipelines.vocabulary import EntityStatus, Level

_CONFLICTS = 3  # sends of one create, each meeting another writer


class Creator:
    """Creates through one client, one create of a tag at a time."""

    def __init__(self, client: ApiClient, contents: Contents) -> None:
        self._client = client
        self._contents = contents
        self._tagged = TaggedCreates("linkedin", sleep=client.sleep)

    async def create(self, account: Account, draft: EntityDraft) -> str:
        """The id. Raises UnknownOutcomeError when it may exist but cannot be found yet."""
        check_tag(draft, "linkedin")
        if draft.level is Level.CREATIVE:
            path, body = POSTS, post_body(account, draft)
        else:
            path, body = collection(account, draft.level), await self._body(account, draft)
        request = restli.post(path, body, account=account.id)
        return await self._tagged.create(
            draft, find=lambda: self._named(account, draft), send=lambda: self._send(request)
        )

    async def _body(self, account: Account, draft: EntityDraft) -> Mapping[str, object]:
        body = draft_body(draft, account)
        if draft.level is Level.AD and draft.creative_id and "content" not in body:
            return {**body, "content": {"reference": await self._contents.reference(account, draft.creative_id)}}
        return body

    async def _send(self, request: ApiRequest) -> str:
        """The new id, "" where the answer holds none. A 409 did nothing, so it is sent again."""
        conflicts = 0
        while True:
            try:
                reply = await self._client.send(request)
                break
            except UnknownOutcomeError as error:
                conflicts += 1
                if error.status != CONFLICT or conflicts >= _CONFLICTS:
                    raise
            await self._client.sleep(1.0)
        said = reply.headers.get("x-restli-id", "")
        parts = urns.split(said)
        return parts[1] if parts else said

    async def _named(self, account: Account, draft: EntityDraft) -> Mapping[str, str]:
        """Id and name of everything beside which the new entity would stand."""
        if draft.level is Level.CREATIVE:
            return await self._contents.named(account)
        rows = await list_level(self._client, account, draft.level, parent_id=draft.parent_id)
        named = {}
        for row in rows:
            if isinstance(row, dict):
                parts = urns.split(row.get("id"))
                named[parts[1] if parts else str(row.get("id"))] = str(row.get("name") or "")
        return named


def draft_body(draft: EntityDraft, account: Account) -> Mapping[str, object]:
    """A draft as LinkedIn's entity; `settings` wins over what is derived. Raises RejectedError."""
    resource = resource_of(draft.level)
    if draft.status not in (EntityStatus.ACTIVE, EntityStatus.PAUSED):
        raise RejectedError(f"an entity is created active or paused, not {draft.status}", "linkedin")
    body: dict[str, object] = {
        "name": tagged_name(draft.name, draft.tag, longest=resource.longest_name),
        resource.status: STATUS_TO_WIRE[draft.status],
    }
    if draft.level is not Level.AD:
        body["account"] = urns.urn(urns.ACCOUNT, account.id)
    if draft.objective:
        body["objectiveType"] = draft.objective
    if draft.budget is not None:
        body.update(budget_fields(draft.budget, draft.level, account.currency))
    match draft.level:
        case Level.CAMPAIGN:
            if draft.budget is not None and draft.budget.period is BudgetPeriod.DAILY:
                # Only a group that spreads its budget over its campaigns takes a daily one.
                body["budgetOptimization"] = {
                    "budgetOptimizationStrategy": "DYNAMIC",
                    "bidStrategy": "MAXIMUM_DELIVERY",
                }
        case Level.AD_GROUP:
            body["campaignGroup"] = urns.urn(urns.GROUP, _parent(draft))
        case _:
            body["campaign"] = urns.urn(urns.CAMPAIGN, _parent(draft))
    return body | dict(draft.settings)


def post_body(account: Account, draft: EntityDraft) -> Mapping[str, object]:
    """A post that only ads show. `settings` must say who writes it (`author`) and what (`commentary`, `content`)."""
    if "author" not in draft.settings:
        raise RejectedError("a post needs its author in the settings: the URN of an organization or person", "linkedin")
    dark: dict[str, object] = {
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "NONE"},
        "lifecycleState": "PUBLISHED",
        "commentary": "",
        "adContext": {
            "dscAdAccount": urns.urn(urns.ACCOUNT, account.id),
            "dscName": tagged_name(draft.name, draft.tag),
            "dscStatus": "ACTIVE",
        },
    }
    return dark | dict(draft.settings)


def _parent(draft: EntityDraft) -> str:
    try:
        return urns.checked(draft.parent_id)
    except NotFoundError:
        raise RejectedError(f"{draft.level} {draft.name!r} needs the id of its parent", "linkedin") from None
