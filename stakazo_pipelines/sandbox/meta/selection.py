"""Reading objects and edges: field selection with expansion in both directions, list filters, pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stakazo_pipelines.sandbox.meta import paging
from stakazo_pipelines.sandbox.meta.call import Call
from stakazo_pipelines.sandbox.meta.errors import invalid, unknown_field
from stakazo_pipelines.sandbox.meta.fields import Field, parse_fields
from stakazo_pipelines.sandbox.meta.filtering import matches
from stakazo_pipelines.sandbox.meta.graph import Graph, Kind, Node
from stakazo_pipelines.sandbox.meta.insights.query import Filter, read_filters
from stakazo_pipelines.sandbox.meta.nodes import DEFAULTS, NODE_TYPES, READERS
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.unset import UNSET

EDGES: Mapping[str, Mapping[str, Kind]] = {
    "account": {"campaigns": "campaign", "adsets": "adset", "ads": "ad", "adcreatives": "creative"},
    "campaign": {"adsets": "adset", "ads": "ad"},
    "adset": {"ads": "ad", "adcreatives": "creative"},
    "ad": {"adcreatives": "creative"},
    "creative": {},
}
_ABOVE: Mapping[str, Sequence[str]] = {"adset": ("campaign",), "ad": ("campaign", "adset", "creative")}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a list is narrowed to."""

    filters: Sequence[Filter]
    statuses: list[str] | None
    since: datetime | None


InsightsEdge = Callable[[Call, Node], dict[str, Any]]


