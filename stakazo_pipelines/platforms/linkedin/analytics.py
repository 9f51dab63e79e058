"""Daily reports of one account: one request for a range, halved while an answer cannot hold it, then by campaigns.

Answers are not paged, hold 15,000 rows, and an empty one may mean that there is no permission. A request names 20
fields; more metrics are asked for in parts.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial

from stakazo_pipelines.errors import RejectedError, TooMuchDataError
from stakazo_pipelines.platforms.guards import check_query
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.linkedin import restli, urns
from stakazo_pipelines.platforms.linkedin.accounts import confirm
from stakazo_pipelines.platforms.linkedin.dialect import ANALYTICS
from stakazo_pipelines.platforms.linkedin.fields import (
    BREAKDOWNS,
    KEY_FIELDS,
    METRICS,
    MOST_FIELDS,
    MOST_PIVOTS,
    NOT_BY_MEMBER,
    PIVOTS,
)
from stakazo_pipelines.platforms.linkedin.finders import elements
from stakazo_pipelines.platforms.linkedin.rows import collector, joined, pivot_numbers
from stakazo_pipelines.platforms.port import Account, InsightsQuery, InsightsResult
from stakazo_pipelines.platforms.spans import Widths, partition
from stakazo_pipelines.vocabulary import Level

MOST_ROWS = 15_000
LONGEST_SPAN = 92  # days; reach is not reported beyond
_FACETS = {Level.CAMPAIGN: ("campaignGroups", urns.GROUP)}
_FACET = ("campaigns", urns.CAMPAIGN)  # for ad groups and ads


class InsightsReader:
    """Answers InsightsQueries through one client."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._widths = Widths()

    async def read(self, query: InsightsQuery) -> InsightsResult:
        """Every row, each once. Raises RejectedError for a query LinkedIn cannot answer, PermissionDeniedError, …"""
        _check(query)
        rows: list[object] = []
        for since, until in self._widths.spans(query, longest=LONGEST_SPAN):
            rows += await self._span(query, since, until)
        if not rows:
            await confirm(self._client, query.account)
        kept = collector(query, await self._groups(query))
        kept.add(rows)
        return kept.result()

    async def _span(self, query: InsightsQuery, since: date, until: date) -> list[object]:
        """Rows of a span; in halves as long as one answer cannot hold it, a single day by its campaigns."""
        try:
            return await self._ask(query, since, until, "accounts", [urns.urn(urns.ACCOUNT, query.account.id)])
        except TooMuchDataError:
            if since == until and query.level is Level.ACCOUNT:
                raise
        if since == until:
            return await self._by_parts(query, since, await self._delivering(query, since))
        return await self._widths.in_halves(query, since, until, partial(self._span, query))

    async def _by_parts(self, query: InsightsQuery, day: date, values: Sequence[str]) -> list[object]:
        """A day's rows, asked for by some of its campaigns (or groups) at a time."""
        half = (len(values) + 1) // 2
        rows: list[object] = []
        for some in (values[:half], values[half:]):
            if not some:
                continue
            try:
                rows += await self._ask(query, day, day, _FACETS.get(query.level, _FACET)[0], some)
            except TooMuchDataError:
                if len(some) == 1:
                    raise
                rows += await self._by_parts(query, day, some)
        return rows

    async def _delivering(self, query: InsightsQuery, day: date) -> list[str]:
        """URNs of what a day's report is split by."""
        kind = _FACETS.get(query.level, _FACET)[1]
        pivot = "CAMPAIGN_GROUP" if kind == urns.GROUP else "CAMPAIGN"
        rows = await self._totals(query.account, day, day, [pivot])
        return sorted({urns.urn(kind, found[0]) for row in rows if (found := pivot_numbers(row, kind))})

    async def _groups(self, query: InsightsQuery) -> dict[str, str]:
        """The group of each campaign, for reports whose pivots have no room for it."""
        if query.level is not Level.AD or "CAMPAIGN_GROUP" in _pivots(query):
            return {}
        rows: list[object] = []
        for since, until in partition(query.since, query.until, LONGEST_SPAN):
            rows += await self._totals(query.account, since, until, ["CAMPAIGN", "CAMPAIGN_GROUP"])
        found = [pivot_numbers(row, urns.CAMPAIGN, urns.GROUP) for row in rows]
        return {pair[0]: pair[1] for pair in found if pair}

    async def _totals(self, account: Account, since: date, until: date, pivots: Sequence[str]) -> list[object]:
        """One row for each that delivered, whatever the day: small enough for one answer."""
        params = {
            **_range("ALL", since, until, pivots),
            "accounts": [urns.urn(urns.ACCOUNT, account.id)],
        }
        reply = await self._client.send(_request(params, account, ["impressions", "pivotValues"]))
        return elements(reply, ANALYTICS, account.id)

    async def _ask(
        self, query: InsightsQuery, since: date, until: date, facet: str, values: Sequence[str]
    ) -> list[object]:
        """All metrics of a span. Raises TooMuchDataError also for an answer so long that it may have been cut."""
        parts = []
        for metrics in field_groups(METRICS, by_member=bool(query.breakdowns)):
            params = {**_range("DAILY", since, until, _pivots(query)), facet: values}
            reply = await self._client.send(_request(params, query.account, [*KEY_FIELDS, *metrics]))
            rows = elements(reply, ANALYTICS, query.account.id)
            if len(rows) >= MOST_ROWS:
                raise TooMuchDataError(
                    f"account {query.account.id}: {len(rows)} rows of {since}..{until} in one answer", "linkedin"
                )
            parts.append((metrics, rows))
        return list(parts[0][1]) if len(parts) == 1 else joined(parts)


def field_groups(metrics: Sequence[str], *, by_member: bool) -> list[list[str]]:
    """The metrics in as few requests as the limit on fields allows, without those that a breakdown does not have."""
    asked = [name for name in metrics if not (by_member and name in NOT_BY_MEMBER)]
    room = MOST_FIELDS - len(KEY_FIELDS)
    return [asked[start : start + room] for start in range(0, len(asked), room)]


def _pivots(query: InsightsQuery) -> tuple[str, ...]:
    """The level's own, then the breakdown's in the place of the widest parent where there are too many."""
    pivots = PIVOTS[query.level]
    broken = tuple(BREAKDOWNS[breakdown] for breakdown in query.breakdowns)
    return (*pivots[: MOST_PIVOTS - len(broken)], *broken)


def _range(granularity: str, since: date, until: date, pivots: Sequence[str]) -> dict[str, restli.Value]:
    return {
        "q": "statistics",
        "pivots": list(pivots),
        "timeGranularity": granularity,
        "dateRange": {
            edge: {"year": day.year, "month": day.month, "day": day.day}
            for edge, day in (("start", since), ("end", until))
        },
    }


def _request(params: Mapping[str, restli.Value], account: Account, fields: Sequence[str]) -> ApiRequest:
    return restli.get(ANALYTICS, params, account=account.id, finder=True, fields=fields)


def _check(query: InsightsQuery) -> None:
    """Raises RejectedError."""
    check_query(query, PIVOTS, "linkedin")
    strange = [breakdown for breakdown in query.breakdowns if breakdown not in BREAKDOWNS]
    if strange or len(query.breakdowns) > 1:
        names = ", ".join(query.breakdowns)
        raise RejectedError(f"LinkedIn cannot break down by {names}; ask for country", "linkedin")
