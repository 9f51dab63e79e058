"""A large backfill and its marts, as `stakazo run` makes them: how long, how much memory, and where the time goes.

python benchmarks/ingest_scale.py [--platforms meta,tiktok,linkedin] [--days 90] [--ad-groups 1000] [--ads 5000]

One sandbox process without throttling, one process that runs the Dagster job `ingest` over the range (dbt in it).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import yaml
from common.ingest_world import START, SandboxProcess, own_peak_mib, sandbox_process
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.sandbox.world import WorldConfig


@dataclass
class Clock:
    """Wall and CPU seconds of the calls of one kind: of their own thread, or of all threads where they run `alone`."""

    alone: bool = False
    calls: int = 0
    wall: float = 0.0
    cpu: float = 0.0

    def around(self, owner: Any, name: str) -> None:
        """Time every call of a function or method from now on."""
        inner: Callable[..., Any] = getattr(owner, name)
        spent = time.process_time if self.alone else time.thread_time

        @wraps(inner)
        def timed(*args: Any, **named: Any) -> Any:
            wall, cpu = time.monotonic(), spent()
            try:
                return inner(*args, **named)
            finally:
                self.calls += 1
                self.wall += time.monotonic() - wall
                self.cpu += spent() - cpu

        setattr(owner, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platforms", default="meta")
    parser.add_argument("--accounts", type=int, default=3)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--ad-groups", type=int, default=1000)
    parser.add_argument("--ads", type=int, default=5000)
    options = parser.parse_args()
    platforms = tuple(options.platforms.split(","))
    config = WorldConfig(
        start=START,
        today_limit=START,
        history_days=options.days,
        accounts=options.accounts,
        campaigns=max(options.ad_groups // 5, options.accounts),
        ad_groups=options.ad_groups,
        ads=options.ads,
        platforms=platforms,
    )
    with tempfile.TemporaryDirectory(prefix="stakazo-") as folder, sandbox_process(config) as sandbox:
        home = Path(folder)
        (home / "policy.yaml").write_text(yaml.safe_dump({"platforms": list(platforms)}), encoding="utf-8")
        os.environ |= {
            "STAKAZO_HOME": str(home / "home"),
            "STAKAZO_POLICY": str(home / "policy.yaml"),
            "STAKAZO_SANDBOX_URL": sandbox.url,
            "DO_NOT_TRACK": "1",
        }
        _backfill(sandbox, config, options.days)


def _backfill(sandbox: SandboxProcess, config: WorldConfig, days: int) -> None:
    from stakazo_pipelines.commands.home import prepare_home
    from stakazo_pipelines.runtime import Runtime
    from stakazo_pipelines.settings import Settings

    prepare_home(Settings())
    # Dagster and the assets read the environment when they are imported, so they come after it is set.
    from dagster import DagsterInstance

    from assets import marts as mart_assets
    from resources.dbt import DbtResource
    from sensors.drive import Driver
    from stakazo_pipelines import ingest
    from stakazo_pipelines.definitions import defs
    from stakazo_pipelines.lake import Lake
    from stakazo_pipelines.platforms.http import client
    from stakazo_pipelines.platforms.rows import RowCollector

    steps = {
        "answers to JSON": Clock(),
        "JSON to typed rows": Clock(),
        "rows to frames": Clock(),
        "lake: raw files": Clock(),
        "dbt build": Clock(alone=True),
        "marts put in place": Clock(alone=True),
    }
    steps["answers to JSON"].around(client, "_decoded")
    steps["JSON to typed rows"].around(RowCollector, "add")
    steps["rows to frames"].around(ingest, "insight_days")
    steps["lake: raw files"].around(Lake, "append_days")
    steps["dbt build"].around(DbtResource, "build")
    steps["marts put in place"].around(mart_assets, "promote_build")
    runtime, newest = Runtime(Settings()), START.date() - timedelta(days=1)
    with DagsterInstance.get() as instance:
        driver = Driver(defs, instance, runtime.policy(), print, log=runtime.settings.home / "run.log")
        served, own, began = sandbox.cpu_seconds(), time.process_time(), time.monotonic()
        driver.backfill(newest - timedelta(days=days - 1), newest)
        wall, cpu, served = time.monotonic() - began, time.process_time() - own, sandbox.cpu_seconds() - served
    lake = runtime.lake()
    rows = sum(lake.newest(name, columns=["date_day"]).whole().height for name in ("insights_ad", "insights_ad_group"))
    table = Table(box=SIMPLE_HEAD, title=f"{config.ad_groups:,} ad groups, {config.ads:,} ads, {days} days")
    for heading in ("", "wall s", "CPU s", "calls"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("world start (not in the sum)", f"{sandbox.start_seconds:.1f}", "", "")
    table.add_row("sandbox: answering", "", f"{served:.1f}", f"{sum(sandbox.requests().values()):,}")
    for name, clock in steps.items():
        table.add_row(f"ours: {name}", f"{clock.wall:.1f}", f"{clock.cpu:.1f}", f"{clock.calls:,}")
    rest = cpu - sum(clock.cpu for clock in steps.values())
    table.add_row("ours: all else (HTTP, Polars' threads, checks, Dagster)", "", f"{rest:.1f}", "")
    table.add_row("backfill and marts", f"{wall:.1f}", f"{cpu:.1f}", "")
    Console(width=110).print(table)
    print(f"{rows:,} rows of ads and ad groups")
    print(f"peak memory: ours {own_peak_mib():,.0f} MiB, sandbox {sandbox.peak_mib():,.0f} MiB")


if __name__ == "__main__":
    main()
