"""The one client every adapter sends through: paced, bounded per account, retried by error class, redacted.

Whatever goes wrong leaves as a PlatformError without a cause: httpx's exceptions carry the URL and the headers.
"""

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx
from pydantic import SecretStr

from stakazo_pipelines.errors import (
    ConfigError,
    MalformedError,
    PlatformError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.platforms.http.limiter import Limiter, Quota
from stakazo_pipelines.platforms.http.messages import ApiReply, ApiRequest, Dialect
from stakazo_pipelines.platforms.http.pacer import Pacer
from stakazo_pipelines.platforms.http.redact import Redactor, quiet_httpx
from stakazo_pipelines.platforms.http.retry import Retries, RetryRule

_LOG = logging.getLogger(__name__)
# The connection was never made, or never handed out: the request cannot have reached the server.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TRY_AGAIN = frozenset({408, 429})
# Servers close idle connections, often after 5 s; a write on one being closed would have an unknown outcome.
_LIMITS = httpx.Limits(keepalive_expiry=2.0)
_LONGEST_CLOSURE = 300.0  # a counter suspended for longer refuses each call by itself, so that nobody waits unheard
_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=30.0, pool=60.0)


class ApiClient:
    """Sends ApiRequests to one base URL. Use one client per event loop and close it with `aclose`."""

    def __init__(
        self,
        *,
        base_url: str,
        auth: httpx.Auth,
        token: SecretStr,
        dialect: Dialect,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        retry: RetryRule | None = None,
        concurrency: int = 4,
        quota: Quota | None = None,
        secrets: Sequence[SecretStr] = (),
    ) -> None:
        check_base_url(base_url, dialect.name)
        quiet_httpx()
        self.redact = Redactor([secret.get_secret_value() for secret in (token, *secrets)])
        self.sleep = sleep
        self.retry = retry or RetryRule()
        self._dialect = dialect
        self._monotonic = monotonic
        self._pacer = Pacer(sleep=sleep, monotonic=monotonic)
        self._limiter = None if quota is None else Limiter(quota, sleep=sleep, monotonic=monotonic)
        self._concurrency = concurrency
        self._lanes: dict[str, asyncio.Semaphore] = {}
        # Jitter only keeps clients from retrying in step; nothing that is computed depends on it.
        self._jitter = random.Random()  # noqa: S311
        self._http = httpx.AsyncClient(
            base_url=base_url,
            auth=auth,
            transport=transport,
            timeout=_TIMEOUT,
            follow_redirects=False,
            limits=_LIMITS,
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=httpx.URL(base_url).host not in _LOOPBACK,
        )

    async def send(self, request: ApiRequest) -> ApiReply:
        """The successful answer, after as many attempts as the rule allows.

        Raises the PlatformError tree; an UnknownOutcomeError where a write may or may not have taken effect.
        """
        retries = Retries(self.retry, monotonic=self._monotonic, jitter=self._jitter)
        while True:
            try:
                return await self._in_lane(request, retries)
            except PlatformError as error:
                wait = retries.wait_after(error)
                if wait is None:
                    final = self._explained(error, request, retries)
                    break
                where = f"{request.title}: account {request.account or '(none)'}"
                fault = type(error).__name__
                _LOG.warning("%s: %s; attempt %d follows in %.1f s", where, fault, retries.sent + 1, wait)
            await self.sleep(wait)
        # Outside of the except block: the new error has neither cause nor context.
        raise final

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _in_lane(self, request: ApiRequest, retries: Retries) -> ApiReply:
        lane = self._lanes.setdefault(request.account, asyncio.Semaphore(self._concurrency))
        async with lane:
            await self._pacer.pause(request.account)
            if self._limiter is not None:
                await self._limiter.admit(request)
            retries.sent += 1
            try:
                return await self._once(request)
            except ThrottledError as error:
                if self._limiter is not None and error.retry_after and error.retry_after <= _LONGEST_CLOSURE:
                    self._limiter.close(request, error.retry_after)
                raise

    async def _once(self, request: ApiRequest) -> ApiReply:
        failure: PlatformError
        try:
            response = await self._http.request(
                request.method,
                request.path.lstrip("/"),
                params=request.params or None,
                data=request.form,
                json=request.json,
                files=request.files,
                content=request.content,
                headers=request.headers,
            )
        except _NOT_SENT as error:
            failure = TransientError(f"could not connect ({type(error).__name__})", self._dialect.name)
        except (httpx.RequestError, OSError) as error:
            failure = self._lost(request, f"no answer ({type(error).__name__})", None)
        else:
            return self._read(request, response)
        raise failure

    def _read(self, request: ApiRequest, response: httpx.Response) -> ApiReply:
        body, torn = _decoded(response, request.plain)
        reply = ApiReply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        self._pacer.observe(self._dialect.usage(request, reply))
        # A refusal that was cut off began as JSON; another server's page or a proxy's did not.
        foreign = torn and not response.content.lstrip().startswith((b"{", b"["))
        if foreign and 300 <= response.status_code < 500 and response.status_code not in _TRY_AGAIN:
            raise MalformedError("not an answer of this API; check the base URL", status=response.status_code)
        if torn:
            raise self._lost(request, "the answer is torn or not JSON", response.status_code)
        error = self._dialect.error(request, reply)
        if error is None and not response.is_success:
            error = _unexplained(response.status_code, self._dialect.name)
        if error is None:
            return reply
        if isinstance(error, TransientError) and not request.repeatable:
            raise _unknown(error)
        raise error

    def _lost(self, request: ApiRequest, message: str, status: int | None) -> PlatformError:
        error = TransientError(message, self._dialect.name, status=status)
        return error if request.repeatable else _unknown(error)

    def _explained(self, error: PlatformError, request: ApiRequest, retries: Retries) -> PlatformError:
        """The same error with the account, the call, why no more was tried; without a secret."""
        who = f"account {request.account}: " if request.account else ""
        why = f"; {retries.gave_up}" if retries.gave_up else ""
        facts = {field.name: getattr(error, field.name) for field in dataclasses.fields(error)}
        facts["platform"] = error.platform or self._dialect.name
        facts["message"] = self.redact(f"{who}{request.title}: {error.message}{why}")
        return type(error)(**facts)


