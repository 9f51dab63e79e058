"""kill -9 at random moments of a publish, then the same command again: each write is applied once.

The platform is a file of JSON lines, one per applied write, so that writes are counted across processes. This file is
also the program that is killed: `python test_publish_kill.py FOLDER`.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from stakazo_pipelines.decisions.arbiter import arbitrate
from stakazo_pipelines.decisions.candidate import ActionKind, Candidate, EntityRef, Module
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import PlanStatus, open_operations
from stakazo_pipelines.operations.tables import EventRow, PlanRow
from stakazo_pipelines.platforms.port import (
    Account,
    Budget,
    BudgetPeriod,
    Capabilities,
    Entity,
    EntityChange,
    WriteOutcome,
)
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.execution import Pace
from stakazo_pipelines.publishing.plan import build_plan
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus, Level

NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
ACCOUNT = Account("act_1", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)
IDS = [f"g{number:02}" for number in range(24)]
WANTED = {name: Decimal("90.00") if number < 12 else Decimal("110.00") for number, name in enumerate(IDS)}


class FilePlatform:
    """Every applied write is one line, on disk before the answer; answers take a moment, as over a network."""

    name = "meta"
    capabilities = Capabilities(
        frozenset(Level), frozenset(), frozenset(), False, False, 50, frozenset({Level.AD_GROUP})
    )

    def __init__(self, path: Path) -> None:
        self._path = path

    def amounts(self) -> dict[str, Decimal]:
        held = dict.fromkeys(IDS, Decimal("100.00"))
        return held | {name: Decimal(amount) for name, amount in self.lines()}

    def lines(self) -> list[tuple[str, str]]:
        if not self._path.exists():
            return []
        return [tuple(json.loads(line)) for line in self._path.read_text().splitlines()]

    def entities(self) -> list[Entity]:
        return [
            Entity(
                Level.AD_GROUP,
                name,
                ACCOUNT.id,
                "c1",
                name,
                EntityStatus.ACTIVE,
                "adset",
                budget=Budget(Money(amount, "EUR"), BudgetPeriod.DAILY),
            )
            for name, amount in self.amounts().items()
        ]

    async def read(self, _account: Account, _level: Level, entity_id: str) -> Entity:
        await asyncio.sleep(0.002)
        return next(entity for entity in self.entities() if entity.id == entity_id)

    async def update(self, _account: Account, changes: Sequence[EntityChange]) -> list[WriteOutcome]:
        for change in changes:
            await asyncio.sleep(0.01)
            assert change.budget is not None
            with self._path.open("a") as file:
                file.write(json.dumps([change.id, str(change.budget.money.amount)]) + "\n")
            await asyncio.sleep(0.01)
        return [WriteOutcome(change) for change in changes]


def command(folder: Path) -> None:
    """One run: finish what was left, look, decide, plan, publish."""
    operations = open_operations(make_url(f"sqlite:///{folder / 'operations.db'}"))
    platform = FilePlatform(folder / "platform.jsonl")
    publisher = Publisher(
        platform,
        operations,
        policy=Policy(),
        autonomy_of=lambda _account: Autonomy.AUTONOMOUS,
        now=lambda: NOW,
        pace=Pace(chunk=4, waits=(0.0, 0.01), lease=timedelta(minutes=10)),
    )

    async def run() -> None:
        await publisher.recover()
        entities = platform.entities()
        candidates = [
            Candidate(
                Module.ALLOCATION,
                EntityRef("meta", ACCOUNT.id, Level.AD_GROUP, entity.id),
                ActionKind.SET_BUDGET,
                entity.budget.money,
                Money(WANTED[entity.id], "EUR"),
                "test",
            )
            for entity in entities
            if entity.budget is not None
        ]
        plan = build_plan(
            platform="meta",
            account=ACCOUNT,
            as_of=date(2026, 6, 30),
            decisions=arbitrate(candidates, now=NOW),
            observed=entities,
        )
        await publisher.execute(publisher.propose(plan).plan_id)

    asyncio.run(run())
    operations.close()


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, __file__, str(folder)], env=environment)  # noqa: S603


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_publish_killed_at_random_moments_writes_each_change_once(tmp_path, seed):
    chance = random.Random(seed)  # noqa: S311
    platform = FilePlatform(tmp_path / "platform.jsonl")
    kills = 0
    for _ in range(4):
        process = start(tmp_path)
        lines = len(platform.lines())
        deadline = time.monotonic() + 60
        while process.poll() is None and len(platform.lines()) == lines and time.monotonic() < deadline:
            time.sleep(0.005)  # it has written at least once: now it is in the middle
        time.sleep(chance.uniform(0, 0.25))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert start(tmp_path).wait() == 0

    assert kills >= 2
    assert Counter(name for name, _ in platform.lines()) == Counter(dict.fromkeys(IDS, 1))
    assert platform.amounts() == WANTED
    operations = open_operations(make_url(f"sqlite:///{tmp_path / 'operations.db'}"))
    with operations.read() as session:
        verified = session.scalars(select(EventRow.entity_id).where(EventRow.kind == "write_verified")).all()
        assert sorted(verified) == IDS
        assert set(session.scalars(select(PlanRow.status))) == {PlanStatus.VERIFIED}
    operations.close()


if __name__ == "__main__":
    command(Path(sys.argv[1]))
