"""The resources below an account: every Rest.li method on campaign groups, campaigns and creatives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply, carry_out, failing, unmade_id, write_fate
from stakazo_pipelines.sandbox.linkedin import batches, finders, paging, restli, urns, views, words
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.errors import (
    LinkedInError,
    bad_input,
    bad_param,
    not_allowed,
    not_found,
    refused,
    server,
)
from stakazo_pipelines.sandbox.linkedin.writes.campaign import campaign_fields
from stakazo_pipelines.sandbox.linkedin.writes.checks import Document
from stakazo_pipelines.sandbox.linkedin.writes.creative import creative_fields
from stakazo_pipelines.sandbox.linkedin.writes.group import group_fields
from stakazo_pipelines.sandbox.world import Account, Level, WorldError

Fields = dict[str, Any]
_MOST_CREATIVES = 100


@dataclass(frozen=True, slots=True)
class Resource:
    """What differs between the three. `fields` gives the world's fields of a document that passes its checks."""

    level: Level
    kind: str
    status: str
    find: Callable[[Directory, str | None, Account], Any]
    document: Callable[[Directory, Any], Document]
    fields: Callable[[Directory, Account, Document, Document | None], tuple[Fields | None, Fields]]


RESOURCES: Mapping[str, Resource] = {
    "adCampaignGroups": Resource(
        "campaign", urns.GROUP, "status", Directory.group, views.group_document,
        lambda *given: (None, group_fields(*given)),
    ),
    "adCampaigns": Resource(
        "ad_group", urns.CAMPAIGN, "status", Directory.campaign, views.campaign_document,
        lambda *given: (None, campaign_fields(*given)),
    ),
    "creatives": Resource(
        "ad", urns.CREATIVE, "intendedStatus", Directory.creative, views.creative_document, creative_fields
    ),
}  # fmt: skip


