"""The sandbox server: all emulators and the control endpoints on one loopback port.

python -m stakazo_pipelines.sandbox.server --port 0 --seed 7 --token sandbox --state FILE
"""

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from stakazo_pipelines.sandbox.control import Control
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.linkedin import LinkedInEmulator, LinkedInOptions
from stakazo_pipelines.sandbox.meta import MetaEmulator, MetaOptions
from stakazo_pipelines.sandbox.persistence import EventFile
from stakazo_pipelines.sandbox.tiktok import TikTokEmulator, TikTokOptions
from stakazo_pipelines.sandbox.world import PLATFORMS, World, WorldConfig

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Emulator(Protocol):
    """One platform's API on the port."""

    name: str

    def claims(self, path: str) -> bool: ...

    async def handle(self, request: Request) -> ASGIApp: ...


class Connections:
    """Open sockets by the client's address, so that a fault can close one without an answer."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def hang_up(self, scope: Scope) -> bool:
        """Close the request's connection; False when there is no socket (an application called in memory)."""
        transport = self._open.pop(tuple(scope.get("client") or ()), None)
        if transport is None:
            return False
        transport.abort()
        return True

    def protocol(self) -> type[asyncio.Protocol]:
        """An HTTP protocol class that keeps this book."""
        book = self._open

        class Booked(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
                super().connection_made(transport)
                if self.client is not None:
                    book[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    book.pop(self.client, None)
                super().connection_lost(exc)

        return Booked


def create_app(
    world: World,
    *,
    token: str,
    state_file: Path | None = None,
    meta: MetaOptions | None = None,
    tiktok: TikTokOptions | None = None,
    linkedin: LinkedInOptions | None = None,
    connections: Connections | None = None,
) -> Starlette:
    """The application over a fresh world. With a state file, what happened before is replayed onto it first.

    Raises EventFileError when the file belongs to another world.
    """
    connections = connections or Connections()
    kernel, hang_up = Kernel(world, state_file), connections.hang_up
    emulators: Sequence[Emulator] = [
        MetaEmulator(kernel, token=token, hang_up=hang_up, options=meta),
        TikTokEmulator(kernel, token=token, hang_up=hang_up, options=tiktok),
        LinkedInEmulator(kernel, token=token, hang_up=hang_up, options=linkedin),
    ]

    async def platforms(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        for emulator in emulators:
            if emulator.claims(request.url.path):
                answer = await emulator.handle(request)
                await answer(scope, receive, send)
                return
        missing = JSONResponse({"error": f"no emulator serves {request.url.path}"}, status_code=404)
        await missing(scope, receive, send)

    app = Starlette(routes=[*Control(kernel).routes(), Mount("/", app=platforms)])
    app.state.kernel = kernel
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 7,
    token: str = "sandbox",  # noqa: S107 - a simulated world's key, guards nothing
    state_file: Path | None = None,
    *,
    config: WorldConfig | None = None,
    today: datetime | None = None,
    meta: MetaOptions | None = None,
    tiktok: TikTokOptions | None = None,
    linkedin: LinkedInOptions | None = None,
    ready: Callable[[int], None] | None = None,
    allow_remote: bool = False,
) -> None:
    """Serve until stopped. Prints one line with the address, or calls `ready` with the port instead.

    Without a config the world is the one the state file was begun with, else one of two accounts on every platform.
    `today` bounds the world's clock (default: now). Raises ValueError for a host that is not loopback, unless allowed.
    """
    if host not in _LOOPBACK and not allow_remote:
        raise ValueError(f"the sandbox listens on loopback only, not on {host}")
    limit = (today or datetime.now(UTC)).replace(minute=0, second=0, microsecond=0)
    config = config or _kept(state_file, seed) or WorldConfig(seed=seed, accounts=6, platforms=PLATFORMS)
    world = World(replace(config, today_limit=limit))
    connections = Connections()
    app = create_app(
        world, token=token, state_file=state_file, meta=meta, tiktok=tiktok, linkedin=linkedin, connections=connections
    )
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        chosen = int(listening.getsockname()[1])
        if ready is not None:
            ready(chosen)
        else:
            sys.stdout.write(f"sandbox listening on http://{f'[{host}]' if ':' in host else host}:{chosen}\n")
            sys.stdout.flush()
        # No access log: query strings carry tokens.
        # A fault may hold a connection for minutes: do not wait for it when told to stop.
        settings = uvicorn.Config(
            app,
            http=connections.protocol(),
            log_level=logging.WARNING,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(settings).run(sockets=[listening])


def _kept(state_file: Path | None, seed: int) -> WorldConfig | None:
    """What the world of an event file is made of; another seed than its own makes it another world, as it should."""
    events = EventFile(state_file).read()
    if not events or "config" not in events[0]:
        return None
    return replace(WorldConfig.from_json(events[0]["config"]), seed=seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the server."""
    parser = argparse.ArgumentParser(description="Serve the simulated advertising world on loopback.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port; the line printed says which")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--token", default="sandbox")
    parser.add_argument("--state", type=Path, default=None, help="event file; the world resumes from it")
    parser.add_argument("--platforms", default="", help="a new world on these only, such as meta,linkedin")
    options = parser.parse_args(arguments)
    names = tuple(options.platforms.split(",")) if options.platforms else ()
    config = WorldConfig(seed=options.seed, accounts=max(3, 2 * len(names)), platforms=names) if names else None
    serve(options.host, options.port, options.seed, options.token, options.state, config=config)


if __name__ == "__main__":
    main()
