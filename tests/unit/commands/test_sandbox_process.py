"""A sandbox as a child process: announced, asked, stopped; and a clear word when it cannot start."""

import httpx
import pytest

from stakazo_pipelines.clock import present
from stakazo_pipelines.commands.sandbox import running_sandbox
from stakazo_pipelines.errors import ConfigError, TransientError


def test_a_sandbox_answers_while_it_is_wanted_and_not_after(tmp_path):
    with running_sandbox(state=tmp_path / "world.jsonl", seed=3, log=tmp_path / "log") as url:
        assert httpx.get(f"{url}/sandbox/clock").json()["seed"] == 3
        assert present(url).tzinfo is not None
    with pytest.raises(TransientError, match="is it running"):
        present(url)


def test_a_sandbox_that_cannot_start_names_its_log(tmp_path):
    (tmp_path / "world.jsonl").write_text("this is no event\n")
    with (
        pytest.raises(ConfigError, match="did not start; see"),
        running_sandbox(state=tmp_path / "world.jsonl", seed=3, log=tmp_path / "log"),
    ):
        pass
    assert "world.jsonl" in (tmp_path / "log").read_text()
