"""kill -9 at random moments of a backfill or a publish, then the same command again: nothing torn, doubled or lost."""

import random
import time
from collections import Counter

import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import select

from stakazo_pipelines.lake.store import read_parquet
from stakazo_pipelines.marts import MART_MODELS
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, EventRow, PlanRow

pytestmark = pytest.mark.slow


def raw_files(lake):
    return {
        str(file.path.relative_to(lake.root)): file.path.read_bytes()
        for dataset in ("insights_account", "insights_campaign", "insights_ad_group", "insights_ad", "entities")
        for file in lake.raw_files(dataset)
    }


def test_a_backfill_killed_at_random_moments_ends_in_the_same_lake(make_sandbox, make_home, baseline):
    chance = random.Random(5)  # noqa: S311
    home, kills = make_home(make_sandbox()), 0
    for part in range(3):  # one moment in each third: reading, dbt, putting in place
        process = home.start(baseline.backfill)
        process.stdout.readline()
        time.sleep(baseline.seconds * (part + chance.random()) / 3)
        kills += process.poll() is None
        process.kill()
        process.wait()
        process.stdout.close()
        for path in home.lake.root.glob("[!.]*/**/*.parquet"):
            read_parquet(path)  # raises when it is torn
    home.drive(baseline.backfill)

    assert kills >= 2
    assert raw_files(home.lake) == raw_files(baseline.lake)
    for model in MART_MODELS:
        assert_frame_equal(home.mart(model), baseline.mart(model))


def test_a_publish_killed_at_random_moments_applies_and_journals_each_write_once(make_sandbox, make_home, baseline):
    chance = random.Random(6)  # noqa: S311
    sandbox = make_sandbox()
    home, kills = make_home(sandbox, like=baseline), 0
    sandbox.fault("slow_body", method="POST", seconds=0.4)  # so that there is a middle of a publish to be killed in
    for _ in range(4):
        before = len(sandbox.writes())
        process = home.start("decide")
        while process.poll() is None and len(sandbox.writes()) == before:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.6))
        kills += process.poll() is None
        process.kill()
        process.wait()
        process.stdout.close()
        if process.returncode == 0:
            break  # nothing was left to be killed in
    sandbox.heal()
    home.drive("decide")

    assert kills >= 2
    with home.operations().read() as session:
        actions = session.scalars(select(ActionRow)).all()
        verified = session.scalars(select(EventRow.entity_id).where(EventRow.kind == "write_verified")).all()
        assert set(session.scalars(select(PlanRow.status))) == {PlanStatus.VERIFIED}
    assert {row.status for row in actions} <= {ActionStatus.VERIFIED, ActionStatus.ALREADY}
    written = Counter(write["id"] for write in sandbox.writes())
    assert written
    assert set(written.values()) == {1}
    assert Counter(verified) == written
