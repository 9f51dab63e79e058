"""Report rows from LinkedIn's JSON to the port's type, and the parts of one row put together again. Pure.

A row says what it is about by URNs (`pivotValues`); they are told apart by their kind, not by their place.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from stakazo_pipelines.platforms.linkedin import urns
from stakazo_pipelines.platforms.linkedin.fields import CONVERSIONS, COST, DEFAULT_WINDOW, REACH, VALUE
from stakazo_pipelines.platforms.linkedin.geo import country
from stakazo_pipelines.platforms.port import Breakdown, InsightRow, InsightsQuery
from stakazo_pipelines.platforms.rows import RowCollector, asked_days
from stakazo_pipelines.platforms.wire import WireError, amount, count, optional_count
from stakazo_pipelines.vocabulary import Level

_ZERO = Decimal(0)


class RowParser:
    """Reads the rows of one query. `groups` gives the campaign group of each campaign where rows cannot say it."""

    def __init__(self, query: InsightsQuery, groups: Mapping[str, str] | None = None) -> None:
        self._query = query
        self._days = asked_days(query)
        self._groups = groups or {}

    def __call__(self, row: Mapping[str, object]) -> InsightRow:
        """Raises WireError."""
        level = self._query.level
        pivots = _pivots(row)
        ad = _number(pivots, urns.CREATIVE) if level is Level.AD else None
        ad_group = _number(pivots, urns.CAMPAIGN) if level in (Level.AD, Level.AD_GROUP) else None
        campaign = None if level is Level.ACCOUNT else pivots.get(urns.GROUP) or self._groups.get(ad_group or "")
        if level is Level.ACCOUNT:
            self._check_account(_number(pivots, urns.ACCOUNT))
        elif not campaign:
            raise WireError("pivotValues", f"no {urns.GROUP}")
        conversions = amount(row, CONVERSIONS)
        return InsightRow(
            day=self._day(row),
            level=level,
            account_id=self._query.account.id,
            campaign_id=campaign,
            ad_group_id=ad_group,
            ad_id=ad,
            campaign_name=None,  # reports hold no names; entities do
            ad_group_name=None,
            ad_name=None,
            impressions=count(row, "impressions"),
            clicks=count(row, "clicks"),
            spend=amount(row, COST),
            conversions=conversions,
            conversions_value=self._value(row, conversions),
            attribution_window=DEFAULT_WINDOW,
            link_clicks=optional_count(row, "landingPageClicks"),
            reach=optional_count(row, REACH),
            video_plays=optional_count(row, "videoViews"),
            engagements=optional_count(row, "totalEngagements"),
            segments=self._segments(pivots),
            native=row,
        )

    def _check_account(self, number: str) -> None:
        if number != self._query.account.id:
            raise WireError("pivotValues", f"of another account: {number}")

    def _value(self, row: Mapping[str, object], conversions: Decimal) -> Decimal:
        """Not reported by country; elsewhere a row may leave it out only where there was no conversion."""
        if self._query.breakdowns or (row.get(VALUE) is None and not conversions):
            return _ZERO
        return amount(row, VALUE)

    def _day(self, row: Mapping[str, object]) -> date:
        span = row.get("dateRange")
        start, end = (_iso(span.get(edge)) if isinstance(span, dict) else "" for edge in ("start", "end"))
        day = self._days.get(start)
        if day is None:
            raise WireError("dateRange", f"not a day that was asked for: {start!r}" if start else "not a range of days")
        if end != start:
            raise WireError("dateRange", "not a single day")
        return day

    def _segments(self, pivots: Mapping[str, str]) -> dict[Breakdown, str]:
        return {breakdown: country(_number(pivots, urns.GEO)) for breakdown in self._query.breakdowns}


def collector(query: InsightsQuery, groups: Mapping[str, str] | None = None) -> RowCollector:
    """What keeps the rows of a query."""
    return RowCollector(query, RowParser(query, groups), key_field="pivotValues")


def joined(parts: Sequence[tuple[Sequence[str], Sequence[object]]]) -> list[object]:
    """The rows of a report whose metrics were asked for in parts: (metrics, rows) each.

    A part leaves out rows that have none of its metrics, so these are 0 there. What is no row comes along as it is.
    """
    whole: dict[str, dict[str, object]] = {}
    strange: list[object] = []
    for metrics, rows in parts:
        for row in rows:
            if isinstance(row, dict):
                key = json.dumps([row.get("dateRange"), row.get("pivotValues")], sort_keys=True)
                found = whole.setdefault(key, {name: 0 for others, _ in parts for name in others})
                # What the part should tell and does not must not pass for the 0 of a row it left out.
                for name in metrics:
                    found.pop(name, None)
                found |= row
            else:
                strange.append(row)
    return [*whole.values(), *strange]


def pivot_numbers(row: object, *kinds: str) -> tuple[str, ...] | None:
    """The numbers of these kinds in a row, or None where one is missing."""
    try:
        pivots = _pivots(row) if isinstance(row, dict) else {}
        return tuple(_number(pivots, kind) for kind in kinds)
    except WireError:
        return None


def _pivots(row: Mapping[str, object]) -> dict[str, str]:
    values = row.get("pivotValues")
    if not isinstance(values, list):
        raise WireError("pivotValues", "missing" if values is None else "not a list")
    found: dict[str, str] = {}
    for value in values:
        parts = urns.split(value)
        if parts is None or parts[0] in found:
            raise WireError("pivotValues", f"not a URN, or one kind twice: {str(value)[:60]!r}")
        found[parts[0]] = parts[1]
    return found


def _number(pivots: Mapping[str, str], kind: str) -> str:
    if kind not in pivots:
        raise WireError("pivotValues", f"no {kind}")
    return pivots[kind]


def _iso(parts: object) -> str:
    """`{year, month, day}` as ISO text, "" where it is none."""
    values = [parts.get(key) for key in ("year", "month", "day")] if isinstance(parts, dict) else []
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if len(numbers) != 3 or not all(0 < number < 10_000 for number in numbers):
        return ""
    return f"{numbers[0]:04}-{numbers[1]:02}-{numbers[2]:02}"
