"""From proposals to verified changes: what is decided once, what is published, what is left alone and why."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from stakazo_pipelines.cycle.changes import decide, publish_day
from stakazo_pipelines.decisions.candidate import Outcome
from stakazo_pipelines.decisions.recall import decisions_of
from stakazo_pipelines.errors import MalformedError, NotFoundError, PermissionDeniedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import PlanStatus, controls, open_operations
from stakazo_pipelines.operations.tables import DecisionRow
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
from stakazo_pipelines.policy import AutonomyPolicy, Policy
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus, Level

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
DAY = date(2026, 6, 29)


def account(account_id: str, timezone: str = "UTC", problem: str = "") -> Account:
    return Account(account_id, "Shop", "EUR", timezone, 100, EntityStatus.ACTIVE, problem=problem)


class FakePlatform:
    """Two ad groups of 100.00 in every account; writes are applied at once."""

    name = "meta"
    capabilities = Capabilities(
        frozenset(Level), frozenset(), frozenset(), False, False, 50, frozenset({Level.AD_GROUP})
    )

    def __init__(self, *accounts: Account, denied: str = "") -> None:
        self._accounts = accounts
        self._denied = denied
        self.held = {f"{one.id}-g{n}": Decimal(100) for one in accounts for n in (1, 2)}
        self.unlisted: dict[str, Exception | None] = {}
        self.writes: list[EntityChange] = []

    async def accounts(self) -> Sequence[Account]:
        return self._accounts

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        if account.id == self._denied:
            raise PermissionDeniedError("not yours", "meta", "200")
        groups = [self._entity(account, name) for name in self.held if name.startswith(account.id)]
        groups = [group for group in groups if group.id not in self.unlisted]
        return EntitiesResult(groups if level is Level.AD_GROUP else ())

    async def read(self, account: Account, _level: Level, entity_id: str) -> Entity:
        error = self.unlisted.get(entity_id)
        if error is not None:
            raise error
        return self._entity(account, entity_id)

    async def update(self, _account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        for change in changes:
            assert change.budget is not None
            self.held[change.id] = change.budget.money.amount
        self.writes += changes
        return [WriteOutcome(change) for change in changes]

    def _entity(self, account: Account, name: str) -> Entity:
        budget = Budget(Money(self.held[name], "EUR"), BudgetPeriod.DAILY)
        return Entity(Level.AD_GROUP, name, account.id, "c1", name, EntityStatus.ACTIVE, "adset", budget=budget)


def proposals(*account_ids: str, up: float = 110.0, down: float = 90.0) -> pl.DataFrame:
    """In each account one budget up, one down; a third stays."""
    rows = [
        {
            "platform": "meta",
            "account_id": account_id,
            "level": "ad_group",
            "arm_id": f"{account_id}-{arm}",
            "campaign_id": "c1",
            "currency": "EUR",
            "current_budget": 100.0,
            "proposed_budget": proposed,
            **dict.fromkeys(("expected_gain", "expected_gain_low", "expected_gain_high"), 1.0),
            **dict.fromkeys(("roas", "roas_low", "roas_high"), 2.0),
            **dict.fromkeys(("marginal_roas", "marginal_roas_low", "marginal_roas_high"), 1.0),
            "state": "ok",
            "binding": "none",
            "shadow_price": 1.0,
        }
        for account_id in account_ids
        for arm, proposed in (("g1", up), ("g2", down), ("g3", 100.0))
    ]
    return pl.DataFrame(rows)


@pytest.fixture
def operations(tmp_path):
    opened = open_operations(make_url(f"sqlite:///{tmp_path / 'operations.db'}"))
    yield opened
    opened.close()


@pytest.fixture
def publish(operations):
    def run(platform, frame, *, day=DAY, policy=None, sandbox=True):
        rules = policy or Policy()
        _, decisions = decide(operations, frame, rules, day=day, now=NOW)
        return asyncio.run(
            publish_day(platform, operations, rules, decisions, day=day, now=lambda: NOW, sandbox=sandbox)
        )

    return run


def test_a_budget_that_stays_needs_no_decision(operations):
    _, decisions = decide(operations, proposals("1"), Policy(), day=DAY, now=NOW)
    assert [one.candidate.entity.id for one in decisions] == ["1-g1", "1-g2"]
    assert {one.outcome for one in decisions} == {Outcome.CHOSEN}


def test_amounts_are_exact_money(operations):
    _, decisions = decide(operations, proposals("1", up=110.01, down=89.99), Policy(), day=DAY, now=NOW)
    assert [one.candidate.after for one in decisions] == [Money(Decimal(a), "EUR") for a in ("110.01", "89.99")]


def test_the_same_proposals_again_are_the_same_cycle_and_recorded_once(operations):
    first, _ = decide(operations, proposals("1"), Policy(), day=DAY, now=NOW)
    again, _ = decide(operations, proposals("1"), Policy(), day=DAY, now=NOW)
    other, _ = decide(operations, proposals("1", up=111.0), Policy(), day=DAY, now=NOW)
    assert first == again != other
    with operations.read() as session:
        assert len(session.scalars(select(DecisionRow).where(DecisionRow.cycle == first)).all()) == 2


def test_decisions_are_read_back_as_they_were_made(operations):
    cycle, decisions = decide(operations, proposals("1"), Policy(), day=DAY, now=NOW)
    recalled = decisions_of(operations, cycle)
    assert [(one.candidate.entity, one.candidate.after, one.outcome) for one in recalled] == [
        (one.candidate.entity, one.candidate.after, one.outcome) for one in decisions
    ]


def test_a_stop_of_everything_blocks_every_decision(operations):
    controls.stop(operations, who="operator", why="a test", now=NOW)
    _, decisions = decide(operations, proposals("1"), Policy(), day=DAY, now=NOW)
    assert Outcome.CHOSEN not in {one.outcome for one in decisions}
    assert all("stop" in one.reason for one in decisions)


def test_a_held_campaign_holds_its_ad_groups(operations):
    held = {"kind": "human_hold", "platform": "meta", "account_id": "1", "who": "buyer", "why": "launch"}
    controls.hold(operations, level=Level.CAMPAIGN, entity_id="c1", now=NOW, **held)
    _, decisions = decide(operations, proposals("1"), Policy(), day=DAY, now=NOW)
    assert Outcome.CHOSEN not in {one.outcome for one in decisions}


def test_chosen_changes_reach_the_platform_and_are_verified(publish):
    platform = FakePlatform(account("1"))
    report = publish(platform, proposals("1"))
    assert [plan.status for plan in report.plans] == [PlanStatus.VERIFIED]
    assert platform.held == {"1-g1": Decimal(110), "1-g2": Decimal(90)}


def test_an_account_that_the_platform_does_not_list_is_told_with_its_changes_unmade(publish):
    report = publish(FakePlatform(account("1")), proposals("1", "2"))
    assert report.failed == {"2": "the platform no longer lists it"}
    assert [plan.account_id for plan in report.plans] == ["1"]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, {"1": "not changed: meta/1 ad_group 1-g1 (it was not listed, though it is there)"}),
        (MalformedError("no budget", "meta"), {"1": "not changed: meta/1 ad_group 1-g1 (no budget (meta))"}),
        (NotFoundError("no such ad set", "meta"), {}),
    ],
)
def test_a_decided_entity_that_cannot_be_read_is_told_with_its_change_unmade_unless_it_is_gone(publish, found, told):
    platform = FakePlatform(account("1"))
    platform.unlisted = {"1-g1": found}
    report = publish(platform, proposals("1"))
    assert report.failed == told
    assert [plan.status for plan in report.plans] == [PlanStatus.VERIFIED]
    assert platform.held == {"1-g1": Decimal(100), "1-g2": Decimal(90)}


def test_the_same_day_published_again_writes_nothing_more(publish):
    platform = FakePlatform(account("1"))
    publish(platform, proposals("1"))
    publish(platform, proposals("1"))
    assert len(platform.writes) == 2


@pytest.mark.parametrize("day", [date(2026, 6, 28), date(2026, 6, 30)])
def test_only_the_newest_complete_day_is_acted_upon(publish, day):
    platform = FakePlatform(account("1"))
    report = publish(platform, proposals("1"), day=day)
    assert report.left_alone == {"1": f"{day} is not its newest complete day (2026-06-29)"}
    assert platform.writes == []


def test_a_day_that_has_ended_everywhere_is_acted_upon_where_the_next_has_ended_too(publish):
    platform = FakePlatform(account("1"), account("2", "Pacific/Kiritimati"))
    publish(platform, proposals("1", "2"))
    assert {change.account_id for change in platform.writes} == {"1", "2"}


def test_a_day_that_is_the_newest_only_in_the_east_is_acted_upon_only_there(publish):
    platform = FakePlatform(account("1"), account("2", "Pacific/Kiritimati"))
    report = publish(platform, proposals("1", "2"), day=date(2026, 6, 30))
    assert report.left_alone == {"1": "2026-06-30 is not its newest complete day (2026-06-29)"}
    assert {change.account_id for change in platform.writes} == {"2"}


def test_an_account_that_fails_leaves_the_others_to_go_on(publish):
    platform = FakePlatform(account("1"), account("2"), account("3", problem="unknown currency"), denied="1")
    report = publish(platform, proposals("1", "2", "3"))
    assert "not yours" in report.failed["1"]
    assert report.failed["3"] == "unknown currency"
    assert {change.account_id for change in platform.writes} == {"2"}


def test_a_live_account_is_planned_and_never_written(publish):
    platform = FakePlatform(account("1"))
    report = publish(platform, proposals("1"), sandbox=False)
    assert [plan.status for plan in report.plans] == [PlanStatus.OBSERVED]
    assert platform.writes == []


def test_a_plan_that_needs_approval_waits(publish):
    platform = FakePlatform(account("1"))
    report = publish(platform, proposals("1"), policy=Policy(autonomy=AutonomyPolicy(sandbox=Autonomy.APPROVE)))
    assert [plan.status for plan in report.plans] == [PlanStatus.AWAITING_APPROVAL]
    assert platform.writes == []
