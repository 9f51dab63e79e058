"""A tiny world of three platforms and the daily run upon it, in memory: each bench is a fresh copy of one template.

Waits take no time. A process may be killed at any request; a new one goes on with the same lake and database.
"""

import asyncio
import copy
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.cycle import changes
from stakazo_pipelines.ingest import ingest_entities, ingest_insights
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lake.vintages import INSIGHT_DATASETS
from stakazo_pipelines.operations import database, open_operations
from stakazo_pipelines.operations.states import OPEN_PLANS
from stakazo_pipelines.operations.tables import ActionRow, EventRow, PlanRow
from stakazo_pipelines.platforms.registry import PLATFORMS
from stakazo_pipelines.policy import IngestPolicy, Policy
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.sandbox.faults import KINDS
from stakazo_pipelines.sandbox.linkedin import LinkedInOptions
from stakazo_pipelines.sandbox.meta import MetaOptions
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.tiktok import TikTokOptions
from stakazo_pipelines.sandbox.world import World, WorldConfig
from stakazo_pipelines.simulation import Desk, daily_run

NAMES = ("meta", "tiktok", "linkedin")
START = datetime(2026, 6, 29, 16, tzinfo=UTC)
HISTORY = 10  # days in a preloaded lake
CONFIG = WorldConfig(
    seed=17, start=START, history_days=40, accounts=3, campaigns=6, ad_groups=9, ads=12,
    today_limit=START + timedelta(days=3), platforms=NAMES,
)  # fmt: skip
POLICY = Policy(platforms=NAMES, ingest=IngestPolicy(reread_ages=(1, 2, 8)))
PATHS = {
    "meta": (".*", "insights", "campaigns", "adsets", "ads", "adaccounts", "adcreatives"),
    "tiktok": (".*", "report/", "campaign/get", "adgroup/", "/ad/get", "advertiser", "update"),
    "linkedin": (".*", "adAnalytics", "adCampaigns", "adCampaignGroups", "creatives", "adAccounts"),
}
REPORTS = {"meta": "insights", "tiktok": "report/integrated", "linkedin": "adAnalytics"}
FIELDS = ("daily_budget", "lifetime_budget", "status")
_PAGE = re.compile(rb"(?<![^?&])(limit|page_size|pageSize)=\d+")


class Killed(BaseException):
    """The process is gone: no code of ours may catch this."""


@dataclass
class Kill:
    """At the request `at` (1 is the next one) the process ends: before it goes out, or when it was `done`.

    `cancelled` ends it as Ctrl-C does, by cancelling, else at once.
    """

    at: int
    done: bool
    cancelled: bool


