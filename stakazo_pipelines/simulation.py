"""The closed loop without Dagster and dbt: the same reading, measuring, allocating and publishing, day after day.

For trying a policy on many simulated days quickly. The marts are the one stage it leaves out: it takes the arms' days
straight from the newest vintages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from stakazo_pipelines import marts
from stakazo_pipelines.cycle.budgets import allocate_accounts, known_accounts, platform_ledgers
from stakazo_pipelines.cycle.changes import decide, publish_day
from stakazo_pipelines.cycle.returns import learned_maturity
from stakazo_pipelines.ingest import ingest_entities, ingest_insights, last_complete_day
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.operations import ActionStatus, Operations
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import Level

# Measurement needs no more: the account's totals teach conversion delay, the others hold the budgets.
_LEVELS = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP)


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """What one cycle did: changes sent and verified."""

    day: date
    changes: int
    verified: int


class Simulation:
    """The loop on one platform; `now` tells the world's time, `advance` moves it a day on.

    `on_estimates` is shown each day's estimates before anything is changed.
    """

    def __init__(
        self,
        platform: AdPlatform,
        lake: Lake,
        operations: Operations,
        policy: Policy,
        *,
        now: Callable[[], datetime],
        advance: Callable[[], None],
        on_estimates: Callable[[Estimates], None] = lambda _: None,
    ) -> None:
        self._platform = platform
        self._lake = lake
        self._operations = operations
        self._policy = policy
        self._now = now
        self._advance = advance
        self._on_estimates = on_estimates
        self._population: tuple[date, Population] | None = None

    async def load(self, *, history_days: int) -> date:
        """Read the history; the newest complete day of all accounts."""
        now = self._now()
        accounts = await self._platform.accounts()
        newest = min(last_complete_day(now, account.timezone) for account in accounts)
        await ingest_entities(self._platform, self._lake, now=now)
        await self._read([newest - timedelta(days=back) for back in range(history_days)], ages=None)
        return newest

    async def run(self, days: int, *, history_days: int, on_day: Callable[[SimulatedDay], None]) -> None:
        """Decide, publish and advance, `days` times."""
        newest = await self.load(history_days=history_days)
        oldest_age = max(self._policy.ingest.reread_ages)
        for _ in range(days):
            on_day(await self._cycle(newest))
            self._advance()
            newest += timedelta(days=1)
            await ingest_entities(self._platform, self._lake, now=self._now())
            recent = [newest - timedelta(days=back) for back in range(oldest_age)]
            await self._read(recent, ages=self._policy.ingest.reread_ages)

    async def _read(self, days: Sequence[date], *, ages: Sequence[int] | None) -> None:
        await ingest_insights(self._platform, self._lake, days=days, ages=ages, now=self._now(), levels=_LEVELS)

    async def _cycle(self, day: date) -> SimulatedDay:
        now, as_of, window = self._now(), day + timedelta(days=1), self._policy.measurement.window_days
        since = as_of - timedelta(days=window)
        arm_days, arms = marts.arm_days_of(
            marts.aged(self._lake.newest("insights_ad_group", since=since, until=day).whole()),
            marts.aged(self._lake.newest("insights_campaign", since=since, until=day).whole()),
            self._lake.entities(as_of=now.date() + timedelta(days=1)).whole(),
        )
        maturity = learned_maturity(self._lake, day)
        refit = self._policy.measurement.population_refit_days
        if self._population is None or (day - self._population[0]).days >= refit:
            fitted = fit_population(arm_days, maturity, as_of=as_of, window_days=window, seed=day.toordinal())
            self._population = (day, fitted)
        estimates = estimate(
            arm_days=arm_days,
            arms=arms,
            as_of=as_of,
            maturity=maturity,
            population=self._population[1],
            settings=self._policy.measurement,
        )
        self._on_estimates(estimates)
        accounts = known_accounts(self._lake, now.date() + timedelta(days=1))
        allocated = allocate_accounts(
            estimates,
            arms,
            self._policy,
            day,
            accounts=accounts,
            ledgers=platform_ledgers(self._operations, accounts, now=now),
            unready={},
        )
        _, decisions = decide(self._operations, allocated.frame, self._policy, day=day, now=now)
        report = await publish_day(
            self._platform, self._operations, self._policy, decisions, day=day, now=self._now, sandbox=True
        )
        actions = [action for plan in report.plans for action in plan.actions]
        verified = sum(action.status is ActionStatus.VERIFIED for action in actions)
        return SimulatedDay(day, len(actions), verified)
