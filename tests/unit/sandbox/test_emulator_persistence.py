"""The event file and the real server: what survives kill -9, dropped sockets, the printed address."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from stakazo_pipelines.sandbox.persistence import EventFile, EventFileError
from stakazo_pipelines.sandbox.server import serve

PROGRAM = """
import sys
from pathlib import Path
from stakazo_pipelines.sandbox.server import serve
from stakazo_pipelines.sandbox.world import WorldConfig
config = WorldConfig(accounts=1, campaigns=2, ad_groups=4, ads=8, history_days=20)
serve(token="t", state_file=Path(sys.argv[1]), config=config)
"""


@contextmanager
def running(state: Path, *command: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """A server in a process of its own (of a small world, unless a command is given); killed hard at the end."""
    command = (sys.executable, *(command or ("-c", PROGRAM)), str(state))
    with subprocess.Popen(  # noqa: S603 - our own server
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line.startswith("sandbox listening on http://127.0.0.1:")
            with httpx.Client(
                base_url=line.split()[-1], params={"access_token": "t"}, timeout=10, trust_env=False
            ) as client:
                yield client, process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_a_killed_server_resumes_where_it_stood(tmp_path: Path) -> None:
    state = tmp_path / "world.jsonl"
    with running(state) as (client, _):
        account = client.get("/v26.0/me/adaccounts").json()["data"][0]["id"]
        [adset, *_] = client.get(f"/v26.0/{account}/adsets", params={"fields": "daily_budget"}).json()["data"]
        client.post(f"/v26.0/{adset['id']}", data={"daily_budget": "12300"})
        client.post("/sandbox/clock", json={"advance_days": 2})
        campaign = client.post(f"/v26.0/{account}/campaigns", data={"name": "Kept", "objective": "OUTCOME_SALES",
                               "special_ad_categories": "[]", "daily_budget": "5000"}).json()["id"]  # fmt: skip
        run = client.post(f"/v26.0/{account}/insights", data={"level": "ad"}).json()["report_run_id"]
        before = client.get("/sandbox/journal").json(), client.get("/sandbox/clock").json()
        rows = client.get(f"/v26.0/{account}/insights", params={"level": "ad", "limit": 100}).json()["data"]
        client.post("/sandbox/faults", json={"kind": "response_lost", "method": "POST", "times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(f"/v26.0/{campaign}", data={"name": "Written, answer lost"})
    with state.open("a") as file:
        file.write('{"event":"world","op":"upd')  # a line torn by the kill
    with running(state) as (client, _):
        after = client.get("/sandbox/journal").json(), client.get("/sandbox/clock").json()
        assert after[0]["writes"][:-1] == before[0]["writes"]
        assert after[0]["writes"][-1]["fields"] == {"name": "Written, answer lost"}
        assert after[1]["now"] == before[1]["now"]
        assert client.get(f"/v26.0/{adset['id']}", params={"fields": "daily_budget"}).json()["daily_budget"] == "12300"
        assert client.get(f"/v26.0/{account}/insights", params={"level": "ad", "limit": 100}).json()["data"] == rows
        assert client.get(f"/v26.0/{run}/insights").json()["data"]
        client.post(f"/v26.0/{campaign}", data={"name": "Goes on"})
    assert state.read_text().count("\n") == 7  # config, budget, clock, campaign, run, two names


@pytest.mark.slow
def test_the_command_line_serves_all_platforms_or_the_world_of_its_file(tmp_path: Path) -> None:
    command = ("-m", "stakazo_pipelines.sandbox.server", "--token", "t", "--state")
    with running(tmp_path / "new.jsonl", *command) as (client, _):
        accounts = {a["account_id"] for a in client.get("/sandbox/truth").json()["arms"]}
        assert len(accounts) == 6
        assert len(client.get("/v26.0/me/adaccounts").json()["data"]) == 2
    old = tmp_path / "old.jsonl"
    with running(old) as (client, _):
        client.post("/sandbox/clock", json={"advance_days": 1})
    with running(old, *command) as (client, _):
        assert len(client.get("/v26.0/me/adaccounts").json()["data"]) == 1
        assert client.get("/sandbox/clock").json()["days_advanced"] == 1


def test_a_timeout_holds_the_socket_and_then_closes_it(tmp_path: Path) -> None:
    with running(tmp_path / "world.jsonl") as (client, _):
        client.post("/sandbox/faults", json={"kind": "timeout", "seconds": 0.2, "times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/v26.0/me/adaccounts")
        client.post("/sandbox/faults", json={"kind": "timeout", "seconds": 30, "times": 1})
        with pytest.raises(httpx.ReadTimeout):
            client.get("/v26.0/me/adaccounts", timeout=0.2)
        assert client.get("/v26.0/me/adaccounts").status_code == 200


def test_the_state_of_another_world_is_refused(make_api: Any, tmp_path: Path) -> None:
    state = tmp_path / "world.jsonl"
    EventFile(state).append({"event": "config", "config": {"seed": 99}})
    with pytest.raises(EventFileError, match="another world"):
        make_api(state_file=state)


def test_a_damaged_middle_is_an_error_and_a_torn_end_is_cut(tmp_path: Path) -> None:
    state = tmp_path / "events.jsonl"
    state.write_text('{"event":"note"}\n{"event":')
    assert EventFile(state).read() == [{"event": "note"}]
    assert state.read_text() == '{"event":"note"}\n'
    state.write_text('{"event":\n{"event":"note"}\n')
    with pytest.raises(EventFileError, match="line 1"):
        EventFile(state).read()


def test_images_survive_a_restart(make_api: Any, tmp_path: Path) -> None:
    api = make_api(state_file=tmp_path / "world.jsonl")
    api.post(f"/act_{api.account()}/adimages", bytes="cGl4ZWxz")
    again = make_api(state_file=tmp_path / "world.jsonl")
    assert len(again.get(f"/act_{again.account()}/adimages").json()["data"]) == 1


def test_the_sandbox_stays_on_loopback() -> None:
    with pytest.raises(ValueError, match="loopback"):
        serve("0.0.0.0")  # noqa: S104 - the point of the test
