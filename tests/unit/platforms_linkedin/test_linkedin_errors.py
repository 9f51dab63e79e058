"""What each refusal means: by code, by status, in both shapes of the body."""

import httpx
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
from stakazo_pipelines.platforms.linkedin.dialect import DATA_WAIT, UNKNOWN_DAY_WAIT, LinkedInDialect, until_midnight
from stakazo_pipelines.vocabulary import Level

DAY_LIMIT = {
    "serviceErrorCode": 101,
    "message": "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached.",
    "status": 429,
}


def told(status, body, path="adAccounts/1/adCampaigns", headers=None):
    return LinkedInDialect().error(ApiRequest("GET", path), ApiReply(status, headers or {}, body))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "FIELD_VALUE_TOO_LOW", RejectedError),
        (400, "A_CODE_NOBODY_KNOWS", RejectedError),
        (401, "EXPIRED_ACCESS_TOKEN", AuthError),
        (403, "ACCESS_DENIED", PermissionDeniedError),
        (400, "NO_PERMISSION_ON_ENTITY", PermissionDeniedError),
        (404, "RESOURCE_NOT_FOUND", NotFoundError),
        (405, "", RejectedError),
        (408, "TIMEOUT", TransientError),
        (409, "CONFLICT", TransientError),
        (411, "", RejectedError),
        (414, "", RejectedError),
        (422, "", RejectedError),
        (426, "NONEXISTENT_VERSION", RejectedError),
        (429, "TOO_MANY_REQUESTS", ThrottledError),
        (500, "FAILED_TO_RETRIEVE_AUDIENCE_SIZE", TransientError),
        (500, "ACCESS_DENIED", TransientError),
        (503, "UNDER_MAINTENANCE", TransientError),
        (504, "", TransientError),
    ],
)
def test_code_and_status_decide(status, code, kind):
    error = told(status, {"message": "m", "code": code, "status": status})
    assert type(error) is kind
    assert (error.code, error.status) == (code, status)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthError), (403, PermissionDeniedError), (404, NotFoundError), (500, TransientError), (400, RejectedError)],
)
def test_the_older_shape_has_a_number_only(status, kind):
    error = told(status, {"message": "no", "serviceErrorCode": 100, "status": status})
    assert type(error) is kind
    assert (error.code, error.subcode) == ("", "100")


def test_the_fields_that_are_blamed_stand_in_the_message(golden):
    error = told(400, golden("error_too_low"), headers={"x-li-request-id": "R1"})
    assert isinstance(error, RejectedError)
    assert "dailyBudget/amount: FIELD_VALUE_TOO_LOW The daily budget is below 10.00" in error.message
    assert "unitCost/amount: CONDITIONAL_VALUE_TOO_LOW" in error.message
    assert error.request_id == "R1"


def test_a_daily_limit_lasts_until_midnight_of_the_servers_clock():
    error = told(429, DAY_LIMIT, headers={"date": "Wed, 01 Jul 2026 22:30:00 GMT"})
    assert error.retry_after == 5400
    assert told(429, DAY_LIMIT).retry_after == UNKNOWN_DAY_WAIT
    assert until_midnight("yesterday") == UNKNOWN_DAY_WAIT


def test_the_limit_on_report_data_lasts_five_minutes():
    body = {"message": "The data request limit has been exceeded. Try again later.", "status": 429}
    assert told(429, body, "adAnalytics?q=statistics").retry_after == DATA_WAIT
    assert told(429, {**body, "serviceErrorCode": 101}, "adAnalytics?q=statistics").retry_after == DATA_WAIT
    assert told(429, DAY_LIMIT, "adAnalytics?q=statistics").retry_after == UNKNOWN_DAY_WAIT


def test_a_report_refused_without_a_parameters_code_may_be_too_large():
    assert isinstance(told(400, {"message": "too many elements"}, "adAnalytics?q=statistics"), TooMuchDataError)
    assert isinstance(told(400, {"code": "PARAM_INVALID"}, "adAnalytics?q=statistics"), RejectedError)


def test_a_daily_limit_is_told_at_once_with_its_wait(linkedin, account):
    limit = httpx.Response(429, json=DAY_LIMIT, headers={"date": "Wed, 01 Jul 2026 20:00:00 GMT"})
    with pytest.raises(ThrottledError) as caught:
        linkedin.run(lambda _: limit, lambda li: li.entities(account, Level.CAMPAIGN))
    assert caught.value.retry_after == 4 * 3600
    assert len(linkedin.requests) == 1
    assert linkedin.clock.slept == []


def test_reads_are_tried_again_after_a_failure(linkedin, listed, account):
    answers = iter([httpx.Response(503, json={"code": "UNDER_MAINTENANCE"}), httpx.Response(500), listed([])])
    assert linkedin.run(lambda _: next(answers), lambda li: li.entities(account, Level.CAMPAIGN)).entities == ()
    assert len(linkedin.requests) == 3


@pytest.mark.parametrize("body", [{"elements": "no"}, {}, []])
def test_an_answer_without_elements_is_malformed(linkedin, account, body):
    with pytest.raises(MalformedError, match="elements"):
        linkedin.run(lambda _: httpx.Response(200, json=body), lambda li: li.entities(account, Level.CAMPAIGN))
