"""Meta's codes onto the tree, and its usage headers onto waits."""

import json

import pytest

from stakazo_pipelines.errors import (
    AuthError,
    MalformedError,
    NotFoundError,
    PermissionDeniedError,
    RejectedError,
    ThrottledError,
    TooMuchDataError,
    TransientError,
)
from stakazo_pipelines.platforms.http import ApiReply, ApiRequest
from stakazo_pipelines.platforms.meta.dialect import MetaDialect

GET = ApiRequest("GET", "act_1/insights", "1")


def error_of(body, status=400, headers=None):
    return MetaDialect().error(GET, ApiReply(status, headers or {}, body))


def coded(code, subcode=None, **more):
    return {"error": {"message": "m", "code": code, **({"error_subcode": subcode} if subcode else {}), **more}}


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (1, None, TransientError),
        (1, 99, TransientError),
        (1, 1504018, TooMuchDataError),
        (2, None, TransientError),
        (4, 1504022, ThrottledError),
        (4, 1504039, ThrottledError),
        (17, 2446079, ThrottledError),
        (32, None, ThrottledError),
        (341, None, ThrottledError),
        (613, None, ThrottledError),
        (613, 5044001, ThrottledError),
        (613, 1487632, ThrottledError),
        (80000, 2446079, ThrottledError),
        (80004, 2446079, ThrottledError),
        (80014, None, ThrottledError),
        (104, None, TransientError),
        (960, None, TransientError),
        (5000, None, TransientError),
        (100, None, RejectedError),
        (100, 33, NotFoundError),
        (100, 1487534, TooMuchDataError),
        (100, 1885272, RejectedError),
        (3018, None, RejectedError),
        (2500, None, RejectedError),
        (2635, None, RejectedError),
        (102, None, AuthError),
        (190, None, AuthError),
        (190, 463, AuthError),
        (190, 467, AuthError),
        (3, None, PermissionDeniedError),
        (10, None, PermissionDeniedError),
        (200, 1870034, PermissionDeniedError),
        (294, None, PermissionDeniedError),
        (368, 1404082, RejectedError),
        (801, None, RejectedError),
    ],
)
def test_each_code_has_its_class(code, subcode, kind):
    error = error_of(coded(code, subcode))
    assert type(error) is kind
    assert (error.platform, error.code, error.subcode) == ("meta", str(code), str(subcode or ""))


def test_an_error_inside_http_200_and_success_false_are_failures():
    assert isinstance(error_of(coded(190), status=200), AuthError)
    assert isinstance(error_of({"success": False}, status=200), RejectedError)
    assert error_of({"success": True}, status=200) is None
    assert error_of([None], status=200) is None


def test_an_unknown_code_is_judged_by_its_flag_and_status():
    assert isinstance(error_of(coded(987654)), RejectedError)
    assert isinstance(error_of(coded(987654, is_transient=True)), TransientError)
    assert isinstance(error_of(coded(987654), status=503), TransientError)
    assert isinstance(error_of({"error": "what"}), MalformedError)
    assert isinstance(error_of({"error": {}}, status=500), TransientError)


def test_the_flag_never_turns_an_expired_token_into_a_retry():
    assert isinstance(error_of(coded(190, 463, is_transient=True)), AuthError)


def test_a_refusal_says_the_field_and_the_reason(golden):
    error = error_of(golden("error_budget"))
    assert "Raise the budget to at least 1.00" in error.message
    assert "field daily_budget" in error.message
    assert error.request_id == "GhIjKl"


def test_an_expired_token_says_what_to_do(golden):
    error = error_of(golden("error_expired"))
    assert isinstance(error, AuthError)
    assert "make a new one" in error.message


def test_the_ad_set_budget_limit_lasts_an_hour():
    assert error_of(coded(613, 1487632)).retry_after == 3600.0
    assert error_of(coded(17)).retry_after is None


def test_the_longest_wait_of_the_headers_counts():
    use_case = {"1": [{"type": "ads_insights", "call_count": 100, "estimated_time_to_regain_access": 7}]}
    headers = {
        "x-business-use-case-usage": json.dumps(use_case),
        "x-ad-account-usage": json.dumps({"acc_id_util_pct": 100, "reset_time_duration": 300}),
        "x-app-usage": json.dumps({"call_count": 28, "total_cputime": 25, "total_time": 5}),
    }
    assert error_of(coded(80000, 2446079), headers=headers).retry_after == 420.0


def test_usage_headers_read_as_fractions_by_scope():
    headers = {
        "x-app-usage": json.dumps({"call_count": 28, "total_cputime": 125, "total_time": 5}),
        "x-fb-ads-insights-throttle": json.dumps({"app_id_util_pct": 10, "acc_id_util_pct": 90.5}),
        "x-ad-account-usage": json.dumps({"acc_id_util_pct": 40, "reset_time_duration": 120}),
        "x-business-use-case-usage": "not json",
    }
    usages = MetaDialect().usage(GET, ApiReply(200, headers, {}))
    assert [(usage.account, usage.utilisation, usage.regain_seconds) for usage in usages] == [
        ("", 1.25, 0.0),
        ("", 0.1, 0.0),
        ("1", 0.905, 0.0),
        ("1", 0.4, 0.0),
    ]
