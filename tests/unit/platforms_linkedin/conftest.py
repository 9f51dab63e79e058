"""LinkedIn behind a short handler."""

from collections.abc import Callable

import httpx
import pytest

from stakazo_pipelines.platforms.linkedin import LinkedInAdPlatform
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.vocabulary import EntityStatus


@pytest.fixture
def linkedin(behind):
    return behind(LinkedInAdPlatform, "https://api.example", "AQXlinkedinTESTtoken0123456789")


@pytest.fixture
def account() -> Account:
    return Account("500", "Shop DE", "EUR", "UTC", 100, EntityStatus.ACTIVE)


@pytest.fixture
def listed() -> Callable[..., httpx.Response]:
    """An answer of a finder."""

    def answer(rows: list[object], token: str = "") -> httpx.Response:
        return httpx.Response(200, json={"elements": rows, "metadata": {"nextPageToken": token} if token else {}})

    return answer
