"""What the TikTok tests share: a clock that only moves when somebody sleeps, and TikTok behind a short handler."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.platforms.tiktok import TikTokAdPlatform
from stakazo_pipelines.vocabulary import EntityStatus

TOKEN = "0123456789abcdef0123456789abcdef01234567"
BASE = "/open_api/v1.3/"
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


class TikTok:
    """`run(handler, lambda tiktok: tiktok.accounts())`; keeps every request that was sent."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.requests: list[httpx.Request] = []

    def run(
        self,
        handler: Handler,
        use: Callable[[TikTokAdPlatform], Awaitable[T]],
        *,
        token: str = TOKEN,
        **options: object,
    ) -> T:
        def keep(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        async def main() -> T:
            async with TikTokAdPlatform(
                base_url="https://tiktok.example",
                token=token,
                transport=httpx.MockTransport(keep),
                sleep=self.clock.sleep,
                monotonic=self.clock,
                **options,
            ) as platform:
                return await use(platform)

        return asyncio.run(main())

    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.path.removeprefix(BASE)}" for request in self.requests]

    def bodies(self, path: str) -> list[dict[str, object]]:
        """The JSON of every POST to a path."""
        return [
            json.loads(request.content)
            for request in self.requests
            if request.method == "POST" and request.url.path == f"{BASE}{path}"
        ]


def ok(data: object = None, *, code: int = 0, message: str = "OK", **headers: str) -> httpx.Response:
    body = {"code": code, "message": message, "request_id": "202607010000", "data": {} if data is None else data}
    return httpx.Response(200, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def page(*rows: object, number: int = 1, of: int = 1, total: int | None = None) -> httpx.Response:
    info = {"page": number, "page_size": 1000, "total_number": len(rows) if total is None else total, "total_page": of}
    return ok({"list": list(rows), "page_info": info})


@pytest.fixture
def tiktok() -> TikTok:
    return TikTok()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def golden() -> Callable[[str], object]:
    folder = Path(__file__).parent / "golden"
    return lambda name: json.loads((folder / f"{name}.json").read_text())


@pytest.fixture
def account() -> Account:
    return Account("7001", "Shop DE", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)


@pytest.fixture(name="ok")
def _ok() -> Callable[..., httpx.Response]:
    return ok


@pytest.fixture(name="page")
def _page() -> Callable[..., httpx.Response]:
    return page
