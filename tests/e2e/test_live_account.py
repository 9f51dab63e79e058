"""A live account (here: the sandbox behind META_BASE_URL): nothing is written, and its token is written nowhere."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from sqlalchemy import select

from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.operations.tables import PlanRow

pytestmark = pytest.mark.slow
TOKEN = "EAAdistinctiveTOKEN9f8e7d6c5b4a"


def holds_token(path: Path) -> bool:
    if TOKEN.encode() in path.read_bytes():
        return True
    if path.suffix != ".parquet":
        return False
    frame = pl.read_parquet(path)  # compressed: bytes alone would not show it
    texts = [column for column, dtype in frame.schema.items() if dtype == pl.String()]
    return any(frame[column].str.contains(TOKEN, literal=True).any() for column in texts)


def test_a_live_account_is_only_observed_and_its_token_stands_nowhere(make_sandbox, make_home, small_world, tmp_path):
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    sandbox = make_sandbox(dataclasses.replace(small_world, start=now, today_limit=now), token=TOKEN)
    home = make_home(None, META_ACCESS_TOKEN=TOKEN, META_BASE_URL=sandbox.url)
    # Complete in both accounts' zones, and not before the day on which the western one's entities are read now.
    newest = now.astimezone(ZoneInfo("America/New_York")).date() - timedelta(days=1)

    home.drive(f"backfill:{newest - timedelta(days=13)}:{newest}", f"decide:{newest}")
    with home.operations().read() as session:
        plans = session.scalars(select(PlanRow)).all()
        assert {plan.status for plan in plans} == {PlanStatus.OBSERVED}
        assert any(plan.actions for plan in plans)
        digest = plans[0].digest
    assert sandbox.writes() == []
    home.stakazo("status")
    home.stakazo("approve", digest, status=1)

    sandbox.fault("truncated_json", path="insights", times=1)
    sandbox.fault("expired_token", path="insights")
    home.drive(f"ingest:{newest}", status=1)
    assert sandbox.writes() == []

    written = [path for path in home.path.rglob("*") if path.is_file()]
    written.append(sandbox.state)
    assert any(path.suffix == ".db" for path in written)
    assert any(path.suffix == ".parquet" for path in written)
    assert [path for path in written if path.exists() and holds_token(path)] == []
    assert TOKEN not in "".join(home.said)
