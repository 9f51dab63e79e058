"""A sandbox in a process of its own for the ingest benchmarks: a world of any size, without throttling.

Knows what the process cost (CPU seconds, largest memory) and what was asked of it (`/sandbox/requests`).
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from stakazo_pipelines.sandbox.world import WorldConfig

START = datetime(2026, 6, 30, 12, tzinfo=UTC)
_ANNOUNCEMENT = "sandbox listening on "
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024.0


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A running sandbox. `start_seconds` is how long the world took until it answered."""

    url: str
    pid: int
    start_seconds: float

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_mib(self) -> float:
        """The largest resident memory so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / _MIB
        raise RuntimeError("the kernel does not tell the largest resident memory")

    def forget_requests(self) -> None:
        httpx.delete(f"{self.url}/sandbox/requests", timeout=60).raise_for_status()

    def requests(self) -> Mapping[str, int]:
        """How often each class of request (platform, method, path without ids) was asked since they were forgotten."""
        counts: dict[str, int] = httpx.get(f"{self.url}/sandbox/requests", timeout=60).json()["counts"]
        return counts


def own_peak_mib() -> float:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


@contextmanager
def sandbox_process(config: WorldConfig) -> Iterator[SandboxProcess]:
    """Start the world, and end it afterwards."""
    began = time.monotonic()
    command = [sys.executable, str(Path(__file__)), json.dumps(config.to_json())]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603 - ourselves
    if process.stdout is None:
        raise RuntimeError("the sandbox was started without a pipe to its output")
    try:
        said = process.stdout.readline().strip()
        if not said.startswith(_ANNOUNCEMENT):
            raise RuntimeError(f"the sandbox did not start: {said!r}")
        yield SandboxProcess(said.removeprefix(_ANNOUNCEMENT), process.pid, time.monotonic() - began)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        process.stdout.close()


def _serve(config: Mapping[str, Any]) -> None:
    from stakazo_pipelines.sandbox.linkedin import LinkedInOptions
    from stakazo_pipelines.sandbox.meta import MetaOptions
    from stakazo_pipelines.sandbox.server import serve
    from stakazo_pipelines.sandbox.tiktok import TikTokOptions

    world = WorldConfig.from_json(dict(config))
    with suppress(KeyboardInterrupt):
        serve(
            config=world,
            today=world.today_limit,
            meta=MetaOptions(point_limit=10**9),
            tiktok=TikTokOptions(level=None),
            linkedin=LinkedInOptions(daily_calls=10**9, calls={}, value_limit=10**12),
        )


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
