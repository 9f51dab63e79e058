"""From a plan to verified changes, and back."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from stakazo_pipelines.errors import ApprovalError, AuthError, OperationsError, PublishError, TransientError
from stakazo_pipelines.operations import ActionStatus, PlanStatus, controls
from stakazo_pipelines.operations.journal import events_of
from stakazo_pipelines.operations.tables import ApprovalRow
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus


def kinds(desk, plan_id):
    with desk.operations.read() as session:
        return [event.kind for event in events_of(session, plan_id)]


def states(result):
    return {action.change.entity.id: action.status for action in result.actions}


def test_a_plan_is_written_read_back_and_journaled(desk):
    result = desk.publish(desk.plan(a="80.00", b="120.00"))
    assert result.status is PlanStatus.VERIFIED
    assert (desk.platform.amount("a"), desk.platform.amount("b")) == ("80.00", "120.00")
    assert [action.observed for action in result.actions] == ["80.00", "120.00"]
    assert kinds(desk, result.plan_id) == [
        "plan_proposed",
        "plan_submitted",
        "plan_approved",
        "plan_started",
        "write_intended",
        "write_verified",
        "write_intended",
        "write_verified",
        "plan_verified",
    ]


def test_the_intention_is_on_record_before_the_write_goes_out(desk):
    found = []

    def on_step(step):
        if step == "update:before":
            with desk.operations.read() as session:
                found.extend(session.execute(text("SELECT status, attempts FROM plan_actions")).all())

    desk.platform.on_step = on_step
    desk.publish(desk.plan(a="90.00"))
    assert [tuple(row) for row in found] == [("sending", 1)]


def test_cuts_go_out_before_raises(desk):
    desk.publish(desk.plan(a="120.00", b="80.00"))
    assert [change.id for change in desk.platform.applied] == ["b", "a"]


def test_an_observed_account_is_planned_and_never_written(desk):
    desk.autonomy = Autonomy.OBSERVE
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="90.00"))
    assert proposed.status is PlanStatus.OBSERVED
    with pytest.raises(ApprovalError, match="observed"):
        asyncio.run(publisher.execute(proposed.plan_id))
    with pytest.raises(ApprovalError, match="waits for approval"):
        publisher.approve(proposed.digest, "ana")
    assert desk.platform.requests == 0


def test_an_account_under_approval_writes_only_after_a_person_approved_the_digest(desk):
    desk.autonomy = Autonomy.APPROVE
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="90.00"))
    with pytest.raises(ApprovalError, match="awaiting_approval"):
        asyncio.run(publisher.execute(proposed.plan_id))
    with pytest.raises(ApprovalError, match="no plan with digest"):
        publisher.approve("0" * 64, "ana")
    publisher.approve(proposed.digest, "ana")
    assert asyncio.run(publisher.execute(proposed.plan_id)).status is PlanStatus.VERIFIED
    with desk.operations.read() as session:
        assert session.scalars(select(ApprovalRow.who)).all() == ["ana"]


def test_an_approval_expires(desk):
    desk.autonomy = Autonomy.APPROVE
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="90.00"))
    publisher.approve(proposed.digest, "ana")
    desk.later(hours=25)
    with pytest.raises(ApprovalError, match="expired"):
        asyncio.run(publisher.execute(proposed.plan_id))
    assert desk.platform.requests == 0


def test_a_plan_that_waited_too_long_cannot_be_approved(desk):
    desk.autonomy = Autonomy.APPROVE
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="90.00"))
    desk.later(hours=25)
    with pytest.raises(ApprovalError, match="waited longer"):
        publisher.approve(proposed.digest, "ana")
    with pytest.raises(ApprovalError, match="expired"):
        asyncio.run(publisher.execute(proposed.plan_id))


def test_an_approval_by_policy_ends_with_the_autonomy_that_gave_it(desk):
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="90.00"))
    desk.autonomy = Autonomy.APPROVE
    with pytest.raises(ApprovalError, match="autonomy is now approve"):
        asyncio.run(publisher.execute(proposed.plan_id))


def test_a_plan_whose_rows_were_changed_after_approval_is_refused(desk):
    publisher = desk.publisher()
    proposed = publisher.propose(desk.plan(a="90.00"))
    with desk.operations.begin() as unit:
        unit.session.execute(text("UPDATE plan_actions SET after = '900.00'"))
        unit.commit()
    with pytest.raises(ApprovalError, match="digest"):
        asyncio.run(publisher.execute(proposed.plan_id))
    assert desk.platform.requests == 0


def test_the_same_open_plan_proposed_again_is_one_plan(desk):
    publisher = desk.publisher()
    plan = desk.plan(a="90.00")
    assert publisher.propose(plan).plan_id == publisher.propose(plan).plan_id


def test_a_newer_plan_replaces_one_that_was_not_started(desk):
    publisher = desk.publisher()
    older = publisher.propose(desk.plan(a="90.00"))
    publisher.propose(desk.plan(a="95.00"))
    with pytest.raises(ApprovalError, match="expired"):
        asyncio.run(publisher.execute(older.plan_id))


def test_executing_a_finished_plan_again_writes_nothing(desk):
    result = desk.publish(desk.plan(a="90.00"))
    again = asyncio.run(desk.publisher().execute(result.plan_id))
    assert again == result
    assert len(desk.platform.applied) == 1


def test_a_plan_without_changes_is_verified_in_words(desk):
    proposed = desk.publisher().propose(desk.plan(a="100.00"))
    assert (proposed.status, proposed.reason) == (PlanStatus.VERIFIED, "nothing to change")


def test_a_changed_platform_is_a_conflict_and_left_alone(desk):
    plan = desk.plan(a="90.00", b="95.00")
    desk.platform.set_budget("a", "70.00")
    result = desk.publish(plan)
    assert states(result) == {"a": ActionStatus.CONFLICT, "b": ActionStatus.VERIFIED}
    assert "holds 70.00 EUR" in result.actions[0].error
    assert (result.status, desk.platform.amount("a")) == (PlanStatus.PARTLY_VERIFIED, "70.00")


def test_what_the_platform_holds_already_is_not_written_or_undone(desk):
    plan = desk.plan(a="90.00")
    desk.platform.set_budget("a", "90.00")
    result = desk.publish(plan)
    assert (states(result), desk.platform.requests) == ({"a": ActionStatus.ALREADY}, 0)
    with pytest.raises(PublishError, match="nothing of it is left to undo"):
        asyncio.run(desk.publisher().rollback(result.plan_id, who="ana"))


def test_a_stop_midway_lets_nothing_more_out(make_desk):
    desk = make_desk(**{f"g{number}": "100.00" for number in range(6)})

    def pull(step):
        if step == "update:after" and desk.platform.requests == 1:
            controls.stop(desk.operations, who="ana", why="odd spend", now=desk.now)

    desk.platform.on_step = pull
    result = desk.publish(desk.plan(**{f"g{number}": "90.00" for number in range(6)}), chunk=2)
    assert (result.status, len(desk.platform.applied)) == (PlanStatus.STOPPED, 2)
    assert result.count(ActionStatus.VERIFIED) == 2
    assert result.count(ActionStatus.BLOCKED) == 4
    assert "ana" in result.reason
    assert "odd spend" in result.reason


@pytest.mark.parametrize("scope", ["*", "meta", "meta/act_1"])
def test_a_stop_in_any_scope_above_the_account_holds_until_it_is_taken_back(desk, scope):
    controls.stop(desk.operations, who="ana", why="x", now=desk.now, scope=scope)
    assert desk.publish(desk.plan(a="90.00")).status is PlanStatus.STOPPED
    assert desk.platform.requests == 0
    controls.resume(desk.operations, who="ana", why="fixed", now=desk.now, scope=scope)
    assert desk.publish(desk.plan(a="90.00")).status is PlanStatus.VERIFIED


def test_a_stop_of_another_account_does_not_hold_this_one(desk):
    controls.stop(desk.operations, who="ana", why="x", now=desk.now, scope="meta/act_2")
    assert desk.publish(desk.plan(a="90.00")).status is PlanStatus.VERIFIED


def test_a_write_applied_late_is_verified_after_waiting(desk):
    desk.platform.faults["a"] = ["late"]
    result = desk.publish(desk.plan(a="90.00"))
    assert states(result) == {"a": ActionStatus.VERIFIED}
    assert desk.slept == [0.0, 1.0, 2.0]


def test_a_write_that_never_shows_is_unverified_until_looked_at_again(desk):
    desk.platform.faults["a"] = ["never"]
    result = desk.publish(desk.plan(a="90.00", b="95.00"))
    assert states(result) == {"a": ActionStatus.UNVERIFIED, "b": ActionStatus.VERIFIED}
    assert asyncio.run(desk.publisher().recheck("act_1")) == ()
    desk.platform.set_budget("a", "90.00")
    (late,) = asyncio.run(desk.publisher().recheck("act_1"))
    assert (late.plan_id, late.status) == (result.plan_id, PlanStatus.VERIFIED)


def test_a_change_that_never_showed_and_was_planned_again_counts_once(desk):
    desk.platform.faults["a"] = ["never"]
    first = desk.publish(desk.plan(a="90.00"))
    second = desk.publish(desk.plan(a="90.00"))
    assert (states(first), states(second)) == ({"a": ActionStatus.UNVERIFIED}, {"a": ActionStatus.VERIFIED})
    (again,) = asyncio.run(desk.publisher().recheck("act_1"))
    assert (again.plan_id, states(again)) == (first.plan_id, {"a": ActionStatus.CONFLICT})
    assert second.plan_id in again.actions[0].error


def test_a_plan_looked_at_again_keeps_what_it_left_out_in_its_reason(desk):
    decisions = desk.decide(a="90.00", b="90.00")
    desk.platform.set_budget("b", "50.00")
    desk.platform.faults["a"] = ["never"]
    first = desk.publish(desk.plan_of(decisions))
    desk.platform.set_budget("a", "90.00")
    (late,) = asyncio.run(desk.publisher().recheck("act_1"))
    assert (first.reason.split("; ")[0], late.reason.split("; ")[0]) == ("1 unverified", "1 verified")
    assert late.reason.split("; ")[1:] == first.reason.split("; ")[1:] != []


def test_what_a_plan_left_out_still_stands_in_its_reason_when_it_ends(desk):
    decisions = desk.decide(a="90.00", b="90.00")
    desk.platform.set_budget("b", "50.00")
    result = desk.publish(desk.plan_of(decisions))
    assert result.status is PlanStatus.VERIFIED
    assert result.reason.startswith("1 verified; left out meta/act_1 ad_group b: ")


@pytest.mark.parametrize(("fault", "attempts"), [("lost_after", 1), ("lost_before", 2)])
def test_a_lost_answer_is_read_back_and_only_repeated_when_the_old_value_stands(desk, fault, attempts):
    desk.platform.faults["a"] = [fault]
    result = desk.publish(desk.plan(a="90.00"))
    assert (result.status, result.actions[0].attempts) == (PlanStatus.VERIFIED, attempts)
    assert len(desk.platform.applied) == 1


def test_answers_that_stay_lost_end_unverified(desk):
    desk.platform.faults["a"] = ["lost_before"] * 9
    result = desk.publish(desk.plan(a="90.00"))
    assert (states(result), result.actions[0].attempts) == ({"a": ActionStatus.UNVERIFIED}, 3)


@pytest.mark.parametrize("fault", ["rejected", "throttled"])
def test_a_refused_write_fails_alone(desk, fault):
    desk.platform.faults["a"] = [fault]
    result = desk.publish(desk.plan(a="90.00", b="95.00"))
    assert states(result) == {"a": ActionStatus.FAILED, "b": ActionStatus.VERIFIED}
    assert result.status is PlanStatus.PARTLY_VERIFIED


def test_a_write_that_the_platform_does_not_take_today_is_kept_back_and_is_no_fault(desk):
    desk.platform.faults["a"] = ["not_now"]
    result = desk.publish(desk.plan(a="90.00", b="95.00"))
    assert states(result) == {"a": ActionStatus.BLOCKED, "b": ActionStatus.VERIFIED}
    assert (result.status, result.all_seen) == (PlanStatus.PARTLY_VERIFIED, True)


@pytest.mark.parametrize("fault", ["rejected", "never", "auth"])
def test_a_plan_with_a_fault_is_not_all_seen(desk, fault):
    desk.platform.faults["a"] = [fault]
    assert not desk.publish(desk.plan(a="90.00", b="95.00"), chunk=1).all_seen


def test_an_expired_token_ends_the_plan_with_its_reason(desk):
    desk.platform.faults["a"] = ["auth"]
    result = desk.publish(desk.plan(a="90.00", b="95.00"), chunk=1)
    assert states(result) == {"a": ActionStatus.FAILED, "b": ActionStatus.BLOCKED}
    assert (result.status, result.reason) == (PlanStatus.FAILED, "the token expired (meta, code 190)")


def test_a_token_found_expired_while_reading_sends_nothing(desk):
    desk.platform.unreadable["b"] = AuthError("the token expired", "meta")
    result = desk.publish(desk.plan(a="90.00", b="95.00"))
    assert (result.count(ActionStatus.BLOCKED), desk.platform.requests) == (2, 0)


def test_a_plan_that_was_ended_is_not_all_seen_though_it_left_something_out_too(desk):
    decisions = desk.decide(a="90.00", b="90.00")
    desk.platform.set_budget("b", "50.00")
    desk.platform.unreadable["a"] = AuthError("the token expired", "meta")
    result = desk.publish(desk.plan_of(decisions))
    assert result.reason.startswith("the token expired (meta); left out ")
    assert (states(result), result.all_seen) == ({"a": ActionStatus.BLOCKED}, False)


def test_an_entity_that_cannot_be_read_is_not_written(desk):
    desk.platform.unreadable["a"] = TransientError("connection reset", "meta")
    result = desk.publish(desk.plan(a="90.00", b="95.00"))
    assert states(result) == {"a": ActionStatus.FAILED, "b": ActionStatus.VERIFIED}


def test_a_rollback_changes_the_platform_and_marks_the_plan(desk):
    done = desk.publish(desk.plan({"b": EntityStatus.PAUSED}, a="80.00"))
    undone = asyncio.run(desk.publisher().rollback(done.plan_id, who="ana"))
    assert undone.status is PlanStatus.VERIFIED
    assert (desk.platform.amount("a"), desk.platform.held["b"].status) == ("100.00", EntityStatus.ACTIVE)
    before = asyncio.run(desk.publisher().execute(done.plan_id))
    assert (before.status, before.count(ActionStatus.REVERTED)) == (PlanStatus.ROLLED_BACK, 2)


def test_a_rollback_touches_only_what_was_verified(desk):
    desk.platform.faults["a"] = ["rejected"]
    done = desk.publish(desk.plan(a="80.00", b="90.00"))
    undone = asyncio.run(desk.publisher().rollback(done.plan_id, who="ana"))
    assert [action.change.entity.id for action in undone.actions] == ["b"]


def test_a_rollback_undoes_a_late_write_too(desk):
    desk.platform.faults["a"] = ["never"]
    done = desk.publish(desk.plan(a="80.00", b="90.00"))
    desk.platform.set_budget("a", "80.00")
    asyncio.run(desk.publisher().rollback(done.plan_id, who="ana"))
    assert (desk.platform.amount("a"), desk.platform.amount("b")) == ("100.00", "100.00")


def test_a_rollback_leaves_a_foreign_value_alone_unless_forced(desk):
    done = desk.publish(desk.plan(a="80.00"))
    desk.platform.set_budget("a", "55.00")
    undone = asyncio.run(desk.publisher().rollback(done.plan_id, who="ana"))
    assert (states(undone), desk.platform.amount("a")) == ({"a": ActionStatus.CONFLICT}, "55.00")
    forced = asyncio.run(desk.publisher().rollback(done.plan_id, who="ana", force=True))
    assert (forced.status, desk.platform.amount("a")) == (PlanStatus.VERIFIED, "100.00")


def test_a_rollback_is_not_held_by_caps_but_by_the_stop(desk):
    desk.guard(entity_24h=0.21, account_day=0.11)
    done = desk.publish(desk.plan(a="80.00"))
    controls.stop(desk.operations, who="ana", why="x", now=desk.now)
    stopped = asyncio.run(desk.publisher().rollback(done.plan_id, who="ana"))
    assert (stopped.status, desk.platform.amount("a")) == (PlanStatus.STOPPED, "80.00")
    controls.resume(desk.operations, who="ana", why="x", now=desk.now)
    assert asyncio.run(desk.publisher().rollback(done.plan_id, who="ana")).status is PlanStatus.VERIFIED


def test_a_person_may_roll_back_on_an_account_that_is_only_observed_by_now(desk):
    done = desk.publish(desk.plan(a="80.00"))
    desk.autonomy = Autonomy.OBSERVE
    assert asyncio.run(desk.publisher().rollback(done.plan_id, who="ana")).status is PlanStatus.VERIFIED


def test_amounts_keep_their_digits_through_the_database(desk):
    desk.publish(desk.plan(a="80.10"))
    (change,) = desk.platform.applied
    assert change.budget is not None
    assert change.budget.money.amount == Decimal("80.10")
    assert str(change.budget.money.amount) == "80.10"


def test_an_unknown_plan_is_refused(desk):
    with pytest.raises(OperationsError, match="no plan nope"):
        asyncio.run(desk.publisher().execute("nope"))
