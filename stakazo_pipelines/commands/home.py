"""The project's home: folders, the instance's dagster.yaml, and the environment that child processes need."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from stakazo_pipelines.lake import Lake
from stakazo_pipelines.settings import Settings

PROJECT_ROOT = Path(__file__).resolve().parents[2]
_ABANDONED = timedelta(hours=1)  # no writer takes that long: what is older was left by a killed one
DAGSTER_POSTGRES_ENV = "STAKAZO_DAGSTER_POSTGRES_URL"  # the URL itself holds a password: the file only names this


def prepare_home(settings: Settings) -> None:
    """Make the folders, write DAGSTER_HOME/dagster.yaml and point this process (and its children) at it all."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    settings.lake_root.mkdir(parents=True, exist_ok=True)
    Lake(settings.lake_root).sweep(before=datetime.now(UTC) - _ABANDONED)
    instance = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    url = settings.operations_url
    if url.get_backend_name() == "postgresql":
        instance["storage"] = {"postgres": {"postgres_url": {"env": DAGSTER_POSTGRES_ENV}}}
        os.environ[DAGSTER_POSTGRES_ENV] = url.render_as_string(hide_password=False)
    target = settings.dagster_home / "dagster.yaml"
    beside = target.with_suffix(".yaml.new")
    beside.write_text(yaml.safe_dump(instance, sort_keys=False), encoding="utf-8")
    beside.replace(target)
    os.environ.update(
        STAKAZO_HOME=str(settings.home.resolve()),
        STAKAZO_POLICY=str(settings.policy_file.resolve()),
        STAKAZO_LAKE=str(settings.lake_root.resolve()),
        DAGSTER_HOME=str(settings.dagster_home.resolve()),
    )
