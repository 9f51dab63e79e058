"""The rows of an insights answer as columns: the world's report, cut to what is asked and added up to its windows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.meta.filtering import matches
from stakazo_pipelines.sandbox.meta.graph import WORLD_LEVEL, Graph, Kind, Node
from stakazo_pipelines.sandbox.meta.insights.catalogue import HOURLY, LEVELS, UNKNOWN, UNKNOWN_BREAKDOWNS
from stakazo_pipelines.sandbox.meta.insights.query import Filter, Query
from stakazo_pipelines.sandbox.meta.selection import Selection, is_about_status
from stakazo_pipelines.sandbox.world import Report

Column = npt.NDArray[Any]
MEASURES = [
    "impressions",
    "reach",
    "clicks",
    "link_clicks",
    "spend",
    "landing_page_views",
    "add_to_cart",
    "video_views",
    "thruplays",
    "post_engagement",
    "purchases",
    "purchases_1d_click",
    "purchases_7d_click",
    "purchases_1d_view",
    "purchase_value",
    "purchase_value_1d_click",
    "purchase_value_7d_click",
    "purchase_value_1d_view",
]
# The world knows daily reach only: of the days beyond the best one, this share is taken as people not seen before.
_NEW_PEOPLE = 0.45
_METRIC_FILTERS = frozenset({"impressions", "clicks", "spend", "reach"})


@dataclass(frozen=True, slots=True)
class Table:
    """Equal-length columns. `window` is the index into the query's windows, `entity` the id at the query's level."""

    window: Column
    entity: Column
    segments: dict[str, Column]
    measures: dict[str, Column]

    def __len__(self) -> int:
        return int(self.window.size)

    def take(self, rows: Column) -> "Table":
        return Table(
            self.window[rows],
            self.entity[rows],
            {name: column[rows] for name, column in self.segments.items()},
            {name: column[rows] for name, column in self.measures.items()},
        )


def build(graph: Graph, selection: Selection, query: Query) -> Table:
    """All rows of a query in the order window, entity, segment; no rows without delivery."""
    account = graph.account(query.account_id)
    base = _base_level(query)
    world_breakdowns = tuple(name for name in query.breakdowns if name not in {HOURLY, *UNKNOWN_BREAKDOWNS})
    hourly = HOURLY in query.breakdowns
    report = graph.report(account, base, query.since, query.until, hourly=hourly, breakdowns=world_breakdowns)
    rows = np.flatnonzero(_kept(graph, selection, query, report))
    days = report["day"][rows]  # ascending: the world sorts by day first
    bounds = [
        (np.searchsorted(days, np.datetime64(w.since)), np.searchsorted(days, np.datetime64(w.until), side="right"))
        for w in query.windows
    ]
    picked = np.concatenate([rows[start:stop] for start, stop in bounds]) if bounds else rows[:0]
    window = np.repeat(np.arange(len(bounds)), [stop - start for start, stop in bounds])
    segments: dict[str, Column] = {name: report[name][picked] for name in world_breakdowns}
    if hourly:
        segments[HOURLY] = report["hour"][picked]
    segments |= {
        name: np.full(picked.size, UNKNOWN, dtype=object) for name in query.breakdowns if name in UNKNOWN_BREAKDOWNS
    }
    entity = report[f"{WORLD_LEVEL[query.level]}_id"][picked]
    table = Table(window, entity, segments, {name: report[name][picked] for name in MEASURES})
    single_days = all(w.since == w.until for w in query.windows)
    if not (single_days and base == query.level):
        table = _grouped(table)
    return _metric_filtered(table, query.filters)


def _base_level(query: Query) -> str:
    """The finest level that the rows, the node or a filter need."""
    depth = max(LEVELS.index(query.level), LEVELS.index(query.node_level))
    for item in query.filters:
        prefix = item.field.split(".")[0]
        if "." in item.field and prefix in LEVELS and item.field.split(".")[1] not in _METRIC_FILTERS:
            depth = max(depth, LEVELS.index(prefix))
    return LEVELS[depth]


def _kept(graph: Graph, selection: Selection, query: Query, report: Report) -> Column:
    kept = np.ones(len(report), dtype=np.bool_)
    if query.node_level != "account":
        kept &= report[f"{WORLD_LEVEL[query.node_level]}_id"] == query.node_id
    entity_filters = [item for item in query.filters if not _is_metric(item)]
    by_status = any(is_about_status(item) for item in entity_filters)
    if query.level != "account" and not by_status:
        # Deleted objects count in their parents only; a filter without a status hides archived ones as well.
        hidden = ("DELETED", "ARCHIVED") if query.filters else ("DELETED",)
        kept &= _where(report, query.level, lambda kind, entity: (
            entity.id == query.node_id or graph.effective_status(kind, entity) not in hidden), graph)  # fmt: skip
    for item in entity_filters:
        level = item.field.split(".")[0] if "." in item.field else query.level
        if level == "account" or item.field == "action_type":
            continue
        bare = Filter(item.field.split(".")[-1], item.operator, item.value)
        kept &= _where(report, level, lambda kind, entity, bare=bare: selection.passes(kind, entity, bare), graph)
    return kept


def _where(report: Report, level: str, passes: Any, graph: Graph) -> Column:
    """Rows whose entity of a level passes; each entity is asked once."""
    names, inverse = np.unique(report[f"{WORLD_LEVEL[level]}_id"], return_inverse=True)
    verdicts = []
    for name in names:
        node: Node | None = graph.find(str(name))
        kind: Kind = node.kind if node is not None else "ad"
        verdicts.append(node is not None and bool(passes(kind, node.entity)))
    return np.array(verdicts, dtype=np.bool_)[inverse]


def _is_metric(item: Filter) -> bool:
    return item.field.split(".")[-1] in _METRIC_FILTERS


def _grouped(table: Table) -> Table:
    """Rows of one window, entity and segment added up."""
    if len(table) == 0:
        return table
    code = table.window.astype(np.int64)
    for column in (table.entity, *table.segments.values()):
        known, inverse = np.unique(column, return_inverse=True)
        code = code * known.size + inverse
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    measures = {name: np.bincount(group, weights=column) for name, column in table.measures.items()}
    best = np.zeros(first.size)
    np.maximum.at(best, group, table.measures["reach"])
    measures["reach"] = np.floor(best + _NEW_PEOPLE * (measures["reach"] - best))
    segments = {name: column[first] for name, column in table.segments.items()}
    return Table(table.window[first], table.entity[first], segments, measures)


def _metric_filtered(table: Table, filters: tuple[Filter, ...]) -> Table:
    for item in filters:
        if _is_metric(item):
            column = table.measures[item.field.split(".")[-1]]
            table = table.take(
                np.array([matches(item.operator, value, item.value) for value in column], dtype=np.bool_)
            )
    return table
