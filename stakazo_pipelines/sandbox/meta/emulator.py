"""The Graph API on the wire: lets a call in (token, throttle, faults), carries it out, dresses the answer."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp

from stakazo_pipelines.sandbox.emulation import Draw, FrontDesk, Reply, meet, server_error, spoil
from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.meta import errors
from stakazo_pipelines.sandbox.meta.batch import run_batch
from stakazo_pipelines.sandbox.meta.call import Call, split_version
from stakazo_pipelines.sandbox.meta.errors import GraphError
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.images import Images
from stakazo_pipelines.sandbox.meta.insights.service import InsightsService
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.request import read_params
from stakazo_pipelines.sandbox.meta.routes import Routes
from stakazo_pipelines.sandbox.meta.throttle import READ_POINTS, WRITE_POINTS, Throttle
from stakazo_pipelines.sandbox.wire import Hangup

_OWN_PATH = re.compile(r"^/(v\d+\.\d+(/.*)?|me(/.*)?|act_\d+(/.*)?|\d+(/.*)?)?$")
_NUMBER = re.compile(r"\d{5,}")
_HEADERS = {"content-type": "application/json; charset=UTF-8", "cache-control": "private, no-cache"}


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
        self._kernel, self._token = kernel, token
        self._desk = FrontDesk(kernel, self.name, hang_up, headers=_HEADERS)
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
        unread: GraphError | None = None
        try:
            params = await read_params(request)
        except GraphError as error:
            params, unread = Params({}), error
        method = params.text("method", request.method).upper() if request.method == "POST" else request.method
        call = Call(method, path, version, params, str(request.base_url).rstrip("/"))
        is_batch = method == "POST" and not path and "batch" in params
        account_id = "" if is_batch else self._routes.account_id(call)

        def act(draw: Draw) -> Reply:
            if unread is not None:
                return self._failure(unread, path)
            drawn = replace(call, draw=draw)
            return self._batch(drawn) if is_batch else self._carried_out(drawn, account_id)

        return await self._desk.answer(
            method=method,
            path=f"/{path}",
            shape=self._shape(call),
            act=act,
            misfortune=partial(self._misfortune, call, account_id, dress=not is_batch),
        )

    # One call ---------------------------------------------------------------------------------------------------

    def _batch(self, call: Call) -> Reply:
        lost: list[Hit] = []

        def answer(item: Call) -> Reply:
            account_id = self._routes.account_id(item)
            reply = meet(
                item.draw,
                lambda draw: self._carried_out(item, account_id),
                partial(self._misfortune, item, account_id),
            )
            if reply.lost is not None:
                lost.append(reply.lost)
            return reply

        def rewire(item: Call) -> Call:
            self._desk.log(item.method, f"/{item.path}", self._shape(item), batched=True)
            return replace(item, draw=self._desk.draw(item.method, f"/{item.path}"))

        try:
            self._check_token(call.params)
            return Reply(run_batch(call, answer, rewire), lost=lost[0] if lost else None)
        except GraphError as error:
            return self._failure(error, call.path)

    def _carried_out(self, call: Call, account_id: str) -> Reply:
        use_case = _use_case(call)
        try:
            self._check_token(call.params)
            points = READ_POINTS if call.method == "GET" else WRITE_POINTS
            wait = self._throttle.charge(account_id, points, use_case)
            if wait > 0:
                raise errors.account_throttled({})
            body = self._routes.answer(call)
            spoil(_rows(body), call.draw, "spend" if use_case == "ads_insights" else "name")
            return self._dressed(Reply(body), call, account_id)
        except GraphError as error:
            return self._dressed(self._failure(error, call.path), call, account_id)

    def _dressed(self, reply: Reply, call: Call, account_id: str) -> Reply:
        """The reply with the usage headers of the account it counts on."""
        headers = self._throttle.headers(account_id, _use_case(call), active_ads=self._active_ads(account_id))
        trace = errors.trace_id(f"{self._kernel.requests.total}")
        reply.headers = {"facebook-api-version": call.version, "x-fb-trace-id": trace, **headers, **reply.headers}
        return reply

    def _check_token(self, params: Params) -> None:
        token = params.text("access_token")
        if not token:
            raise errors.missing_token()
        if token != self._token:
            raise errors.bad_token()

    def _misfortune(self, call: Call, account_id: str, hit: Hit, *, dress: bool = True) -> Reply:
        """What a fault that answers in place of the API says."""
        if hit.kind == "server_error":
            reply = server_error(hit) or _server_error(hit, self._trace(call.path))
        elif hit.kind == "throttle":
            reply = self._failure(self._throttled(hit, call, account_id), call.path)
        else:
            known = {"expired_token": errors.expired_token, "permission_lost": errors.permission_lost}
            reply = self._failure(known[hit.kind](), call.path)
        return self._dressed(reply, call, account_id) if dress else reply

    def _throttled(self, hit: Hit, call: Call, account_id: str) -> GraphError:
        code = int(hit.number("code", 17))
        use_case = "ads_insights" if code == 80000 else _use_case(call)
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

    def _shape(self, call: Call) -> str:
        run = self._routes.insights.run(call.parts[0]) if call.parts else None
        return "/" + (call.path.replace(run.id, "{run}") if run is not None else _NUMBER.sub("{id}", call.path))


def _use_case(call: Call) -> str:
    return "ads_insights" if call.path.endswith("insights") else "ads_management"


def _rows(body: object) -> list[dict[str, Any]]:
    """The rows a list fault can act on; none in an answer that is no list."""
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        return []
    return [row for row in body["data"] if isinstance(row, dict)]


def _server_error(hit: Hit, trace: str) -> Reply:
    subcode = int(hit.number("subcode", 0)) or None
    message = "An unexpected error has occurred. Please retry your request later."
    error = GraphError(message, int(hit.number("code", 2)), subcode, transient=True)
    return Reply(error.envelope(trace), int(hit.number("status", 500)))
