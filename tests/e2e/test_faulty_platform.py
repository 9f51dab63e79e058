"""A platform that misbehaves while the pipeline runs: passing faults pass, lasting ones are said and contained."""

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import select

from stakazo_pipelines.cycle.accounts import known_accounts
from stakazo_pipelines.marts import MART_MODELS
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow

pytestmark = pytest.mark.slow
DATASETS = [f"insights_{level}" for level in ("account", "campaign", "ad_group", "ad")]


def test_passing_faults_leave_no_trace_in_the_marts(make_sandbox, make_home, baseline):
    sandbox = make_sandbox()
    home = make_home(sandbox)
    sandbox.fault("throttle", path="insights", probability=0.5, times=2, seed=1)
    sandbox.fault("server_error", path="insights", probability=0.5, times=2, seed=2)
    sandbox.fault("truncated_json", path="insights", probability=0.5, times=2, seed=3)
    sandbox.fault("timeout", path="insights", probability=0.5, times=1, seconds=1, seed=4)
    sandbox.fault("truncated_json", path="campaigns", times=1)
    sandbox.fault("server_error", path="adsets", times=1, body="html", status=502)
    sandbox.fault("throttle", path="ads$", times=1, code=4)

    home.drive(baseline.backfill)

    assert sandbox.fired() == {"throttle": 3, "server_error": 3, "truncated_json": 3, "timeout": 1}
    for model in MART_MODELS:
        assert_frame_equal(*(one.mart(model).drop("fetched_at", strict=False) for one in (home, baseline)))


def test_a_malformed_row_is_kept_apart_and_a_lost_account_does_not_stop_the_others(make_sandbox, make_home, baseline):
    sandbox = make_sandbox()
    home = make_home(sandbox)
    lost, kept = sorted(account for _, account in known_accounts(baseline.lake, baseline.newest.replace(day=30)).found)
    sandbox.fault("permission_lost", path=f"act_{lost}")
    sandbox.fault("malformed_row", path=f"act_{kept}/insights", times=1)

    since = baseline.newest - timedelta(days=9)
    home.drive(f"backfill:{since}:{baseline.newest}")

    bad = home.lake.newest("quarantine").whole()
    assert bad["account_id"].to_list() == [kept]
    assert all(bad["reason"].to_list())
    landed = [home.lake.newest(name).whole().height for name in DATASETS]
    whole = [baseline.lake.newest(name, account_id=kept).whole() for name in DATASETS]
    assert sum(landed) == sum(frame.filter(pl.col("date_day") >= since).height for frame in whole) - 1
    assert set(home.mart(MART_MODELS[0])["account_id"]) == {kept}
    with home.dagster() as instance:
        [run] = instance.get_runs()
        said = " ".join(log.user_message for log in instance.all_logs(run.run_id))
    assert f"account {lost} could not be read" in said


def test_an_expired_token_is_said_and_publishes_nothing(make_sandbox, make_home, baseline):
    sandbox = make_sandbox()
    home = make_home(sandbox, like=baseline)
    sandbox.fault("expired_token")
    said = home.drive("ingest", "decide", status=1)
    assert "code 190" in said
    assert "Traceback" not in said

    sandbox.heal()
    sandbox.fault("expired_token", method="POST")  # it expires between the plan and its first write
    assert "verified" in home.drive("decide", status=1)
    assert sandbox.writes() == []
    with home.operations().read() as session:
        plans, actions = session.scalars(select(PlanRow)).all(), session.scalars(select(ActionRow)).all()
    # An account whose total would grow waits for the cuts that were to pay for it.
    assert PlanStatus.FAILED in {plan.status for plan in plans} <= {PlanStatus.FAILED, PlanStatus.APPROVED}
    unsent = {ActionStatus.FAILED, ActionStatus.BLOCKED, ActionStatus.PLANNED}
    assert {action.status for action in actions} <= unsent
    assert any("190" in (action.error or "") for action in actions)
