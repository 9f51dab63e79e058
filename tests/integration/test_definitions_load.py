"""Loading the definitions is quick and light, and `workspace.yaml` is valid: each checked in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("pymc", "pytensor", "arviz", "nutpie", "sklearn", "torch", "scipy.stats", "matplotlib")
LOAD = f"""
import json, sys, time
from stakazo_pipelines.definitions import defs
defs.get_repository_def()
seconds = time.process_time()  # what it takes, however busy the machine is
heavy = sorted(name for name in {HEAVY!r} if name in sys.modules)
print(json.dumps({{"seconds": seconds, "heavy": heavy}}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A home of nobody, in which dbt was parsed: no settings, no instance, nothing of the machine's user."""
    home = tmp_path_factory.mktemp("nobody")
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    kept = {name: value for name, value in os.environ.items() if "STAKAZO" not in name and not name.startswith("META_")}
    own = {"HOME": str(home), "DAGSTER_HOME": str(home / "dagster"), "STAKAZO_HOME": str(home / "home")}
    made = {**kept, **own, "OPENBLAS_NUM_THREADS": "1", "DO_NOT_TRACK": "1"}
    run([sys.executable, "-c", LOAD], made)  # parses dbt where nobody has, and compiles bytecode
    return made


def run(command, environment):
    return subprocess.run(  # noqa: S603
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180
    )


def test_the_definitions_load_within_five_seconds_and_without_heavy_packages(environment):
    loads = []
    while len(loads) < 3 and not any(load["seconds"] < 5 for load in loads):  # the best of up to three
        done = run([sys.executable, "-c", LOAD], environment)
        assert done.returncode == 0, done.stderr
        loads.append(json.loads(done.stdout.splitlines()[-1]))
    assert all(load["heavy"] == [] for load in loads)
    assert min(load["seconds"] for load in loads) < 5, loads


def test_the_workspace_is_valid(environment):
    dagster = str(Path(sys.executable).with_name("dagster"))
    done = run([dagster, "definitions", "validate", "-w", str(ROOT / "workspace.yaml")], environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_definitions_know_nothing_of_where_they_are_loaded_from(environment, tmp_path):
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", LOAD],
        env={**environment, "STAKAZO_POLICY": str(ROOT / "policy.yaml")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
