"""The environment as settings: where things are, which token goes where, and nothing that shows a secret."""

from pathlib import Path

import pytest

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.settings import LIVE_URLS, SANDBOX_TOKEN, Settings, database_url

NAMES = ("STAKAZO_HOME", "STAKAZO_POLICY", "STAKAZO_SANDBOX_URL", "DATABASE_URL", "META_ACCESS_TOKEN", "META_BASE_URL")
TOKEN = "EAAverySECRETtoken"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_everything_has_a_default():
    settings = Settings()
    assert settings.home == Path(".stakazo")
    assert settings.lake_root == Path(".stakazo/lake")
    assert settings.dagster_home == Path(".stakazo/dagster")
    assert settings.operations_url.get_backend_name() == "sqlite"
    assert settings.base_url("meta") == LIVE_URLS["meta"]


def test_other_programs_variables_are_not_ours(monkeypatch):
    for name in ("HOME", "POLICY_FILE", "SANDBOX_URL", "OPERATIONS_URL"):
        monkeypatch.setenv(name, "/somebody/elses")
    settings = Settings()
    assert settings.home == Path(".stakazo")
    assert settings.policy_file == Path("policy.yaml")
    assert settings.sandbox_url is None


def test_the_environment_is_read_by_the_missions_names(monkeypatch, tmp_path):
    monkeypatch.setenv("STAKAZO_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@host:5432/db")
    monkeypatch.setenv("META_ACCESS_TOKEN", TOKEN)
    settings = Settings()
    assert settings.home == tmp_path
    assert settings.operations_url.drivername == "postgresql+psycopg2"
    assert settings.token("meta").get_secret_value() == TOKEN


def test_a_live_token_never_reaches_the_sandbox():
    settings = Settings(sandbox_url="http://127.0.0.1:1", meta_access_token=TOKEN)
    assert settings.base_url("meta") == "http://127.0.0.1:1"
    assert settings.token("meta").get_secret_value() == SANDBOX_TOKEN


@pytest.mark.parametrize("token", [None, ""])
def test_a_missing_token_says_which_variable_to_set(token):
    with pytest.raises(ConfigError, match="META_ACCESS_TOKEN"):
        Settings(meta_access_token=token).token("meta")


def test_an_unknown_platform_has_neither_host_nor_token():
    with pytest.raises(ConfigError, match="'myspace'"):
        Settings().base_url("myspace")
    with pytest.raises(ConfigError, match="myspace"):
        Settings().token("myspace")


def test_printed_settings_show_no_secret():
    settings = Settings(meta_access_token=TOKEN, database_url=f"postgresql://u:{TOKEN}@h/db", secret_key=TOKEN)
    assert TOKEN not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_gets_the_driver_we_have(scheme):
    url = database_url(f"{scheme}://u:p%40ss@host:5432/db?sslmode=require")
    assert url.drivername == "postgresql+psycopg2"
    assert (url.password, url.database, url.query["sslmode"]) == ("p@ss", "db", "require")


def test_sqlite_is_taken_as_it_is():
    assert str(database_url("sqlite:////tmp/x.db")) == "sqlite:////tmp/x.db"


@pytest.mark.parametrize("url", [f"mysql://u:{TOKEN}@h/db", f"no url {TOKEN}", f"postgresql+asyncpg://u:{TOKEN}@h/db"])
def test_a_database_we_cannot_use_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
        database_url(url)
    assert TOKEN not in str(caught.value)
