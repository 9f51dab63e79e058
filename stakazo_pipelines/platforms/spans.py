"""Cutting a range of days into spans that one report can hold, and remembering which width was too much."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta

from stakazo_pipelines.platforms.port import InsightsQuery

Span = tuple[date, date]


def partition(since: date, until: date, width: int) -> Sequence[Span]:
    """`since`..`until` (inclusive) cut into spans of at most `width` days, in order, without gap or overlap."""
    spans = []
    while since <= until:
        end = min(since + timedelta(width - 1), until)
        spans.append((since, end))
        since = end + timedelta(1)
    return spans


def halves(since: date, until: date) -> Sequence[Span]:
    """A span of at least two days in two; the first is the longer one where they cannot be equal."""
    return partition(since, until, _half(since, until))


class Widths:
    """The widest span that held, per account and kind of query, so that the next range need not find it again."""

    def __init__(self) -> None:
        self._widths: dict[tuple[object, ...], int] = {}

    def spans(self, query: InsightsQuery, *, longest: int | None = None) -> Sequence[Span]:
        """The query's days in spans of the width that held before; else of `longest`, else in one."""
        first = longest or (query.until - query.since).days + 1
        return partition(query.since, query.until, self._widths.get(_kind(query), first))

    async def in_halves(
        self, query: InsightsQuery, since: date, until: date, read: Callable[[date, date], Awaitable[list[object]]]
    ) -> list[object]:
        """The rows of both halves of a span that was too much; their width is remembered once both were read."""
        rows: list[object] = []
        for part_since, part_until in halves(since, until):
            rows += await read(part_since, part_until)
        half = _half(since, until)
        self._widths[_kind(query)] = min(half, self._widths.get(_kind(query), half))
        return rows


def _half(since: date, until: date) -> int:
    return ((until - since).days + 2) // 2


def _kind(query: InsightsQuery) -> tuple[object, ...]:
    return query.account.id, query.level, query.breakdowns