class _Wire(httpx.AsyncBaseTransport):
    """Calls the application in memory. With `rows` every page is asked for that small, whatever the adapter wants."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self._inner = httpx.ASGITransport(bench.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        bench = self._bench
        if bench.rows:
            raw = _PAGE.sub(rb"\g<1>=%d" % bench.rows, request.url.raw_path)
            request.url = request.url.copy_with(raw_path=raw)
        bench.sent += 1
        kill = bench.kill
        dies = kill is not None and bench.sent >= kill.at
        if dies and not (kill.done and bench.sent == kill.at):
            await bench.die()
        response = await self._inner.handle_async_request(request)
        if dies:
            await response.aread()
            await bench.die()
        return response


class Bench:
    """The world behind all adapters, a lake and a database. `run` is one process: it opens them and uses them."""

    current: "Bench"  # one at a time

    def __init__(self, template: "Template", folder: Path, *, rows: int = 0, small_reports: bool = False) -> None:
        folder.mkdir()
        Bench.current = self
        self.world = copy.deepcopy(template.world)
        self.waited = 0.0
        self.offset = timedelta()
        small = {"sync_rows": 15} if small_reports else {}
        self.app = create_app(
            self.world,
            token="EAAfaultsTOKEN0123456789",
            meta=MetaOptions(clock=lambda: self.waited, **small),
            tiktok=TikTokOptions(clock=lambda: self.waited, **({"report_ids": 3} if small_reports else {})),
            linkedin=LinkedInOptions(clock=lambda: self.waited, **({"element_limit": 20} if small_reports else {})),
        )
        self.kernel = self.app.state.kernel
        self.rows, self.kill, self.sent, self.deaths = rows, None, 0, 0
        self.lake = Lake(folder / "lake")
        if template.lake is not None:
            shutil.copytree(template.lake, folder / "lake", copy_function=os.link)
        shutil.copyfile(template.database, folder / "operations.db")
        self.database = make_url(f"sqlite:///{folder / 'operations.db'}")
        self.operations = open_operations(self.database)
        self.names, self.policy, self.began = NAMES, POLICY, self.world.now
        self.journal_from = len(self.world.journal)
        self.population, self.rates = template.population, load_rates()
        self._main: asyncio.Task[Any] | None = None

    @property
    def writes(self) -> list[Any]:
        """What was written through an API since the bench was made."""
        return [write for write in self.world.journal[self.journal_from :] if write.actor == "api"]

    @property
    def applied(self) -> list[tuple[str, str, str, Any, Any]]:
        """(level, id, field, before, after) of every budget and status written through an API, in order."""
        return [
            (write.level, write.id, name, write.before.get(name), value)
            for write in self.writes
            for name, value in write.fields.items()
            if name in FIELDS
        ]

    def outcome(self) -> "Outcome":
        return Outcome(self)

    async def sleep(self, seconds: float) -> None:
        self.waited += seconds
        await asyncio.sleep(0)

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def kill_at(self, at: int, *, done: bool, cancelled: bool) -> None:
        self.kill = Kill(at, done, cancelled)

    async def die(self) -> None:
        if self.kill.cancelled:
            self._main.cancel()
            await asyncio.Event().wait()
        raise Killed

    def run(self, use: Callable[[Desk], Awaitable[Any]]) -> Any:
        """One process. None when it was killed; the next one comes when the lock of the dead one has run out."""

        async def main() -> Any:
            self._main = asyncio.current_task()
            async with AsyncExitStack() as opened:
                platforms = {}
                for name in NAMES:
                    platforms[name] = PLATFORMS[name](
                        base_url="http://127.0.0.1",
                        token="1:secret:EAAfaultsTOKEN0123456789" if name == "tiktok" else "EAAfaultsTOKEN0123456789",
                        transport=_Wire(self),
                        sleep=self.sleep,
                        monotonic=lambda: self.waited,
                    )
                    opened.push_async_callback(platforms[name].aclose)
                return await use(
                    Desk(platforms, self.lake, self.operations, POLICY, self.rates, lambda: self.world.now)
                )

        try:
            return asyncio.run(main())
        except (Killed, asyncio.CancelledError):
            self.kill = None
            self.deaths += 1
            self.offset += timedelta(minutes=2)
            self.operations.close()
            self.operations = open_operations(self.database)
            return None


class Outcome:
    """What a day left behind, in a form that two days can be compared by."""

    def __init__(self, bench: Bench) -> None:
        self.insights = {name: rows_of(bench.lake.newest(name).whole()) for name in INSIGHT_DATASETS}
        # Names are for people: any text is taken for one, and an account without shows its id.
        self.entities = rows_of(bench.lake.entities().whole().drop("updated_at", "account_name", "name", "native"))
        self.world = {
            (level, entity.id, name): getattr(entity, name, None)
            for level in ("campaign", "ad_group", "ad", "creative")
            for entity in getattr(bench.world, f"{level}s").values()
            for name in FIELDS
        }
        with bench.operations.read() as session:
            self.actions = list(session.scalars(select(ActionRow)))
            self.plans = list(session.scalars(select(PlanRow)))
            self.events = list(session.scalars(select(EventRow)))
        self.open = sorted(plan.account_id for plan in self.plans if plan.status in OPEN_PLANS)


def rows_of(frame: pl.DataFrame) -> list[str]:
    kept = frame.drop("fetched_at")
    if "native" in kept.columns:
        kept = kept.with_columns(pl.col("native").map_elements(in_order, return_dtype=pl.String))
    return sorted(map(repr, kept.iter_rows()))


def in_order(native: str) -> str:
    """The platform's own row, without the field that a fault added: what is new there is kept, and no difference."""
    return json.dumps(json.loads(native, object_hook=without_the_new), sort_keys=True)


def without_the_new(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "brand_new_field"}


@dataclass
class Template:
    """What every bench of a kind begins with. Without a lake folder nothing has been read before."""

    world: World
    lake: Path | None
    database: Path
    population: Any


