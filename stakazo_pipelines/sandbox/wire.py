"""What happens below HTTP: dropped connections, slow and cut bodies. Emulators answer with these when a fault asks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send


class ConnectionDroppedError(ConnectionResetError):
    """The sandbox hung up. Under a real server the socket is closed; in memory the caller sees this."""


Hangup = Callable[[Scope], bool]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(frozen=True, slots=True)
class Dropped:
    """Answer nothing: after `after_s` seconds the connection is closed."""

    hang_up: Hangup
    after_s: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.wait_for(_disconnected(receive), self.after_s)
        except TimeoutError:
            if not self.hang_up(scope):
                raise ConnectionDroppedError("the sandbox closed the connection") from None
            await _disconnected(receive)


@dataclass(frozen=True, slots=True)
class Trickle:
    """A whole answer whose body takes `over_s` seconds to arrive."""

    status: int
    headers: dict[str, str]
    body: bytes
    over_s: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {**self.headers, "content-length": str(len(self.body))}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        step = max(1, -(-len(self.body) // 10))
        for start in range(0, len(self.body), step):
            await asyncio.sleep(self.over_s / 10)
            await send({"type": "http.response.body", "body": self.body[start : start + step], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
