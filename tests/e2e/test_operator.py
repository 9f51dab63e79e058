"""What a person does: a stop that stops, a plan that waits for approval, a rollback that reaches the platform."""

import pytest
from sqlalchemy import select

from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.operations.tables import PlanRow

pytestmark = pytest.mark.slow


def budgets(sandbox):
    """Each written entity's budget as it stands now, and as it was before anything was written."""
    writes = sandbox.writes()
    now = {write["id"]: write["fields"]["daily_budget"] for write in writes}
    before = {write["id"]: write["before"]["daily_budget"] for write in reversed(writes)}
    return now, before


def test_stop_approve_and_roll_back_from_the_terminal(make_sandbox, make_home, baseline):
    sandbox = make_sandbox()
    home = make_home(sandbox, like=baseline)

    home.stakazo("stop", "--why", "a test", "--who", "operator")
    home.drive("decide")  # the sandbox's autonomy is autonomous: only the stop keeps it from writing
    assert sandbox.writes() == []
    assert "STOPPED * by operator" in home.stakazo("status")
    home.stakazo("resume", "--why", "enough", "--who", "operator")
    assert "no stop is in force" in home.stakazo("status")

    home.policy({"autonomy": {"sandbox": "approve"}})
    home.drive("decide")
    assert sandbox.writes() == []
    with home.operations().read() as session:
        waiting = session.scalars(select(PlanRow).where(PlanRow.status == PlanStatus.AWAITING_APPROVAL)).all()
        plan, other = (next(one for one in waiting if one.actions), waiting[-1])
        wanted = {action.entity_id for action in plan.actions}
    assert other.id != plan.id

    said = home.stakazo("approve", "0" * 64, "--who", "buyer", status=1)
    assert said.strip().splitlines() == ["error: no such plan; `stakazo status` lists the newest ones"]
    assert sandbox.writes() == []

    assert "verified" in home.stakazo("approve", plan.digest, "--who", "buyer")
    now, before = budgets(sandbox)
    assert set(now) == wanted  # the other account's plan still waits
    assert now != before

    home.stakazo("rollback", plan.id, "--who", "buyer")
    now, before = budgets(sandbox)
    assert now == before
    with home.operations().read() as session:
        status = {row.id: row.status for row in session.scalars(select(PlanRow))}
    assert (status[plan.id], status[other.id]) == (PlanStatus.ROLLED_BACK, PlanStatus.AWAITING_APPROVAL)
