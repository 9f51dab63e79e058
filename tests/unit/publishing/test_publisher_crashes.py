"""Killed at any point and started again: each write is applied once and journaled once."""

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from stakazo_pipelines.errors import PublishError
from stakazo_pipelines.operations import ActionStatus, PlanStatus, controls
from stakazo_pipelines.operations.tables import EventRow, PlanRow
from stakazo_pipelines.publishing.publisher import Publisher

WANTED = {"a": "80.00", "b": "120.00", "c": "90.00", "d": "110.00"}


class Fuse:
    """Burns down by one at every step and kills at zero; never when it has no length."""

    def __init__(self, killed, length):
        self._killed = killed
        self._left = length

    def __call__(self, _step):
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise self._killed


def command(desk, crashing, fuse, decisions, chunk):
    """What a run does: finish what was left, look, plan, publish."""
    desk.platform.on_step = fuse
    publisher = desk.publisher(crashing(desk.operations, fuse), chunk=chunk)

    async def run():
        await publisher.recover()
        return await publisher.execute(publisher.propose(desk.plan_of(decisions)).plan_id)

    return asyncio.run(run())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fuses=st.lists(st.integers(0, 45), max_size=4),
    chunk=st.integers(1, 3),
    faults=st.fixed_dictionaries({name: st.sampled_from(["", "lost_before", "lost_after"]) for name in WANTED}),
)
def test_any_crashes_apply_and_journal_each_write_once(make_desk, killed, crashing, fuses, chunk, faults):
    desk = make_desk(**dict.fromkeys(WANTED, "100.00"))
    desk.platform.faults = {name: [fault] for name, fault in faults.items()}
    decisions = desk.decide(**WANTED)
    for length in fuses:
        try:
            command(desk, crashing, Fuse(killed, length), decisions, chunk)
        except killed:
            desk.wall += timedelta(minutes=2)
    result = command(desk, crashing, Fuse(killed, None), decisions, chunk)

    assert result.status is PlanStatus.VERIFIED
    assert {name: desk.platform.amount(name) for name in WANTED} == WANTED
    assert desk.platform.times_applied() == Counter(dict.fromkeys(WANTED, 1))
    with desk.operations.read() as session:
        verified = session.scalars(select(EventRow.entity_id).where(EventRow.kind == "write_verified")).all()
        assert sorted(verified) == sorted(WANTED)
        assert set(session.scalars(select(PlanRow.status))) == {PlanStatus.VERIFIED}
    desk.operations.close()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fuses=st.lists(st.integers(0, 35), min_size=1, max_size=3))
def test_a_rollback_that_is_killed_goes_on_where_it_was(make_desk, killed, crashing, fuses):
    desk = make_desk(a="100.00", b="100.00")
    done = desk.publish(desk.plan(a="80.00", b="120.00"))
    for length in fuses:
        fuse = Fuse(killed, length)
        desk.platform.on_step = fuse
        try:
            asyncio.run(desk.publisher(crashing(desk.operations, fuse), chunk=1).rollback(done.plan_id, who="ana"))
        except killed:
            desk.wall += timedelta(minutes=2)
        except PublishError:
            break  # it is done: nothing left to undo
    desk.platform.on_step = lambda _step: None
    asyncio.run(desk.publisher().recover())
    if desk.platform.amount("a") != "100.00":
        asyncio.run(desk.publisher().rollback(done.plan_id, who="ana"))
    assert (desk.platform.amount("a"), desk.platform.amount("b")) == ("100.00", "100.00")
    assert desk.platform.times_applied() == Counter({"a": 2, "b": 2})
    assert asyncio.run(desk.publisher().execute(done.plan_id)).status is PlanStatus.ROLLED_BACK
    desk.operations.close()


def crash_when(desk, killed, step):
    def on_step(seen):
        if seen == step:
            raise killed

    desk.platform.on_step = on_step
    proposed = desk.publisher().propose(desk.plan(a="90.00"))
    with pytest.raises(killed):
        asyncio.run(desk.publisher().execute(proposed.plan_id))
    desk.platform.on_step = lambda _step: None
    return proposed.plan_id


def test_a_living_holder_keeps_its_lock_and_a_silent_one_loses_it(desk, killed):
    plan_id = crash_when(desk, killed, "update:before")
    with pytest.raises(PublishError, match="being published right now"):
        asyncio.run(desk.publisher().execute(plan_id))
    assert asyncio.run(desk.publisher().recover()) == ()
    desk.wall += timedelta(minutes=2)
    (recovered,) = asyncio.run(desk.publisher().recover())
    assert recovered.status is PlanStatus.VERIFIED


