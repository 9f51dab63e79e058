"""Updates in batches of Meta's own kind; see `Settler` for what is sent again.

An entry of the answer that is null was not executed: the batch ran out of time before it.
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from stakazo_pipelines.errors import (
    MalformedError,
    PlatformError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.platforms.http import ApiClient, ApiReply, ApiRequest
from stakazo_pipelines.platforms.meta.changes import batches, change_params
from stakazo_pipelines.platforms.meta.dialect import MetaDialect
from stakazo_pipelines.platforms.meta.edges import list_edge
from stakazo_pipelines.platforms.meta.fields import account_node
from stakazo_pipelines.platforms.port import Account, EntityChange, WriteOutcome
from stakazo_pipelines.platforms.settling import NotExecutedError, Read, Settler
from stakazo_pipelines.platforms.wire import to_form
from stakazo_pipelines.vocabulary import Level

_LOOKUP = 50  # ids in one filter; keeps the URL short


class BatchWriter:
    """Applies changes through one client. `read` reads an entity back."""

    def __init__(self, client: ApiClient, read: Read) -> None:
        self._client = client
        self._settler = Settler(client, read)
        self._dialect = MetaDialect()

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """Outcomes in the order given. What goes wrong with a change stands in its outcome and is not raised."""
        errors: dict[int, PlatformError | None] = {}
        bodies: dict[int, str] = {}
        for position, change in enumerate(changes):
            try:
                bodies[position] = urlencode(change_params(change, account.currency))
            except PlatformError as error:
                errors[position] = error
        positions = sorted(bodies)
        sendable = [changes[position] for position in positions]
        for batch in batches(sendable, await self._campaigns(account, sendable)):
            members = [positions[index] for index in batch]
            errors |= await self._settler.settle(
                account,
                {position: changes[position] for position in members},
                lambda some: self._send(account, some, bodies),
            )
        return [WriteOutcome(change, errors[position]) for position, change in enumerate(changes)]

    async def _send(
        self, account: Account, changes: Mapping[int, EntityChange], bodies: Mapping[int, str]
    ) -> dict[int, PlatformError | None]:
        items = [{"method": "POST", "relative_url": change.id, "body": bodies[at]} for at, change in changes.items()]
        request = ApiRequest("POST", "", account.id, form={"batch": to_form(items)})
        try:
            reply = await self._client.send(request)
        except PlatformError as error:
            return dict.fromkeys(changes, error)
        entries = reply.body
        if not isinstance(entries, list) or len(entries) != len(items):
            lost = UnknownOutcomeError(
                f"account {account.id}: the batch was answered with something else than one entry a change; "
                "read the objects back before trying again",
                "meta",
            )
            return dict.fromkeys(changes, lost)
        return {at: self._outcome(changes[at], entry) for at, entry in zip(changes, entries, strict=True)}

    def _outcome(self, change: EntityChange, entry: object) -> PlatformError | None:
        who = f"account {change.account_id}: {change.level} {change.id}"
        if entry is None:
            return NotExecutedError(f"{who}: not executed, the batch ran out of time", "meta")
        try:
            reply = _reply(entry)
        except (MalformedError, ValueError):
            return UnknownOutcomeError(f"{who}: its answer in the batch is torn; read it back", "meta")
        error = self._dialect.error(ApiRequest("POST", change.id, change.account_id), reply)
        if error is None and reply.status < 400:
            return None
        if error is None or isinstance(error, TransientError):
            what = error.message if error else f"HTTP {reply.status} without a reason"
            return UnknownOutcomeError(
                self._client.redact(f"{who}: {what}; read it back before trying again"), "meta", status=reply.status
            )
        error.message = self._client.redact(f"{who}: {error.message}")
        return error

    async def _campaigns(self, account: Account, changes: Sequence[EntityChange]) -> dict[str, str]:
        """The campaign of each ad set that changes; looked up where the change does not say, if it matters."""
        groups = {change.id: change.parent_id for change in changes if change.level is Level.AD_GROUP}
        unknown = sorted(group for group, campaign in groups.items() if not campaign)
        if len(groups) < 2 or not unknown:
            return groups
        found: dict[str, str] = {}
        for start in range(0, len(unknown), _LOOKUP):
            some = unknown[start : start + _LOOKUP]
            rule = [{"field": "id", "operator": "IN", "value": some}]
            params = {"fields": "id,campaign_id", "filtering": to_form(rule)}
            try:
                rows = await list_edge(self._client, f"{account_node(account)}/adsets", params, account=account.id)
            except PlatformError:
                continue  # not known: each goes in a batch of its own
            found |= {str(row.get("id")): str(row.get("campaign_id") or "") for row in rows if isinstance(row, dict)}
        return groups | {group: found.get(group, "") for group in unknown}


def _reply(entry: object) -> ApiReply:
    """Raises MalformedError or ValueError (the body is not JSON)."""
    if not isinstance(entry, dict) or not isinstance(entry.get("code"), int):
        raise MalformedError("no code", "meta")
    headers = {
        str(header.get("name", "")).lower(): str(header.get("value", ""))
        for header in entry.get("headers") or []
        if isinstance(header, dict)
    }
    return ApiReply(entry["code"], headers, json.loads(entry.get("body") or "{}"))
