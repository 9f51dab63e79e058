"""What the platforms' tests share: a clock that only moves when somebody sleeps, and an adapter behind a handler."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from stakazo_pipelines.platforms.adapter import HttpAdPlatform

T = TypeVar("T")
Handler = Callable[[httpx.Request], httpx.Response]


class Clock:
    """Sleeping moves it; nothing else does."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


class Behind:
    """`run(handler, lambda platform: platform.accounts())`; keeps every request that was sent.

    `root` is the part of every path that `calls` and `bodies` leave out.
    """

    def __init__(self, adapter: Callable[..., HttpAdPlatform], base_url: str, token: str, *, root: str = "") -> None:
        self.clock = Clock()
        self.requests: list[httpx.Request] = []
        self._adapter = adapter
        self._options = {"base_url": base_url, "token": token}
        self._root = root

    def run(self, handler: Handler, use: Callable[[Any], Awaitable[T]], **options: object) -> T:
        def keep(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        async def main() -> T:
            async with self._adapter(
                transport=httpx.MockTransport(keep),
                sleep=self.clock.sleep,
                monotonic=self.clock,
                **{**self._options, **options},
            ) as platform:
                return await use(platform)

        return asyncio.run(main())

    def calls(self) -> list[str]:
        return [f"{request.method} {self._path(request)}" for request in self.requests]

    def queries(self) -> list[str]:
        """The queries as they went out, tunnelled ones too."""
        return [(request.url.query or request.content).decode() for request in self.requests]

    def bodies(self, path: str) -> list[dict[str, object]]:
        """The JSON of every POST to a path."""
        return [
            json.loads(request.content)
            for request in self.requests
            if request.method == "POST" and self._path(request) == path
        ]

    def _path(self, request: httpx.Request) -> str:
        return request.url.raw_path.decode().partition("?")[0].removeprefix(self._root)


@pytest.fixture
def behind() -> type[Behind]:
    return Behind


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], object]:
    """The JSON in the folder `golden` beside the test."""
    folder = request.path.parent / "golden"
    return lambda name: json.loads((folder / f"{name}.json").read_text())
