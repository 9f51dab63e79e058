"""adAnalytics: the world's report cut to the facets and added up over pivots and periods, as elements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.linkedin import money, urns, words
from stakazo_pipelines.sandbox.linkedin.analytics import catalogue
from stakazo_pipelines.sandbox.linkedin.analytics.query import Query, read_query
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.errors import data_throttle, too_many
from stakazo_pipelines.sandbox.linkedin.options import LinkedInOptions
from stakazo_pipelines.sandbox.linkedin.throttle import ValueThrottle
from stakazo_pipelines.sandbox.world import Account, Report

Column = npt.NDArray[Any]
_LEAST_EVENTS = 3  # demographic rows with fewer are dropped
_DEMOGRAPHIC_LAG = timedelta(hours=12)
_NEW_PEOPLE = 0.45  # share of the people beyond the best part who were not counted before


@dataclass(frozen=True, slots=True)
class _Table:
    """Equal-length columns: period (index of its first day), one label a pivot, the measures."""

    account: Account
    start: Column
    end: Column
    labels: list[Column]
    measures: Mapping[str, Column]


class Analytics:
    """Answers q=analytics and q=statistics."""

    def __init__(self, directory: Directory, options: LinkedInOptions) -> None:
        self._directory, self._options = directory, options
        self._throttle = ValueThrottle(options.clock, options.value_limit)

    def answer(self, call: Call) -> dict[str, Any]:
        """Raises LinkedInError: wrong parameters, too many elements, too many metric values in 5 minutes."""
        call.choice("q", ("analytics", "statistics"), "")
        query = read_query(call, self._directory.today)
        tables = [] if set(query.pivots) & catalogue.EMPTY_PIVOTS else self._tables(query)
        count = sum(table.start.size for table in tables)
        if count > self._options.element_limit and not self._options.cut:
            raise too_many()
        if not self._throttle.admit(count * len(query.metrics)):
            raise data_throttle()
        elements = [element for table in tables for element in _elements(query, table)]
        if query.sort is not None:
            name, downward = query.sort
            elements.sort(key=lambda element: Decimal(str(element.get(name, 0))), reverse=downward)
        # Not paged: the answer still says so in the words of a first page.
        paging = {"start": 0, "count": 10, "links": []}
        return {"paging": paging, "elements": elements[: self._options.element_limit]}

    def _tables(self, query: Query) -> list[_Table]:
        tables = []
        for account in self._directory.accounts():
            wanted = query.facets.get("account_id")
            companies = query.organizations
            if (wanted is None or account.id in wanted) and (companies is None or account.id in companies):
                table = self._table(query, account)
                if table.start.size:
                    tables.append(table)
        return tables

    def _table(self, query: Query, account: Account) -> _Table:
        breakdowns = ("country",) if query.by_member else ()
        until = min(query.until, self._directory.today)
        report = self._directory.report(account, query.level, query.since, until, breakdowns)
        rows = np.flatnonzero(self._kept(query, report))
        days = report["day"][rows]
        start, end = _periods(query, days)
        labels = [self._labels(pivot, account, report)[rows] for pivot in query.pivots]
        measures = {name: report[name][rows] for name in catalogue.MEASURES}
        table = _grouped(_Table(account, start, end, labels, measures))
        return _without_few(table) if query.by_member else table

    def _kept(self, query: Query, report: Report) -> Column:
        kept = np.ones(len(report), dtype=np.bool_)
        for column, wanted in query.facets.items():
            kept &= np.isin(report[column].astype(str), sorted(wanted)) if len(report) else kept
        if query.posts is not None:
            kept &= np.array([self._post(ad) in query.posts for ad in report["ad_id"]], dtype=np.bool_)
        if query.by_member:
            # Demographics are known half a day after the day has ended.
            known = (self._directory.now - _DEMOGRAPHIC_LAG).astimezone(UTC).date()
            kept &= report["day"] < np.datetime64(known, "D")
        return kept

    def _labels(self, pivot: str, account: Account, report: Report) -> Column:
        """The URN of each row under a pivot."""
        if pivot == catalogue.COUNTRY:
            return _each(report["country"], words.geo)
        if pivot == "SHARE":
            posts = self._directory.kernel.world.creatives
            return _each(report["ad_id"], lambda ad: urns.post(posts[self._post(ad)]))
        if pivot == "COMPANY":
            return _each(report["account_id"], lambda _account: urns.organization(account))
        kinds = {"ACCOUNT": urns.ACCOUNT, "CAMPAIGN_GROUP": urns.GROUP, "CAMPAIGN": urns.CAMPAIGN,
                 "CREATIVE": urns.CREATIVE}  # fmt: skip
        column = f"{catalogue.PIVOT_LEVELS[pivot]}_id"
        return _each(report[column], lambda number: urns.urn(kinds[pivot], number))

    def _post(self, ad_id: str) -> str:
        return self._directory.kernel.world.ads[ad_id].creative_id


def _each(column: Column, label: Any) -> Column:
    """Labels of a column, each distinct value named once."""
    known, inverse = np.unique(column.astype(str), return_inverse=True)
    return np.array([label(str(value)) for value in known], dtype=object)[inverse]


def _periods(query: Query, days: Column) -> tuple[Column, Column]:
    """First and last day of each row's period, within what was asked for."""
    first, last = np.datetime64(query.since, "D"), np.datetime64(query.until, "D")
    if query.granularity == "DAILY":
        return days, days
    if query.granularity == "ALL":
        return np.full(days.shape, first), np.full(days.shape, last)
    period = days.astype("datetime64[M]" if query.granularity == "MONTHLY" else "datetime64[Y]")
    ends = (period + 1).astype("datetime64[D]") - 1
    return np.maximum(period.astype("datetime64[D]"), first), np.minimum(ends, last)


