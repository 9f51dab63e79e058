"""Guardrails add up over plans, approved or autonomous, and never hold a pause."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stakazo_pipelines.operations import ActionStatus, PlanStatus
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.policy import AccountPolicy, Policy
from stakazo_pipelines.publishing.ledger import change_ledger
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus

ACCOUNT = Account("act_1", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)


def errors(result):
    return {action.change.entity.id: action.error or "" for action in result.actions}


def test_steps_of_one_entity_add_up_over_24_hours(desk):
    desk.guard(entity_24h=0.3)
    assert desk.publish(desk.plan(a="80.00")).status is PlanStatus.VERIFIED
    desk.later(hours=20)
    blocked = desk.publish(desk.plan(a="64.00"))
    assert blocked.status is PlanStatus.FAILED
    assert "moved 40.0% in 24 hours" in errors(blocked)["a"]
    desk.later(hours=5)
    assert desk.publish(desk.plan(a="64.00")).status is PlanStatus.VERIFIED


def test_the_account_cap_counts_its_local_day(desk):
    desk.guard(account_day=0.12, entity_24h=0.9)
    desk.now = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)  # 23:30 in Berlin
    assert desk.publish(desk.plan(a="80.00")).status is PlanStatus.VERIFIED  # 20 of 200 moved
    assert "guardrails.account_day" in errors(desk.publish(desk.plan(b="90.00")))["b"]
    desk.later(hours=1)  # half past midnight in Berlin, the same day in UTC
    assert desk.publish(desk.plan(b="90.00")).status is PlanStatus.VERIFIED


def test_the_account_cap_counts_its_local_month(desk):
    desk.guard(account_month=0.12, entity_24h=0.9)
    desk.publish(desk.plan(a="80.00"))
    desk.later(days=29)
    assert "guardrails.account_month" in errors(desk.publish(desk.plan(b="90.00")))["b"]
    desk.later(days=2)
    assert desk.publish(desk.plan(b="90.00")).status is PlanStatus.VERIFIED


def test_a_person_cannot_approve_past_the_caps(desk):
    desk.autonomy = Autonomy.APPROVE
    desk.guard(entity_24h=0.3)
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="50.00"))
    publisher.approve(proposed.digest, "ana")
    assert "guardrails.entity_24h" in errors(desk.publish(desk.plan(a="50.00")))["a"]


def test_pause_is_never_blocked_by_the_change_cap(desk):
    desk.guard(entity_24h=0.2, account_day=0.1, account_month=0.1)
    desk.publish(desk.plan(a="80.00"))
    result = desk.publish(desk.plan({"a": EntityStatus.PAUSED, "b": EntityStatus.PAUSED}))
    assert (result.status, result.count(ActionStatus.VERIFIED)) == (PlanStatus.VERIFIED, 2)


def test_a_resume_counts_as_the_money_it_sets_moving(desk):
    desk.guard(account_day=0.4)
    desk.publish(desk.plan({"a": EntityStatus.PAUSED}))
    assert "guardrails.account_day" in errors(desk.publish(desk.plan({"a": EntityStatus.ACTIVE})))["a"]


def test_a_raise_is_held_back_when_the_cut_that_pays_for_it_failed(desk):
    desk.platform.faults["a"] = ["rejected"]
    result = desk.publish(desk.plan(a="80.00", b="120.00"))
    assert "a cut that should have paid for it" in errors(result)["b"]
    assert (desk.platform.amount("a"), desk.platform.amount("b")) == ("100.00", "100.00")


def test_an_account_may_grow_up_to_the_total_that_policy_sets(desk):
    desk.policy = Policy(accounts={"meta/act_1": AccountPolicy(total=Decimal(215))})
    result = desk.publish(desk.plan(a="115.00", b="110.00"))
    assert [action.status for action in result.actions] == [ActionStatus.VERIFIED, ActionStatus.BLOCKED]


def test_writes_that_may_have_been_applied_count_too(desk):
    desk.platform.faults["a"] = ["never"]
    desk.publish(desk.plan(a="80.00"))
    ledger = change_ledger(desk.operations, "meta", [ACCOUNT], now=desk.now)
    assert ledger.entity_24h == {"a": pytest.approx(0.2)}
    assert ledger.account_day == {"act_1": pytest.approx(0.1)}
    assert ledger.account_month == {"act_1": pytest.approx(0.1)}


def test_writes_that_were_refused_do_not_count(desk):
    desk.platform.faults["a"] = ["rejected"]
    desk.publish(desk.plan(a="80.00"))
    assert change_ledger(desk.operations, "meta", [ACCOUNT], now=desk.now).entity_24h == {}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(70, 130), st.integers(0, 30)), min_size=1, max_size=6
    )
)
def test_no_sequence_of_plans_moves_more_than_the_caps(make_desk, steps):
    desk = make_desk(a="100.00", b="100.00")
    desk.guard(entity_24h=0.3, account_day=0.2, max_budget_growth=1.0)
    for name, percent, hours in steps:
        before = Decimal(desk.platform.amount(name))
        wanted = (before * percent / 100).quantize(Decimal("0.01"))
        if wanted != before:
            desk.publish(desk.plan(**{name: str(wanted)}))
        ledger = change_ledger(desk.operations, "meta", [ACCOUNT], now=desk.now)
        assert all(moved <= 0.3 + 1e-9 for moved in ledger.entity_24h.values())
        assert ledger.account_day["act_1"] <= 0.2 + 1e-9
        desk.later(hours=hours)
    desk.operations.close()
