"""A plan says what will change, in an order that frees money first, under a digest that means exactly that."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.decisions.record import last_switches
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod
from stakazo_pipelines.publishing.plan import Field
from stakazo_pipelines.vocabulary import EntityStatus


def test_what_is_held_already_is_not_in_the_plan(desk):
    assert desk.plan(a="100.00").changes == ()
    assert desk.plan(a="100.001").changes == ()  # the same after rounding to the smallest unit


def test_budgets_are_rounded_to_the_smallest_unit(desk):
    (change,) = desk.plan(a="90.126").changes
    assert change.after == Money(Decimal("90.13"), "EUR")


def test_money_is_freed_before_it_is_spent(make_desk):
    desk = make_desk(a="100", b="100", c="100", d="100")
    desk.platform.held["d"] = replace(desk.platform.held["d"], status=EntityStatus.PAUSED)
    plan = desk.plan({"c": EntityStatus.PAUSED, "d": EntityStatus.ACTIVE}, a="110", b="90")
    assert [change.entity.id for change in plan.changes] == ["c", "b", "a", "d"]


def test_shares_are_of_the_active_budgets(make_desk):
    desk = make_desk(a="100", b="300", c="600")
    desk.platform.held["c"] = replace(desk.platform.held["c"], status=EntityStatus.PAUSED)
    (change,) = desk.plan(a="80").changes
    assert (change.relative, change.share) == (pytest.approx(0.2), pytest.approx(0.05))
    assert desk.plan(a="80").budget_total == 400


def test_what_was_decided_on_other_values_is_left_out_with_its_reason(desk):
    decisions = desk.decide(a="90.00")
    desk.platform.set_budget("a", "70.00")
    plan = desk.plan_of(decisions)
    assert plan.changes == ()
    assert plan.skipped[0].reason == "decided on 100.00 EUR, but it is 70.00 EUR"


def test_an_entity_that_is_gone_is_left_out(desk):
    decisions = desk.decide(a="90.00")
    del desk.platform.held["a"]
    assert desk.plan_of(decisions).skipped[0].reason == "the platform no longer lists it"


def test_an_entity_without_a_budget_is_left_out(desk):
    decisions = desk.decide(a="90.00")
    desk.platform.held["a"] = replace(desk.platform.held["a"], budget=None)
    assert desk.plan_of(decisions).skipped[0].reason == "it holds no budget of its own"


def test_a_lifetime_budget_stays_one(desk):
    lifetime = Budget(Money(Decimal("100.00"), "EUR"), BudgetPeriod.LIFETIME)
    desk.platform.held["a"] = replace(desk.platform.held["a"], budget=lifetime)
    (change,) = desk.plan(a="90.00").changes
    assert change.field is Field.LIFETIME_BUDGET
    assert change.request().budget == Budget(Money(Decimal("90.00"), "EUR"), BudgetPeriod.LIFETIME)


def test_the_digest_is_of_what_would_be_written(desk):
    plan = desk.plan(a="90.00", b="110.00")
    assert len(plan.digest) == 64
    assert plan.digest != desk.plan(a="90.00", b="110.01").digest
    assert plan.digest != replace(plan, as_of=plan.as_of.replace(day=29)).digest
    assert plan.digest != replace(plan, account=replace(plan.account, id="act_2")).digest
    renamed = [replace(change, name="Other", expected_gain=9.0) for change in plan.changes]
    assert plan.digest == replace(plan, changes=tuple(renamed)).digest


@given(order=st.integers(0, 50), scale=st.sampled_from(["0.01", "0.0100"]))
def test_the_digest_knows_no_order_and_no_trailing_zeros(make_plan, order, scale):
    reference = make_plan(0, "0.01")
    assert make_plan(order, scale).digest == reference.digest


@pytest.fixture(scope="module")
def make_plan(make_desk):
    desk = make_desk(a="100.00", b="100.00", c="100.00")
    decisions = desk.decide(a="90.00", b="110.00", c="99.00")

    def make(order, scale):
        shuffled = list(decisions)
        random.Random(order).shuffle(shuffled)  # noqa: S311
        plan = desk.plan_of(shuffled)
        changes = tuple(
            replace(change, after=Money(change.after.amount.quantize(Decimal(scale)), "EUR")) for change in plan.changes
        )
        return replace(plan, changes=changes)

    yield make
    desk.operations.close()


def test_people_can_read_the_rows(desk):
    (row,) = desk.plan(a="90.00").rows()
    assert (row["entity"], row["name"]) == ("ad_group a", "Group a")
    assert (row["before"], row["after"], row["change"]) == ("100.00 EUR", "90.00 EUR", "-10.0%")


def test_verified_switches_are_remembered_for_the_arbiter(desk):
    desk.publish(desk.plan({"a": EntityStatus.PAUSED}))
    ((ref, switch),) = last_switches(desk.operations, "meta", "act_1").items()
    assert (ref.id, switch.kind, switch.at) == ("a", "pause", desk.now)
