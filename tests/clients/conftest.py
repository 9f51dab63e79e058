"""One small world of all three platforms behind a real socket, for clients that nobody here wrote.

The server is a process of its own, as a user's would be; `control` speaks to the sandbox's own endpoints.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from stakazo_pipelines.sandbox.world import PLATFORMS, WorldConfig

TOKEN = "EAAclientsTOKEN0123456789"
SERVE = """
import json, sys
from stakazo_pipelines.sandbox.server import serve
from stakazo_pipelines.sandbox.world import WorldConfig
config = WorldConfig.from_json(json.loads(sys.argv[1]))
serve(token=sys.argv[2], config=config, today=config.today_limit)
"""


class Control:
    """The sandbox's own endpoints: clock, faults, journal, truth."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/sandbox", timeout=60, trust_env=False)

    def fault(self, kind: str, path: str = ".*", **options: object) -> dict[str, Any]:
        """A fault from now on, until the test ends; `platform`, `method`, `times`, … as the sandbox documents them."""
        described: dict[str, Any] = self._post("/faults", {"kind": kind, "path": path, **options})
        return described

    def heal(self) -> None:
        self._http.delete("/faults").raise_for_status()

    def advance(self, **step: float) -> datetime:
        """`advance_days` or `advance_hours`; the world's time afterwards."""
        return datetime.fromisoformat(self._post("/clock", step)["now"])

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.get("/clock")["now"])

    @property
    def last_week(self) -> dict[str, str]:
        """The last 7 days that have ended wherever an account is, `since` and `until`."""
        until = (self.now - timedelta(hours=12)).date() - timedelta(1)
        return {"since": (until - timedelta(6)).isoformat(), "until": until.isoformat()}

    @property
    def writes(self) -> list[dict[str, Any]]:
        """Everything that an API applied to the world, oldest first."""
        writes: list[dict[str, Any]] = self.get("/journal")["writes"]
        return writes

    def get(self, path: str, **params: str) -> dict[str, Any]:
        return self._json(self._http.get(path, params=params))

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, body: object) -> dict[str, Any]:
        return self._json(self._http.post(path, json=body))

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, response.text
        body: dict[str, Any] = response.json()
        return body


def small_world() -> WorldConfig:
    return WorldConfig(
        seed=11,
        history_days=45,
        accounts=6,
        campaigns=18,
        ad_groups=42,
        ads=120,
        today_limit=datetime(2026, 9, 1, tzinfo=UTC),
        platforms=PLATFORMS,
    )


@pytest.fixture(scope="session")
def sandbox_token() -> str:
    return TOKEN


@pytest.fixture(scope="session")
def sandbox_url(sandbox_token: str) -> Iterator[str]:
    """The served world's base URL, `http://127.0.0.1:port`."""
    command = [sys.executable, "-c", SERVE, json.dumps(small_world().to_json()), sandbox_token]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "listening on http://" in said, f"the sandbox did not start: {said!r}"
        yield said.split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="session")
def _control(sandbox_url: str) -> Iterator[Control]:
    control = Control(sandbox_url)
    yield control
    control.close()


@pytest.fixture
def control(_control: Control) -> Iterator[Control]:
    """The sandbox's controls; its faults end with the test."""
    yield _control
    _control.heal()


@pytest.fixture(scope="session")
def open_meta(sandbox_url: str) -> Iterator[Callable[[str], Any]]:
    """Opens Meta's SDK with a token; the host is set by its own documented attribute, `FacebookSession.GRAPH`."""
    facebook = pytest.importorskip("facebook_business.api", reason="the clients group is not installed")
    sessions = []

    def open_with(token: str) -> Any:
        session = facebook.FacebookSession(app_id="1", app_secret="secret", access_token=token, timeout=60)
        session.GRAPH = sandbox_url
        sessions.append(session)
        return facebook.FacebookAdsApi(session)

    yield open_with
    for session in sessions:
        session.requests.close()
