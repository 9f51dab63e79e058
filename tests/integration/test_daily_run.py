"""The daily cycle over a tiny world of several platforms, in one process: what tests with random faults repeat."""

import asyncio
import copy
import shutil
import time
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from sqlalchemy.engine import make_url

from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.operations import ActionStatus, open_operations
from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.platforms.registry import PLATFORMS
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.world import World, WorldConfig
from stakazo_pipelines.simulation import Desk, Simulation, daily_run

TOKEN = "EAAdailyTOKEN0123456789"
NAMES = ("meta", "tiktok", "linkedin")
START = datetime(2026, 6, 30, 12, tzinfo=UTC)
CONFIG = WorldConfig(
    seed=5, start=START, history_days=24, accounts=3, campaigns=9, ad_groups=18, ads=36,
    today_limit=START + timedelta(days=10), platforms=NAMES,
)  # fmt: skip


class Tiny:
    """The world behind all adapters; waits take no time. `like` is another one to be a copy of."""

    def __init__(self, folder, like=None):
        if like is not None:
            shutil.copytree(like.lake.root, folder / "lake")
        self.world = World(CONFIG) if like is None else copy.deepcopy(like.world)
        self.app = create_app(self.world, token=TOKEN)
        self.kernel = self.app.state.kernel
        self.lake = Lake(folder / "lake")
        self.operations = open_operations(make_url(f"sqlite:///{folder / 'operations.db'}"))
        self.policy, self.rates = Policy(platforms=NAMES), load_rates()
        self.waited = 0.0

    async def sleep(self, seconds):
        self.waited += seconds
        await asyncio.sleep(0)

    def run(self, use):
        async def main():
            async with AsyncExitStack() as open_ones:
                platforms = {}
                for name in NAMES:
                    platforms[name] = PLATFORMS[name](
                        base_url="http://sandbox.test",
                        token=TOKEN,
                        transport=httpx.ASGITransport(self.app),
                        sleep=self.sleep,
                        monotonic=lambda: self.waited,
                    )
                    open_ones.push_async_callback(platforms[name].aclose)
                return await use(platforms)

        return asyncio.run(main())

    def load(self):
        self.run(lambda platforms: Simulation(self.desk(platforms), advance=self.advance).load(history_days=24))

    def desk(self, platforms):
        return Desk(platforms, self.lake, self.operations, self.policy, self.rates, lambda: self.world.now)

    def advance(self):
        self.kernel.advance(self.world.now + timedelta(days=1))

    def day(self, **options):
        return self.run(
            lambda platforms: daily_run(
                platforms,
                self.lake,
                self.operations,
                self.policy,
                rates=self.rates,
                now=lambda: self.world.now,
                **options,
            )
        )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A world whose history was read; nobody goes on with it."""
    made = Tiny(tmp_path_factory.mktemp("loaded"))
    made.load()
    yield made
    made.operations.close()


@pytest.fixture
def tiny(tmp_path, loaded):
    made = Tiny(tmp_path, loaded)
    yield made
    made.operations.close()


@pytest.fixture(scope="module")
def first_day(tmp_path_factory, loaded):
    """The first day of a world of its own, for tests that only look at it; its population serves all of them."""
    made = Tiny(tmp_path_factory.mktemp("first"), loaded)
    yield made.day()
    made.operations.close()


def test_a_day_over_all_platforms_is_read_decided_published_and_verified(first_day):
    assert first_day.day == date(2026, 6, 29)
    assert {name: report.unread for name, report in first_day.insights.items()} == dict.fromkeys(NAMES, "")
    assert not first_day.unready
    assert set(first_day.statuses) == {ActionStatus.VERIFIED}
    plans = {plan.status for _, report in first_day.published for plan in report.plans}
    assert plans <= {PlanStatus.VERIFIED, PlanStatus.APPROVED}


def test_money_that_moves_between_platforms_never_adds_up_to_more_than_before(first_day):
    portfolio = first_day.allocated.portfolio
    assert portfolio.traded_after <= portfolio.traded_before + 0.01 * len(NAMES)
    assert {account.platform for account in portfolio.accounts} == set(NAMES)


def test_a_day_with_a_known_population_takes_well_under_a_second(tiny, first_day):
    tiny.day(population=first_day.population)
    began = time.process_time()
    again = tiny.day(population=first_day.population)
    assert time.process_time() - began < 2  # usually a quarter of that, on a machine that is busy
    ages = [age for age in tiny.policy.ingest.reread_ages if age <= CONFIG.history_days]
    assert again.insights["meta"].rows["account"] == len(ages)


def test_a_platform_whose_token_expired_is_left_alone_and_the_others_go_on(tiny, first_day):
    tiny.advance()
    tiny.kernel.faults.add({"kind": "expired_token", "path": ".*", "platform": "linkedin"})
    run = tiny.day(population=first_day.population)
    assert {name for name, report in run.insights.items() if report.unread} == {"linkedin"}
    assert set(run.unpublished) == {"linkedin"}
    assert ActionStatus.VERIFIED in run.statuses
    assert {key[0] for key in run.unready} == {"linkedin"}
    assert "last read on 2026-06-30 12:00 UTC" in next(iter(run.unready.values()))
    assert max(tiny.lake.raw_days("meta", "insights_ad")) >= run.day


def test_reports_that_stay_stale_leave_the_budgets_of_their_accounts_alone(tiny, first_day):
    tiny.kernel.faults.add({"kind": "server_error", "path": "analytics|Analytics", "platform": "linkedin"})
    for _ in range(tiny.policy.measurement.stale_after_days + 1):
        tiny.advance()
        run = tiny.day(population=first_day.population)
    assert {key[0] for key in run.unready} == {"linkedin"}
    assert "last report is of 2026-06-29" in next(iter(run.unready.values()))
    kept = run.allocated.frame.filter(run.allocated.frame["platform"] == "linkedin")
    assert (kept["proposed_budget"] == kept["current_budget"]).all()
    assert not run.unpublished


def test_budgets_that_we_move_are_no_edits_and_what_somebody_else_does_is(tiny, first_day):
    tiny.day(population=first_day.population)
    tiny.advance()
    moved = tiny.day(population=first_day.population)
    assert ActionStatus.VERIFIED in moved.statuses
    tiny.advance()
    groups = {group.account_id: group for group in tiny.world.ad_groups.values() if group.status == "ACTIVE"}
    for group in groups.values():
        tiny.kernel.update("ad_group", group.id, targeting={"geo_locations": {"countries": ["FR"]}}, bid_amount=250)
    run = tiny.day(population=first_day.population)
    told = tiny.lake.vintages("edits").whole()
    assert set(told["ad_group_id"]) == {group.id for group in groups.values()}
    assert set(told["fetched_at"]) == {tiny.world.now}
    assert run.estimates.frame.height == moved.estimates.frame.height
