"""With DATABASE_URL on PostgreSQL, what is decided and done and Dagster's own storage lie there, and nowhere else."""

import pytest
from sqlalchemy import create_engine, select, text

from stakazo_pipelines.operations import ActionStatus, open_operations
from stakazo_pipelines.operations.tables import ActionRow
from stakazo_pipelines.settings import database_url

pytestmark = pytest.mark.slow


def test_a_day_is_decided_and_published_on_postgresql(make_sandbox, make_home, baseline, fresh_postgres):
    raw = fresh_postgres().render_as_string(hide_password=False)
    sandbox = make_sandbox()
    home = make_home(sandbox, like=baseline, DATABASE_URL=raw)

    home.drive("ingest", "decide")

    operations = open_operations(database_url(raw))
    with operations.read() as session:
        actions = session.scalars(select(ActionRow)).all()
    operations.close()
    assert actions
    assert {action.status for action in actions} == {ActionStatus.VERIFIED}
    assert len(sandbox.writes()) == len(actions)

    engine = create_engine(database_url(raw))
    with engine.connect() as connection:
        runs = connection.execute(text("SELECT status, count(*) FROM runs GROUP BY status")).all()
    engine.dispose()
    assert runs == [("SUCCESS", 2)]
    assert not (home.path / "operations.db").exists()
    assert not list((home.path / "dagster").rglob("*.db"))
