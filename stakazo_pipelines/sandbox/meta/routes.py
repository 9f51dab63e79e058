"""Which call means what: nodes and edges of the Marketing API, reads and writes."""

from dataclasses import dataclass
from typing import Any

from stakazo_pipelines.sandbox.emulation import Fate, carry_out, unmade_id, write_fate
from stakazo_pipelines.sandbox.meta import money
from stakazo_pipelines.sandbox.meta.call import Call
from stakazo_pipelines.sandbox.meta.errors import GraphError, invalid, not_found, unknown_field, unknown_path
from stakazo_pipelines.sandbox.meta.graph import Graph, Kind, Node
from stakazo_pipelines.sandbox.meta.images import Images
from stakazo_pipelines.sandbox.meta.insights.service import InsightsService
from stakazo_pipelines.sandbox.meta.nodes import NODE_TYPES
from stakazo_pipelines.sandbox.meta.selection import EDGES
from stakazo_pipelines.sandbox.meta.writes import ad, adset, campaign
from stakazo_pipelines.sandbox.meta.writes.common import Write
from stakazo_pipelines.sandbox.world import WorldError

_SCOPES = ("ads_read", "ads_management", "business_management")
_USER = "100000000000001"
_AT_ONCE = Fate()
# Edges of the real API that the world has nothing for.
_EMPTY_EDGES = frozenset(
    (
        *("activities", "ad_studies", "adlabels", "adrules_library", "adspixels", "advideos", "budget_schedules"),
        *("copies", "customaudiences", "customconversions", "promote_pages", "saved_audiences", "users"),
        *(
            "ad_place_page_sets",
            "agencies",
            "applications",
            "assigned_users",
            "instagram_accounts",
            "leads",
            "tracking",
        ),
    )
)
# What a system user without a business and without pages has.
_OWNED = (["accounts"], ["business_users"], ["businesses"])


