"""LinkedIn's API on the wire: version and token, tunnels, throttle, faults; then the resource answers."""

import re
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp

from stakazo_pipelines.sandbox.emulation import Draw, FrontDesk, Reply, server_error, spoil
from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.linkedin import errors, others
from stakazo_pipelines.sandbox.linkedin.accounts import Accounts
from stakazo_pipelines.sandbox.linkedin.analytics.service import Analytics
from stakazo_pipelines.sandbox.linkedin.assets import UPLOADS, Assets
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import NAME, Directory
from stakazo_pipelines.sandbox.linkedin.entities import RESOURCES, Entities
from stakazo_pipelines.sandbox.linkedin.errors import LinkedInError
from stakazo_pipelines.sandbox.linkedin.inline import create_inline
from stakazo_pipelines.sandbox.linkedin.options import LinkedInOptions
from stakazo_pipelines.sandbox.linkedin.posts import Posts
from stakazo_pipelines.sandbox.linkedin.request import ROOT, Sent, path_parts, read_call, unpack
from stakazo_pipelines.sandbox.linkedin.throttle import DayQuota
from stakazo_pipelines.sandbox.wire import Hangup

_VERSION = re.compile(r"^(20\d\d(?:0[1-9]|1[0-2]))(?:\.\d\d)?$")
_NUMBER = re.compile(r"(?:urn:li:\w+:)?\d{5,}")
_USUAL_FIELD = {"adAnalytics": "costInLocalCurrency", "creatives": "intendedStatus"}


class LinkedInEmulator:
    """One of the emulators on the port. `claims` says which paths are its own."""

    name = NAME

    def __init__(self, kernel: Kernel, *, token: str, hang_up: Hangup, options: LinkedInOptions | None = None) -> None:
        self._options = options or LinkedInOptions()
        self._kernel, self._token = kernel, token
        self._desk = FrontDesk(kernel, NAME, hang_up)
        self._directory = Directory(kernel)
        self._quota = DayQuota(self._options.daily_calls, self._options.calls)
        self._accounts = Accounts(self._directory)
        self._entities = Entities(self._directory)
        self._assets = Assets(self._directory)
        self._posts = Posts(self._directory, self._assets)
        self._analytics = Analytics(self._directory, self._options)
        self._others = others.Others(self._directory)

    def claims(self, path: str) -> bool:
        return path.startswith((f"/{ROOT}/", f"/{UPLOADS}/"))

    async def handle(self, request: Request) -> ASGIApp:
        """The answer to a request: a response, or something worse when a fault says so."""
        path, verb = request.url.path, request.method.upper()
        unread: LinkedInError | None = None
        sent = Sent(verb, "", b"")
        try:
            sent = await unpack(request)
        except LinkedInError as error:
            unread = error

        def act(draw: Draw) -> Reply:
            if unread is not None:
                return self._failure(unread, path)
            try:
                if path.startswith(f"/{UPLOADS}/"):
                    return self._dressed(self._upload(sent, path))
                return self._dressed(self._carried_out(request, sent, draw))
            except LinkedInError as error:
                return self._failure(error, path)

        shape = _NUMBER.sub("{id}", path)
        return await self._desk.answer(
            method=sent.verb, path=path, shape=shape, act=act, misfortune=lambda hit: self._misfortune(hit, path)
        )

    # One call ---------------------------------------------------------------------------------------------------

    def _carried_out(self, request: Request, sent: Sent, draw: Draw) -> Reply:
        self._check_version(request.headers.get("linkedin-version", "").strip())
        self._check_token(request.headers.get("authorization", ""))
        call = read_call(request, sent, path_parts(request), draw)
        # The daily quota counts on the resource, reads and writes together.
        if not self._quota.admit(call.resource, self._directory.today):
            raise errors.day_throttle()
        reply = self._routed(call)
        rows = reply.body.get("elements") if isinstance(reply.body, dict) else None
        if call.verb == "GET" and isinstance(rows, list):
            spoil(rows, draw, _USUAL_FIELD.get(call.resource, "name"))
        return reply

    def _routed(self, call: Call) -> Reply:
        parts, resource = call.parts, call.resource
        if parts[:1] == ("adAccounts",):
            if len(parts) <= 2:
                return self._accounts.answer(call)
            if resource == "creatives" and len(parts) == 3 and call.text("action") == "createInline":
                return create_inline(call, self._directory, self._posts, self._entities)
            if resource in RESOURCES and len(parts) <= 4:
                return self._entities.answer(call)
        elif len(parts) <= 2:
            if resource == "adAccountUsers":
                return self._accounts.users(call)
            if resource == "adAnalytics" and len(parts) == 1 and call.verb == "GET":
                return Reply(self._analytics.answer(call))
            if resource == "posts":
                return self._posts.answer(call)
            if resource in ("images", "videos"):
                return self._assets.answer(call)
            if resource in others.RESOURCES:
                return self._others.answer(call)
        raise errors.unknown_path(call.path)

    def _upload(self, sent: Sent, path: str) -> Reply:
        if sent.verb != "PUT":
            raise errors.not_allowed(sent.verb, path)
        return self._assets.put(path, sent.content)

    def _check_version(self, version: str) -> None:
        if not version:
            raise errors.version_missing()
        match = _VERSION.match(version)
        if match is None or not self._options.oldest_version <= match[1] <= self._options.newest_version:
            raise errors.version_sunset(version)

    def _check_token(self, header: str) -> None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.missing_token()
        if token.strip() != self._token:
            raise errors.bad_token()

    def _misfortune(self, hit: Hit, path: str) -> Reply:
        """What a fault that answers in place of the API says. `data` makes a throttle that of metric values."""
        if hit.kind == "server_error":
            return server_error(hit) or self._failure(errors.server(int(hit.number("status", 500))), path)
        if hit.kind == "throttle":
            of_values = hit.options.get("data", path.endswith("/adAnalytics"))
            return self._failure(errors.data_throttle() if of_values else errors.day_throttle(), path)
        if hit.kind == "expired_token":
            return self._failure(errors.expired_token(), path)
        if hit.options.get("silent") and path.endswith("/adAnalytics"):
            # A member without a role on the account is told nothing at all.
            return self._dressed(Reply({"paging": {"start": 0, "count": 10, "links": []}, "elements": []}))
        return self._failure(errors.no_permission(path), path)

    def _failure(self, error: LinkedInError, path: str) -> Reply:
        parts: list[Any] = path.strip("/").split("/")[1:]
        resource = Call("GET", path, tuple(parts), "").resource
        return self._dressed(Reply(error.body(resource), error.status))

    def _dressed(self, reply: Reply) -> Reply:
        """LinkedIn's own headers; none of them speaks of limits."""
        trace = f"{self._kernel.requests.total:032x}"
        reply.headers = {"x-li-uuid": trace, "x-li-request-id": trace, "x-li-fabric": "sandbox",
                         "x-restli-protocol-version": "2.0.0", **reply.headers}  # fmt: skip
        return reply
