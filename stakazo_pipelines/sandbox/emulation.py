"""What every emulator does alike: letting requests in past the faults, spoiling answers, writes that go astray.

The emulators know what each fault looks like on their platform; when and to what it happens is decided here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp

from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.wire import Dropped, Hangup, Trickle
from stakazo_pipelines.sandbox.world import Level

Draw = Callable[[str], Sequence[Hit]]  # a stage of `faults.KINDS` -> the faults that fire on this request
_JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class Reply:
    """`body` is what becomes JSON, or text or bytes as they are. `lost` takes the answer away after the act."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    lost: Hit | None = None


Act = Callable[[Draw], Reply]
Misfortune = Callable[[Hit], Reply]


class FrontDesk:
    """Where a platform's requests come in. `headers` stand on every answer that does not say otherwise."""

    def __init__(
        self, kernel: Kernel, platform: str, hang_up: Hangup, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self._kernel, self._platform, self._hang_up = kernel, platform, hang_up
        self._headers = dict(_JSON if headers is None else headers)

    def draw(self, method: str, path: str) -> Draw:
        """The fault table at hand for one request."""
        return lambda stage: self._kernel.faults.hits(self._platform, method, path, {stage})

    def log(self, method: str, path: str, shape: str, *, batched: bool = False) -> None:
        """Count a request; `shape` is its path with ids replaced."""
        self._kernel.requests.add(self._platform, method, path, shape, batched=batched)

    async def answer(self, *, method: str, path: str, shape: str, act: Act, misfortune: Misfortune) -> ASGIApp:
        """The answer to a request: what `act` replies, or something worse when a fault says so.

        `misfortune` gives throttle, server_error, expired_token and permission_lost the platform's own face.
        """
        self._kernel.tick()
        self.log(method, path, shape)
        draw = self.draw(method, path)
        transport = {hit.kind: hit for hit in draw("transport")}
        if "timeout" in transport:
            return Dropped(self._hang_up, transport["timeout"].number("seconds", 60))
        reply = meet(draw, act, misfortune)
        if reply.lost is not None:
            return Dropped(self._hang_up, reply.lost.number("seconds", 0))
        return self._delivered(reply, transport)

    def _delivered(self, reply: Reply, transport: Mapping[str, Hit]) -> ASGIApp:
        body, headers = _bytes(reply.body), {**self._headers, **reply.headers}
        if not body and "content-type" not in reply.headers:
            headers.pop("content-type", None)  # nothing is not JSON
        if "truncated_json" in transport:
            body = body[: int(len(body) * transport["truncated_json"].number("share", 0.6))]
        if "slow_body" in transport:
            return Trickle(reply.status, headers, body, transport["slow_body"].number("seconds", 5))
        return Response(body, reply.status, headers)


def meet(draw: Draw, act: Act, misfortune: Misfortune) -> Reply:
    """Faults that answer in place of the API; `response_lost` lets it act and only takes the answer away."""
    reply: Reply | None = None
    lost: Hit | None = None
    for hit in draw("any"):
        if hit.kind == "response_lost":
            lost = hit
        else:
            reply = misfortune(hit)
    reply = reply or act(draw)
    reply.lost = reply.lost or lost
    return reply


def spoil(rows: list[dict[str, Any]], draw: Draw, usual_field: str) -> None:
    """List faults on the rows of an answer, in place: wrong, missing, new or retyped fields."""
    if not rows:
        return
    for hit in draw("list"):
        name = hit.text("field", "brand_new_field" if hit.kind == "new_field" else usual_field)
        one = [rows[hit.rng.randrange(len(rows))]]
        usual_rows = "one" if hit.kind == "malformed_row" else "all"
        for row in rows if hit.text("rows", usual_rows) == "all" else one:
            if hit.kind == "malformed_row":
                row[name] = hit.options.get("value", "not-a-number")
            elif hit.kind == "missing_field":
                row.pop(name, None)
            elif hit.kind == "new_field":
                row[name] = hit.options.get("value", {"since": "today"})
            elif hit.kind == "retyped_field" and name in row:
                row[name] = {"value": row[name]}


def turned_page(draw: Draw, first: int, size: int, total: int) -> int:
    """The offset to serve in place of `first`: the page before (duplicated_page) or the one after (missing_page).

    Only a second or later page turns; behind the last one there is nothing (offset `total`).
    """
    for hit in draw("paged") if 0 < first < total else ():
        first = max(0, first - size) if hit.kind == "duplicated_page" else min(first + size, total)
    return first


def failing(draw: Draw, count: int) -> set[int]:
    """Which of so many items of a batch the fault `partial_batch` lets fail: a share of them, at least one."""
    failed: set[int] = set()
    for hit in draw("batch"):
        some = min(count, max(1, round(count * hit.number("share", 0.5))))
        failed |= set(hit.rng.sample(range(count), some))
    return failed


@dataclass(frozen=True, slots=True)
class Fate:
    """What the write faults make of one call. `late` defers its updates; a lost one is confirmed but never made."""

    refused: bool = False
    lost: bool = False
    late: Hit | None = None


def write_fate(draw: Draw, *, update: bool) -> Fate:
    hits = {hit.kind: hit for hit in (*draw("write"), *(draw("update") if update else ()))}
    return Fate("write_refused" in hits, "write_lost" in hits, hits.get("write_delayed"))


def carry_out(kernel: Kernel, fate: Fate, level: Level, entity_id: str, fields: dict[str, Any]) -> None:
    """Make an update that is not refused: now, later, or never when it is lost. Raises WorldError."""
    if fate.lost:
        return
    if fate.late is None:
        kernel.update(level, entity_id, **fields)
        return
    hours = fate.late.number("hours", 0) or None
    requests = int(fate.late.number("requests", 3)) if hours is None else None
    kernel.defer(level, entity_id, fields, requests=requests, hours=hours)


def unmade_id(kernel: Kernel) -> str:
    """An id that looks like the next one and belongs to nothing: the answer to a create that is lost."""
    world = kernel.world
    stores: Sequence[Mapping[str, object]] = (world.campaigns, world.ad_groups, world.ads, world.creatives)
    return str(max(int(key) for store in stores for key in store) + 7)


def server_error(hit: Hit) -> Reply | None:
    """The page of a broken gateway, where a `server_error` asks for HTML; None where the platform's JSON is due."""
    if hit.text("body", "json") != "html":
        return None
    status = int(hit.number("status", 500))
    return Reply(_HTML, status, {"content-type": "text/html; charset=utf-8"})


_HTML = "<html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body, separators=(",", ":")).encode()
