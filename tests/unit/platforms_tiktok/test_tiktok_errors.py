"""Codes inside HTTP 200 onto the error tree, and how long a limit is waited for."""

import httpx
import pytest

from stakazo_pipelines.errors import (
    AuthError,
    MalformedError,
    NotFoundError,
    PermissionDeniedError,
    RejectedError,
    ReportFailedError,
    ThrottledError,
    TooMuchDataError,
    TransientError,
)
from stakazo_pipelines.platforms.http import ApiReply, ApiRequest
from stakazo_pipelines.platforms.tiktok.dialect import TikTokDialect
from stakazo_pipelines.vocabulary import Level

QPS = "Advertiser (7001)'s QPS (11) reaches QPS limit 10 for current path, request is temporarily restricted."
EXPECTED = {
    AuthError: [40101, 40102, 40103, 40104, 40105, 40106, 40107, 40110, 40112, 40114, 40117],
    PermissionDeniedError: [40001, 40003, 40118, 40119, 40124, 40131, 41000],
    NotFoundError: [40007, 40300, 40301],
    RejectedError: [20001, 40000, 40002, 40006, 40008, 40014, 40050, 40400, 40502, 40900, 40911, 41002, 49999],
    ThrottledError: [40016, 40100, 40132, 40133],
    TooMuchDataError: [40011],
    ReportFailedError: [40200],
    TransientError: [40201, 40202, 40700, 40901, 40902, 50000, 50002, 51010, 51305, 60001],
}


def error(code, message="no", path="campaign/get/", status=200, **headers):
    reply = ApiReply(status, headers, {"code": code, "message": message, "request_id": "r-1", "data": {}})
    return TikTokDialect().error(ApiRequest("GET", path), reply)


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in EXPECTED.items() for code in codes])
def test_every_code_has_its_error(kind, code):
    found = error(code)
    assert type(found) is kind
    assert (found.platform, found.code, found.request_id) == ("tiktok", str(code), "r-1")
    assert "no" in found.message


@pytest.mark.parametrize("code", [0, "0", 40012])
def test_a_success_and_a_change_that_was_there_already_are_no_errors(code):
    assert error(code) is None


def test_a_partly_failed_status_update_is_read_entry_by_entry():
    assert error(20001, path="adgroup/status/update/") is None


@pytest.mark.parametrize(
    ("code", "message", "headers", "wait"),
    [
        (40133, QPS, {}, 1.0),
        (40133, "slow down", {}, 1.0),
        (40100, "The app has reached its QPM limit", {}, 300.0),
        (40100, "the qps limit", {}, 1.0),
        (40100, "Too many requests", {}, None),
        (40100, "QPD limit", {"date": "Wed, 01 Jul 2026 22:30:00 GMT"}, 5400.0),
        (40100, "QPD limit", {"date": "soon"}, 86400.0),
    ],
)
def test_a_limit_is_waited_for_as_its_kind_documents(code, message, headers, wait):
    assert error(code, message, **headers).retry_after == wait


@pytest.mark.parametrize("code", [None, True, [], "x", 1.5])
def test_an_answer_without_a_code_is_malformed(code):
    assert type(error(code)) is MalformedError
    assert type(error(code, status=502)) is TransientError


def in_turn(*answers):
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_a_suspended_minute_is_sat_out_and_the_call_sent_again(tiktok, account, ok, page):
    answers = in_turn(ok(code=40100, message="The app has reached its QPM limit"), page())
    tiktok.run(answers, lambda platform: platform.entities(account, Level.CAMPAIGN))
    assert tiktok.clock.slept == [300.0]


def test_a_limit_of_no_known_kind_is_outlasted(tiktok, account, ok, page):
    answers = in_turn(*[ok(code=40100, message="too many")] * 5, page())
    tiktok.run(answers, lambda platform: platform.entities(account, Level.CAMPAIGN))
    assert sum(tiktok.clock.slept) > 300


def test_a_days_quota_is_told_not_waited_out(tiktok, account, ok):
    answer = ok(code=40100, message="QPD limit", date="Wed, 01 Jul 2026 20:00:00 GMT")
    with pytest.raises(ThrottledError, match="beyond 900 s") as caught:
        tiktok.run(lambda _: answer, lambda platform: platform.entities(account, Level.CAMPAIGN))
    assert caught.value.retry_after == 4 * 3600
    assert tiktok.clock.slept == []


def test_an_expired_token_is_told_with_the_account_and_without_the_token(tiktok, account, ok):
    with pytest.raises(AuthError, match="account 7001: GET campaign/get/") as caught:
        tiktok.run(
            lambda request: ok(code=40105, message=f"token {request.headers['access-token']} is wrong"),
            lambda platform: platform.entities(account, Level.CAMPAIGN),
        )
    assert "0123456789abcdef" not in str(caught.value)


def test_a_missing_slash_or_wrong_host_says_so(tiktok, account):
    with pytest.raises(MalformedError, match="base URL"):
        tiktok.run(
            lambda _: httpx.Response(404, text="404 page not found"),
            lambda platform: platform.entities(account, Level.CAMPAIGN),
        )


def test_calls_are_spread_under_the_basic_limits(tiktok, account, page):
    async def many(platform):
        for _ in range(25):
            await platform.entities(account, Level.AD)

    tiktok.run(lambda _: page(), many)
    assert tiktok.clock.now - 1000 == pytest.approx(2.1)