@dataclass(slots=True)
class Routes:
    """Carries out one call that is let in. `daily_too` extends the 110 % rule to daily budgets."""

    graph: Graph
    insights: InsightsService
    images: Images
    daily_too: bool

    def answer(self, call: Call) -> Any:
        """The body of a successful answer. Raises GraphError."""
        parts = call.parts
        if "ids" in call.params and call.method == "GET":
            raise GraphError("The ids query parameter is deprecated in v26.0+.", 100, status=500)
        if not parts:
            raise GraphError("Unsupported get request. Please read the Graph API documentation", 100, 33)
        if parts == ["debug_token"] and call.method == "GET":
            valid = call.params.text("input_token") == call.params.text("access_token")
            return {"data": {"is_valid": valid, "type": "SYSTEM_USER", "expires_at": 0, "scopes": list(_SCOPES)}}
        if parts[0] in ("me", _USER):
            return self._me(call, parts[1:])
        run = self.insights.run(parts[0])
        if run is not None:
            if call.method == "GET" and len(parts) == 1:
                return self.insights.poll(call, run)
            if call.method == "GET" and parts[1:] == ["insights"]:
                return self.insights.fetch(call, run)
            raise unknown_path(call.path)
        node = self.graph.get(parts[0], call.method)
        if len(parts) == 1:
            return self._node(call, node)
        if len(parts) == 2:
            return self._edge(call, node, parts[1])
        raise unknown_path(call.path)

    def account_id(self, call: Call) -> str:
        """Whose usage a call counts on; empty where it is nobody's."""
        parts = call.parts
        if not parts:
            return ""
        run = self.insights.run(parts[0])
        if run is not None:
            return run.account_id
        node = self.graph.find(parts[0])
        return "" if node is None else self.graph.account_of(node).id

    def _me(self, call: Call, rest: list[str]) -> dict[str, Any]:
        if call.method != "GET":
            raise not_found(call.method, "me")
        if not rest:
            return {"id": _USER, "name": "Sandbox System User"}
        if rest == ["permissions"]:
            return {"data": [{"permission": scope, "status": "granted"} for scope in _SCOPES]}
        if rest in _OWNED:
            return {"data": []}
        if rest != ["adaccounts"]:
            raise unknown_path(call.path)
        return self.insights.selection.accounts(call)

    def _node(self, call: Call, node: Node) -> Any:
        selection = self.insights.selection
        if call.method == "GET":
            return selection.node(call, node, selection.fields(call, node.kind))
        if node.kind == "account":
            raise not_found(call.method, node.entity.id)
        if call.method == "DELETE":
            return self._delete(call, node)
        return self._update(call, node)

    def _edge(self, call: Call, node: Node, name: str) -> Any:
        if name == "insights" and node.kind != "creative":
            return self.insights.start(call, node) if call.method == "POST" else self.insights.answer(call, node)
        if name == "adimages" and node.kind == "account":
            if call.method == "POST":
                return self.images.upload(call, node.entity, dry=_validate_only(call))
            if call.method == "DELETE":
                return self.images.delete(call, node.entity)
            return self.images.list(call, node.entity)
        if name == "minimum_budgets" and node.kind == "account" and call.method == "GET":
            return {"data": [_minimum_budgets(node.entity)]}
        kind = EDGES[node.kind].get(name)
        if kind is None:
            if call.method == "GET" and name in _EMPTY_EDGES:
                return {"data": []}
            if call.method == "GET":
                raise unknown_field(name, NODE_TYPES[node.kind])
            raise unknown_path(call.path)
        if call.method == "GET":
            return self.insights.selection.edge(call, node, kind)
        if call.method == "POST" and node.kind == "account":
            return self._create(call, node, kind)
        raise not_found(call.method, node.entity.id)

    def _create(self, call: Call, node: Node, kind: Kind) -> dict[str, Any]:
        account = node.entity
        inline: Write | None = None
        if kind == "campaign":
            write = campaign.create_campaign(account, call.params)
        elif kind == "adset":
            write = adset.create_adset(self.graph, account, call.params)
        elif kind == "creative":
            write = ad.create_creative(account, call.params)
        else:
            inline, write = ad.create_ad(self.graph, account, call.params)
        if _validate_only(call):
            return {"success": True}
        fate = write_fate(call.draw, update=False)
        if fate.refused:
            return {"success": False}
        if fate.lost:
            return {"id": unmade_id(self.graph.kernel)}
        if inline is not None:
            write.fields["creative_id"] = self._apply(inline)
        return {"id": self._apply(write), **({"success": True} if kind != "creative" else {})}

    def _update(self, call: Call, node: Node) -> dict[str, Any]:
        inline: Write | None = None
        if node.kind == "campaign":
            writes = campaign.update_campaign(self.graph, node.entity, call.params, daily_too=self.daily_too)
        elif node.kind == "adset":
            writes = adset.update_adset(self.graph, node.entity, call.params, daily_too=self.daily_too)
        elif node.kind == "ad":
            inline, writes = ad.update_ad(self.graph, node.entity, call.params)
        else:
            writes = ad.update_creative(node.entity, call.params)
        if _validate_only(call):
            return {"success": True}
        return self._apply_updates(call, inline, writes)

    def _delete(self, call: Call, node: Node) -> dict[str, Any]:
        levels = {"campaign": "campaign", "adset": "ad_group", "ad": "ad", "creative": "creative"}
        if node.entity.status == "DELETED":
            return {"success": True}
        write = Write(levels[node.kind], node.entity.id, {"status": "DELETED"})  # type: ignore[arg-type]
        return self._apply_updates(call, None, [write])

    def _apply_updates(self, call: Call, inline: Write | None, writes: list[Write]) -> dict[str, Any]:
        fate = write_fate(call.draw, update=True)
        if fate.refused or fate.lost:
            return {"success": not fate.refused}
        if inline is not None:
            writes[-1].fields["creative_id"] = self._apply(inline)
        for write in writes:
            self._apply(write, fate)
        return {"success": True}

    def _apply(self, write: Write, fate: Fate = _AT_ONCE) -> str:
        kernel = self.graph.kernel
        try:
            if write.id is None:
                return str(kernel.create(write.level, **write.fields).id)
            carry_out(kernel, fate, write.level, write.id, write.fields)
        except WorldError as error:
            raise invalid(str(error)) from error
        return write.id


def _validate_only(call: Call) -> bool:
    return "validate_only" in (call.params.names("execution_options") or [])


def _minimum_budgets(account: Any) -> dict[str, Any]:
    kinds = ("imp", "high_freq", "low_freq", "video_views")
    return {"currency": account.currency} | {f"min_daily_budget_{k}": money.minimum_daily(account, k) for k in kinds}
