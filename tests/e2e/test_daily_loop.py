"""Backfilled days, a decision, and two days of the loop: what lands, what is decided, what reaches the platform."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest
from dagster import DagsterRunStatus
from sqlalchemy import select

from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.cycle.accounts import known_accounts
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, DecisionRow, EventRow, PlanRow
from stakazo_pipelines.quality import unreconciled

pytestmark = pytest.mark.slow
AD_DAY = ["date_day", "platform", "account_id", "ad_id"]


def test_three_days_of_the_loop_change_each_budget_once_and_leave_the_sum_of_totals_alone(
    make_sandbox, make_home, baseline
):
    sandbox = make_sandbox()
    home = make_home(sandbox, like=baseline)
    since, first = baseline.since, sandbox.newest_day()
    last = first + timedelta(days=2)

    home.drive("decide", *["advance", "ingest", "decide"] * 2)

    ads, accounts = (home.mart(f"ad_reporting__{grain}_report") for grain in ("ad", "account"))
    assert not ads.select(AD_DAY).is_duplicated().any()
    assert set(accounts["date_day"]) == {since + timedelta(days=day) for day in range((last - since).days + 1)}
    assert unreconciled(accounts, ads, tolerance=1e-6).is_empty()

    with home.operations().read() as session:
        decided = session.scalars(select(DecisionRow)).all()
        actions = session.scalars(select(ActionRow)).all()
        assert set(session.scalars(select(PlanRow.status))) == {PlanStatus.VERIFIED}
        journaled = session.scalars(select(EventRow.action_id).where(EventRow.kind == "write_verified")).all()
    assert {row.as_of for row in decided} == {first, first + timedelta(days=1), last}
    assert all(row.rule and row.thresholds and row.inputs for row in decided)
    assert actions
    assert {row.status for row in actions} == {ActionStatus.VERIFIED}
    assert sorted(journaled) == sorted(row.id for row in actions)

    minor = {key[1]: account.minor_units for key, account in known_accounts(home.lake, last).found.items()}
    asked = Counter((row.entity_id, int(Decimal(row.after) * minor[row.account_id])) for row in actions)
    writes = sandbox.writes()
    assert Counter((write["id"], write["fields"]["daily_budget"]) for write in writes) == asked
    assert set(asked.values()) == {1}

    moved: Counter[str] = Counter()
    owner = {row.entity_id: row.account_id for row in actions}
    for write in writes:
        moved[owner[write["id"]]] += write["fields"]["daily_budget"] - write["before"]["daily_budget"]
    budgets = home.lake.entities().whole().filter(pl.col("status") == "active")
    rates, together, whole = load_rates(), 0.0, 0.0
    for account_id, change in moved.items():
        own = budgets.filter(pl.col("account_id") == account_id)
        total, worth = own["budget"].cast(pl.Float64).sum(), float(rates.worth(own["currency"][0], "USD", last))
        assert abs(change) <= 0.4 * total * minor[account_id]  # three steps of a tenth
        together, whole = together + change / minor[account_id] * worth, whole + total * worth
    assert -0.001 * whole <= together <= 0

    with home.dagster() as instance:
        runs = Counter(run.job_name for run in instance.get_runs())
        assert runs == {"ingest": 2, "decide": 3}
        assert {run.status for run in instance.get_runs()} == {DagsterRunStatus.SUCCESS}
