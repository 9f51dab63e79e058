"""What the adapters have in common: one client to one platform that closes with it, and how that client is reached."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypedDict

import httpx
from pydantic import SecretStr

from stakazo_pipelines.platforms.http import ApiClient


class Connection(TypedDict, total=False):
    """How requests leave and how time passes; where one is left out, `ApiClient`'s own holds."""

    transport: httpx.AsyncBaseTransport | None
    sleep: Callable[[float], Awaitable[None]]
    monotonic: Callable[[], float]


class HttpAdPlatform:
    """Keeps an adapter's client. One object belongs to one event loop; use it as `async with`, or call `aclose`."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def aclose(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def secret_of(token: SecretStr | str) -> SecretStr:
    """The token, unprintable from here on."""
    return token if isinstance(token, SecretStr) else SecretStr(token)


def below(base_url: str, path: str) -> str:
    """The URL of an API's version on a host, whether or not the host was written with a slash."""
    return f"{base_url.rstrip('/')}/{path}"
