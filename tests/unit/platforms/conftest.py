"""What the platform tests share: a clock that only moves when somebody sleeps, and Meta behind a short handler."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl

import httpx
import pytest

from stakazo_pipelines.platforms.meta import MetaAdPlatform
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.vocabulary import EntityStatus

TOKEN = "EAAtestTOKENvalue0123456789"
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


class Meta:
    """`run(lambda meta: meta.accounts())` against a handler; keeps every request that was sent."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.requests: list[httpx.Request] = []

    def run(self, handler: Handler, use: Callable[[MetaAdPlatform], Awaitable[T]], **options: object) -> T:
        def keep(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        async def main() -> T:
            async with MetaAdPlatform(
                base_url="https://graph.example",
                token=TOKEN,
                transport=httpx.MockTransport(keep),
                sleep=self.clock.sleep,
                monotonic=self.clock,
                **options,
            ) as platform:
                return await use(platform)

        return asyncio.run(main())

    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]


def form(request: httpx.Request) -> dict[str, str]:
    """The form of a POST."""
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


@pytest.fixture
def meta() -> Meta:
    return Meta()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def golden() -> Callable[[str], object]:
    folder = Path(__file__).parent / "golden"
    return lambda name: json.loads((folder / f"{name}.json").read_text())


@pytest.fixture
def account() -> Account:
    return Account("101", "Shop DE", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)


@pytest.fixture
def read_form() -> Callable[[httpx.Request], dict[str, str]]:
    return form
