"""An account grows only on money that others have verifiably freed, whichever platform publishes first."""

import asyncio
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from stakazo_pipelines.cli import _app
from stakazo_pipelines.currency import parse_rates
from stakazo_pipelines.cycle.changes import decide, publish_day, publish_waiting
from stakazo_pipelines.errors import RejectedError, TransientError
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import ActionStatus, PlanStatus, controls, open_operations
from stakazo_pipelines.platforms.port import (
    Account,
    Budget,
    BudgetPeriod,
    Capabilities,
    EntitiesResult,
    Entity,
    EntityChange,
    WriteOutcome,
)
from stakazo_pipelines.policy import AccountPolicy, AutonomyPolicy, Policy, PortfolioPolicy
from stakazo_pipelines.publishing import funding
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus, Level

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
DAY = date(2026, 6, 29)
RATES = parse_rates(
    "date_from,currency,units_per_usd\n2026-01-01,USD,1\n2026-01-01,EUR,0.5\n2026-01-01,JPY,100\n", source="rates.csv"
)
UNITS = {"USD": 100, "EUR": 100, "JPY": 1}
BEFORE = {"USD": Decimal(200), "EUR": Decimal(100), "JPY": Decimal(20_000)}  # 200 dollars, each


class FakePlatform:
    """Two ad groups worth 200 dollars in every account; `refuse` names those whose writes are turned down."""

    capabilities = Capabilities(
        frozenset(Level), frozenset(), frozenset(), False, False, 50, frozenset({Level.AD_GROUP})
    )

    def __init__(self, name: str, **currencies: str) -> None:
        self.name = name
        self._accounts = [
            Account(own, "Shop", currency, "UTC", UNITS[currency], EntityStatus.ACTIVE)
            for own, currency in currencies.items()
        ]
        self.held = {f"{own}-g{n}": Money(BEFORE[money], money) for own, money in currencies.items() for n in (1, 2)}
        self.refuse: set[str] = set()
        self.down = False

    async def accounts(self) -> Sequence[Account]:
        if self.down:
            raise TransientError("no answer", self.name)
        return self._accounts

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        groups = [self._entity(account, name) for name in self.held if name.startswith(account.id)]
        return EntitiesResult(groups if level is Level.AD_GROUP else ())

    async def read(self, account: Account, _level: Level, entity_id: str) -> Entity:
        return self._entity(account, entity_id)

    async def update(self, _account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        done = []
        for change in changes:
            refused = change.id in self.refuse
            if not refused:
                self.held[change.id] = change.budget.money
            done.append(WriteOutcome(change, RejectedError("no", self.name) if refused else None))
        return done

    def dollars(self) -> Decimal:
        return sum((RATES.convert(money, "USD", DAY).amount for money in self.held.values()), Decimal(0))

    def _entity(self, account: Account, name: str) -> Entity:
        budget = Budget(self.held[name], BudgetPeriod.DAILY)
        return Entity(Level.AD_GROUP, name, account.id, "c1", name, EntityStatus.ACTIVE, "adset", budget=budget)


def proposals(platform, **changes):
    """By entity, the change of its budget in dollars (it stands at 200 dollars)."""
    currencies = {account.id: account.currency for account in platform._accounts}
    rows = []
    for entity, dollars in changes.items():
        own, group = entity.split("_")
        before = BEFORE[currencies[own]]
        after = before + Decimal(dollars) * RATES.rate(currencies[own], DAY)
        rows.append(
            {
                "platform": platform.name,
                "account_id": own,
                "level": "ad_group",
                "arm_id": f"{own}-{group}",
                "campaign_id": "c1",
                "currency": currencies[own],
                "current_budget": float(before),
                "proposed_budget": float(after),
                **dict.fromkeys(("expected_gain", "expected_gain_low", "expected_gain_high"), 1.0),
                **dict.fromkeys(("roas", "roas_low", "roas_high"), 2.0),
                **dict.fromkeys(("marginal_roas", "marginal_roas_low", "marginal_roas_high"), 1.0),
                "state": "ok",
                "binding": "none",
                "shadow_price": 1.0,
            }
        )
    return pl.DataFrame(rows)


class Cycle:
    """One day's decisions over platforms, and the two ways to publish them."""

    def __init__(self, operations, policy, *frames):
        self.operations, self.policy = operations, policy
        _, self.decisions = decide(operations, pl.concat(frames), policy, day=DAY, now=NOW)
        self._options = {"day": DAY, "now": lambda: NOW, "sandbox": True}

    def publish(self, platform):
        publishing = publish_day(platform, self.operations, self.policy, self.decisions, rates=RATES, **self._options)
        return asyncio.run(publishing)

    def rest(self, *platforms):
        return asyncio.run(publish_waiting(platforms, self.operations, self.policy, **self._options))


@pytest.fixture
def operations(tmp_path):
    opened = open_operations(make_url(f"sqlite:///{tmp_path / 'operations.db'}"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """An empty database, made once."""
    path = tmp_path_factory.mktemp("template") / "operations.db"
    open_operations(make_url(f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def shops():
    return FakePlatform("meta", a="EUR", b="USD"), FakePlatform("tiktok", c="JPY")


def test_within_a_platform_the_account_that_frees_money_goes_first(operations):
    shop = FakePlatform("meta", a="USD", b="EUR")
    cycle = Cycle(operations, Policy(), proposals(shop, a_g1=20, b_g1=-20))
    report = cycle.publish(shop)
    assert [(plan.account_id, plan.status) for plan in report.plans] == [
        ("b", PlanStatus.VERIFIED), ("a", PlanStatus.VERIFIED),
    ]  # fmt: skip
    assert report.waiting == {}
    assert shop.held["a-g1"].amount == 220


def test_an_account_waits_for_cuts_on_another_platform_and_is_published_once_they_are_verified(operations, shops):
    meta, tiktok = shops
    cycle = Cycle(operations, Policy(), proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
    waiting = cycle.publish(meta)
    assert {plan.account_id: plan.status for plan in waiting.plans}["a"] is PlanStatus.APPROVED
    assert waiting.waiting == {
        "a": "its daily total would rise by 15.00 EUR; verified cuts in other accounts have freed 0.00 EUR"
    }
    assert meta.held["a-g1"].amount == 100
    cycle.publish(tiktok)
    rest = cycle.rest(meta, tiktok)
    assert [plan.status for plan in rest["meta"].plans] == [PlanStatus.VERIFIED]
    assert meta.held["a-g1"].amount == 115
    assert cycle.rest(meta, tiktok)["meta"].plans == []


def test_a_cut_that_was_refused_pays_for_nothing(operations, shops):
    meta, tiktok = shops
    tiktok.refuse = {"c-g1"}
    cycle = Cycle(operations, Policy(), proposals(meta, a_g1=30), proposals(tiktok, c_g1=-20, c_g2=-20))
    cycle.publish(tiktok)
    cycle.publish(meta)
    rest = cycle.rest(tiktok, meta)
    assert rest["meta"].waiting["a"].endswith("have freed 10.00 EUR")
    assert meta.held["a-g1"].amount == 100


def test_the_same_money_is_not_taken_twice(operations, shops):
    meta, tiktok = shops
    frames = proposals(meta, a_g1=30, b_g1=30), proposals(tiktok, c_g1=-40)
    cycle = Cycle(operations, Policy(), *frames)
    cycle.publish(tiktok)
    report = cycle.publish(meta)
    assert list(report.waiting) == ["b"]
    assert report.waiting["b"].endswith("have freed 10.00 USD")
    assert meta.dollars() + tiktok.dollars() == 1190


def test_two_runs_at_once_do_not_take_the_same_money(operations, monkeypatch):
    meta, tiktok, linkedin = (
        FakePlatform("meta", a="EUR"),
        FakePlatform("tiktok", c="JPY"),
        FakePlatform("linkedin", d="USD"),
    )
    cycle = Cycle(
        operations, Policy(), proposals(meta, a_g1=30), proposals(tiktok, c_g1=30), proposals(linkedin, d_g1=-40)
    )
    cycle.publish(linkedin)
    look, start, reports = funding.freed, threading.Barrier(2), {}

    def look_and_linger(*arguments, **options):
        found = look(*arguments, **options)
        time.sleep(0.1)  # whoever else may look before this transaction ends, does
        return found

    def run(platform):
        start.wait()
        reports[platform.name] = cycle.publish(platform)

    monkeypatch.setattr(funding, "freed", look_and_linger)
    threads = [threading.Thread(target=run, args=(platform,)) for platform in (meta, tiktok)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meta.dollars() + tiktok.dollars() + linkedin.dollars() == 1190
    assert [report.failed for report in reports.values()] == [{}, {}]
    [why] = [why for report in reports.values() for why in report.waiting.values()]
    assert "verified cuts in other accounts have freed" in why


def test_no_account_grows_by_more_than_its_step_in_a_day(operations, shops):
    meta, tiktok = shops
    cycle = Cycle(operations, Policy(), proposals(meta, a_g1=60), proposals(tiktok, c_g1=-60))
    cycle.publish(tiktok)
    assert "portfolio.account_step leaves for today 20.00 EUR" in cycle.publish(meta).waiting["a"]


def test_switched_off_no_account_grows_whoever_cuts(operations, shops):
    meta, tiktok = shops
    policy = Policy(portfolio=PortfolioPolicy(move_between_accounts=False))
    cycle = Cycle(operations, policy, proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
    cycle.publish(tiktok)
    report = cycle.publish(meta)
    assert [action.status for plan in report.plans for action in plan.actions] == [ActionStatus.BLOCKED]
    assert cycle.rest(meta, tiktok)["meta"].plans == []


def test_what_an_account_with_a_total_of_its_own_gives_up_pays_for_no_other(operations, shops):
    meta, tiktok = shops
    policy = Policy(accounts={"tiktok/c": AccountPolicy(total=Decimal(37_000))})
    cycle = Cycle(operations, policy, proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
    cycle.publish(tiktok)
    assert cycle.publish(meta).waiting["a"].endswith("have freed 0.00 EUR")


def test_money_that_a_rollback_took_back_pays_for_nothing_more(operations, shops):
    meta, tiktok = shops
    cycle = Cycle(operations, Policy(), proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
    [cut] = cycle.publish(tiktok).plans
    publisher = Publisher(
        tiktok, operations, policy=Policy(), autonomy_of=lambda _: Autonomy.AUTONOMOUS, now=lambda: NOW
    )
    asyncio.run(publisher.rollback(cut.plan_id, who="ana"))
    assert cycle.publish(meta).waiting["a"].endswith("have freed 0.00 EUR")


def test_a_plan_that_waits_is_checked_as_any_other_before_it_goes_out(operations, shops):
    meta, tiktok = shops
    cycle = Cycle(operations, Policy(), proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
    cycle.publish(meta)
    cycle.publish(tiktok)
    controls.stop(operations, who="operator", why="a test", now=NOW, scope="meta")
    assert [plan.status for plan in cycle.rest(meta, tiktok)["meta"].plans] == [PlanStatus.STOPPED]
    assert meta.held["a-g1"].amount == 100


def test_an_approved_plan_that_is_not_paid_for_stays_approved_and_says_so(operations, shops):
    meta, _ = shops
    policy = Policy(accounts={"meta/a": AccountPolicy(autonomy=Autonomy.APPROVE)})
    cycle = Cycle(operations, policy, proposals(meta, a_g1=30))
    [waiting] = [plan for plan in cycle.publish(meta).plans if plan.account_id == "a"]
    publisher = Publisher(meta, operations, policy=policy, autonomy_of=lambda _: Autonomy.APPROVE, now=lambda: NOW)
    approved = publisher.approve(waiting.digest, "ana")
    assert "have freed 0.00 EUR" in publisher.waits(approved.plan_id)
    with pytest.raises(Exception, match="stays approved and waits for other accounts"):
        asyncio.run(publisher.execute(approved.plan_id))


def test_approving_the_cuts_from_the_terminal_carries_out_what_waited_for_them(tmp_path, monkeypatch, shops):
    meta, tiktok = shops

    @asynccontextmanager
    async def opened(_runtime, name):
        yield {"meta": meta, "tiktok": tiktok}[name]

    policy = Policy(autonomy=AutonomyPolicy(live=Autonomy.APPROVE, sandbox=Autonomy.APPROVE))
    monkeypatch.setenv("STAKAZO_HOME", str(tmp_path))
    monkeypatch.delenv("STAKAZO_SANDBOX_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(Runtime, "platform", opened)
    monkeypatch.setattr(Runtime, "policy", lambda _: policy)
    monkeypatch.setattr(Runtime, "now", lambda _: NOW)
    with Runtime(Settings()).operations() as operations:
        cycle = Cycle(operations, policy, proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
        (raised,) = (plan for plan in cycle.publish(meta).plans if plan.account_id == "a")
        (cut,) = cycle.publish(tiktok).plans
    first = CliRunner().invoke(_app, ["approve", raised.digest, "--who", "ana"])
    assert (first.exit_code, meta.held["a-g1"].amount) == (0, 100)
    assert "stays approved and waits for other accounts" in first.output
    second = CliRunner().invoke(_app, ["approve", cut.digest, "--who", "ana"])
    assert (second.exit_code, meta.held["a-g1"].amount, tiktok.held["c-g1"].amount) == (0, 115, 17_000)
    assert raised.plan_id in second.output


def test_a_platform_that_does_not_answer_leaves_its_own_waiting_plans_to_the_next_time(operations, shops):
    meta, tiktok = shops
    cycle = Cycle(operations, Policy(), proposals(meta, a_g1=30), proposals(tiktok, c_g1=-30))
    cycle.publish(meta)
    cycle.publish(tiktok)
    meta.down = True
    assert "no answer" in cycle.rest(meta, tiktok)["meta"].failed["a"]
    meta.down = False
    assert [plan.status for plan in cycle.rest(meta)["meta"].plans] == [PlanStatus.VERIFIED]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.integers(-40, 40), min_size=6, max_size=6),
    refused=st.sets(st.sampled_from(["a-g1", "a-g2", "b-g1", "b-g2", "c-g1", "c-g2"])),
    first=st.booleans(),
    again=st.booleans(),
)
def test_whatever_is_decided_refused_and_in_whichever_order_all_totals_together_never_rise(
    tmp_path_factory, template, changes, refused, first, again
):
    meta, tiktok = FakePlatform("meta", a="EUR", b="USD"), FakePlatform("tiktok", c="JPY")
    wanted = dict(zip(("a_g1", "a_g2", "b_g1", "b_g2", "c_g1", "c_g2"), changes, strict=True))
    meta.refuse = tiktok.refuse = refused
    own = {name: change for name, change in wanted.items() if name[0] != "c"}
    path = tmp_path_factory.mktemp("funding") / "operations.db"
    shutil.copy(template, path)
    operations = open_operations(make_url(f"sqlite:///{path}"))
    before = meta.dollars() + tiktok.dollars()
    rest = {name: change for name, change in wanted.items() if name[0] == "c"}
    cycle = Cycle(operations, Policy(), proposals(meta, **own), proposals(tiktok, **rest))
    order = [meta, tiktok] if first else [tiktok, meta]
    for platform in order + order * again:
        cycle.publish(platform)
        assert meta.dollars() + tiktok.dollars() <= before * Decimal("1.0001")
    cycle.rest(*order)
    assert meta.dollars() + tiktok.dollars() <= before * Decimal("1.0001")
    operations.close()
