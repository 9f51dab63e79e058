"""TikTok behind a short handler, and the envelopes of its answers."""

from collections.abc import Callable

import httpx
import pytest

from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.platforms.tiktok import TikTokAdPlatform
from stakazo_pipelines.vocabulary import EntityStatus

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def ok(data: object = None, *, code: int = 0, message: str = "OK", **headers: str) -> httpx.Response:
    body = {"code": code, "message": message, "request_id": "202607010000", "data": {} if data is None else data}
    return httpx.Response(200, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def page(*rows: object, number: int = 1, of: int = 1, total: int | None = None) -> httpx.Response:
    info = {"page": number, "page_size": 1000, "total_number": len(rows) if total is None else total, "total_page": of}
    return ok({"list": list(rows), "page_info": info})


@pytest.fixture
def tiktok(behind):
    return behind(TikTokAdPlatform, "https://tiktok.example", TOKEN, root="/open_api/v1.3/")


@pytest.fixture
def account() -> Account:
    return Account("7001", "Shop DE", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)


@pytest.fixture(name="ok")
def _ok() -> Callable[..., httpx.Response]:
    return ok


@pytest.fixture(name="page")
def _page() -> Callable[..., httpx.Response]:
    return page
