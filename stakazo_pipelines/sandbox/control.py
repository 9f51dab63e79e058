"""The sandbox's own endpoints under /sandbox: clock, faults, truth, outcome, portfolio, journal, requests.

They need no token.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stakazo_pipelines.sandbox.faults import FaultError
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.world import Incident, WorldError

Endpoint = Callable[[Request], Awaitable[Response]]


class _BadRequestError(ValueError):
    """What the caller did wrong, in words."""


class Control:
    """Endpoints over the kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def routes(self) -> list[Route]:
        table: list[tuple[str, Endpoint, list[str]]] = [
            ("/sandbox/health", self._health, ["GET"]),
            ("/sandbox/clock", self._clock, ["GET", "POST"]),
            ("/sandbox/truth", self._truth, ["GET"]),
            ("/sandbox/outcome", self._outcome, ["GET"]),
            ("/sandbox/portfolio", self._portfolio, ["GET"]),
            ("/sandbox/journal", self._journal, ["GET"]),
            ("/sandbox/requests", self._requests, ["GET", "DELETE"]),
            ("/sandbox/faults", self._faults, ["GET", "POST", "DELETE"]),
            ("/sandbox/incidents", self._incidents, ["GET", "POST"]),
        ]
        return [Route(path, _guarded(endpoint), methods=methods) for path, endpoint, methods in table]

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "now": self._kernel.world.now.isoformat()})

    async def _clock(self, request: Request) -> Response:
        world = self._kernel.world
        if request.method == "POST":
            self._kernel.advance(_target(await _object(request), world.now))
        return JSONResponse(
            {
                "now": world.now.isoformat(),
                "start": world.config.start.isoformat(),
                "limit": world.config.today_limit.isoformat(),
                "seed": world.config.seed,
                "days_advanced": (world.now - world.config.start) / timedelta(days=1),
            }
        )

    async def _truth(self, _request: Request) -> Response:
        return JSONResponse(self._kernel.world.truth())

    async def _outcome(self, request: Request) -> Response:
        since, until = (_day(request, name) for name in ("since", "until"))
        return JSONResponse(self._kernel.world.outcome(since, until))

    async def _portfolio(self, request: Request) -> Response:
        """`?since&until&rates=USD:1,EUR:1.087`: what one unit of each currency is worth in the reporting currency."""
        since, until = (_day(request, name) for name in ("since", "until"))
        return JSONResponse(self._kernel.world.portfolio(since, until, _rates(request)))

    async def _journal(self, request: Request) -> Response:
        """Applied writes, oldest first; `?actor=all` adds those of the world's history, `?platform=` narrows."""
        everybody, only = request.query_params.get("actor") == "all", request.query_params.get("platform")
        writes = [
            {
                "seq": w.seq,
                "at": w.at,
                "level": w.level,
                "id": w.id,
                "account_id": account.id,
                "platform": account.platform,
                "fields": w.fields,
                "before": w.before,
                "actor": w.actor,
            }
            for w in self._kernel.world.journal
            if everybody or w.actor == "api"
            for account in [self._kernel.world.owner(w.level, w.id)]
            if only in (None, account.platform)
        ]
        return Response(json.dumps({"writes": writes}, default=_plain), media_type="application/json")

    async def _requests(self, request: Request) -> Response:
        """What was asked since the start, or since the last DELETE."""
        log = self._kernel.requests
        if request.method == "DELETE":
            log.clear()
        return JSONResponse(
            {
                "total": log.total,
                "platforms": dict(log.platforms),
                "counts": dict(log.counts),
                "recent": list(log.recent),
            }
        )

    async def _faults(self, request: Request) -> Response:
        table = self._kernel.faults
        if request.method == "POST":
            return JSONResponse(table.add(await _object(request)).describe(), status_code=201)
        if request.method == "DELETE":
            wanted = request.query_params.get("id")
            if wanted is not None and not wanted.isdigit():
                raise _BadRequestError("id must be a whole number")
            return JSONResponse({"dropped": table.clear(None if wanted is None else int(wanted))})
        return JSONResponse({"faults": [rule.describe() for rule in table.rules]})

    async def _incidents(self, request: Request) -> Response:
        if request.method == "POST":
            body = await _object(request)
            try:
                incident = Incident.from_json(body)
            except (TypeError, KeyError, ValueError) as error:
                raise _BadRequestError(f"not an incident: {error}") from error
            self._kernel.add_incident(incident)
            return JSONResponse(incident.to_json(), status_code=201)
        return JSONResponse({"incidents": [incident.to_json() for incident in self._kernel.world.incidents]})


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (_BadRequestError, FaultError, WorldError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return guarded


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise _BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _BadRequestError("the body must be a JSON object")
    return body


def _target(body: dict[str, Any], now: datetime) -> datetime:
    if len(body.keys() & {"advance_days", "advance_hours", "to"}) != 1:
        raise _BadRequestError("say one of advance_days, advance_hours, to")
    if "to" in body:
        try:
            to = datetime.fromisoformat(str(body["to"]))
        except ValueError as error:
            raise _BadRequestError(f"to is not an ISO 8601 time: {error}") from error
        return to if to.tzinfo else to.replace(tzinfo=UTC)
    unit, amount = next(iter(body.items()))
    if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
        raise _BadRequestError(f"{unit} must be a number of at least 0: the clock does not run backwards")
    return now + (timedelta(days=amount) if unit == "advance_days" else timedelta(hours=amount))


def _day(request: Request, name: str) -> date:
    try:
        return date.fromisoformat(request.query_params[name])
    except (KeyError, ValueError) as error:
        raise _BadRequestError(f"{name} must be given as YYYY-MM-DD") from error


def _rates(request: Request) -> dict[str, float]:
    rates = {}
    for entry in request.query_params.get("rates", "").split(","):
        currency, _, rate = entry.partition(":")
        try:
            rates[currency.strip()] = float(rate)
        except ValueError as error:
            raise _BadRequestError("rates must be given as USD:1,EUR:1.087") from error
    return rates


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"not JSON: {value!r}")