def test_a_holder_whose_process_ended_on_this_machine_loses_its_lock_at_once(desk, killed):
    plan_id = crash_when(desk, killed, "update:before")
    with desk.operations.begin() as unit:
        row = unit.session.get_one(PlanRow, plan_id)
        machine, _, token = row.executor.rsplit(":", 2)
        row.executor = f"{machine}:{2**22 + 1}:{token}"  # above the kernel's largest process id
        unit.commit()
    assert asyncio.run(desk.publisher().execute(plan_id)).status is PlanStatus.VERIFIED


def test_a_write_in_flight_whose_value_became_foreign_is_a_conflict(desk, killed):
    plan_id = crash_when(desk, killed, "update:one")
    desk.platform.set_budget("a", "42.00")
    desk.wall += timedelta(minutes=2)
    (action,) = asyncio.run(desk.publisher().execute(plan_id)).actions
    assert (action.status, desk.platform.amount("a")) == (ActionStatus.CONFLICT, "42.00")


def test_a_stop_pulled_after_a_crash_settles_what_is_out_and_sends_nothing(desk, killed):
    plan_id = crash_when(desk, killed, "update:before")
    controls.stop(desk.operations, who="ana", why="x", now=desk.now)
    desk.wall += timedelta(minutes=2)
    result = asyncio.run(desk.publisher().execute(plan_id))
    assert (result.status, result.actions[0].status) == (PlanStatus.STOPPED, ActionStatus.BLOCKED)
    assert desk.platform.applied == []


def test_heartbeats_keep_the_lock_while_a_slow_platform_is_waited_for(desk, monkeypatch):
    update, meanwhile = desk.platform.update, []
    other = desk.publisher()
    publisher = desk.publisher(lease=timedelta(seconds=0.3))
    for one in (publisher, other):
        monkeypatch.setattr(one, "_wall", lambda: datetime.now(UTC))

    async def slow(account, changes):
        await asyncio.sleep(0.7)  # longer than the lease
        meanwhile.append(await other.recover())
        return await update(account, changes)

    monkeypatch.setattr(desk.platform, "update", slow)
    proposed = publisher.propose(desk.plan(a="90.00"))
    assert asyncio.run(publisher.execute(proposed.plan_id)).status is PlanStatus.VERIFIED
    assert meanwhile == [()]


def test_an_execution_that_lost_its_lock_stops_before_its_next_write(desk):
    def steal(step):
        if step == "update:after" and desk.platform.requests == 1:
            with desk.operations.begin() as unit:
                unit.session.scalars(select(PlanRow)).one().executor = "elsewhere:1:token"
                unit.commit()

    desk.platform.on_step = steal
    proposed = desk.publisher().propose(desk.plan(a="90.00", b="95.00"))
    with pytest.raises(PublishError, match="taken over"):
        asyncio.run(desk.publisher(chunk=1).execute(proposed.plan_id))
    assert len(desk.platform.applied) == 1


def test_an_abandoned_plan_is_finished_before_the_next_one_of_its_account(desk, killed):
    older = crash_when(desk, killed, "update:before")
    desk.wall += timedelta(minutes=2)
    newer = desk.publish(desk.plan(b="95.00"))
    assert newer.status is PlanStatus.VERIFIED
    assert asyncio.run(desk.publisher().execute(older)).status is PlanStatus.VERIFIED


def test_of_two_publishers_at_once_one_executes(make_desk):
    desk = make_desk(**{f"g{number}": "100.00" for number in range(8)})
    proposed = desk.publisher().propose(desk.plan(**{f"g{number}": "90.00" for number in range(8)}))
    start, outcomes = threading.Barrier(4), []

    def execute(publisher: Publisher) -> None:
        start.wait()
        try:
            outcomes.append(asyncio.run(publisher.execute(proposed.plan_id)).status)
        except PublishError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=execute, args=(desk.publisher(chunk=1),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert PlanStatus.VERIFIED in outcomes
    assert desk.platform.times_applied() == Counter({f"g{number}": 1 for number in range(8)})
    for outcome in outcomes:
        assert outcome is PlanStatus.VERIFIED or "being published right now" in outcome
