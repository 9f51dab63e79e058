"""Reading a platform into the lake: which levels, in how few requests, and what went wrong where.

One account that fails never keeps the others from being read; a platform of which nothing can be read is an error,
which `or_unread` turns into a report where the other platforms shall go on. Memory stays flat however long the range:
a level is read in pieces of so many rows, and a piece is on disk before the next one is asked for.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from stakazo_pipelines.due_days import Pieces, days_to_read, held_days
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
    held = {} if ages is None else held_days(lake, platform.name, reported, days)
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
            pieces = Pieces(wanted, 1 if level is Level.ACCOUNT else sizes.get((account.id, level.value), _UNLISTED))
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
