"""Reading a platform into the lake: which days, which levels, in how few requests, and what went wrong where.

One account that fails never keeps the others from being read; only when all fail is it an error.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from stakazo_pipelines.errors import PlatformError, RejectedError
from stakazo_pipelines.lake import Lake, entities_frame, insight_rows_frame, quarantine_frame
from stakazo_pipelines.platforms.port import (
    Account,
    AdPlatform,
    EntitiesResult,
    Entity,
    InsightRow,
    InsightsQuery,
    Quarantined,
)
from stakazo_pipelines.vocabulary import Level

REPORT_LEVELS = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD)
ENTITY_LEVELS = (Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE)


@dataclass
class IngestReport:
    """What was read. `failed` maps an account id to the reason; `pending_days` had not ended in their account yet."""

    accounts: list[Account] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    files: int = 0
    quarantined: list[tuple[str, Quarantined]] = field(default_factory=list)
    failed: dict[str, PlatformError] = field(default_factory=dict)
    pending_days: set[date] = field(default_factory=set)


def last_complete_day(now: datetime, timezone: str) -> date:
    """The newest report day that has ended in `timezone` at the instant `now`."""
    return now.astimezone(ZoneInfo(timezone)).date() - timedelta(days=1)


def days_to_read(days: Iterable[date], *, newest: date, ages: Sequence[int], present: set[date]) -> list[date]:
    """Of a range of days, those whose age is due for another reading, and those never read.

    The age of the newest complete day is 1.
    """
    due = set(ages)
    return sorted(day for day in days if day <= newest and ((newest - day).days + 1 in due or day not in present))


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
    """Snapshot every account's entities, filed under the account-local day of `now`. Raises if no account works."""
    report = IngestReport(accounts=list(await platform.accounts()))

    async def one(account: Account) -> None:
        results: list[EntitiesResult] = [await platform.entities(account, level) for level in ENTITY_LEVELS]
        entities = [_as_entity(account), *(entity for result in results for entity in result.entities)]
        rejected = [bad for result in results for bad in result.quarantined]
        day = now.astimezone(ZoneInfo(account.timezone)).date()
        frame = entities_frame(entities, account=account, platform=platform.name, fetched_at=now)
        lake.append_raw(platform.name, "entities", day=day, account_id=account.id, fetched_at=now, frame=frame)
        report.files += 1
        report.rows.update(entity.level.value for entity in entities)
        _keep_rejected(lake, platform.name, account, day, now, rejected, report)

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
    """Read `days` at each of `levels` and append them as vintages fetched at `now`.

    `ages` limits re-reading to days of those ages (None reads every day asked for). A day is written only when it
    has ended in the account's zone, whole: a file with no rows says that nothing was delivered.
    """
    report = IngestReport(accounts=list(await platform.accounts()))

    async def one(account: Account) -> None:
        newest = last_complete_day(now, account.timezone)
        report.pending_days.update(day for day in days if day > newest)
        present = (
            set() if ages is None else lake.raw_days(platform.name, f"insights_{levels[-1]}", account_id=account.id)
        )
        wanted = (
            sorted(day for day in days if day <= newest)
            if ages is None
            else days_to_read(days, newest=newest, ages=ages, present=present)
        )
        for level in levels:
            if level not in platform.capabilities.insight_levels:
                continue
            for since, until in contiguous_ranges(wanted):
                result = await platform.insights(InsightsQuery(account, level, since, until))
                _write_days(lake, platform.name, account, level, since, until, now, result.rows, report)
                _keep_rejected(lake, platform.name, account, until, now, result.quarantined, report)
                on_progress(f"{platform.name} {account.id} {level}: {since} to {until}, {len(result.rows)} rows")

    await _each_account(report, one)
    return report


def _as_entity(account: Account) -> Entity:
    """The account's own row in its snapshot: allocation reads its smallest money unit and budget from there."""
    least = account.min_daily_budget
    return Entity(
        level=Level.ACCOUNT,
        id=account.id,
        account_id=account.id,
        parent_id="",
        name=account.name,
        status=account.status,
        native_type="account",
        native={"minor_units": account.minor_units, "min_daily_budget": None if least is None else str(least.amount)},
    )


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


def _write_days(
    lake: Lake,
    platform: str,
    account: Account,
    level: Level,
    since: date,
    until: date,
    now: datetime,
    rows: Sequence[InsightRow],
    report: IngestReport,
) -> None:
    by_day: dict[date, list[InsightRow]] = {
        since + timedelta(days=offset): [] for offset in range((until - since).days + 1)
    }
    for row in rows:
        by_day[row.day].append(row)
    for day, of_day in by_day.items():
        frame = insight_rows_frame(of_day, account=account, level=level, platform=platform, fetched_at=now)
        lake.append_raw(platform, f"insights_{level}", day=day, account_id=account.id, fetched_at=now, frame=frame)
        report.files += 1
    report.rows[level.value] += len(rows)


def _keep_rejected(
    lake: Lake,
    platform: str,
    account: Account,
    day: date,
    now: datetime,
    rejected: Sequence[Quarantined],
    report: IngestReport,
) -> None:
    if not rejected:
        return
    frame = quarantine_frame(rejected, account=account, platform=platform, fetched_at=now)
    lake.append_raw(platform, "quarantine", day=day, account_id=account.id, fetched_at=now, frame=frame)
    report.quarantined.extend((account.id, bad) for bad in rejected)
