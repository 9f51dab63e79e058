"""The Graph API on the wire: lets a call in (token, throttle, faults), carries it out, dresses the answer."""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.meta import errors
from stakazo_pipelines.sandbox.meta.batch import run_batch
from stakazo_pipelines.sandbox.meta.call import Call, Reply, split_version
from stakazo_pipelines.sandbox.meta.errors import GraphError
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.images import Images
from stakazo_pipelines.sandbox.meta.insights.service import InsightsService
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.request import read_params
from stakazo_pipelines.sandbox.meta.routes import Routes
from stakazo_pipelines.sandbox.meta.spoil import spoil
from stakazo_pipelines.sandbox.meta.throttle import READ_POINTS, WRITE_POINTS, Throttle
from stakazo_pipelines.sandbox.wire import Dropped, Hangup, Trickle

_OWN_PATH = re.compile(r"^/(v\d+\.\d+(/.*)?|me(/.*)?|act_\d+(/.*)?|\d+(/.*)?)?$")
_NUMBER = re.compile(r"\d{5,}")
_HTML = "<html><head><title>Error</title></head><body>Sorry, something went wrong.</body></html>"


@dataclass(frozen=True, slots=True)
class MetaOptions:
    """`sync_rows`/`async_rows` bound an insights answer; `async_polls` is how many looks a report run takes.

    `point_limit` is the account score (9000 full access, 60 development), `block_s` overrides how long the account is
    then shut out, `clock` is real monotonic time. `daily_110_rule` extends the 110 % rule to daily budgets.
    """

    sync_rows: int = 20_000
    async_rows: int = 1_000_000
    async_polls: int = 2
    point_limit: int = 9000
    block_s: float | None = None
    clock: Callable[[], float] = time.monotonic
    daily_110_rule: bool = False


