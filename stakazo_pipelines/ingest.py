"""Reading a platform into the lake: which days, which levels, in how few requests, and what went wrong where.

One account that fails never keeps the others from being read; a platform of which nothing can be read is an error,
which `or_unread` turns into a report where the other platforms shall go on. Memory stays flat however long the range:
a level is read in pieces of so many rows, and a piece is on disk before the next one is asked for.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from stakazo_pipelines.errors import ConfigError, PermissionDeniedError, PlatformError, RejectedError
from stakazo_pipelines.lake import (
    SNAPSHOT_COLUMNS,
    Lake,
    edits_frame,
    entities_frame,
    insight_days,
    newest_snapshots,
    quarantine_frame,
)
from stakazo_pipelines.lake.account_rows import account_entity
from stakazo_pipelines.lake.frames import instant
from stakazo_pipelines.lake.vintages import read_raw
from stakazo_pipelines.platforms.port import (
    Account,
    AdPlatform,
    EntitiesResult,
    InsightsQuery,
    Quarantined,
)
from stakazo_pipelines.vocabulary import Level

REPORT_LEVELS = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD)
ENTITY_LEVELS = (Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE)
ROWS_AT_ONCE = 6_000  # of one piece; a row and its payload take about 8 kB until they are written
READINGS_AT_ONCE = 6  # of all accounts and levels; the adapter bounds the requests of each account itself
LAST_ZONE = "Etc/GMT+12"  # far west: when a day has ended there it has ended in every account's zone
_UNLISTED = 200  # rows a day of a level, until a snapshot or a first answer says better
_T = TypeVar("_T")


@dataclass
class IngestReport:
    """What was read. `failed` maps an account id to the reason; `pending_days` had not ended in their account yet.

    `unread` says why nothing at all could be read; the lake then holds what it held before.
    """

    accounts: list[Account] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    files: int = 0
    quarantined: list[tuple[str, Quarantined]] = field(default_factory=list)
    failed: dict[str, PlatformError] = field(default_factory=dict)
    pending_days: set[date] = field(default_factory=set)
    unread: str = ""


async def or_unread(reading: Awaitable[IngestReport]) -> IngestReport:
    """The reading's report; one that says why where the platform (its token, its host) let nothing be read."""
    try:
        return await reading
    except (PlatformError, ConfigError) as error:
        return IngestReport(unread=str(error))


def last_complete_day(now: datetime, timezone: str) -> date:
    """The newest report day that has ended in `timezone` at the instant `now`."""
    return now.astimezone(ZoneInfo(timezone)).date() - timedelta(days=1)


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


async def ingest_entities(platform: AdPlatform, lake: Lake, *, now: datetime) -> IngestReport:
    """Snapshot every account's entities, filed under the account-local day of `now`, with the edits since the last one.

    Raises if no account works.
    """
    report = IngestReport(accounts=await _accounts(platform))
    gate = asyncio.Semaphore(READINGS_AT_ONCE)
    earlier = [file for file in lake.raw_files("entities", platform=platform.name) if file.fetched_at < instant(now)]
    before = newest_snapshots(earlier, columns=SNAPSHOT_COLUMNS).frame.partition_by("account_id", as_dict=True)

    async def level_of(account: Account, level: Level) -> EntitiesResult:
        async with gate:
            return await platform.entities(account, level)

    async def one(account: Account) -> None:
        listed = [level for level in ENTITY_LEVELS if level in platform.capabilities.levels]
        results = await _all(level_of(account, level) for level in listed)
        entities = [account_entity(account), *(entity for result in results for entity in result.entities)]
        rejected = [bad for result in results for bad in result.quarantined]
        day = now.astimezone(ZoneInfo(account.timezone)).date()
        frame = entities_frame(entities, account=account, platform=platform.name, fetched_at=now)
        _keep_rejected(lake, platform.name, account, day, now, rejected, report)
        keep = partial(lake.append_raw, platform.name, day=day, account_id=account.id, fetched_at=now)
        if (account.id,) in before:
            edits = edits_frame(before[account.id,], frame, fetched_at=now, whole=not rejected)
            if not edits.is_empty():
                keep("edits", frame=edits)
        keep("entities", frame=frame)
        report.files += 1
        report.rows.update(entity.level.value for entity in entities)

    await _each_account(report, one)
    return report


