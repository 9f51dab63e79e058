"""Steps of the daily loop in one process, as `stakazo run` takes them: python driving.py STEP…

backfill:SINCE:UNTIL  marts:SINCE:UNTIL  estimate:DAY  decide[:DAY]  ingest[:DAY]  advance
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial

from dagster import DagsterInstance
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine

from stakazo_pipelines.commands.home import prepare_home
from stakazo_pipelines.commands.world import SandboxWorld
from stakazo_pipelines.errors import StakazoError
from stakazo_pipelines.ingest import LAST_ZONE, last_complete_day
from stakazo_pipelines.platforms import registry
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings


class Haste:
    """The waits that a platform asks for (whole minutes, at Meta) take no time, but count as taken."""

    waited = 0.0

    async def sleep(self, seconds: float) -> None:
        self.waited += seconds
        await asyncio.sleep(0)

    def monotonic(self) -> float:
        return time.monotonic() + self.waited

    def hurried(self, platform: Callable[..., AdPlatform]) -> Callable[..., AdPlatform]:
        return partial(platform, sleep=self.sleep, monotonic=self.monotonic)


def say(what: str) -> None:
    """Told at once: a test kills at what it hears."""
    print(what, flush=True)  # noqa: T201


def keep_dagsters_files_open() -> None:
    """Dagster opens a SQLite file for each event, a third of what these steps take; what it stores is the same."""
    engines: dict[str, Engine] = {}

    @contextmanager
    def connect(self: SqliteEventLogStorage, shard: str) -> Iterator[Connection]:
        where = self.conn_string_for_shard(shard)
        with self._db_lock:
            if where not in engines:
                engines[where] = create_engine(where)
                self._initdb(engines[where])
            with engines[where].begin() as connection:
                yield connection

    SqliteEventLogStorage._connect = connect  # type: ignore[method-assign]


def main(steps: list[str]) -> None:
    """Run the steps in order; an error of ours ends them with status 1 and one line."""
    keep_dagsters_files_open()
    haste = Haste()
    registry.PLATFORMS = {name: haste.hurried(platform) for name, platform in registry.PLATFORMS.items()}
    prepare_home(Settings())
    os.environ["STAKAZO_LAKE"] = os.environ["E2E_LAKE"]  # leads to this home's lake; dbt was parsed with it
    runtime = Runtime(Settings())

    from sensors.drive import Driver
    from stakazo_pipelines.definitions import defs

    with DagsterInstance.get() as instance:
        home = runtime.settings.home
        driver = Driver(defs, instance, runtime.policy(), say, log=home / "runs.log")
        for step in steps:
            name, *texts = step.split(":")
            days = [date.fromisoformat(text) for text in texts]
            newest = days or [last_complete_day(runtime.now(), LAST_ZONE)]
            match name:
                case "backfill":
                    driver.backfill(*days)
                case "marts":
                    driver.rebuild_marts(*days)
                case "ingest":
                    driver.daily_ingest(*newest)
                case "estimate":
                    driver.estimate(*newest)
                case "decide":
                    driver.decide(*newest)
                case "advance":
                    SandboxWorld(os.environ["STAKAZO_SANDBOX_URL"]).advance_day()
                case _:
                    raise ValueError(f"no step {name!r}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except StakazoError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
