"""Every adapter while the sandbox misbehaves: repeated, waited out, quarantined, or told, but never wrong.

What only one platform does under faults stands in its own folder.
"""

import logging

import pytest

from stakazo_pipelines.errors import (
    AuthError,
    PermissionDeniedError,
    ReportFailedError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, EntityChange
from stakazo_pipelines.vocabulary import Level


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "timeout", "response_lost"])
def test_a_passing_fault_of_a_read_is_repeated(sandbox, kind, whole):
    more = {"seconds": 0} if kind == "timeout" else {}
    sandbox.fault(kind, sandbox.subject.reports, times=2, **more)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)
    assert sandbox.slept


def test_a_fault_that_stays_ends_in_words(sandbox):
    sandbox.fault("server_error", sandbox.subject.reports, status=503)
    with pytest.raises(TransientError, match="gave up after 6 attempts"):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "response_lost"])
def test_a_write_of_unknown_outcome_is_sent_once(sandbox, kind):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount + 1, group.budget.money.currency), group.budget.period)
    sandbox.fault(kind, ".*", method="POST")
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=raised)
    (outcome,) = sandbox.run(lambda platform, account: platform.update(account, [change]))
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert 1 <= sum(call.startswith("POST") for call in sandbox.requests) <= sandbox.subject.posts


def test_an_expired_token_is_told_and_never_shown(sandbox, caplog):
    sandbox.fault("expired_token", sandbox.subject.reports)
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthError, match="token") as caught:
        sandbox.insights()
    assert sandbox.token not in caplog.text + str(caught.value) + repr(caught.value)
    assert sandbox.slept == []


def test_a_wrong_token_is_told_at_once(sandbox):
    with pytest.raises(AuthError):
        sandbox.run(lambda platform, account: platform.entities(account, Level.AD), token="wrongTOKEN000000000")
    assert sandbox.slept == []


def test_a_lost_permission_is_told_at_once(sandbox):
    sandbox.fault("permission_lost", sandbox.subject.reports)
    with pytest.raises(PermissionDeniedError):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["malformed_row", "retyped_field", "missing_field"])
def test_one_spoilt_row_is_quarantined_and_the_others_are_kept(sandbox, kind, whole):
    field = sandbox.subject.spend
    more = {} if kind == "missing_field" else {"value": "abc"}
    sandbox.fault(kind, sandbox.subject.reports, times=1, rows="one", field=field, **more)
    spoilt = sandbox.insights()
    assert [one.field for one in spoilt.quarantined] == [field]
    assert len(spoilt.rows) == len(whole.rows) - 1


def test_a_new_field_changes_nothing(sandbox, make_sandbox, whole):
    sandbox.fault("new_field", ".*")
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)
    assert len(sandbox.entities(Level.AD)) == len(make_sandbox().entities(Level.AD))


@pytest.mark.parametrize("platform", ["meta", "tiktok"])  # LinkedIn has no asynchronous reports
def test_a_failed_report_is_started_again_and_a_stuck_one_given_up(make_sandbox, platform):
    tiny = make_sandbox(**make_sandbox().subject.tiny)
    tiny.fault("async_failed", times=1)
    assert tiny.insights(since=tiny.until).rows
    tiny.fault("async_stuck")
    with pytest.raises(ReportFailedError, match="still"):
        tiny.insights(since=tiny.until)
