"""Behaviour of the operations database; tests/integration runs the same tests on PostgreSQL."""

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text

from stakazo_pipelines.errors import IllegalTransitionError, OperationsError, PublishError
from stakazo_pipelines.operations import ActionStatus, PlanStatus, controls, open_operations, plans
from stakazo_pipelines.operations.tables import VERSION_TABLE, ActionRow, Base, ControlRow, EventRow, PlanRow
from stakazo_pipelines.vocabulary import Level

NOW = datetime(2026, 7, 1, 9, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def operations(operations_url):
    opened = open_operations(operations_url)
    yield opened
    opened.close()


def plan_row(digest="d" * 64, account_id="act_1", total="100.00", at=NOW):
    return PlanRow(
        digest=digest,
        platform="meta",
        account_id=account_id,
        account={},
        as_of=date(2026, 6, 30),
        status=PlanStatus.PROPOSED,
        reason="",
        budget_total=Decimal(total),
        total_before=Decimal(total),
        total_after=Decimal(total),
        created_at=at,
        actions=[
            ActionRow(
                position=0,
                platform="meta",
                account_id=account_id,
                level=Level.AD_GROUP,
                entity_id="1",
                name="Group",
                field="daily_budget",
                before="1.00",
                after="2.00",
                currency="EUR",
                relative=1.0,
                share=0.1,
                status=ActionStatus.PLANNED,
            )
        ],
    )


def approved(operations, **fields):
    with operations.begin() as unit:
        row = plans.add_plan(unit.session, plan_row(**fields))
        plans.move_plan(unit.session, row, PlanStatus.AWAITING_APPROVAL, NOW)
        plans.approve_plan(unit.session, row, who="ana", at=NOW, lifetime=timedelta(hours=24))
        unit.commit()
        return row.id


def lock(operations, plan_id, executor="x:1:t"):
    with operations.begin() as unit:
        row = plans.get_plan(unit.session, plan_id, lock=True)
        plans.lock_plan(unit.session, row, executor=executor, at=NOW, lease_until=NOW + timedelta(minutes=1))
        unit.commit()


def test_a_unit_of_work_is_rolled_back_unless_committed(operations):
    with operations.begin() as unit:
        plans.add_plan(unit.session, plan_row())
    with operations.read() as session:
        assert session.scalars(select(PlanRow)).all() == []


def test_a_unit_of_work_is_rolled_back_by_an_error(operations):
    def fails():
        with operations.begin() as unit:
            plans.add_plan(unit.session, plan_row())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with operations.read() as session:
        assert session.scalars(select(EventRow)).all() == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.decimals(min_value=0, max_value=10**18, places=6, allow_nan=False))
def test_decimals_come_back_digit_for_digit(operations, amount):
    with operations.begin() as unit:
        unit.session.add(row := plan_row(digest=f"{amount}"[:40], total=str(amount)))
        row.id, row.repetition = f"{amount}-x", 0
        unit.session.flush()
        unit.session.expire_all()
        stored = unit.session.get_one(PlanRow, f"{amount}-x").budget_total
    assert (stored, str(stored)) == (amount, format(amount, "f"))


def test_instants_come_back_aware_and_in_utc_to_the_microsecond(operations):
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    with operations.begin() as unit:
        unit.session.add(EventRow(at=tokyo, kind="tested"))
        unit.commit()
    with operations.read() as session:
        stored = session.scalars(select(EventRow.at)).one()
    assert (stored, stored.utcoffset()) == (NOW, timedelta(0))


def test_an_instant_without_a_zone_is_refused(operations):
    with pytest.raises(OperationsError, match="no time zone"):
        controls.stop(operations, who="ana", why="x", now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("table", ["events", "controls"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = at", "DELETE FROM {}"])
def test_history_cannot_be_changed(operations, table, statement):
    controls.stop(operations, who="ana", why="x", now=NOW)
    with pytest.raises(OperationsError, match="append-only"), operations.begin() as unit:
        unit.session.execute(text(statement.format(table)))


def test_the_newest_word_on_a_scope_is_in_force_and_all_are_kept(operations):
    controls.stop(operations, who="ana", why="spike", now=NOW)
    controls.stop(operations, who="ben", why="account", now=NOW, scope="meta/act_1")
    controls.resume(operations, who="ana", why="fixed", now=NOW + timedelta(hours=1))
    with operations.read() as session:
        stop = controls.stop_in_force(session, "meta", "act_1")
        assert stop is not None
        assert (stop.who, stop.why, stop.at) == ("ben", "account", NOW)
        assert controls.stop_in_force(session, "meta", "act_2") is None
        assert len(session.scalars(select(ControlRow)).all()) == 3


def test_holds_end_by_release_or_by_time(operations):
    common = {"platform": "meta", "account_id": "act_1", "level": Level.AD_GROUP, "who": "ana", "why": "x", "now": NOW}
    first = controls.hold(operations, kind="human_hold", entity_id="1", **common)
    controls.hold(operations, kind="learning_hold", entity_id="2", until=NOW + timedelta(days=1), **common)

    def held(at):
        with operations.read() as session:
            return [row.entity_id for row in controls.holds_in_force(session, "meta", "act_1", at)]

    assert held(NOW) == ["1", "2"]
    controls.release(operations, first, who="ben", now=NOW)
    assert held(NOW) == ["2"]
    assert held(NOW + timedelta(days=1)) == []
    with pytest.raises(OperationsError, match="no hold"):
        controls.release(operations, first, who="ben", now=NOW)


def test_illegal_moves_raise_and_change_nothing(operations):
    plan_id = approved(operations)

    def skip_ahead():
        with operations.begin() as unit:
            plans.move_plan(unit.session, plans.get_plan(unit.session, plan_id), PlanStatus.VERIFIED, NOW)
            unit.commit()

    with pytest.raises(IllegalTransitionError, match="approved and cannot become verified"):
        skip_ahead()
    with operations.read() as session:
        assert plans.get_plan(session, plan_id).status is PlanStatus.APPROVED


def test_one_plan_of_an_account_executes_at_a_time(operations):
    first, second = approved(operations), approved(operations, digest="e" * 64)
    other = approved(operations, digest="f" * 64, account_id="act_2")
    lock(operations, first)
    lock(operations, other)
    with pytest.raises(PublishError, match="another plan is being published"):
        lock(operations, second)


def test_plans_of_one_digest_get_ids_of_their_own(operations):
    assert approved(operations) == "d" * 16 + "-0"
    assert approved(operations) == "d" * 16 + "-1"


def test_concurrent_first_starts_make_one_database(operations_url):
    errors = []

    def start():
        try:
            open_operations(operations_url).close()
        except OperationsError as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_opening_again_keeps_what_is_there(operations_url):
    first = open_operations(operations_url)
    controls.stop(first, who="ana", why="x", now=NOW)
    first.close()
    second = open_operations(operations_url)
    with second.read() as session:
        assert controls.stop_in_force(session, "meta", "act_1") is not None
    second.close()


def test_the_migrations_make_the_tables_that_the_code_describes(operations, operations_url):
    engine = create_engine(operations_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_writers_queue_instead_of_failing(operations):
    def write(number):
        for _ in range(5):
            with operations.begin() as unit:
                unit.session.add(EventRow(at=NOW, kind=f"writer_{number}"))
                unit.commit()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with operations.read() as session:
        assert len(session.scalars(select(EventRow)).all()) == 20