def _template(folder: Path, *, preloaded: bool, population: Any) -> Template:
    """A world on a day that nobody has read yet; `preloaded`: after a day before it, read, decided and published."""
    folder.mkdir()
    template = Template(World(CONFIG), None, folder / "fresh.db", population)
    open_operations(make_url(f"sqlite:///{template.database}")).close()
    if not preloaded:
        return template
    first = Bench(template, folder / "first")
    days = [(START - timedelta(days=back)).date() for back in range(1, HISTORY + 1)]

    async def load(desk: Desk) -> None:
        for platform in desk.platforms.values():
            await ingest_entities(platform, desk.lake, now=START)
            await ingest_insights(platform, desk.lake, days=days, ages=None, now=START)

    async def day(desk: Desk) -> Any:
        return await daily_run(
            desk.platforms, desk.lake, desk.operations, desk.policy, rates=desk.rates, now=desk.now,
            population=population,
        )  # fmt: skip

    first.run(load)
    run = first.run(day)
    first.kernel.advance(START + timedelta(days=1))
    first.operations.close()
    return Template(first.world, folder / "first" / "lake", folder / "first" / "operations.db", run.population)


def random_schedule(rng):
    """2 to 8 rules, each with when it begins: at the start, or only when the publishing does."""
    return [(rng.choice(("start", "publishing")), random_rule(rng)) for _ in range(rng.randint(2, 8))]


def random_rule(rng):
    kind = rng.choice(sorted(KINDS))
    platform = rng.choice(sorted(PATHS))
    spec = {
        "platform": platform,
        "kind": kind,
        "path": rng.choice(PATHS[platform]) if rng.random() < 0.6 else ".*",
        "probability": rng.choice((0.2, 0.5, 1.0)),
        "times": rng.randint(1, 3),
        "seed": rng.randrange(10**6),
    }
    if KINDS[kind] in ("any", "transport"):
        spec["method"] = rng.choice((None, "GET", "POST", "POST"))
        if spec["method"] == "POST":
            spec["path"] = ".*"
    if kind == "missing_page":  # a list that is cut short tells nobody: see the exceptions
        spec["path"] = REPORTS[platform]
    options = {
        "throttle": {"retry_after_s": rng.choice((1, 30, 120))},
        "server_error": {"status": rng.choice((500, 502, 503)), "body": rng.choice(("json", "html"))},
        "timeout": {"seconds": 0},
        "slow_body": {"seconds": 0},
        "truncated_json": {"share": rng.choice((0.0, 0.3, 0.9))},
        "malformed_row": {"rows": rng.choice(("one", "all"))},
        "missing_field": {"rows": rng.choice(("one", "all"))},
        "retyped_field": {"rows": rng.choice(("one", "all"))},
        "partial_batch": {"share": rng.choice((0.3, 0.6))},
        "write_delayed": {"requests": rng.randint(1, 4)},
    }
    return spec | options.get(kind, {})


@pytest.fixture(scope="session")
def schedule():
    """Makes a random schedule from a generator of random numbers."""
    return random_schedule


@pytest.fixture(scope="session", autouse=True)
def no_waiting():
    """The publisher of the daily run waits and tells the time as its bench does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            changes,
            "Publisher",
            lambda platform, operations, **more: Publisher(
                platform, operations, **more, sleep=Bench.current.sleep, wall=Bench.current.wall
            ),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def no_syncing():
    """Processes die here, machines do not: nothing waits for a disk."""
    prepare = database._prepare_sqlite

    def unsynced(connection, record):
        prepare(connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_prepare_sqlite", unsynced)
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture(scope="session")
def templates(tmp_path_factory, no_waiting, no_syncing):
    """By name: `fresh` has an empty lake, `known` a fortnight in it and yesterday's changes in the database."""
    folder = tmp_path_factory.mktemp("templates")
    known = _template(folder / "known", preloaded=True, population=None)
    return {"known": known, "fresh": _template(folder / "fresh", preloaded=False, population=known.population)}


@pytest.fixture
def make_bench(templates, tmp_path):
    """A bench on a copy of a template."""
    made = []

    def make(kind: str, **options: Any) -> Bench:
        bench = Bench(templates[kind], tmp_path / str(len(made)), **options)
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.operations.close()
