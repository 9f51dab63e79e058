"""Which report days are read, and in which ranges: what is due by age, lacking or doubtful, in pieces of so many rows.

Memory stays flat however long the range: the next piece is as long as the rows seen so far allow.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta

from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lake.vintages import read_raw
from stakazo_pipelines.vocabulary import Level

ROWS_AT_ONCE = 6_000  # of one piece; a row and its payload take about 8 kB until they are written


def days_to_read(
    days: Iterable[date],
    *,
    newest: date,
    ages: Sequence[int],
    present: AbstractSet[date],
    doubtful: AbstractSet[date] = frozenset(),
) -> list[date]:
    """Of a range of days, those whose age is due for another reading, those never read, and the `doubtful`.

    The age of the newest complete day is 1. Past the oldest due age a doubtful day is left: its rows will stay bad.
    """
    due = set(ages)

    def wanted(day: date) -> bool:
        age = (newest - day).days + 1
        return age in due or day not in present or (day in doubtful and age < max(due, default=0))

    return sorted(day for day in days if day <= newest and wanted(day))


def contiguous_ranges(days: Sequence[date]) -> list[tuple[date, date]]:
    """Sorted days as (since, until) ranges, both inclusive: one request a range, not one a day."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


class Pieces:
    """Days cut into ranges of about ROWS_AT_ONCE rows, one after the other as it is seen how many rows a day has."""

    def __init__(self, days: Sequence[date], rows_a_day: int) -> None:
        self._left = contiguous_ranges(days)[::-1]
        self._rows_a_day = rows_a_day

    def following(self) -> tuple[date, date] | None:
        """The next range, both ends inclusive; None when there is none left."""
        if not self._left:
            return None
        since, until = self._left.pop()
        width = max(ROWS_AT_ONCE // max(self._rows_a_day, 1), 1)
        end = min(since + timedelta(days=width - 1), until)
        if end < until:
            self._left.append((end + timedelta(days=1), until))
        return since, end

    def saw(self, rows: int, *, days: int) -> None:
        """What a range had; a level only ever turns out larger, so that one quiet week does not widen the next."""
        self._rows_a_day = max(self._rows_a_day, -(-rows // days))


def held_days(
    lake: Lake, platform: str, levels: Sequence[Level], days: Sequence[date]
) -> dict[str, tuple[AbstractSet[date], AbstractSet[date]]]:
    """By account, the days that every level has, and those whose newest reading had rows rejected.

    A run killed between two levels left days that are to be read. A rejected row may be of any day that was asked for
    with it; a reading without rejected rows since then has settled them.
    """
    if not days or not levels:
        return {}
    found = [lake.fetches(platform, f"insights_{level}", since=min(days), until=max(days)) for level in levels]
    spoilt = _spoilt_readings(lake, platform, since=min(days))
    return {
        account: (
            set[date].intersection(*(set(by.get(account, ())) for by in found)),
            {
                day
                for by in found
                for day, fetched_at in by.get(account, {}).items()
                if any(since <= day <= until for since, until in spoilt.get((account, fetched_at), ()))
            },
        )
        for account in set[str]().union(*found)
    }


def _spoilt_readings(lake: Lake, platform: str, *, since: date) -> dict[tuple[str, datetime], list[tuple[date, date]]]:
    """The ranges of days up to `since` or later that had rows rejected, by account and fetch."""
    columns = ["account_id", "fetched_at", "since", "until"]
    files = lake.raw_files("quarantine", platform=platform, since=since)  # each filed under the last day of its range
    rows = read_raw(files, "quarantine", columns=columns).frame.drop_nulls().unique()
    ranges: dict[tuple[str, datetime], list[tuple[date, date]]] = {}
    for account_id, fetched_at, first, last in rows.iter_rows():
        ranges.setdefault((account_id, fetched_at), []).append((first, last))
    return ranges
