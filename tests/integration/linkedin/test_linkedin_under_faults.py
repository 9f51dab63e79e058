"""The LinkedIn adapter while the sandbox misbehaves: repeated, waited out, quarantined, or told, but never wrong."""

import logging

import pytest

from stakazo_pipelines.errors import (
    AuthError,
    PermissionDeniedError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, EntityChange
from stakazo_pipelines.vocabulary import Level


def test_the_limit_on_report_data_is_waited_out(sandbox, make_sandbox):
    sandbox.fault("throttle", "adAnalytics", times=1)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(make_sandbox().insights().rows)
    assert sum(sandbox.slept) > 300


def test_too_many_metric_values_go_on_after_five_minutes(make_sandbox):
    tight = make_sandbox(value_limit=6_000)
    whole = make_sandbox().insights()
    assert 3_000 < len(whole.rows) * 10 < 6_000
    first, second = tight.insights(), tight.insights()
    assert sorted(tight.keys(first.rows)) == sorted(tight.keys(second.rows)) == sorted(tight.keys(whole.rows))
    assert tight.slept == [310.0]


def test_a_used_up_day_is_told_at_once(make_sandbox):
    spent = make_sandbox(calls={"adCampaigns": 1})
    spent.entities(Level.AD_GROUP)
    with pytest.raises(ThrottledError) as caught:
        spent.entities(Level.AD_GROUP)
    assert caught.value.retry_after >= 3600
    assert spent.slept == []


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "timeout", "response_lost"])
def test_a_passing_fault_of_a_read_is_repeated(sandbox, kind, make_sandbox):
    more = {"seconds": 0} if kind == "timeout" else {}
    sandbox.fault(kind, "adAnalytics", times=2, **more)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(make_sandbox().insights().rows)
    assert sandbox.slept


def test_a_fault_that_stays_ends_in_words(sandbox):
    sandbox.fault("server_error", "adAnalytics", status=503)
    with pytest.raises(TransientError, match="gave up after 6 attempts"):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "response_lost"])
def test_a_write_of_unknown_outcome_is_sent_once(sandbox, kind):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount + 1, group.budget.money.currency), group.budget.period)
    sandbox.fault(kind, ".*", method="POST")
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=raised)
    (outcome,) = sandbox.run(lambda li, account: li.update(account, [change]))
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert sum(call.startswith("POST") for call in sandbox.requests) == 1


@pytest.mark.parametrize("kind", ["write_lost", "write_delayed"])
def test_a_write_that_is_accepted_and_not_there_shows_when_read_back(sandbox, kind):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount + 1, group.budget.money.currency), group.budget.period)
    sandbox.fault(kind, ".*")

    async def write(li, account):
        outcomes = await li.update(account, [EntityChange(Level.AD_GROUP, group.id, account.id, budget=raised)])
        return outcomes, await li.read(account, Level.AD_GROUP, group.id)

    outcomes, after = sandbox.run(write)
    assert outcomes[0].error is None
    assert after.budget == group.budget


def test_an_expired_token_is_told_and_never_shown(sandbox, caplog):
    sandbox.fault("expired_token", "adAnalytics")
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthError, match="token") as caught:
        sandbox.insights()
    assert sandbox.token not in caplog.text + str(caught.value) + repr(caught.value)
    assert sandbox.slept == []


def test_a_wrong_token_is_told_at_once(sandbox):
    with pytest.raises(AuthError):
        sandbox.run(lambda li, account: li.entities(account, Level.AD), token="AQXwrong000000000")


def test_a_lost_permission_is_told_at_once(sandbox):
    sandbox.fault("permission_lost", "adAnalytics")
    with pytest.raises(PermissionDeniedError):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["malformed_row", "retyped_field", "missing_field"])
def test_one_spoilt_row_is_quarantined_and_the_others_are_kept(sandbox, kind):
    whole = sandbox.insights()
    field = "costInLocalCurrency"
    more = {} if kind == "missing_field" else {"value": "abc"}
    sandbox.fault(kind, "adAnalytics", times=1, rows="one", field=field, **more)
    spoilt = sandbox.insights()
    assert [one.field for one in spoilt.quarantined] == [field]
    assert len(spoilt.rows) == len(whole.rows) - 1


def test_a_new_field_changes_nothing(sandbox, make_sandbox):
    sandbox.fault("new_field", ".*")
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(make_sandbox().insights().rows)
    assert len(sandbox.entities(Level.AD)) == len(make_sandbox().entities(Level.AD))


def test_no_schedule_of_passing_faults_loses_or_doubles_a_row(sandbox):
    whole = sandbox.insights(Level.AD)
    for seed in range(12):
        sandbox.heal()
        for kind in ("server_error", "truncated_json", "response_lost", "throttle", "new_field"):
            sandbox.fault(kind, "adAnalytics", probability=0.2, times=2, seed=seed)
        found = sandbox.insights(Level.AD)
        assert sorted(sandbox.keys(found.rows)) == sorted(sandbox.keys(whole.rows)), f"seed {seed}"
        assert sandbox.sums(found.rows) == sandbox.sums(whole.rows), f"seed {seed}"
