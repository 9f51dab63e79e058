"""LinkedIn behind a short handler, on a clock that only moves when somebody sleeps."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from stakazo_pipelines.platforms.linkedin import LinkedInAdPlatform
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.vocabulary import EntityStatus

TOKEN = "AQXlinkedinTESTtoken0123456789"
T = TypeVar("T")
Handler = Callable[[httpx.Request], httpx.Response]


class LinkedIn:
    """`run(handler, lambda linkedin: linkedin.accounts())`; keeps every request that was sent."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.requests: list[httpx.Request] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def run(self, handler: Handler, use: Callable[[LinkedInAdPlatform], Awaitable[T]], **options: object) -> T:
        def keep(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        async def main() -> T:
            async with LinkedInAdPlatform(
                base_url="https://api.example",
                token=TOKEN,
                transport=httpx.MockTransport(keep),
                sleep=self.sleep,
                monotonic=lambda: self.now,
                **options,
            ) as platform:
                return await use(platform)

        return asyncio.run(main())

    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode().partition('?')[0]}" for request in self.requests]

    def queries(self) -> list[str]:
        """The queries as they went out, tunnelled ones too."""
        return [(request.url.query or request.content).decode() for request in self.requests]


@pytest.fixture
def linkedin() -> LinkedIn:
    return LinkedIn()


@pytest.fixture
def golden() -> Callable[[str], object]:
    folder = Path(__file__).parent / "golden"
    return lambda name: json.loads((folder / f"{name}.json").read_text())


@pytest.fixture
def account() -> Account:
    return Account("500", "Shop DE", "EUR", "UTC", 100, EntityStatus.ACTIVE)


@pytest.fixture
def listed() -> Callable[..., httpx.Response]:
    """An answer of a finder."""

    def answer(rows: list[object], token: str = "") -> httpx.Response:
        return httpx.Response(200, json={"elements": rows, "metadata": {"nextPageToken": token} if token else {}})

    return answer
