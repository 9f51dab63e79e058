"""Holds and a plan's history from the terminal."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from stakazo_pipelines.cli import _app
from stakazo_pipelines.decisions.record import current_holds
from stakazo_pipelines.errors import ConfigError, OperationsError
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings


@pytest.fixture
def stakazo(tmp_path, monkeypatch):
    monkeypatch.setenv("STAKAZO_HOME", str(tmp_path))
    monkeypatch.delenv("STAKAZO_SANDBOX_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*arguments):
        return CliRunner().invoke(_app, arguments)

    return run


def held():
    with Runtime(Settings()).operations() as operations:
        return current_holds(operations, "meta", "7", now=datetime.now(UTC))


def test_an_entity_is_held_until_it_is_released(stakazo):
    said = stakazo("hold", "meta/7", "ad_group", "42", "--why", "a launch", "--who", "ana")
    assert said.exit_code == 0, said.output
    assert [(hold.entity.id, hold.who, hold.why) for hold in held()] == [("42", "ana", "a launch")]
    number = said.output.split("release ")[1].split("`")[0]
    assert stakazo("release", number, "--who", "ana").exit_code == 0
    assert held() == ()


def test_an_account_without_a_platform_is_refused(stakazo):
    refused = stakazo("hold", "7", "ad_group", "42", "--why", "x")
    assert isinstance(refused.exception, ConfigError)
    assert "meta/1002003400" in str(refused.exception)


def test_a_plan_that_does_not_exist_is_said(stakazo):
    assert isinstance(stakazo("history", "nothing").exception, OperationsError)
