"""Homes whose Dagster runs happen in processes of their own, on the simulated worlds of `worlds.py`.

The definitions read the environment when they are imported, so every home is driven through `driving.py`, in a process
that `forking.py` forks.
"""

import itertools
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from dagster import DagsterInstance
from filelock import FileLock
from sqlalchemy.engine import make_url

from resources.dbt import MANIFEST
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.marts import read_mart
from stakazo_pipelines.operations import Operations, open_operations
from stakazo_pipelines.sandbox.world import WorldConfig

ROOT = Path(__file__).resolve().parents[2]
DRIVING, FORKING = Path(__file__).with_name("driving.py"), Path(__file__).with_name("forking.py")
# Tests lie on no import path.
Forked = runpy.run_path(str(FORKING))["Forked"]
_WORLDS = runpy.run_path(str(Path(__file__).with_name("worlds.py")))
Sandbox, sandboxes, SMALL, WIDE = (_WORLDS[name] for name in ("Sandbox", "sandboxes", "SMALL", "WIDE"))
READ = 30  # days of the small world that the baseline holds
# Those that share the baseline begin while one of them makes it, after those that can do without.
ORDER = ("test_killed_runs", "test_three_platforms", "test_live_account", "test_imported_files")
# What the project's own environment might say; each home says it itself.
LIVE = [f"{platform.upper()}_{what}" for platform in WIDE.platforms for what in ("ACCESS_TOKEN", "BASE_URL")]
OURS = ("DATABASE_URL", *LIVE, "DAGSTER_HOME", "VIRTUAL_ENV")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in ORDER first; what is not here stays where it stands."""
    mine = [place for place, item in enumerate(items) if item.path.parent == DRIVING.parent]
    ranks = {name: rank for rank, name in enumerate(ORDER)}
    ordered = sorted((items[place] for place in mine), key=lambda item: ranks.get(item.path.stem, len(ranks)))
    for place, item in zip(mine, ordered, strict=True):
        items[place] = item


@dataclass
class Home:
    """A folder like `.stakazo`, driven from processes of its own."""

    path: Path
    environment: Mapping[str, str]
    forks: Path  # the socket of forking.py
    link: Path  # one path that leads to every home's lake: dbt parses the project again when the path changes
    said: list[str] = field(default_factory=list)

    def start(self, *steps: str) -> Forked:
        """Begin some steps of `driving.py`; the caller waits, or kills."""
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(self.path / "lake")
        return Forked(self.forks, DRIVING, steps, self.environment, ROOT)

    def drive(self, *steps: str, status: int = 0, timeout: float = 240) -> str:
        """Run steps to their end; what was printed."""
        process = self.start(*steps)
        said = process.communicate(timeout=timeout)
        return self._heard(said, process.wait(), status)

    def stakazo(self, *arguments: str, status: int = 0) -> str:
        """A command of the terminal; what was printed on either stream."""
        command = [sys.executable, "-c", "from stakazo_pipelines.cli import app; app()", *arguments]
        done = subprocess.run(  # noqa: S603
            command,
            env={**self.environment, "COLUMNS": "250"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return self._heard(done.stdout, done.returncode, status)

    def _heard(self, said: str, status: int, wanted: int) -> str:
        self.said.append(said)
        assert status == wanted, said
        return said

    def policy(self, sections: Mapping[str, Any]) -> None:
        """Replace the policy: the default one on Meta but for these sections."""
        (self.path / "policy.yaml").write_text(yaml.safe_dump({"platforms": ["meta"], **sections}))

    @property
    def lake(self) -> Lake:
        return Lake(self.path / "lake")

    def mart(self, model: str) -> pl.DataFrame:
        """All days of a mart."""
        return whole_mart(self.lake, model)

    def dagster(self) -> DagsterInstance:
        return DagsterInstance.from_config(str(self.path / "dagster"))

    def operations(self) -> Operations:
        return open_operations(make_url(f"sqlite:///{self.path / 'operations.db'}"))


def whole_mart(lake: Lake, model: str) -> pl.DataFrame:
    return read_mart(lake, model, since=date.min, until=date.max)


@dataclass(frozen=True)
class Baseline:
    """A lake with the days `since`..`newest` of a world, and how long they took to read and build."""

    lake: Lake
    since: date
    newest: date
    seconds: float

    def mart(self, model: str) -> pl.DataFrame:
        """All days of a mart."""
        return whole_mart(self.lake, model)

    @property
    def backfill(self) -> str:
        """The step that reads it all."""
        return f"backfill:{self.since}:{self.newest}"


MakeSandbox = Callable[..., Sandbox]
MakeHome = Callable[..., Home]


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Iterator[MakeSandbox]:
    """Starts worlds; the same configuration gives the same world. All end with the test."""
    yield from sandboxes(tmp_path)


@pytest.fixture(scope="session")
def parsed_dbt(tmp_path_factory: pytest.TempPathFactory, forks: Path) -> dict[str, str]:
    """What dbt needs to know, with the project parsed once for all homes."""
    folder = tmp_path_factory.mktemp("dbt")
    (folder / "parse.py").write_text("from dbt.cli.main import cli; cli()")
    told = {"E2E_LAKE": str(folder / "lake"), "E2E_PARSED": str(folder / "target")}
    dbt_reads = {"STAKAZO_LAKE": told["E2E_LAKE"], "DBT_TARGET_PATH": told["E2E_PARSED"]}
    dbt_reads |= {"DBT_LOG_PATH": str(folder / "logs"), "DO_NOT_TRACK": "1"}
    arguments = ["parse", "--quiet", "--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt")]
    process = Forked(forks, folder / "parse.py", arguments, os.environ | dbt_reads, ROOT)
    said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    shutil.copyfile(folder / "target" / "manifest.json", folder / "target" / MANIFEST)
    return told


@pytest.fixture(scope="session")
def forks() -> Iterator[Path]:
    """The socket of a process that steps are forked from."""
    with tempfile.TemporaryDirectory(prefix="forks-") as folder:  # short: a socket's path has to fit 107 characters
        where = Path(folder) / "socket"
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, str(FORKING), str(where)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "DO_NOT_TRACK": "1"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield where
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=10)


@pytest.fixture
def make_home(tmp_path: Path, parsed_dbt: dict[str, str], forks: Path) -> MakeHome:
    """Homes with the default policy but for the sections given, empty or with a copy of the baseline's lake."""
    return _homes(tmp_path, parsed_dbt, forks)


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory, parsed_dbt: dict[str, str], forks: Path) -> Baseline:
    """The small world's last days, read without any trouble: what troubled runs are compared with, or begin with."""
    return _made_once("baseline", SMALL, READ, {}, tmp_path_factory, parsed_dbt, forks)


