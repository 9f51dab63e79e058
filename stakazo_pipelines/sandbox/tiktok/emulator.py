"""TikTok's API on the wire: lets a call in (path, token, limits, faults), carries it out, wraps the answer."""

import hashlib
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from stakazo_pipelines.sandbox.emulation import Draw, FrontDesk, Reply, server_error
from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.tiktok import errors, throttle
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import TikTokError
from stakazo_pipelines.sandbox.tiktok.options import TikTokOptions
from stakazo_pipelines.sandbox.tiktok.params import Params, read_params
from stakazo_pipelines.sandbox.tiktok.routes import Route, Routes
from stakazo_pipelines.sandbox.tiktok.throttle import Throttle
from stakazo_pipelines.sandbox.wire import Hangup

_ROOT = "/open_api/"
_PREFIX = "/open_api/v1.3"
_ABSENCE = {404: "404 page not found", 405: "405 method not allowed"}


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request that has found its endpoint: who asks, where, and with what (or what was wrong with it)."""

    route: Route
    path: str
    token: str | None
    params: Params
    problem: TikTokError | None
    base_url: str


class TikTokEmulator:
    """One of the emulators on the port. `claims` says which paths are its own."""

    name = "tiktok"

    def __init__(self, kernel: Kernel, *, token: str, hang_up: Hangup, options: TikTokOptions | None = None) -> None:
        options = options or TikTokOptions()
        self._kernel, self._token = kernel, token
        self._desk = FrontDesk(kernel, self.name, hang_up)
        self._routes = Routes(Directory(kernel), options, token)
        self._throttle = Throttle(options.clock, options.limit, options.advertiser_qps)

    def claims(self, path: str) -> bool:
        return path.startswith(_ROOT)

    async def handle(self, request: Request) -> ASGIApp:
        """The answer to a request: a response, or something worse when a fault says so."""
        whole = request.url.path
        path = whole.removeprefix(_PREFIX) if whole.startswith(_PREFIX) else ""
        route = self._routes.find(request.method, path)
        if isinstance(route, int):
            return PlainTextResponse(_ABSENCE[route], status_code=route)
        problem: TikTokError | None = None
        try:
            params = await read_params(request)
        except TikTokError as error:
            params, problem = Params({}), error
        base_url = str(request.base_url).rstrip("/")
        visit = _Visit(route, path, request.headers.get("access-token"), params, problem, base_url)

        def act(draw: Draw) -> Reply:
            return self._act(visit, draw)

        return await self._desk.answer(
            method=request.method, path=path, shape=path, act=act, misfortune=self._misfortune
        )

    def _act(self, visit: _Visit, draw: Draw) -> Reply:
        try:
            if not visit.route.open:
                self._check_token(visit.token)
            self._throttle.admit(visit.path, _advertiser(visit.params))
            if visit.problem is not None:
                raise visit.problem
            return self._wrapped(visit.route.handler(Call(visit.params, draw, visit.base_url)))
        except TikTokError as error:
            return self._failure(error)

    def _check_token(self, token: str | None) -> None:
        if not token:
            raise errors.missing_token()
        if token != self._token:
            raise errors.bad_token()

    def _misfortune(self, hit: Hit) -> Reply:
        if hit.kind == "server_error":
            page = server_error(hit)
            if page is not None:
                return page
            code, status = int(hit.number("code", 50000)), int(hit.number("status", 500))
            return self._failure(TikTokError(code, "System error, please try again later.", status=status))
        if hit.kind == "throttle":
            return self._failure(_throttled(int(hit.number("code", 40100))))
        if hit.kind == "expired_token":
            return self._failure(errors.expired_token())
        return self._failure(errors.no_permission("this advertiser"))

    def _wrapped(self, answer: Answer) -> Reply:
        if answer.file is not None:
            return Reply(answer.file, headers={**self._traces(), **answer.headers})
        body = {"code": answer.code, "message": answer.message, "request_id": self._trace(), "data": answer.data}
        return Reply(body, headers={**self._traces(), **answer.headers})

    def _failure(self, error: TikTokError) -> Reply:
        body = {"code": error.code, "message": error.message, "request_id": self._trace(), "data": {}}
        return Reply(body, error.status, self._traces())

    def _traces(self) -> dict[str, str]:
        trace = self._trace()
        return {"x-tt-logid": trace, "x-tt-trace-id": f"00-{hashlib.sha256(trace.encode()).hexdigest()[:32]}-01"}

    def _trace(self) -> str:
        """Unlike every other request's, and the same again in the same run."""
        number = self._kernel.requests.total
        return f"{self._kernel.world.now:%Y%m%d%H%M%S}{hashlib.sha256(str(number).encode()).hexdigest()[:18].upper()}"


def _throttled(code: int) -> TikTokError:
    if code == 40100:
        return throttle.app_throttled("QPS")
    if code == 40133:
        return TikTokError(
            code, "Advertiser's QPS reaches QPS limit for current path, request is temporarily restricted."
        )
    return TikTokError(code, "Requests made too frequently. Please try again later.")


def _advertiser(params: Params) -> str:
    found = params.raw(("advertiser_id",)).get("advertiser_id", "")
    return found if isinstance(found, str) else str(found)