async def ingest_insights(
    platform: AdPlatform,
    lake: Lake,
    *,
    days: Sequence[date],
    ages: Sequence[int] | None,
    now: datetime,
    levels: Sequence[Level] = REPORT_LEVELS,
    on_progress: Callable[[str], None] = lambda _: None,
) -> IngestReport:
    """Read `days` at each of `levels` that the platform reports and append them as vintages fetched at `now`.

    `ages` limits re-reading to days of those ages, to days that some level lacks, and to days up to the oldest of them
    whose newest reading had rejected rows (None reads every day asked for). A day is written only when it has ended in
    the account's zone, whole: a file with no rows says that nothing was delivered. Raises if no account works.
    """
    report = IngestReport(accounts=await _accounts(platform))
    reported = [level for level in levels if level in platform.capabilities.insight_levels]
    held = {} if ages is None else _held_days(lake, platform.name, reported, days)
    sizes = lake.entity_counts(platform.name)
    gate = asyncio.Semaphore(READINGS_AT_ONCE)

    async def one(account: Account) -> None:
        newest = last_complete_day(now, account.timezone)
        report.pending_days.update(day for day in days if day > newest)
        present, doubtful = held.get(account.id, (frozenset(), frozenset()))
        wanted = (
            sorted(day for day in days if day <= newest)
            if ages is None
            else days_to_read(days, newest=newest, ages=ages, present=present, doubtful=doubtful)
        )

        async def read(level: Level) -> None:
            pieces = _Pieces(wanted, 1 if level is Level.ACCOUNT else sizes.get((account.id, level.value), _UNLISTED))
            while (piece := pieces.following()) is not None:
                since, until = piece
                async with gate:
                    result = await platform.insights(InsightsQuery(account, level, since, until))
                    by_day = insight_days(
                        result.rows, account=account, level=level, platform=platform.name, fetched_at=now,
                        since=since, until=until,
                    )  # fmt: skip
                    # Before the days they are missing from: a process killed in between has not lost them.
                    _keep_rejected(lake, platform.name, account, until, now, result.quarantined, report, asked=piece)
                    rows = len(result.rows)
                    del result
                    # Beside the event loop: the next answers come in while this one goes to disk.
                    await asyncio.to_thread(
                        lake.append_days, platform.name, f"insights_{level}", account_id=account.id, fetched_at=now,
                        frames=by_day,
                    )  # fmt: skip
                pieces.saw(rows, days=len(by_day))
                report.files += len(by_day)
                report.rows[level.value] += rows
                on_progress(f"{platform.name} {account.id} {level}: {since} to {until}, {rows} rows")

        await _all(read(level) for level in reported)

    await _each_account(report, one)
    return report


class _Pieces:
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


async def _accounts(platform: AdPlatform) -> list[Account]:
    accounts = list(await platform.accounts())
    if not accounts:
        raise PermissionDeniedError("the token sees no ad account; have one shared with its user", platform.name)
    return accounts


async def _all(readings: Iterable[Awaitable[_T]]) -> list[_T]:
    """Every result; the first error once all have ended, so that none goes on reading behind its account's back."""
    outcomes = await asyncio.gather(*readings, return_exceptions=True)
    results: list[_T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


def _held_days(
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


async def _each_account(report: IngestReport, one: Callable[[Account], Awaitable[None]]) -> None:
    async def guarded(account: Account) -> None:
        try:
            if account.problem:
                raise RejectedError(account.problem)
            await one(account)
        except PlatformError as error:
            report.failed[account.id] = error

    await asyncio.gather(*(guarded(account) for account in report.accounts))
    if report.accounts and len(report.failed) == len(report.accounts):
        raise next(iter(report.failed.values()))


def _keep_rejected(
    lake: Lake,
    platform: str,
    account: Account,
    day: date,
    now: datetime,
    rejected: Sequence[Quarantined],
    report: IngestReport,
    *,
    asked: tuple[date, date] | None = None,
) -> None:
    if not rejected:
        return
    frame = quarantine_frame(rejected, account=account, platform=platform, fetched_at=now, asked=asked)
    lake.append_raw(platform, "quarantine", day=day, account_id=account.id, fetched_at=now, frame=frame)
    report.quarantined.extend((account.id, bad) for bad in rejected)
