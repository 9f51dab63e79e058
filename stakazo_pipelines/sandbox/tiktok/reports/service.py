"""`/report/integrated/get/`: one page at once, cut from a table that is remembered while nothing changes."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stakazo_pipelines.sandbox.emulation import spoil, turned_page
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, page_info, read_page
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.reports import rows
from stakazo_pipelines.sandbox.tiktok.reports.query import Query, read_query
from stakazo_pipelines.sandbox.tiktok.reports.table import Table, build
from stakazo_pipelines.sandbox.tiktok.reports.values import Values

_REMEMBERED_ROWS = 300_000


@dataclass(slots=True)
class _Memory:
    """The newest tables as long as they hold so many rows together; always the last one."""

    tables: OrderedDict[Hashable, Table]

    def put(self, key: Hashable, table: Table) -> None:
        self.tables[key] = table
        while len(self.tables) > 1 and sum(map(len, self.tables.values())) > _REMEMBERED_ROWS:
            self.tables.popitem(last=False)


class Reports:
    """`most_ids` is how many ids one synchronous report may hold; the newest are kept."""

    def __init__(self, directory: Directory, most_ids: int, *, decimals_for_many: bool) -> None:
        self._directory, self._most_ids = directory, most_ids
        self._decimals_for_many = decimals_for_many
        self._memory = _Memory(OrderedDict())
        self._whole: Table | None = None

    def answer(self, call: Call) -> Answer:
        params, directory = call.params, self._directory
        page, size = read_page(params)
        query = self.query(call)
        whole = self.table(query)
        table, cut = self._cut(query, whole)
        if params.text("query_mode") == "CHUNK":
            page, size = 1, max(len(table), 1)
        first = turned_page(call.draw, (page - 1) * size, size, len(table))
        found = rows.as_rows(directory, query, table.take(slice(first, first + size)))
        data: dict[str, Any] = {
            "list": _spoiled(call, query, found),
            "page_info": page_info(page, size, len(table)),
        }
        if params.boolean("enable_total_metrics") and page == 1:
            data["total_metrics"] = rows.totals(directory, query, table)
        return Answer(data, headers={"X-Tt-Ads-Throttle": "true"} if cut else {})

    def query(self, call: Call) -> Query:
        query = read_query(self._directory, call.params)
        return replace(query, whole_money=query.many and not self._decimals_for_many)

    def table(self, query: Query) -> Table:
        """All rows of a query in its order."""
        key = (self._directory.version, _key(query))
        table = self._memory.tables.get(key)
        if table is None:
            table = self._ordered(query, build(self._directory, query))
            self._memory.put(key, table)
        return table

    def _ordered(self, query: Query, table: Table) -> Table:
        if query.comparisons:
            table = table.take(np.flatnonzero(Values(self._directory, query, table).passing(query.comparisons)))
        if query.order is None:
            return table
        name, descending = query.order
        order = np.argsort(rows.sort_key(self._directory, query, table, name), kind="stable")
        return table.take(order[::-1] if descending else order)

    def _cut(self, query: Query, table: Table) -> tuple[Table, bool]:
        """Only the newest ids of a report that names too many."""
        if query.id_dimension is None or len(table) <= self._most_ids or table is self._whole:
            return table, False
        ids = np.unique(table.entity)
        if ids.size <= self._most_ids:
            self._whole = table  # the next page need not count again
            return table, False
        newest = np.sort(ids.astype(np.int64))[-self._most_ids :]
        return table.take(np.flatnonzero(table.entity.astype(np.int64) >= newest[0])), True


def _spoiled(call: Call, query: Query, found: list[dict[str, dict[str, Any]]]) -> list[dict[str, dict[str, Any]]]:
    """List faults act on dimensions and metrics alike."""
    hits = call.draw("list") if found else ()
    if not hits:
        return found
    # A metric may be asked for beside the dimension of the same name; both say the same.
    flat: list[dict[str, Any]] = [{**row["dimensions"], **row["metrics"]} for row in found]
    spoil(flat, lambda _stage: hits, "spend")
    out = []
    for row, changed in zip(found, flat, strict=True):
        dimensions = {name: changed[name] for name in row["dimensions"] if name in changed}
        metrics = {
            name: value for name, value in changed.items() if name in row["metrics"] or name not in query.dimensions
        }
        out.append({"dimensions": dimensions, "metrics": metrics})
    return out


def _key(query: Query) -> Hashable:
    accounts = tuple(account.id for account in query.accounts)
    ids = tuple(sorted(query.ids.items()))
    statuses = tuple(sorted(query.statuses.items()))
    parts = (query.level, query.dimensions, query.since, query.until, query.comparisons, query.order)
    # Only what orders rows depends on the metrics; the table holds all measures.
    return accounts, ids, statuses, parts
