"""Insights answered at once and as report runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from stakazo_pipelines.sandbox.meta import paging
from stakazo_pipelines.sandbox.meta.cache import RowCache
from stakazo_pipelines.sandbox.meta.call import Call
from stakazo_pipelines.sandbox.meta.errors import invalid, not_found, too_much_data
from stakazo_pipelines.sandbox.meta.graph import Graph, Node
from stakazo_pipelines.sandbox.meta.insights.query import Query, read_query
from stakazo_pipelines.sandbox.meta.insights.rows import Names, RowReader
from stakazo_pipelines.sandbox.meta.insights.table import Table, build
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.selection import Selection

_CACHED_ROWS = 200_000
_RESULT_ROWS = 1_000_000
_RUN_LIFE = timedelta(days=30)
_RUN_FIELDS = frozenset({"access_token", "appsecret_proof", "limit", "after", "before"})


@dataclass(slots=True)
class Run:
    """A report run. It moves on by being polled: not started, running, completed. `fate` is ok, failed or stuck."""

    id: str
    account_id: str
    node_id: str
    params: dict[str, Any]
    created_at: datetime
    fate: str = "ok"
    polls: int = 0


@dataclass(frozen=True, slots=True)
class _Result:
    query: Query
    table: Table

    def __len__(self) -> int:
        return len(self.table)


class InsightsService:
    """`sync_rows` and `async_rows` bound one answer, beyond them it is too much data; a run takes `polls` looks."""

    def __init__(self, graph: Graph, *, sync_rows: int, async_rows: int, polls: int) -> None:
        self._graph = graph
        self.selection = Selection(graph, self.expanded)
        self._sync_rows, self._async_rows, self._polls = sync_rows, async_rows, polls
        self._tables: RowCache[Table] = RowCache(_CACHED_ROWS)
        self._results: RowCache[_Result] = RowCache(_RESULT_ROWS)
        self._runs: dict[str, Run] = {}
        self._names: Names = {}
        self._named_at = -1
        for data in graph.kernel.notes("meta"):
            if data["type"] == "run":
                at = datetime.fromisoformat(data["created_at"])
                run = Run(data["id"], data["account_id"], data["node_id"], data["params"], at, data["fate"], polls)
                self._runs[run.id] = run

    def answer(self, call: Call, node: Node) -> dict[str, Any]:
        """One page, at once. Raises GraphError, 1487534 when the whole answer would be too long."""
        limit = paging.read_limit(call)
        query = self._query(call.params, node)
        table = self._table(query, self._sync_rows)
        return self._page(call, query, table, limit)

    def expanded(self, call: Call, node: Node) -> dict[str, Any]:
        """The insights edge inside a field expansion: absent rather than empty."""
        body = self.answer(call, node)
        return body if body["data"] else {}

    def start(self, call: Call, node: Node) -> dict[str, str]:
        """Begin a report run. The query is checked now, its rows are those of now."""
        query = self._query(call.params, node)
        table = self._table(query, self._async_rows)
        fates = {"async_failed": "failed", "async_stuck": "stuck"}
        fate = next((fates[hit.kind] for hit in call.draw("async")), "ok")
        params = {name: value for name, value in call.params.items() if name not in _RUN_FIELDS}
        run_id = f"6{len(self._runs) + 1:014d}"
        node_id = f"act_{node.entity.id}" if node.kind == "account" else node.entity.id
        run = Run(run_id, query.account_id, node_id, params, self._graph.now, fate)
        self._results.put(run_id, _Result(query, table))
        self._runs[run_id] = run
        kept = {"node_id": node_id, "params": params, "created_at": run.created_at.isoformat(), "fate": fate}
        self._graph.kernel.note("meta", {"type": "run", "id": run_id, "account_id": run.account_id, **kept})
        return {"report_run_id": run_id}

    def run(self, run_id: str) -> Run | None:
        return self._runs.get(run_id)

    def poll(self, call: Call, run: Run) -> dict[str, Any]:
        """The state of a run; each look moves it on."""
        status, percent = self._state(run)
        run.polls += 1
        query = self._result(run).query
        body: dict[str, Any] = {
            "id": run.id,
            "account_id": run.account_id,
            "time_ref": int(run.created_at.timestamp()),
            "time_completed": int(self._graph.now.timestamp()) if percent == 100 else 0,
            "async_status": status,
            "async_percent_completion": percent,
            "date_start": query.since.isoformat(),
            "date_stop": query.until.isoformat(),
        }
        if status == "Job Failed":
            body |= {
                "error_code": 2,
                "error_message": "An unexpected error has occurred. Please retry your request later.",
            }
        wanted = call.params.names("fields")
        return body if wanted is None else {name: value for name, value in body.items() if name in {"id", *wanted}}

    def fetch(self, call: Call, run: Run) -> dict[str, Any]:
        """A page of a finished run. Raises code 100 before it is finished."""
        limit = paging.read_limit(call)
        if run.created_at + _RUN_LIFE < self._graph.now:
            raise not_found("GET", run.id)
        if run.fate != "ok" or run.polls < self._polls:
            raise invalid("The report run is not completed", field_name="report_run_id")
        result = self._result(run)
        return self._page(call, result.query, result.table, limit)

    def _state(self, run: Run) -> tuple[str, int]:
        if run.created_at + _RUN_LIFE < self._graph.now:
            return "Job Skipped", 0
        if run.polls == 0 and self._polls > 0:
            return "Job Not Started", 0
        if run.polls < self._polls:
            return ("Job Running", 0 if run.fate == "stuck" else min(99, 100 * run.polls // (self._polls + 1)))
        if run.fate == "ok":
            return "Job Completed", 100
        return ("Job Failed", 0) if run.fate == "failed" else ("Job Running", 0)

    def _result(self, run: Run) -> _Result:
        """What the run found; found anew, as of now, after a restart or when too many rows wait to be fetched."""
        result = self._results.get(run.id)
        if result is None:
            query = self._query(Params(run.params), self._graph.get(run.node_id, "GET"))
            result = _Result(query, self._table(query, self._async_rows))
            self._results.put(run.id, result)
        return result

    def _query(self, params: Params, node: Node) -> Query:
        account = self._graph.account_of(node)
        return read_query(
            params,
            account_id=account.id,
            node_level=node.kind,
            node_id=node.entity.id,
            today=self._graph.today(account),
        )

    def _table(self, query: Query, most: int) -> Table:
        rows = replace(query, fields=(), attribution=(), summary=(), sort=None)
        key = (self._graph.now, len(self._graph.kernel.world.journal), repr(rows))
        table = self._tables.get(key)
        if table is None:
            table = build(self._graph, self.selection, query)
            self._tables.put(key, table)
        if len(table) > most:
            raise too_much_data()
        return table

    def _page(self, call: Call, query: Query, table: Table, limit: int) -> dict[str, Any]:
        written = len(self._graph.kernel.world.journal)
        if written != self._named_at:
            self._names, self._named_at = {}, written
        reader = RowReader(self._graph, query, table, self._names)
        order: Mapping[int, int] | range = range(len(table))
        if query.sort is not None:
            name, descending = query.sort
            order = dict(enumerate(sorted(range(len(table)), key=reader.order(name), reverse=descending)))
        window = paging.paginate(call, call.path, range(len(table)), limit)
        body: dict[str, Any] = {"data": [reader.row(order[index]) for index in range(window.start, window.stop)]}
        if window.paging:
            body["paging"] = window.paging
        if query.summary:
            body["summary"] = reader.summary()
        return body
