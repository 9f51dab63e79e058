"""Meta, TikTok and LinkedIn in one loop: money moves between them, and one that is down leaves the others working."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from dagster import AssetCheckKey, AssetKey
from sqlalchemy import select

from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow

pytestmark = pytest.mark.slow
ALL = ["meta", "tiktok", "linkedin"]
IN_DOLLARS = {"USD": 1.0, "EUR": 1 / 0.92, "GBP": 1 / 0.79, "JPY": 1 / 150}


@pytest.fixture
def three(make_sandbox, make_home, wide_world, wide_baseline):
    """A world on three platforms, and a home that reads them all and has read three weeks."""
    sandbox = make_sandbox(wide_world)
    return sandbox, make_home(sandbox, {"platforms": ALL}, like=wide_baseline)


def platforms_of(frame):
    return set(frame["platform"])


def plan_states(home):
    states = defaultdict(set)
    with home.operations().read() as session:
        for plan in session.scalars(select(PlanRow)):
            states[plan.platform].add(plan.status)
    return states


def test_the_loop_moves_money_between_platforms_and_the_whole_never_grows(three):
    sandbox, home = three
    home.drive("decide", "advance", "ingest", "decide")

    for grain in ("account", "campaign", "ad_group", "ad"):
        assert platforms_of(home.mart(f"ad_reporting__{grain}_report")) == set(ALL), grain
    portfolio = home.mart("ad_reporting__portfolio_report")
    assert platforms_of(portfolio) == set(ALL)
    assert set(portfolio["currency"]) == {"USD"}

    with home.operations().read() as session:
        actions = session.scalars(select(ActionRow)).all()
        assert {row.status for row in actions} == {ActionStatus.VERIFIED}
        moved = defaultdict(float)
        for row in actions:
            moved[row.platform] += float(Decimal(row.after) - Decimal(row.before)) * IN_DOLLARS[row.currency]
    assert set(moved) == set(ALL)
    budgets = home.lake.entities().whole().filter(pl.col("status") == "active")
    worth = pl.col("currency").replace_strict(IN_DOLLARS, return_dtype=pl.Float64)
    total = budgets.select((pl.col("budget").cast(pl.Float64) * worth).sum()).item()
    assert max(moved.values()) > 0.01 * total  # a platform gained
    assert min(moved.values()) < -0.01 * total  # what another gave
    assert -0.01 * total < sum(moved.values()) <= 1e-6 * total

    asked = sorted((row.entity_id, row.after) for row in actions)
    assert len(sandbox.writes()) == len(asked) == len(set(asked))


def test_a_platform_that_is_down_shows_as_stale_and_the_others_are_decided(three):
    sandbox, home = three
    sandbox.advance_day()
    sandbox.fault("expired_token", platform="tiktok")
    home.drive("ingest")

    with home.dagster() as instance:
        checks = {
            name: instance.event_log_storage.get_latest_asset_check_execution_by_key(
                [AssetCheckKey(AssetKey([name, "raw_insights"]), "read")]
            )
            for name in ALL
        }
        passed = {
            name: record.event.dagster_event.asset_check_evaluation_data.passed
            for name, [record] in ((name, list(found.values())) for name, found in checks.items())
        }
    assert passed == {"meta": True, "tiktok": False, "linkedin": True}

    home.drive("decide", status=1)  # TikTok's own publishing step fails, loudly
    states = plan_states(home)
    assert states["meta"] == states["linkedin"] == {PlanStatus.VERIFIED}
    assert not states["tiktok"]
    tiktok = {entity["entity_id"] for entity in home.lake.entities(platform="tiktok").whole().iter_rows(named=True)}
    assert sandbox.writes()
    assert not tiktok & {write["id"] for write in sandbox.writes()}

    sandbox.heal()
    home.drive("ingest", "decide")
    assert PlanStatus.VERIFIED in plan_states(home)["tiktok"]


def test_a_platform_left_out_of_policy_is_neither_read_nor_written(make_sandbox, make_home, wide_world):
    sandbox = make_sandbox(wide_world)
    home = make_home(sandbox, {"platforms": ["meta", "linkedin"]})
    newest = sandbox.newest_day()
    home.drive(f"backfill:{newest - timedelta(days=9)}:{newest}", "decide")
    assert platforms_of(home.mart("ad_reporting__account_report")) == {"meta", "linkedin"}
    assert set(plan_states(home)) == {"meta", "linkedin"}
