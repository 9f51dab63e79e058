"""What goes out and what comes back, free of any HTTP library, and what a platform has to say about it (`Dialect`).

Kept apart from the client so that error tables and parsers are pure functions that tests call without a network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stakazo_pipelines.errors import PlatformError


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call. `path` is relative to the base URL; `account` names who is charged for it ("" = nobody known yet).

    A query that must not be encoded again may stand in `path` (then `params` stays empty).

    `repeatable` says that sending it twice does no more than sending it once: reads, deletes, and the creation of
    reports. Anything else is sent again only when the server provably did not act on it.

    `plain` says that a success may be text (a CSV file) instead of JSON.
    """

    method: str
    path: str
    account: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    json: object | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    content: bytes | None = None  # a body as it is; say its Content-Type in `headers`
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    plain: bool = False

    @property
    def title(self) -> str:
        """Method and path without a query, for logs and errors."""
        return f"{self.method} {self.path.partition('?')[0] or '/'}"


@dataclass(frozen=True, slots=True)
class ApiReply:
    """One answer. Header names are lower case. `body` is the decoded JSON (None for an empty body), or plain text."""

    status: int
    headers: Mapping[str, str]
    body: object


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is used up: 1.0 = all of it. `account` "" = the limit of the whole app.

    `regain_seconds` is the server's own word for when it will serve again (0 = it does not say, or serves now).
    """

    account: str
    utilisation: float
    regain_seconds: float = 0.0


class Dialect(Protocol):
    """What the client must know of one platform. Pure: no I/O, no state."""

    @property
    def name(self) -> str:
        """The platform's slug, for error messages and logs."""
        ...

    def error(self, request: ApiRequest, reply: ApiReply) -> PlatformError | None:
        """The error that the answer stands for (also inside HTTP 200), or None when it is a success."""
        ...

    def usage(self, request: ApiRequest, reply: ApiReply) -> Sequence[Usage]:
        """What the answer says about limits."""
        ...
