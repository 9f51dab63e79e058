"""The operations database, publishing and Dagster's own storage on a real PostgreSQL server.

The tests of tests/unit that say where the database is by the fixture `operations_url` run here again, on the server.
"""

import importlib.util
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import event
from sqlalchemy.engine import URL

from stakazo_pipelines.publishing.funding import freed

UNIT = Path(__file__).parents[1] / "unit"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"on_postgres_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_database = _load(UNIT / "operations" / "test_operations_database.py")
_flow = _load(UNIT / "publishing" / "test_publisher_flow.py")
_crashes = _load(UNIT / "publishing" / "test_publisher_crashes.py")
_desk = _load(UNIT / "publishing" / "conftest.py")
_funding = _load(UNIT / "cycle" / "test_cycle_funding.py")

operations = _database.operations
desk = _desk.desk
shops = _funding.shops


@pytest.fixture
def operations_url(fresh_postgres) -> URL:
    return fresh_postgres()


@pytest.fixture
def make_desk(fresh_postgres):
    return lambda **budgets: _desk.Desk(fresh_postgres(), **budgets)


test_of_two_publishers_at_once_one_executes = _crashes.test_of_two_publishers_at_once_one_executes
test_the_same_money_is_not_taken_twice = _funding.test_the_same_money_is_not_taken_twice
test_two_runs_at_once_do_not_take_the_same_money = _funding.test_two_runs_at_once_do_not_take_the_same_money
test_money_that_a_rollback_took_back_pays_for_nothing_more = (
    _funding.test_money_that_a_rollback_took_back_pays_for_nothing_more
)
globals().update(
    {name: test for module in (_database, _flow) for name, test in vars(module).items() if name.startswith("test_")}
)


def test_a_plan_proposed_while_freed_money_is_counted_disturbs_nobody(desk):
    plan, number = desk.plan(a="90.00"), count()

    def propose(*_statement: object) -> None:
        account = replace(plan.account, id=f"act_1{next(number)}")
        desk.publisher().propose(replace(plan, account=account))

    with desk.operations.read() as session:
        event.listen(session.connection(), "before_cursor_execute", propose)
        assert freed(session, plan.as_of, except_plan="") == 0
    assert next(number) > 0


@pytest.mark.slow
def test_dagster_keeps_its_runs_and_events_on_the_same_server(fresh_postgres, tmp_path, monkeypatch):
    import dagster as dg
    import yaml

    url = fresh_postgres()
    storage = {"postgres": {"postgres_url": url.render_as_string(hide_password=False)}}
    config = {"storage": storage, "telemetry": {"enabled": False}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    @dg.asset
    def trivial() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"rows": 3})

    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([trivial], instance=instance).success
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("trivial"))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["rows"].value == 3
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
    assert not list(tmp_path.rglob("*.db"))
