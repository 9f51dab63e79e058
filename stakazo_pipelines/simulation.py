"""The closed loop without Dagster and dbt: the same reading, measuring, allocating and publishing, day after day.

For trying a policy, or a platform's faults, on many simulated days quickly. The marts are the one stage it leaves out:
it takes the arms' days straight from the newest vintages.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from stakazo_pipelines import marts
from stakazo_pipelines.currency import Rates
from stakazo_pipelines.cycle.accounts import AccountKey, accounts_in
from stakazo_pipelines.cycle.budgets import held_entities, platform_ledgers
from stakazo_pipelines.cycle.changes import PublishReport, decide, publish_day, publish_waiting
from stakazo_pipelines.cycle.pacing import FLIGHT_DAYS, flights_since
from stakazo_pipelines.cycle.portfolio import PortfolioResult, allocate_portfolio
from stakazo_pipelines.cycle.returns import estimates_of, learned_maturity
from stakazo_pipelines.cycle.soundness import sound
from stakazo_pipelines.decisions.candidate import Decision
from stakazo_pipelines.decisions.record import current_stops
from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.ingest import (
    LAST_ZONE,
    REPORT_LEVELS,
    IngestReport,
    ingest_entities,
    ingest_insights,
    last_complete_day,
    or_unread,
)
from stakazo_pipelines.lake import RAW_INSIGHTS_SCHEMA, Lake, Snapshots
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.operations import ActionStatus, Operations
from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.quality import FINER_GRAINS, READINESS_DAYS, readiness
from stakazo_pipelines.vocabulary import Level

# Measurement needs no more: the account's totals teach conversion delay, the others hold the budgets.
_LEVELS = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP)
_FIRST_ZONE = "Etc/GMT-14"  # far east: where days end first
_READ = [name for name in RAW_INSIGHTS_SCHEMA if name != "native"]


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """What one cycle did: changes sent and verified."""

    day: date
    changes: int
    verified: int


@dataclass(frozen=True, slots=True)
class DailyRun:
    """What one day's cycle did. `entities` and `insights` tell by platform what was read, `unready` whose budgets stay.

    `published` holds every publishing report in the order they were made, the second pass last; `unpublished` the
    platforms that could not even be asked, and why.
    """

    day: date
    entities: Mapping[str, IngestReport]
    insights: Mapping[str, IngestReport]
    unready: Mapping[AccountKey, str]
    estimates: Estimates
    allocated: PortfolioResult
    population: Population
    decisions: tuple[Decision, ...]
    published: Sequence[tuple[str, PublishReport]] = ()
    unpublished: Mapping[str, str] = field(default_factory=dict)

    @property
    def statuses(self) -> list[ActionStatus]:
        """What became of each change of the day, in its last report."""
        plans = {plan.plan_id: plan for _, report in self.published for plan in report.plans}
        sent = (plan for plan in plans.values() if plan.status is not PlanStatus.APPROVED)
        return [action.status for plan in sent for action in plan.actions]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a cycle works with. `levels` are read each day, `sandbox` as in `Policy.autonomy_of`."""

    platforms: Mapping[str, AdPlatform]
    lake: Lake
    operations: Operations
    policy: Policy
    rates: Rates
    now: Callable[[], datetime]
    levels: Sequence[Level] = REPORT_LEVELS
    sandbox: bool = True
    on_estimates: Callable[[Estimates], None] = lambda _: None

    @property
    def newest_day(self) -> date:
        """The newest day that has ended in every zone."""
        return last_complete_day(self.now(), LAST_ZONE)


