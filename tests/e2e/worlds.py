"""Small simulated worlds, each served by a process of its own, and their control endpoints."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from stakazo_pipelines.sandbox.world import WorldConfig
from stakazo_pipelines.settings import SANDBOX_TOKEN

SMALL = WorldConfig(
    seed=11,
    start=datetime(2026, 6, 30, 12, tzinfo=UTC),
    history_days=45,
    accounts=2,
    campaigns=12,
    ad_groups=24,
    ads=60,
    today_limit=datetime(2026, 7, 20, tzinfo=UTC),
)
WIDE = replace(SMALL, platforms=("meta", "tiktok", "linkedin"), accounts=3)
SERVE = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from stakazo_pipelines.sandbox.server import serve
from stakazo_pipelines.sandbox.world import WorldConfig
config = WorldConfig.from_json(json.loads(sys.argv[1]))
serve(token=sys.argv[2], state_file=Path(sys.argv[3]), config=config, today=config.today_limit)
"""


class Sandbox:
    """A running world: its control endpoints."""

    def __init__(self, url: str, state: Path) -> None:
        self.url = url
        self.state = state

    def fault(self, kind: str, path: str = ".*", **options: object) -> None:
        httpx.post(
            f"{self.url}/sandbox/faults", json={"kind": kind, "path": path, **options}, timeout=30
        ).raise_for_status()

    def fired(self) -> Counter[str]:
        """How often each kind of fault struck."""
        struck: Counter[str] = Counter()
        for rule in httpx.get(f"{self.url}/sandbox/faults", timeout=30).json()["faults"]:
            struck[rule["kind"]] += rule["fired"]
        return struck

    def heal(self) -> None:
        httpx.delete(f"{self.url}/sandbox/faults", timeout=30).raise_for_status()

    def advance_day(self) -> None:
        httpx.post(f"{self.url}/sandbox/clock", json={"advance_days": 1}, timeout=60).raise_for_status()

    def writes(self) -> list[dict[str, Any]]:
        """Everything that the API applied, oldest first."""
        writes: list[dict[str, Any]] = httpx.get(f"{self.url}/sandbox/journal", timeout=30).json()["writes"]
        return writes

    def newest_day(self) -> date:
        """The newest day that has ended everywhere, as the daily schedule has it."""
        now = datetime.fromisoformat(httpx.get(f"{self.url}/sandbox/clock", timeout=30).json()["now"])
        return (now - timedelta(hours=12)).date() - timedelta(days=1)


def sandboxes(folder: Path) -> Generator[Callable[..., Sandbox]]:
    """Yields once what starts worlds, which keep their state in the folder; closed, it ends them all."""
    running: list[subprocess.Popen[str]] = []
    numbers = itertools.count()

    def start(config: WorldConfig = SMALL, token: str = SANDBOX_TOKEN) -> Sandbox:
        state = folder / f"world-{next(numbers)}.jsonl"
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", SERVE, json.dumps(config.to_json()), token, str(state)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        running.append(process)
        assert process.stdout is not None
        announced = process.stdout.readline().strip()
        assert announced.startswith("sandbox listening on "), announced
        return Sandbox(announced.rsplit(" ", 1)[1], state)

    try:
        yield start
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            assert process.stdout is not None
            process.stdout.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
