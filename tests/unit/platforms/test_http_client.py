"""The shared HTTP layer with a dialect of its own: codes inside HTTP 200, a header token, paging by header."""

import asyncio
import dataclasses
import random

import httpx
import pytest
from pydantic import SecretStr

from stakazo_pipelines.errors import (
    ConfigError,
    MalformedError,
    PlatformError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.platforms.http import (
    ApiClient,
    ApiRequest,
    HeaderTokenAuth,
    Pacer,
    RetryRule,
    Usage,
    pages,
)
from stakazo_pipelines.platforms.http.pacer import PacingRule
from stakazo_pipelines.platforms.http.retry import Retries

SECRET = "tok-0123456789abcdef"
GET = ApiRequest("GET", "things", "7", repeatable=True)
POST = ApiRequest("POST", "things", "7", form={"a": "1"})


class CodesInsideTwoHundred:
    """A platform that answers HTTP 200 to everything and puts the verdict into the body."""

    name = "other"

    def error(self, request, reply):
        code = reply.body.get("code", 0) if isinstance(reply.body, dict) else 0
        if code == 40100:
            return ThrottledError("too fast", "other", code="40100", retry_after=reply.body.get("wait"))
        return RejectedError(str(reply.body["message"]), "other", code=str(code)) if code else None

    def usage(self, request, reply):
        used = reply.headers.get("x-used")
        return [Usage(request.account, float(used))] if used else []


def client(handler, clock, **options):
    secret = SecretStr(SECRET)
    return ApiClient(
        base_url="https://api.example/v1",
        auth=HeaderTokenAuth(secret, header="Access-Token"),
        token=secret,
        dialect=CodesInsideTwoHundred(),
        transport=httpx.MockTransport(handler),
        sleep=clock.sleep,
        monotonic=clock,
        **options,
    )


def script(*answers):
    """A handler that gives the answers in turn; an exception is raised, the last answer repeats."""
    left = list(answers)

    def handler(request):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    handler.left = left
    return handler


def ok(body=None, **headers):
    return httpx.Response(200, json={} if body is None else body, headers=headers)


def send(handler, clock, request, **options):
    return asyncio.run(client(handler, clock, **options).send(request))


def test_header_token_reaches_the_server_and_not_the_url(clock):
    seen = []
    send(lambda request: seen.append(request) or ok(), clock, GET)
    assert seen[0].headers["access-token"] == SECRET
    assert SECRET not in str(seen[0].url)
    assert SECRET not in repr(HeaderTokenAuth(SecretStr(SECRET), header="Access-Token"))


def test_an_error_code_inside_http_200_is_an_error(clock):
    with pytest.raises(RejectedError, match="account 7: GET things: no such field") as caught:
        send(script(ok({"code": 40002, "message": "no such field"})), clock, GET)
    assert caught.value.code == "40002"


def test_the_wait_the_server_gives_is_honoured(clock):
    reply = send(script(ok({"code": 40100, "wait": 37.0}), ok({"done": 1})), clock, POST)
    assert reply.body == {"done": 1}
    assert clock.slept == [37.0]


def test_a_wait_beyond_the_bound_is_not_begun(clock):
    with pytest.raises(ThrottledError, match="beyond 900 s") as caught:
        send(script(ok({"code": 40100, "wait": 3600.0})), clock, GET)
    assert clock.slept == []
    assert caught.value.retry_after == 3600.0


def test_reads_are_repeated_after_faults_and_give_up_in_words(clock):
    faults = (httpx.ReadTimeout("x"), httpx.Response(502, text="<html>"), httpx.Response(200, text='{"da'))
    assert send(script(*faults, ok({"n": 1})), clock, GET).body == {"n": 1}
    assert len(clock.slept) == 3
    with pytest.raises(TransientError, match="gave up after 6 attempts"):
        send(script(httpx.Response(500, text="")), clock, GET)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(200, text='{"id": "1'),
        httpx.Response(503),
    ],
)
def test_a_write_whose_answer_is_lost_is_not_sent_again(clock, fault):
    sent = []
    answer = script(fault)

    def handler(request):
        sent.append(request)
        return answer(request)

    with pytest.raises(UnknownOutcomeError, match="read the object back"):
        send(handler, clock, POST)
    assert len(sent) == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")])
def test_a_write_that_never_left_is_sent_again(clock, fault):
    assert send(script(fault, ok({"id": "1"})), clock, POST).body == {"id": "1"}


def test_a_page_that_is_no_api_answer_is_not_retried(clock):
    with pytest.raises(MalformedError, match="check the base URL"):
        send(script(httpx.Response(404, text="<html>")), clock, GET)
    assert clock.slept == []