async def daily_run(
    platforms: Mapping[str, AdPlatform],
    lake: Lake,
    operations: Operations,
    policy: Policy,
    *,
    rates: Rates,
    now: Callable[[], datetime],
    day: date | None = None,
    population: Population | None = None,
    levels: Sequence[Level] = REPORT_LEVELS,
    sandbox: bool = True,
) -> DailyRun:
    """Read what is new or due again, estimate, allocate over all accounts, decide, publish, and publish what waited.

    `day` is the newest that has ended in every zone unless given; each account is read up to its own newest. A platform
    that cannot be read or written leaves the others alone. `population` is fitted to the lake (empirical Bayes) where
    none is given. Raises LakeError, MeasurementError, AllocationError.
    """
    desk = Desk(platforms, lake, operations, policy, rates, now, levels, sandbox)
    entities, insights = await read_due(desk)
    run = await _decide_and_publish(desk, day or desk.newest_day, population)
    return replace(run, entities=entities, insights=insights)


class Simulation:
    """The loop on one or more platforms; `advance` moves the world that they show a day on.

    `on_estimates` of the desk is shown each day's estimates before anything is changed.
    """

    def __init__(self, desk: Desk, *, advance: Callable[[], None]) -> None:
        self._desk = replace(desk, levels=_LEVELS)
        self._advance = advance
        self._population: tuple[date, Population] | None = None

    async def load(self, *, history_days: int) -> None:
        """Read the history of every account up to its own newest day. Raises PlatformError: nothing runs without it."""
        desk, now = self._desk, self._desk.now()
        newest = last_complete_day(now, _FIRST_ZONE)
        days = [newest - timedelta(days=back) for back in range(history_days)]
        for platform in desk.platforms.values():
            await ingest_entities(platform, desk.lake, now=now)
            await ingest_insights(platform, desk.lake, days=days, ages=None, now=now, levels=desk.levels)

    async def run(self, days: int, *, history_days: int, on_day: Callable[[SimulatedDay], None]) -> None:
        """Decide, publish and advance, `days` times."""
        await self.load(history_days=history_days)
        for number in range(days):
            if number:
                await read_due(self._desk)
            run = await _decide_and_publish(self._desk, self._desk.newest_day, self._newest_population())
            if self._newest_population() is None:
                self._population = (run.day, run.population)
            statuses = run.statuses
            on_day(SimulatedDay(run.day, len(statuses), statuses.count(ActionStatus.VERIFIED)))
            self._advance()

    def _newest_population(self) -> Population | None:
        """None when it is time to fit another."""
        if self._population is None:
            return None
        fitted, population = self._population
        refit = self._desk.policy.measurement.population_refit_days
        return population if (self._desk.newest_day - fitted).days < refit else None


Reports = Mapping[str, IngestReport]


async def read_due(desk: Desk) -> tuple[Reports, Reports]:
    """Entities and insights of the days that are new or due again, by platform, all platforms at the same time."""
    now, rules = desk.now(), desk.policy.ingest
    newest = last_complete_day(now, _FIRST_ZONE)
    asked = [newest - timedelta(days=back) for back in range(max(rules.reread_ages) + 1)]
    days, ages = [day for day in asked if day >= rules.first_day], rules.reread_ages

    async def one(platform: AdPlatform) -> tuple[IngestReport, IngestReport]:
        entities = await or_unread(ingest_entities(platform, desk.lake, now=now))
        reading = ingest_insights(platform, desk.lake, days=days, ages=ages, now=now, levels=desk.levels)
        return entities, await or_unread(reading)

    both = await asyncio.gather(*map(one, desk.platforms.values()))
    entities, insights = zip(*both, strict=True)
    return dict(zip(desk.platforms, entities, strict=True)), dict(zip(desk.platforms, insights, strict=True))


async def _decide_and_publish(desk: Desk, day: date, population: Population | None) -> DailyRun:
    run = decide_day(desk, day, population)
    published, unpublished = await publish_decisions(desk, day, run.decisions)
    return replace(run, published=published, unpublished=unpublished)


