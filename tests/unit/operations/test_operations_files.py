"""What is particular to files and addresses: locked, missing or unsuitable databases, told without secrets."""

import sqlite3
from datetime import UTC, datetime

import pytest
from sqlalchemy.engine import make_url

from stakazo_pipelines.errors import ConfigError, IllegalTransitionError, OperationsError
from stakazo_pipelines.operations import controls, open_operations
from stakazo_pipelines.operations.states import ACTION_MOVES, PLAN_MOVES, ActionStatus, PlanStatus, moved

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_a_database_locked_for_too_long_is_told_plainly(operations_url):
    operations = open_operations(operations_url, busy_seconds=0.05)
    other = sqlite3.connect(operations_url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationsError, match="locked by another process"):
        controls.stop(operations, who="ana", why="x", now=NOW)
    other.execute("ROLLBACK")
    other.close()
    controls.stop(operations, who="ana", why="x", now=NOW)
    operations.close()


def test_readers_do_not_wait_for_a_writer(operations_url):
    operations = open_operations(operations_url, busy_seconds=0.05)
    with operations.begin(), operations.read() as session:
        assert controls.stop_in_force(session, "meta", "act_1") is None
    operations.close()


def test_the_file_is_in_wal_and_checks_foreign_keys(operations_url):
    operations = open_operations(operations_url)
    with operations.read() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    operations.close()


def test_an_absent_server_is_told_without_the_password():
    url = make_url("postgresql+psycopg2://robot:hunter2@127.0.0.1:9/nowhere")
    with pytest.raises(OperationsError, match=r"nowhere on 127\.0\.0\.1") as raised:
        open_operations(url)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_is_no_database_is_told(tmp_path):
    path = tmp_path / "operations.db"
    path.write_text("not a database, certainly not one of ours" * 30)
    with pytest.raises(OperationsError, match="not a database"):
        open_operations(make_url(f"sqlite:///{path}"))


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OperationsError):
        open_operations(make_url(f"sqlite:///{tmp_path}/file/operations.db"))


def test_memory_is_no_place_for_what_was_sent():
    with pytest.raises(ConfigError, match="memory forgets"):
        open_operations(make_url("sqlite://"))


@pytest.mark.parametrize("moves", [PLAN_MOVES, ACTION_MOVES])
def test_every_state_has_its_moves(moves):
    states = type(next(iter(moves)))
    assert set(moves) == set(states)


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (PlanStatus.OBSERVED, PlanStatus.EXECUTING, PLAN_MOVES),
        (PlanStatus.AWAITING_APPROVAL, PlanStatus.EXECUTING, PLAN_MOVES),
        (PlanStatus.VERIFIED, PlanStatus.EXECUTING, PLAN_MOVES),
        (ActionStatus.VERIFIED, ActionStatus.SENDING, ACTION_MOVES),
        (ActionStatus.PLANNED, ActionStatus.VERIFIED, ACTION_MOVES),
    ],
)
def test_what_the_table_does_not_have_is_illegal(before, after, moves):
    with pytest.raises(IllegalTransitionError, match=f"is {before} and cannot become {after}"):
        moved("it", before, after, moves)