def test_a_refusal_that_was_cut_off_is_asked_for_again(clock):
    cut = httpx.Response(400, text='{"error": {"message": "Application request lim')
    assert send(script(cut, ok({"id": "1"})), clock, GET).body == {"id": "1"}
    with pytest.raises(UnknownOutcomeError):
        send(script(httpx.Response(400, text='{"error": {"mess')), clock, POST)


def test_a_query_in_the_path_is_sent_as_it_is_and_stays_out_of_messages(clock):
    seen = []
    raw = dataclasses.replace(GET, path="adAnalytics?ids=List(urn%3Ali%3A1)&token=abcdef")
    with pytest.raises(RejectedError) as caught:
        send(lambda request: seen.append(request) or ok({"code": 1, "message": "no"}), clock, raw)
    assert seen[0].url.raw_path == b"/v1/adAnalytics?ids=List(urn%3Ali%3A1)&token=abcdef"
    assert "?" not in str(caught.value)


def test_a_create_may_be_answered_by_headers_alone(clock):
    reply = send(script(httpx.Response(201, headers={"X-RestLi-Id": "urn:7"})), clock, POST)
    assert (reply.body, reply.headers["x-restli-id"]) == (None, "urn:7")


def test_an_empty_answer_where_json_was_promised_is_torn(clock):
    empty = httpx.Response(200, headers={"content-type": "application/json"})
    with pytest.raises(UnknownOutcomeError):
        send(script(empty), clock, POST)


def test_errors_carry_neither_cause_nor_context(clock):
    with pytest.raises(TransientError) as caught:
        send(script(httpx.ReadError("boom")), clock, GET)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8000", "https://user:pass@host", "https://host?x=1", "https://"])
def test_a_base_url_that_is_none_is_named(clock, url):
    secret = SecretStr(SECRET)
    auth = HeaderTokenAuth(secret, header="Access-Token")
    with pytest.raises(ConfigError, match="base URL"):
        ApiClient(base_url=url, auth=auth, token=secret, dialect=CodesInsideTwoHundred())


def test_at_most_so_many_calls_of_an_account_are_under_way(clock):
    now = peak = 0

    async def handler(request):
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0)
        now -= 1
        return ok()

    async def main():
        api = client(handler, clock, concurrency=2)
        await asyncio.gather(*(api.send(GET) for _ in range(10)))

    asyncio.run(main())
    assert peak == 2


def test_usage_in_the_headers_slows_the_next_call(clock):
    handler = script(ok(**{"x-used": "0.5"}), ok(**{"x-used": "0.99"}), ok())

    async def main():
        api = client(handler, clock)
        for _ in range(3):
            await api.send(GET)

    asyncio.run(main())
    assert clock.slept == [60.0]


def test_pacing_grows_with_use_and_takes_the_servers_time_if_longer():
    rule = PacingRule()
    waits = [rule.wait(Usage("7", used)) for used in (0.0, 0.75, 0.8, 0.9, 0.95, 1.4)]
    assert waits == sorted(waits)
    assert waits[:2] == [0.0, 0.0]
    assert waits[-1] == rule.longest
    assert rule.wait(Usage("7", 0.1, 300.0)) == 300.0
    assert rule.wait(Usage("7", 0.1, 1e6)) == rule.longest_regain


def test_one_account_at_its_limit_does_not_hold_up_another(clock):
    async def main():
        pacer = Pacer(sleep=clock.sleep, monotonic=clock)
        pacer.observe([Usage("7", 1.0)])
        await pacer.pause("8")
        assert clock.slept == []
        pacer.observe([Usage("", 1.0)])
        await pacer.pause("8")
        assert clock.slept == [60.0]

    asyncio.run(main())


def test_pages_can_be_followed_by_a_header(clock):
    class LinkPaginator:
        has_next = True

        def update_state(self, reply):
            self.page = reply.headers.get("x-next", "")
            self.has_next = bool(self.page)

        def update_request(self, request):
            return dataclasses.replace(request, params={"page": self.page})

    handler = script(ok([1], **{"x-next": "2"}), ok([], **{"x-next": "3"}), ok([2]))

    async def main():
        api = client(handler, clock)
        return [reply.body async for reply in pages(api.send, GET, LinkPaginator())]

    assert asyncio.run(main()) == [[1], [], [2]]


def test_backoff_grows_up_to_its_ceiling(clock):
    retries = Retries(RetryRule(attempts=20), monotonic=clock, jitter=random.Random(1))  # noqa: S311 - no secret
    waits = []
    for attempt in range(1, 12):
        retries.sent = attempt
        waits.append(retries.wait_after(TransientError("x")))
    assert waits[0] <= 1.0
    assert 30.0 <= waits[-1] <= 60.0
    assert retries.wait_after(PlatformError("x")) is None