class Entities:
    """Answers calls below /rest/adAccounts/{account}/."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, call: Call) -> Reply:
        """Raises LinkedInError."""
        account, name = self._directory.account(call.parts[1]), call.resource
        resource = RESOURCES[name]
        if len(call.parts) == 4:
            return self._one(call, account, resource, call.parts[3])
        method = call.method(has_key=False)
        if method == "FINDER" or method == "GET_ALL":
            return self._found(call, account, name)
        if method == "BATCH_GET":
            return self._batch_get(call, account, resource)
        if method == "CREATE":
            made = self.create(call, account, resource, call.mapping())
            return Reply("", 201, {"x-restli-id": self._body_id(resource, made)})
        if method == "BATCH_CREATE":
            return self._batch_create(call, account, resource)
        if method in ("BATCH_PARTIAL_UPDATE", "BATCH_DELETE"):
            return self._batch_write(call, account, resource, delete=method == "BATCH_DELETE")
        raise not_allowed(method, call.path)

    def create(self, call: Call, account: Account, resource: Resource, document: Document) -> str:
        """The new entity's number."""
        kernel = self._directory.kernel
        content, fields = resource.fields(self._directory, account, document, None)
        fate = write_fate(call.draw, update=False)
        if fate.refused:
            raise refused()
        if fate.lost:
            return unmade_id(kernel)
        try:
            if content is not None:
                fields["creative_id"] = kernel.create("creative", **content).id
            return str(kernel.create(resource.level, **fields).id)
        except WorldError as error:
            raise LinkedInError(400, "INVALID_VALUE_FOR_FIELD", str(error)) from error

    # One entity -------------------------------------------------------------------------------------------------

    def _one(self, call: Call, account: Account, resource: Resource, key: object) -> Reply:
        method = call.method(has_key=True)
        entity = self._get(account, resource, key)
        if method == "GET":
            view = views.VIEWS[call.resource](self._directory, entity)
            return Reply(views.projected(view, call.fields()))
        if method == "PARTIAL_UPDATE":
            self._update(call, account, resource, entity, call.mapping())
            return Reply("", 204)
        if method == "DELETE":
            self._delete(call, resource, entity)
            return Reply("", 204)
        if method == "PARTIAL_UPDATE_UNSTATED":
            raise LinkedInError(400, "PARAM_INVALID", "A POST on an entity needs X-RestLi-Method: PARTIAL_UPDATE")
        raise not_allowed(method, call.path)

    def _get(self, account: Account, resource: Resource, key: object) -> Any:
        entity = resource.find(self._directory, urns.number(key, resource.kind), account)
        if entity is None:
            raise not_found(str(key))
        return entity

    def _update(self, call: Call, account: Account, resource: Resource, entity: Any, body: Document) -> None:
        """Checks the entity as it would be, then writes what is different."""
        patch = body.get("patch")
        if not isinstance(patch, Mapping) or not isinstance(patch.get("$set", {}), Mapping):
            raise bad_input("MISSING_FIELD", "/patch", "the body must be {patch:{$set:{…}}}")
        before = resource.document(self._directory, entity)
        document = {**before, **patch.get("$set", {})}
        for name in restli.as_list(patch.get("$delete")):
            document.pop(str(name), None)
        _, old = resource.fields(self._directory, account, before, before)
        _, new = resource.fields(self._directory, account, document, before)
        changes = {name: value for name, value in new.items() if name != "native" and value != old.get(name)}
        native = {name: value for name, value in new["native"].items() if value != old["native"].get(name)}
        if native:
            changes["native"] = native
        self._apply(call, resource, entity, changes)

    def _delete(self, call: Call, resource: Resource, entity: Any) -> None:
        if words.status(entity) != "DRAFT":
            text = f"only drafts can be deleted; set {resource.status} to PENDING_DELETION"
            raise bad_input("DELETE_ALLOWED_ONLY_FOR_DRAFT_STATUS", f"/{resource.status}", text)
        self._apply(call, resource, entity, {"status": "DELETED", "native": {"status": "REMOVED", "gone": True}})

    def _apply(self, call: Call, resource: Resource, entity: Any, changes: Fields) -> None:
        fate = write_fate(call.draw, update=True)
        if fate.refused:
            raise refused()
        if changes:
            try:
                carry_out(self._directory.kernel, fate, resource.level, entity.id, changes)
            except WorldError as error:
                raise LinkedInError(400, "INVALID_VALUE_FOR_FIELD", str(error)) from error

    # Many -------------------------------------------------------------------------------------------------------

    def _found(self, call: Call, account: Account, name: str) -> Reply:
        entities = self._directory.children(account, name)
        finder = call.choice("q", ("criteria",) if name == "creatives" else ("search",), "")
        if not finder:
            raise bad_param("q", "a finder is needed")
        fields = call.fields()

        def view(entity: Any) -> views.View:
            return views.projected(views.VIEWS[name](self._directory, entity), fields)

        if name != "creatives":
            found = finders.search(call, self._directory, entities, name)
            return Reply(paging.cursor_page(call, found, view))
        if call.stated != "FINDER":
            raise LinkedInError(400, "PARAM_INVALID", "The creatives finder needs X-RestLi-Method: FINDER")
        creatives = finders.criteria(call, entities)
        return Reply(paging.cursor_page(call, creatives, view, most=_MOST_CREATIVES))

    def _batch_get(self, call: Call, account: Account, resource: Resource) -> Reply:
        view, fields = views.VIEWS[call.resource], call.fields()
        return batches.read_each(
            call, lambda key: views.projected(view(self._directory, self._get(account, resource, key)), fields)
        )

    def _batch_create(self, call: Call, account: Account, resource: Resource) -> Reply:
        items = call.mapping().get("elements")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise bad_input("MISSING_FIELD", "/elements", "must be a list of entities")
        undone = failing(call.draw, len(items))
        elements: list[dict[str, Any]] = []
        for index, item in enumerate(items):
            try:
                if index in undone:
                    raise server(500)
                made = self.create(call, account, resource, item)
                elements.append({"status": 201, "id": self._body_id(resource, made)})
            except LinkedInError as error:
                elements.append({"status": error.status, "error": error.body(call.resource)})
        return Reply({"elements": elements})

    def _batch_write(self, call: Call, account: Account, resource: Resource, *, delete: bool) -> Reply:
        keys = batches.ids(call)
        bodies = {} if delete else _entities(call, keys)
        undone = failing(call.draw, len(keys))
        results: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for index, key in enumerate(keys):
            try:
                if index in undone:
                    raise server(500)
                entity = self._get(account, resource, key)
                if delete:
                    self._delete(call, resource, entity)
                else:
                    self._update(call, account, resource, entity, bodies[key])
                results[restli.encode(key)] = {"status": 204}
            except LinkedInError as error:
                errors[restli.encode(key)] = error.body(call.resource)
        return Reply({"results": results, "errors": errors})

    def _body_id(self, resource: Resource, made: str) -> str:
        return urns.urn(resource.kind, made) if resource.level == "ad" else made


def _entities(call: Call, keys: list[str]) -> dict[str, Document]:
    """The bodies of a batch update by key; keys in a body may be encoded or plain."""
    given = call.mapping().get("entities")
    if not isinstance(given, Mapping):
        raise bad_input("MISSING_FIELD", "/entities", "must be {key:{patch:{$set:{…}}}}")
    bodies = {}
    for key in keys:
        body = given.get(key, given.get(restli.encode(key)))
        if not isinstance(body, dict):
            raise bad_param("ids", f"{key} has no entity in the body")
        bodies[key] = body
    return bodies
