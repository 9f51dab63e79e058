"""Meta behind a short handler."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import httpx
import pytest

from stakazo_pipelines.platforms.meta import MetaAdPlatform
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.vocabulary import EntityStatus


def form(request: httpx.Request) -> dict[str, str]:
    """The form of a POST."""
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


@pytest.fixture
def meta(behind):
    return behind(MetaAdPlatform, "https://graph.example", "EAAtestTOKENvalue0123456789")


@pytest.fixture
def account() -> Account:
    return Account("101", "Shop DE", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)


@pytest.fixture
def read_form() -> Callable[[httpx.Request], dict[str, str]]:
    return form