def check_base_url(base_url: str, platform: str) -> None:
    """Raises ConfigError unless it is an http(s) URL with a host and no credentials or query."""
    url: httpx.URL | None
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = None
    if url is None or url.scheme not in {"http", "https"} or not url.host or url.query or url.userinfo:
        raise ConfigError(f"{platform}: the base URL must look like https://host[:port][/path], without user or query")


def _decoded(response: httpx.Response, plain: bool) -> tuple[object, bool]:
    """The JSON body and whether it is torn. 201 and 204 may come without a body; 200 with a promise of JSON may not.

    Where plain text is expected, it may be empty, and what did not begin as a JSON object is the body.
    """
    if not response.content:
        return None, not plain and response.status_code == 200 and "json" in response.headers.get("content-type", "")
    try:
        return response.json(), False
    except ValueError:  # JSON and UTF-8 errors alike; chaining it would carry the body along
        cut = response.content.lstrip().startswith(b"{")
        return (response.text, False) if plain and response.is_success and not cut else (None, True)


def _unknown(error: PlatformError) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"the write was sent but its outcome is unknown: {error.message}; read the object back before trying again",
        error.platform,
        error.code,
        error.subcode,
        error.request_id,
        error.status,
    )


def _unexplained(status: int, platform: str) -> PlatformError:
    """An HTTP failure whose body the dialect has nothing to say about."""
    if status >= 500 or status in _TRY_AGAIN:
        return TransientError("the server failed", platform, status=status)
    return MalformedError("an HTTP error without the documented error body", platform, status=status)
