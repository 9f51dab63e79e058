"""How one insights row reads: all scalars as strings, actions as lists, nothing that is zero or undefined."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stakazo_pipelines.sandbox.meta import money, nodes
from stakazo_pipelines.sandbox.meta.filtering import matches
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.insights.catalogue import HOURLY
from stakazo_pipelines.sandbox.meta.insights.query import Query
from stakazo_pipelines.sandbox.meta.insights.table import Table

# One real event stands under several types, as the API reports it; never to be added up.
_PURCHASES = (
    "purchase",
    "omni_purchase",
    "offsite_conversion.fb_pixel_purchase",
    "onsite_web_purchase",
    "web_in_store_purchase",
)
_CARTS = ("add_to_cart", "omni_add_to_cart", "offsite_conversion.fb_pixel_add_to_cart", "onsite_web_add_to_cart")
_WINDOW_MEASURE = {"1d_click": "_1d_click", "7d_click": "_7d_click", "28d_click": "_7d_click", "1d_view": "_1d_view"}
_DIVIDED: Mapping[str, tuple[str, str, float]] = {
    "cpc": ("spend", "clicks", 1.0),
    "cpm": ("spend", "impressions", 1000.0),
    "cpp": ("spend", "reach", 1000.0),
    "ctr": ("clicks", "impressions", 100.0),
    "frequency": ("impressions", "reach", 1.0),
    "inline_link_click_ctr": ("link_clicks", "impressions", 100.0),
    "cost_per_inline_link_click": ("spend", "link_clicks", 1.0),
}
_LISTED: Mapping[str, tuple[str, str]] = {
    "outbound_clicks": ("outbound_click", "link_clicks"),
    "video_play_actions": ("video_view", "video_views"),
    "video_thruplay_watched_actions": ("video_view", "thruplays"),
}
_COSTS: Mapping[str, tuple[str, str]] = {
    "cost_per_outbound_click": ("outbound_click", "link_clicks"),
    "cost_per_thruplay": ("video_view", "thruplays"),
}
_SCALARS = {
    "impressions": "impressions",
    "clicks": "clicks",
    "reach": "reach",
    "inline_link_clicks": "link_clicks",
    "inline_post_engagement": "post_engagement",
}
Names = dict[tuple[str, str, str], str | None]


class RowReader:
    """Reads rows of one table for one query. `names` remembers names across rows, as long as nothing is written."""

    def __init__(self, graph: Graph, query: Query, table: Table, names: Names | None = None) -> None:
        self._graph, self._query, self._table = graph, query, table
        self._names: Names = {} if names is None else names
        self._account = graph.account(query.account_id)
        # Off-Meta events have no hour, and people are not counted by the hour.
        self._hourly = HOURLY in query.breakdowns
        self._click_windows = [window for window in query.attribution if window.endswith("click")]
        self._types = [item for item in query.filters if item.field == "action_type"]

    def row(self, index: int) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name in self._query.fields:
            value = self.value(index, name)
            if value is not None:
                body[name] = value
        window = self._query.windows[int(self._table.window[index])]
        body["date_start"], body["date_stop"] = window.since.isoformat(), window.until.isoformat()
        for name, column in self._table.segments.items():
            body[name] = _hour_label(int(column[index])) if name == HOURLY else str(column[index])
        return body

    def summary(self) -> dict[str, Any]:
        """All rows added up, for `summary` and `default_summary`."""
        total = Table(
            np.zeros(1, dtype=np.int64),
            np.array([self._account.id], dtype=object),
            {},
            {name: np.array([column.sum()]) for name, column in self._table.measures.items()},
        )
        reader = RowReader(self._graph, self._query, total)
        body = {name: reader.value(0, name) for name in self._query.summary}
        ends = {"date_start": self._query.since.isoformat(), "date_stop": self._query.until.isoformat()}
        return {name: value for name, value in body.items() if value is not None} | ends

    def order(self, name: str) -> Callable[[int], tuple[float, str]]:
        """A sort key over row numbers for `sort`; `actions:link_click` looks into the list."""
        field, _, wanted = name.partition(":")

        def key(index: int) -> tuple[float, str]:
            value = self.value(index, field) if field not in ("date_start", "date_stop") else self.row(index)[field]
            if isinstance(value, list):
                value = next((item["value"] for item in value if item["action_type"] == wanted), "0")
            try:
                return float(value or 0), ""
            except ValueError:
                return 0.0, str(value)

        return key

    def value(self, index: int, name: str) -> Any:
        """One field of one row, None where the API leaves it out."""
        if name == "spend":
            return money.decimal_text(self._measure(index, "spend"), self._account)
        if name in _SCALARS:
            return str(0 if self._hourly and name == "reach" else int(self._measure(index, _SCALARS[name])))
        if name in _DIVIDED:
            top, bottom, factor = _DIVIDED[name]
            return None if self._hourly and bottom == "reach" else self._ratio(index, top, bottom, factor)
        if name in _LISTED:
            kind, measure = _LISTED[name]
            count = int(self._measure(index, measure))
            return [{"action_type": kind, "value": str(count)}] if count else None
        if name in _COSTS:
            kind, measure = _COSTS[name]
            cost = self._ratio(index, "spend", measure, 1.0)
            return None if cost is None else [{"action_type": kind, "value": cost}]
        if name in _ACTIONS:
            return _ACTIONS[name](self, index) or None
        key = (self._query.level, str(self._table.entity[index]), name)
        if key not in self._names:
            self._names[key] = self._identity(key[1], name)
        return self._names[key]

    def _measure(self, index: int, name: str) -> float:
        return float(self._table.measures[name][index])

    def _ratio(self, index: int, top: str, bottom: str, factor: float) -> str | None:
        divisor = self._measure(index, bottom)
        return f"{factor * self._measure(index, top) / divisor:.6f}" if divisor else None

    def _identity(self, entity_id: str, name: str) -> str | None:
        if name.startswith("account_"):
            readers = {"account_id": self._account.id, "account_name": self._account.name}
            return readers.get(name, self._account.currency)
        node = self._graph.find(entity_id) if self._query.level != "account" else None
        if node is None:
            return None
        entity = node.entity
        above: dict[str, Any] = {node.kind: entity}
        if node.kind in ("adset", "ad"):
            above["campaign"] = self._graph.campaign_of(entity)
        if node.kind == "ad":
            above["adset"] = self._graph.adset_of(entity)
        prefix, _, rest = name.partition("_")
        if prefix in ("campaign", "adset", "ad") and rest in ("id", "name"):
            return str(getattr(above[prefix], rest)) if prefix in above else None
        if name in ("objective", "buying_type") and "campaign" in above:
            return str(nodes.CAMPAIGN[name](self._graph, above["campaign"]))
        if name == "optimization_goal" and "adset" in above:
            return str(above["adset"].optimization_goal)
        if name == "attribution_setting" and "adset" in above:
            return "7d_click_1d_view"
        if name in ("created_time", "updated_time") and node.kind == self._query.level:
            return str(nodes.READERS[node.kind][name](self._graph, entity))[:10]
        return None

    # Action lists -----------------------------------------------------------------------------------------------

    def _actions(self, index: int) -> list[dict[str, str]]:
        engagement = int(self._measure(index, "post_engagement"))
        counts = [
            ("link_click", int(self._measure(index, "link_clicks"))),
            ("landing_page_view", int(self._measure(index, "landing_page_views"))),
            ("video_view", int(self._measure(index, "video_views"))),
            ("post_engagement", engagement),
            ("page_engagement", engagement),
        ]
        rows = [self._plain(kind, count) for kind, count in counts if count and self._wanted(kind)]
        if self._hourly:
            return rows
        carts = int(self._measure(index, "add_to_cart"))
        rows += [self._plain(kind, carts) for kind in _CARTS if carts and self._wanted(kind)]
        return rows + self._purchases(index, "purchases", lambda count: str(int(count)))

    def _action_values(self, index: int) -> list[dict[str, str]]:
        if self._hourly:
            return []
        return self._purchases(index, "purchase_value", lambda value: money.decimal_text(value, self._account))

    def _purchases(self, index: int, measure: str, text: Callable[[float], str]) -> list[dict[str, str]]:
        total = self._measure(index, measure)
        if not total:
            return []
        stat = {"value": text(total)}
        for window in self._query.attribution:
            part = self._measure(index, measure + _WINDOW_MEASURE[window])
            if part:
                stat[window] = text(part)
        return [{"action_type": kind, **stat} for kind in _PURCHASES if self._wanted(kind)]

    def _plain(self, kind: str, count: int) -> dict[str, str]:
        text = str(count)
        return {"action_type": kind, "value": text, **dict.fromkeys(self._click_windows, text)}

    def _cost_per_action(self, index: int) -> list[dict[str, str]]:
        spend = self._measure(index, "spend")
        return [
            {"action_type": item["action_type"], "value": f"{spend / int(item['value']):.6f}"}
            for item in self._actions(index)
        ]

    def _roas(self, index: int, kind: str) -> list[dict[str, str]]:
        spend = self._measure(index, "spend")
        value = self._measure(index, "purchase_value")
        if self._hourly or not spend or not value:
            return []
        stat = {"value": f"{value / spend:.6f}"}
        for window in self._query.attribution:
            part = self._measure(index, "purchase_value" + _WINDOW_MEASURE[window])
            if part:
                stat[window] = f"{part / spend:.6f}"
        return [{"action_type": kind, **stat}]

    def _wanted(self, kind: str) -> bool:
        return not self._types or all(matches(item.operator, kind, item.value) for item in self._types)


def _hour_label(hour: int) -> str:
    return f"{hour:02d}:00:00 - {hour:02d}:59:59"


_ACTIONS: Mapping[str, Callable[[RowReader, int], list[dict[str, str]]]] = {
    "actions": RowReader._actions,  # noqa: SLF001 - the class's own table
    "action_values": RowReader._action_values,  # noqa: SLF001
    "cost_per_action_type": RowReader._cost_per_action,  # noqa: SLF001
    "purchase_roas": lambda reader, index: reader._roas(index, "omni_purchase"),  # noqa: SLF001
    "website_purchase_roas": lambda reader, index: reader._roas(index, "offsite_conversion.fb_pixel_purchase"),  # noqa: SLF001
}
