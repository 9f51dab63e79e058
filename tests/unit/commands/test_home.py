"""The home: folders, the instance's file, the environment, and no password in any of it."""

import os
from pathlib import Path

import pytest
import yaml

from stakazo_pipelines.commands.home import DAGSTER_POSTGRES_ENV, prepare_home
from stakazo_pipelines.settings import Settings

NAMES = ("STAKAZO_HOME", "STAKAZO_POLICY", "STAKAZO_LAKE", "DAGSTER_HOME", DAGSTER_POSTGRES_ENV)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in (*NAMES, "DATABASE_URL"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)


def prepare(home: Path, **settings: object) -> dict[str, object]:
    prepare_home(Settings(home=home, **settings))
    instance: dict[str, object] = yaml.safe_load((home / "dagster" / "dagster.yaml").read_text())
    return instance


def test_a_home_has_its_folders_and_every_child_process_finds_them(tmp_path):
    prepare(tmp_path / "home")
    assert (tmp_path / "home" / "lake").is_dir()
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "home" / "dagster")
    assert os.environ["STAKAZO_LAKE"] == str(tmp_path / "home" / "lake")
    assert Path(os.environ["STAKAZO_HOME"]).is_absolute()


def test_the_instance_sends_no_telemetry_and_keeps_sqlite(tmp_path):
    instance = prepare(tmp_path)
    assert instance["telemetry"] == {"enabled": False}
    assert "storage" not in instance


def test_preparing_again_changes_nothing(tmp_path):
    assert prepare(tmp_path) == prepare(tmp_path)
    assert sorted(path.name for path in (tmp_path / "dagster").iterdir()) == ["dagster.yaml"]


def test_on_postgresql_the_file_names_a_variable_and_holds_no_password(tmp_path):
    instance = prepare(tmp_path, database_url="postgresql://user:s3cret@host/db")
    assert instance["storage"] == {"postgres": {"postgres_url": {"env": DAGSTER_POSTGRES_ENV}}}
    assert "s3cret" not in (tmp_path / "dagster" / "dagster.yaml").read_text()
    assert os.environ[DAGSTER_POSTGRES_ENV] == "postgresql+psycopg2://user:s3cret@host/db"