class Selection:
    """Renders nodes and edges. `insights` serves the edge of that name when it is expanded inside fields."""

    def __init__(self, graph: Graph, insights: InsightsEdge) -> None:
        self._graph = graph
        self._insights = insights

    def fields(self, call: Call, kind: str) -> tuple[Field, ...]:
        if not call.params.given("fields"):
            return tuple(Field(name) for name in DEFAULTS.get(kind, ("id",)))
        value = call.params["fields"]
        if isinstance(value, str) and not value.lstrip().startswith("["):
            return parse_fields(value)
        return tuple(field for name in call.params.names("fields") or () for field in parse_fields(name))

    def node(self, call: Call, node: Node, fields: Sequence[Field]) -> dict[str, Any]:
        """One object with the fields asked for; `id` is always among them. Raises code 100 for unknown fields."""
        readers = READERS[node.kind]
        body: dict[str, Any] = {}
        for field in fields:
            value: Any
            if field.name in readers:
                value = readers[field.name](self._graph, node.entity)
            elif field.name in _ABOVE.get(node.kind, ()):
                value = self._above(call, node, field)
            elif field.name in EDGES[node.kind]:
                value = self._expanded(call, node, field)
            elif field.name == "insights" and node.kind != "creative":
                value = self._insights(self._nested(call, node, field), node) or None
            elif field.name in UNSET[node.kind]:
                continue
            else:
                raise unknown_field(field.name, NODE_TYPES[node.kind])
            if value is not None:
                body[field.name] = value
        body.setdefault("id", readers["id"](self._graph, node.entity))
        return body

    def _above(self, call: Call, node: Node, field: Field) -> dict[str, Any] | None:
        entity = node.entity
        if field.name == "creative":
            creative = self._graph.creative_of(entity)
            return None if creative is None else self._part(call, Node("creative", creative), field)
        if field.name == "campaign":
            return self._part(call, Node("campaign", self._graph.campaign_of(entity)), field)
        return self._part(call, Node("adset", self._graph.adset_of(entity)), field)

    def _part(self, call: Call, node: Node, field: Field) -> dict[str, Any]:
        return self.node(call, node, field.children if field.children is not None else (Field("id"),))

    def _nested(self, call: Call, node: Node, field: Field) -> Call:
        """The call that an expanded edge stands for; a time range on the outside holds inside too."""
        outer = {
            name: call.params[name] for name in ("date_preset", "time_range", "access_token") if name in call.params
        }
        inner: dict[str, Any] = dict(field.arguments)
        if field.children is not None:
            inner["fields"] = _text(field.children)
        identity = f"act_{node.entity.id}" if node.kind == "account" else node.entity.id
        return replace(call, method="GET", path=f"{identity}/{field.name}", params=Params(outer | inner))

    def _expanded(self, call: Call, node: Node, field: Field) -> dict[str, Any] | None:
        listed = self.edge(self._nested(call, node, field), node, EDGES[node.kind][field.name])
        return listed if listed["data"] else None

    def edge(self, call: Call, node: Node, kind: Kind) -> dict[str, Any]:
        """A page of the objects of a kind below a node, newest first."""
        asked = _Asked(
            read_filters(call.params), call.params.names("effective_status"), call.params.moment("updated_since")
        )
        shown = [entity for entity in self._below(node, kind) if self._shown(asked, kind, entity)]
        shown.sort(key=lambda entity: _order(entity), reverse=True)
        fields, limit = self.fields(call, kind), paging.read_limit(call)
        window = paging.paginate(call, call.path, [-_order(entity) for entity in shown], limit)
        page = shown[window.start : window.stop]
        body: dict[str, Any] = {"data": [self.node(call, Node(kind, entity), fields) for entity in page]}
        if window.paging:
            body["paging"] = window.paging
        summary = call.params.text("summary").lower()
        if summary in ("true", "1") or "total_count" in summary:
            body["summary"] = {"total_count": len(shown)}
        return body

    def accounts(self, call: Call) -> dict[str, Any]:
        """A page of the ad accounts the token can see."""
        accounts, fields = self._graph.accounts(), self.fields(call, "account")
        window = paging.paginate(call, call.path, range(len(accounts)), paging.read_limit(call))
        page = accounts[window.start : window.stop]
        body: dict[str, Any] = {"data": [self.node(call, Node("account", account), fields) for account in page]}
        if window.paging:
            body["paging"] = window.paging
        if call.params.text("summary").lower() in ("true", "1", "total_count"):
            body["summary"] = {"total_count": len(accounts)}
        return body

    def _below(self, node: Node, kind: Kind) -> list[Any]:
        if kind != "creative" or node.kind == "account":
            return list(self._graph.children(node, kind))
        ads = [node.entity] if node.kind == "ad" else self._graph.children(node, "ad")
        found = {ad.creative_id: self._graph.creative_of(ad) for ad in ads}
        return [creative for creative in found.values() if creative is not None]

    def _shown(self, asked: "_Asked", kind: Kind, entity: Any) -> bool:
        """Deleted objects never; archived ones only when a status filter asks for them."""
        if entity.status == "DELETED":
            return False
        by_status = asked.statuses is not None or any(is_about_status(item) for item in asked.filters)
        status = self._graph.effective_status(kind, entity) if kind != "creative" else entity.status
        if status in ("ARCHIVED", "DELETED") and not by_status:
            return False
        if asked.statuses is not None and status not in asked.statuses:
            return False
        if asked.since is not None and entity.updated_at < asked.since:
            return False
        return all(self.passes(kind, entity, item) for item in asked.filters)

    def passes(self, kind: Kind, entity: Any, item: Filter) -> bool:
        """Whether an object passes one filter; `campaign.` and the like look at what stands above it."""
        prefix, _, name = item.field.rpartition(".")
        subject, of = entity, kind
        if prefix and prefix != kind:
            if prefix == "campaign" and kind in ("adset", "ad"):
                subject, of = self._graph.campaign_of(entity), "campaign"
            elif prefix == "adset" and kind == "ad":
                subject, of = self._graph.adset_of(entity), "adset"
            else:
                raise invalid(f"Filtering field {item.field} is not valid here", field_name="filtering")
        if name in ("created_time", "updated_time"):
            actual = subject.created_at if name == "created_time" else subject.updated_at
            return matches(item.operator, actual, item.value)
        if name == "delivery_info" and of != "creative":
            return matches(item.operator, _delivery_info(self._graph.effective_status(of, subject)), item.value)
        reader = READERS[of].get(name)
        if reader is None:
            raise invalid(
                f"Filtering field {item.field} with operation {item.operator} is not supported", field_name="filtering"
            )
        return matches(item.operator, reader(self._graph, subject), item.value)


def is_about_status(item: Filter) -> bool:
    """Whether a filter asks for what is not shown by itself, such as archived objects."""
    return item.field.endswith(("status", "delivery_info"))


def _delivery_info(effective_status: str) -> str:
    """What the Ads Manager shows for an effective status; only ever seen as a filter."""
    if effective_status.endswith("PAUSED"):
        return "inactive"
    return {"DISAPPROVED": "rejected", "WITH_ISSUES": "active"}.get(effective_status, effective_status.lower())


def _order(entity: Any) -> int:
    """Newest first means highest id first: ids grow."""
    return int(entity.id)


def _text(fields: Sequence[Field]) -> str:
    """A field tree as the text it was read from."""
    parts = []
    for field in fields:
        modifiers = "".join(f".{name}({value})" for name, value in field.arguments.items())
        inner = f"{{{_text(field.children)}}}" if field.children is not None else ""
        parts.append(f"{field.name}{modifiers}{inner}")
    return ",".join(parts)
