"""Auth as small pure httpx objects: the token lives in a header, never in a URL, and printing them shows stars."""

from collections.abc import Generator

import httpx
from pydantic import SecretStr


class HeaderTokenAuth(httpx.Auth):
    """Sends the token as the value of one header (TikTok: `Access-Token`)."""

    def __init__(self, token: SecretStr, *, header: str, prefix: str = "") -> None:
        self._token = token
        self._header = header
        self._prefix = prefix

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._header] = self._prefix + self._token.get_secret_value()
        yield request

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._header}: ***)"


class BearerAuth(HeaderTokenAuth):
    """Sends `Authorization: Bearer …` (Meta, LinkedIn)."""

    def __init__(self, token: SecretStr) -> None:
        super().__init__(token, header="Authorization", prefix="Bearer ")
