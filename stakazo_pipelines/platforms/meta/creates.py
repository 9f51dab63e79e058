"""Creating entities on Meta, which has no idempotency key: see `TaggedCreates`."""

from collections.abc import Mapping

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.meta.changes import budget_params
from stakazo_pipelines.platforms.meta.edges import list_edge
from stakazo_pipelines.platforms.meta.fields import LISTED_STATES, STATUS_TO_WIRE, account_node, edge_of
from stakazo_pipelines.platforms.port import Account, EntityDraft
from stakazo_pipelines.platforms.tags import TaggedCreates, check_tag, tagged_name
from stakazo_pipelines.platforms.wire import to_form
from stakazo_pipelines.vocabulary import EntityStatus, Level


class Creator:
    """Creates through one client, one create of a tag at a time."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._tagged = TaggedCreates("meta", sleep=client.sleep)

    async def create(self, account: Account, draft: EntityDraft, *, validate_only: bool) -> str:
        """The id ("" when only validated). Raises UnknownOutcomeError when it may exist but cannot be found yet."""
        check_tag(draft, "meta")
        path = f"{account_node(account)}/{edge_of(draft.level)}"
        form = draft_params(draft, account.currency)
        if validate_only:
            options = {"execution_options": to_form(["validate_only"])}
            await self._client.send(ApiRequest("POST", path, account.id, form={**form, **options}, repeatable=True))
            return ""
        return await self._tagged.create(
            draft,
            find=lambda: self._named(account, draft),
            send=lambda: self._send(ApiRequest("POST", path, account.id, form=form)),
        )

    async def _send(self, request: ApiRequest) -> str:
        reply = await self._client.send(request)
        created = reply.body.get("id") if isinstance(reply.body, dict) else None
        return created if isinstance(created, str) else ""

    async def _named(self, account: Account, draft: EntityDraft) -> Mapping[str, str]:
        """Id and name of every entity whose name may hold the tag."""
        path = f"{account_node(account)}/{edge_of(draft.level)}"
        params = {"fields": "id,name"}
        if draft.level in LISTED_STATES:
            params["effective_status"] = to_form(LISTED_STATES[draft.level])
        rule = {"filtering": to_form([{"field": "name", "operator": "CONTAIN", "value": draft.tag}])}
        try:
            rows = await list_edge(self._client, path, {**params, **rule}, account=account.id)
        except RejectedError:  # not every edge filters by name; then all of it is read
            rows = await list_edge(self._client, path, params, account=account.id)
        return {str(row.get("id")): str(row.get("name", "")) for row in rows if isinstance(row, dict)}


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