class MetaEmulator:
    """One of the emulators on the port. `claims` says which paths are its own."""

    name = "meta"

    def __init__(self, kernel: Kernel, *, token: str, hang_up: Hangup, options: MetaOptions | None = None) -> None:
        options = options or MetaOptions()
        self._kernel, self._token, self._hang_up = kernel, token, hang_up
        self._graph = Graph(kernel)
        insights = InsightsService(
            self._graph, sync_rows=options.sync_rows, async_rows=options.async_rows, polls=options.async_polls
        )
        self._routes = Routes(self._graph, insights, Images(kernel), options.daily_110_rule)
        self._throttle = Throttle(options.clock, options.point_limit, options.block_s)

    def claims(self, path: str) -> bool:
        return _OWN_PATH.match(path) is not None

    async def handle(self, request: Request) -> ASGIApp:
        """The answer to a request: a response, or something worse when a fault says so."""
        version, path = split_version(request.url.path)
        self._kernel.tick()
        try:
            params = await read_params(request)
        except GraphError as error:
            return _response(self._failure(error, path))
        method = params.text("method", request.method).upper() if request.method == "POST" else request.method
        call = self._rewired(Call(method, path, version, params, str(request.base_url).rstrip("/")))
        is_batch = method == "POST" and not path and "batch" in params
        self._log(call, batched=False)
        transport = {hit.kind: hit for hit in call.draw("transport")}
        if "timeout" in transport:
            return Dropped(self._hang_up, transport["timeout"].number("seconds", 60))
        lost: list[Hit] = []
        reply = self._batch(call, lost) if is_batch else self._single(call, lost)
        if lost:
            return Dropped(self._hang_up, lost[0].number("seconds", 0))
        return _delivered(reply, transport)

    # One call ---------------------------------------------------------------------------------------------------

    def _rewired(self, call: Call) -> Call:
        """The call with the fault table at hand for each of its stages."""
        draw = partial(self._draw, call.method, f"/{call.path}")
        return replace(call, draw=draw)

    def _draw(self, method: str, path: str, stage: str) -> Sequence[Hit]:
        return self._kernel.faults.hits(self.name, method, path, {stage})

    def _batch(self, call: Call, lost: list[Hit]) -> Reply:
        early = self._before(call, "", lost)
        if early is not None:
            return early
        try:
            self._check_token(call.params)

            def rewire(item: Call) -> Call:
                self._log(item, batched=True)
                return self._rewired(item)

            return Reply(run_batch(call, partial(self._single, lost=lost), rewire))
        except GraphError as error:
            return self._failure(error, call.path)

    def _single(self, call: Call, lost: list[Hit]) -> Reply:
        account_id = self._routes.account_id(call)
        use_case = "ads_insights" if call.path.endswith("insights") else "ads_management"
        reply = self._before(call, account_id, lost) or self._carried_out(call, account_id, use_case)
        headers = self._throttle.headers(account_id, use_case, active_ads=self._active_ads(account_id))
        trace = errors.trace_id(f"{self._kernel.requests.total}")
        reply.headers = {"facebook-api-version": call.version, "x-fb-trace-id": trace, **headers, **reply.headers}
        return reply

    def _carried_out(self, call: Call, account_id: str, use_case: str) -> Reply:
        try:
            self._check_token(call.params)
            points = READ_POINTS if call.method == "GET" else WRITE_POINTS
            wait = self._throttle.charge(account_id, points, use_case)
            if wait > 0:
                raise errors.account_throttled({})
            return Reply(spoil(call, self._routes.answer(call)))
        except GraphError as error:
            return self._failure(error, call.path)

    def _check_token(self, params: Params) -> None:
        token = params.text("access_token")
        if not token:
            raise errors.missing_token()
        if token != self._token:
            raise errors.bad_token()

    def _before(self, call: Call, account_id: str, lost: list[Hit]) -> Reply | None:
        """Faults that answer in place of the API; `response_lost` lets it act and only takes the answer away."""
        reply: Reply | None = None
        for hit in call.draw("any"):
            if hit.kind == "response_lost":
                lost.append(hit)
            elif hit.kind == "server_error":
                reply = _server_error(hit, self._trace(call.path))
            elif hit.kind == "throttle":
                reply = self._failure(self._throttled(hit, call, account_id), call.path)
            else:
                known = {"expired_token": errors.expired_token, "permission_lost": errors.permission_lost}
                reply = self._failure(known[hit.kind](), call.path)
        return reply

    def _throttled(self, hit: Hit, call: Call, account_id: str) -> GraphError:
        code = int(hit.number("code", 17))
        use_case = "ads_insights" if code == 80000 or call.path.endswith("insights") else "ads_management"
        wait = hit.number("retry_after_s", 60)
        owner = account_id or next((account.id for account in self._graph.accounts()), "0")
        headers = self._throttle.account_headers(owner, use_case, 100.0, wait, active_ads=self._active_ads(owner))
        return errors.throttled(code, headers)

    def _failure(self, error: GraphError, path: str) -> Reply:
        return Reply(error.envelope(self._trace(path)), error.status, dict(error.headers))

    def _trace(self, path: str) -> str:
        return errors.trace_id(f"{self._kernel.requests.total}{path}")

    def _active_ads(self, account_id: str) -> int:
        ads = self._kernel.world.ads.values()
        return sum(1 for ad in ads if ad.account_id == account_id and ad.status == "ACTIVE")

    def _log(self, call: Call, *, batched: bool) -> None:
        run = self._routes.insights.run(call.parts[0]) if call.parts else None
        shape = "/" + (call.path.replace(run.id, "{run}") if run is not None else _NUMBER.sub("{id}", call.path))
        self._kernel.requests.add(self.name, call.method, f"/{call.path}", shape, batched=batched)


def _server_error(hit: Hit, trace: str) -> Reply:
    status = int(hit.number("status", 500))
    if hit.text("body", "json") == "html":
        return Reply(_HTML, status, {"content-type": "text/html; charset=utf-8"})
    subcode = int(hit.number("subcode", 0)) or None
    message = "An unexpected error has occurred. Please retry your request later."
    error = GraphError(message, int(hit.number("code", 2)), subcode, transient=True)
    return Reply(error.envelope(trace), status)


def _response(reply: Reply) -> Response:
    return Response(_bytes(reply.body), reply.status, _headers(reply))


def _delivered(reply: Reply, transport: dict[str, Hit]) -> ASGIApp:
    body = _bytes(reply.body)
    if "truncated_json" in transport:
        body = body[: int(len(body) * transport["truncated_json"].number("share", 0.6))]
    if "slow_body" in transport:
        return Trickle(reply.status, _headers(reply), body, transport["slow_body"].number("seconds", 5))
    return Response(body, reply.status, _headers(reply))


def _headers(reply: Reply) -> dict[str, str]:
    return {"content-type": "application/json; charset=UTF-8", "cache-control": "private, no-cache", **reply.headers}


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body, separators=(",", ":")).encode()