@pytest.fixture(scope="session")
def wide_baseline(tmp_path_factory: pytest.TempPathFactory, parsed_dbt: dict[str, str], forks: Path) -> Baseline:
    """Three weeks of all platforms."""
    return _made_once("wide", WIDE, 21, {"platforms": list(WIDE.platforms)}, tmp_path_factory, parsed_dbt, forks)


def _made_once(
    name: str,
    config: WorldConfig,
    days: int,
    policy: Mapping[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    dbt: Mapping[str, str],
    forks: Path,
) -> Baseline:
    """Backfill a home of this world; once, however many workers the tests are run by."""
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent
    folder, told = common / f"e2e-{name}", common / f"e2e-{name}" / "made.json"
    with FileLock(common / f"e2e-{name}.lock"):
        if not told.exists():
            folder.mkdir()
            told.write_text(json.dumps(_backfilled(folder, config, days, policy, dbt, forks)))
        made = json.loads(told.read_text())
    since, newest = (date.fromisoformat(made[key]) for key in ("since", "newest"))
    return Baseline(Lake(Path(made["lake"])), since, newest, made["seconds"])


def _backfilled(
    folder: Path, config: WorldConfig, days: int, policy: Mapping[str, Any], dbt: Mapping[str, str], forks: Path
) -> dict[str, Any]:
    worlds = sandboxes(folder)
    try:
        sandbox = next(worlds)(config)
        home = _homes(folder, dbt, forks)(sandbox, policy)
        newest = sandbox.newest_day()
        since = newest - timedelta(days=days - 1)
        process = home.start(f"backfill:{since}:{newest}")
        process.stdout.readline()
        begun = time.monotonic()
        said = process.stdout.read()
        assert process.wait() == 0, said
        process.stdout.close()
        seconds = time.monotonic() - begun
    finally:
        worlds.close()
    return {"lake": str(home.lake.root), "since": str(since), "newest": str(newest), "seconds": seconds}


def _homes(folder: Path, dbt: Mapping[str, str], forks: Path) -> MakeHome:
    numbers = itertools.count()

    def make(
        sandbox: Sandbox | None,
        policy: Mapping[str, Any] | None = None,
        like: Baseline | None = None,
        **environment: str,
    ) -> Home:
        home = folder / f"home-{next(numbers)}"
        shutil.copytree(dbt["E2E_PARSED"], home / "dbt")
        if like is not None:
            shutil.copytree(like.lake.root, home / "lake")
        kept = {name: value for name, value in os.environ.items() if name not in OURS and "STAKAZO" not in name}
        own = {
            "STAKAZO_HOME": str(home),
            "STAKAZO_POLICY": str(home / "policy.yaml"),
            "OPENBLAS_NUM_THREADS": "1",
            "DO_NOT_TRACK": "1",
        }
        where = {} if sandbox is None else {"STAKAZO_SANDBOX_URL": sandbox.url}
        made = Home(home, {**kept, **dbt, **own, **where, **environment}, forks, Path(dbt["E2E_LAKE"]))
        made.policy(policy or {})
        return made

    return make


@pytest.fixture
def small_world() -> WorldConfig:
    """What the worlds of these tests are made of."""
    return SMALL


@pytest.fixture
def wide_world() -> WorldConfig:
    """The same on three platforms, an account each."""
    return WIDE
