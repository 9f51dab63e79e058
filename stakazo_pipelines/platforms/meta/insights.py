"""Daily insights of one account: one call for a range, halved while it is too much, asynchronous for a single day.

The width that worked is kept per account and kind of query, so that the next range does not pay for finding it again.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial

from stakazo_pipelines.errors import ReportFailedError, TooMuchDataError, TransientError
from stakazo_pipelines.platforms.guards import check_query
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.meta.edges import LIMITS, is_too_much, read_edge
from stakazo_pipelines.platforms.meta.fields import (
    BREAKDOWNS,
    INSIGHT_LEVELS,
    account_node,
    check_breakdowns,
    insight_fields,
)
from stakazo_pipelines.platforms.meta.reports import Reports
from stakazo_pipelines.platforms.meta.rows import collector
from stakazo_pipelines.platforms.port import InsightsQuery, InsightsResult
from stakazo_pipelines.platforms.spans import Widths
from stakazo_pipelines.platforms.wire import to_form
from stakazo_pipelines.vocabulary import Level


class InsightsReader:
    """Answers InsightsQueries through one client."""

    def __init__(self, client: ApiClient, *, max_report_seconds: float) -> None:
        self._client = client
        self._reports = Reports(client, max_seconds=max_report_seconds)
        self._widths = Widths()

    async def read(self, query: InsightsQuery) -> InsightsResult:
        """Every row, each once. Raises RejectedError for a query Meta cannot answer, ReportFailedError, …"""
        check_query(query, INSIGHT_LEVELS, "meta")
        check_breakdowns(query.breakdowns)
        rows = collector(query)
        for since, until in self._widths.spans(query):
            rows.add(await self._span(query, since, until))
        return rows.result()

    async def _span(self, query: InsightsQuery, since: date, until: date) -> list[object]:
        """Rows of a span, as they came; split in halves as long as one answer cannot hold it."""
        path = f"{account_node(query.account)}/insights"
        try:
            return await self._sync(path, query, since, until)
        except (TooMuchDataError, TransientError) as error:
            if not is_too_much(error):
                raise
        if since == until:
            return await self._single_day(path, query, since)
        return await self._widths.in_halves(query, since, until, partial(self._span, query))

    async def _sync(self, path: str, query: InsightsQuery, since: date, until: date) -> list[object]:
        params = insight_params(query, since, until)
        return await read_edge(self._client, path, params, account=query.account.id, limit=LIMITS[0])

    async def _single_day(self, path: str, query: InsightsQuery, day: date) -> list[object]:
        """The last resorts for a day: a report of the account, then campaign by campaign."""
        rows = await self._reports.run(path, insight_params(query, day, day), account=query.account.id)
        if rows is not None:
            return rows
        if query.level in (Level.ACCOUNT, Level.CAMPAIGN):
            raise ReportFailedError(
                f"account {query.account.id}: the report of {day} at level {query.level} failed twice; try it later",
                "meta",
            )
        whole = InsightsQuery(query.account, Level.CAMPAIGN, day, day)
        rows = []
        for campaign in await self._sync(path, whole, day, day):
            if isinstance(campaign, dict) and campaign.get("campaign_id"):
                rows += await self._sync(f"{campaign['campaign_id']}/insights", query, day, day)
        return rows


def insight_params(query: InsightsQuery, since: date, until: date) -> Mapping[str, str]:
    """One row a day (`time_increment=1`) of `since`..`until`, in the account's days."""
    params = {
        "level": INSIGHT_LEVELS[query.level],
        "fields": insight_fields(query.level, query.breakdowns),
        "time_range": to_form({"since": since.isoformat(), "until": until.isoformat()}),
        "time_increment": "1",
    }
    if query.breakdowns:
        params["breakdowns"] = to_form([BREAKDOWNS[breakdown] for breakdown in query.breakdowns])
    return params
