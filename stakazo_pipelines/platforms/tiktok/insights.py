"""Daily insights of one account: one walk over the pages of at most 30 days, asynchronous where that is too long.

An asynchronous report that fails twice is asked for in halves, down to a day.
"""

from collections.abc import Mapping
from datetime import date

from stakazo_pipelines.errors import ReportFailedError, TooMuchDataError
from stakazo_pipelines.platforms.guards import check_query
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.port import Breakdown, InsightsQuery, InsightsResult
from stakazo_pipelines.platforms.spans import halves, partition
from stakazo_pipelines.platforms.tiktok.calls import TooLongError, read_list
from stakazo_pipelines.platforms.tiktok.fields import (
    ALL,
    DATA_LEVELS,
    KINDS,
    check_breakdowns,
    dimensions_of,
    metrics_of,
)
from stakazo_pipelines.platforms.tiktok.reports import Reports
from stakazo_pipelines.platforms.tiktok.rows import collector
from stakazo_pipelines.platforms.wire import to_form

PATH = "report/integrated/get/"
DAYS, HOURLY_DAYS = 30, 1  # the longest span of one report
MOST_PAGES = 100  # of 1000 rows each; beyond, an asynchronous report is quicker and does not drift


class InsightsReader:
    """Answers InsightsQueries through one client."""

    def __init__(self, client: ApiClient, *, max_report_seconds: float) -> None:
        self._client = client
        self._reports = Reports(client, max_seconds=max_report_seconds)

    async def read(self, query: InsightsQuery) -> InsightsResult:
        """Every row, each once. Raises RejectedError for a query TikTok cannot answer, ReportFailedError, …"""
        check_query(query, DATA_LEVELS, "tiktok")
        check_breakdowns(query.breakdowns)
        rows = collector(query)
        width = HOURLY_DAYS if Breakdown.HOUR in query.breakdowns else DAYS
        for since, until in partition(query.since, query.until, width):
            rows.add(await self._span(query, since, until))
        return rows.result()

    async def _span(self, query: InsightsQuery, since: date, until: date) -> list[object]:
        """Rows of a span that one report may have, as they came."""
        account, params = query.account.id, report_params(query, since, until)
        filters = status_filter(query)
        try:
            return await read_list(self._client, PATH, {**params, **filters}, account=account, most_pages=MOST_PAGES)
        except TooLongError as error:
            least = error.extent.rows
        except TooMuchDataError:
            least = 0
        return await self._long_span(query, since, until, least)

    async def _long_span(self, query: InsightsQuery, since: date, until: date, least: int) -> list[object]:
        account = query.account.id
        found = await self._reports.run(report_params(query, since, until), account=account, least=least)
        if found is not None:
            return found
        if since == until:
            raise ReportFailedError(
                f"account {account}: the report of {since} at level {query.level} failed twice; try it later", "tiktok"
            )
        rows: list[object] = []
        for part_since, part_until in halves(since, until):
            rows += await self._span(query, part_since, part_until)
        return rows


def report_params(query: InsightsQuery, since: date, until: date) -> Mapping[str, object]:
    """One row an entity, day (or hour) and segment, in the account's days."""
    audience = bool(set(query.breakdowns) - {Breakdown.HOUR})
    return {
        "report_type": "AUDIENCE" if audience else "BASIC",
        "data_level": DATA_LEVELS[query.level],
        "dimensions": dimensions_of(query.level, query.breakdowns),
        "metrics": metrics_of(query.level, query.breakdowns),
        "start_date": since.isoformat(),
        "end_date": until.isoformat(),
    }


def status_filter(query: InsightsQuery) -> Mapping[str, object]:
    """Deleted entities too: what they spent was spent. (Asynchronous reports know no such filter.)"""
    if query.level not in KINDS:
        return {}
    rule = {"field_name": f"{KINDS[query.level].path}_status", "filter_type": "IN", "filter_value": to_form([ALL])}
    return {"filtering": [rule]}