def _grouped(table: _Table) -> _Table:
    """Rows of one period and the same labels added up; people are not."""
    if table.start.size == 0:
        return table
    code = table.start.astype(np.int64)
    for column in table.labels:
        known, inverse = np.unique(column.astype(str), return_inverse=True)
        code = code * known.size + inverse
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    if first.size == code.size:
        measures = {name: column[first] for name, column in table.measures.items()}
    else:
        measures = {name: np.bincount(group, weights=column) for name, column in table.measures.items()}
        best = np.zeros(first.size)
        np.maximum.at(best, group, table.measures["reach"])
        measures["reach"] = np.floor(best + _NEW_PEOPLE * (measures["reach"] - best))
    return _taken(table, first, measures)


def _without_few(table: _Table) -> _Table:
    rows = np.flatnonzero(table.measures["impressions"] >= _LEAST_EVENTS)
    return _taken(table, rows, {name: column[rows] for name, column in table.measures.items()})


def _taken(table: _Table, rows: Column, measures: Mapping[str, Column]) -> _Table:
    return _Table(table.account, table.start[rows], table.end[rows], [c[rows] for c in table.labels], measures)


def _elements(query: Query, table: _Table) -> list[dict[str, Any]]:
    columns = {name: _values(name, table) for name in query.metrics}
    if query.by_member:
        columns = {name: column for name, column in columns.items() if name not in catalogue.NOT_BY_MEMBER}
    elements = []
    for row in range(table.start.size):
        element: dict[str, Any] = {name: column[row] for name, column in columns.items() if column is not None}
        if "dateRange" in query.fields:
            element["dateRange"] = {"start": _parts(table.start[row]), "end": _parts(table.end[row])}
        if "pivotValues" in query.fields:
            element["pivotValues"] = [str(column[row]) for column in table.labels]
        elements.append(element)
    return elements


def _values(name: str, table: _Table) -> list[Any] | None:
    """A metric's values as JSON has them: whole counts, money as text; None where there is none to give."""
    measures, size = table.measures, table.start.size
    if name in catalogue.COUNTS:
        return [int(value) for value in measures[catalogue.COUNTS[name]]]
    if name in catalogue.MONEY:
        values = measures[catalogue.MONEY[name]]
        unit = table.account.minor_units
        if name != "costInUsd":
            return [money.text(value * unit, table.account) for value in values]
        rate = money.per_dollar(table.account.currency)
        return [f"{Decimal(money.text(value * unit, table.account)) / rate:.5f}" for value in values]
    if name in catalogue.SOCIAL or name == catalogue.ENGAGEMENTS:
        social = measures["post_engagement"] - measures["clicks"] - measures["video_views"]
        total = social if name in catalogue.SOCIAL else social + measures["clicks"]
        return [int(max(value, 0)) for value in total]
    return None if name in catalogue.ABSENT else [0] * size


def _parts(day: Any) -> dict[str, int]:
    found: date = day.astype("datetime64[D]").astype(datetime)
    return {"year": found.year, "month": found.month, "day": found.day}