def decide_day(desk: Desk, day: date, population: Population | None) -> DailyRun:
    """Estimate, allocate and put the decisions on record, from what the lake holds; no platform is asked."""
    now, lake, operations, policy = desk.now(), desk.lake, desk.operations, desk.policy
    snapshots = lake.entities(as_of=now.date() + timedelta(days=1))  # filed by day of the account's zone
    known = accounts_in(snapshots)
    given = sound(*_arm_days(desk, day, snapshots), known.aside)
    estimates, population = estimates_of(policy, day, given, population, learned_maturity(lake, day))
    desk.on_estimates(estimates)
    accounts = known.found
    unready = {**_unready(desk, day, snapshots.frame), **given.aside}
    allocated = allocate_portfolio(
        estimates,
        given.arms,
        policy,
        day,
        accounts=accounts,
        ledgers=platform_ledgers(operations, accounts, now=now),
        unready=unready,
        rates=desk.rates,
        sandbox=desk.sandbox,
        held=held_entities(operations, accounts, now=now),
        stops=current_stops(operations),
        spent=_flight_spend(desk, day),
    )
    _, decisions = decide(operations, allocated.frame, policy, day=day, now=now)
    return DailyRun(day, {}, {}, unready, estimates, allocated, population, decisions)


async def publish_decisions(
    desk: Desk, day: date, decisions: tuple[Decision, ...]
) -> tuple[list[tuple[str, PublishReport]], dict[str, str]]:
    """Each platform in turn, then what waited for money that another one has freed; and what could not be asked."""
    published: list[tuple[str, PublishReport]] = []
    unpublished: dict[str, str] = {}
    named: dict[str, Any] = {"day": day, "now": desk.now, "sandbox": desk.sandbox}
    for name, platform in desk.platforms.items():
        try:
            report = await publish_day(platform, desk.operations, desk.policy, decisions, rates=desk.rates, **named)
        except PlatformError as error:
            unpublished[name] = str(error)
        else:
            published.append((name, report))
    second = await publish_waiting(list(desk.platforms.values()), desk.operations, desk.policy, **named)
    return [*published, *second.items()], unpublished


def _arm_days(desk: Desk, day: date, snapshots: Snapshots) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As `marts.arm_days`, from the newest vintages."""
    since = day - timedelta(days=desk.policy.measurement.window_days - 1)
    ad_groups, campaigns = (
        marts.aged(desk.lake.newest(f"insights_{level}", since=since, until=day, columns=_READ).whole())
        for level in (Level.AD_GROUP, Level.CAMPAIGN)
    )
    arm_days, arms = marts.arm_days_of(ad_groups, campaigns, snapshots)
    known = marts.edits_known(desk.lake, desk.now().date() + timedelta(days=1), desk.policy.measurement.window_days)
    return arm_days, marts.with_edits(arms, known)


def _flight_spend(desk: Desk, day: date) -> pl.DataFrame:
    """As `cycle.pacing.flight_spend`, from the newest vintages."""
    since = flights_since(desk.policy, day)
    if since is None:
        return pl.DataFrame(schema=FLIGHT_DAYS)
    return desk.lake.newest(f"insights_{Level.ACCOUNT}", since=since, until=day, columns=_READ).whole()


def _unready(desk: Desk, day: date, snapshots: pl.DataFrame) -> dict[AccountKey, str]:
    """Accounts whose data may not be acted upon, and why."""
    since = day - timedelta(days=READINESS_DAYS - 1)

    def read(level: Level) -> pl.DataFrame:
        rows = desk.lake.newest(f"insights_{level}", since=since, until=day, columns=_READ).whole()
        return rows.with_columns(reported_level=pl.lit(level.value))

    verdicts = readiness(
        read(Level.ACCOUNT),
        {name: read(level) for name, level in FINER_GRAINS.items() if level in desk.levels},
        day=day,
        tolerance=desk.policy.ingest.reconciliation_tolerance,
        max_age_days=desk.policy.measurement.stale_after_days,
        known=snapshots,
    )
    return {
        (platform, account_id): reason
        for platform, account_id, reason in verdicts.filter(~pl.col("ready"))
        .select("platform", "account_id", "reason")
        .iter_rows()
    }
