"""The Meta adapter while the sandbox misbehaves: repeated, waited out, quarantined, or told, but never wrong."""

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


def test_a_throttle_is_waited_out_as_long_as_the_server_says(sandbox, make_sandbox):
    sandbox.fault("throttle", "insights", times=1, retry_after_s=120)
    whole = sandbox.insights()
    assert sandbox.sums(whole.rows) == sandbox.sums(make_sandbox().insights().rows)
    assert sum(sandbox.slept) >= 120


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "timeout", "response_lost"])
def test_a_passing_fault_of_a_read_is_repeated(sandbox, kind, make_sandbox):
    more = {"seconds": 0} if kind == "timeout" else {}
    sandbox.fault(kind, "insights", times=2, **more)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(make_sandbox().insights().rows)
    assert sandbox.slept


def test_a_fault_that_stays_ends_in_words(sandbox):
    sandbox.fault("server_error", "insights", status=503)
    with pytest.raises(TransientError, match="gave up after 6 attempts"):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "response_lost"])
def test_a_write_of_unknown_outcome_is_sent_once(sandbox, kind):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount + 1, group.budget.money.currency), group.budget.period)
    sandbox.fault(kind, ".*", method="POST")
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=raised)
    (outcome,) = sandbox.run(lambda meta, account: meta.update(account, [change]))
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert sum(call.startswith("POST /v26.0") for call in sandbox.requests) <= 2  # the batch and its one entry


def test_entries_a_batch_did_not_execute_are_sent_again(sandbox):
    campaigns = sandbox.entities(Level.CAMPAIGN)
    sandbox.fault("partial_batch", times=1)
    changes = [EntityChange(Level.CAMPAIGN, c.id, c.account_id, name=f"{c.name} +") for c in campaigns]
    outcomes = sandbox.run(lambda meta, account: meta.update(account, changes))
    assert [outcome.error for outcome in outcomes] == [None] * len(changes)
    assert all(campaign.name.endswith(" +") for campaign in sandbox.entities(Level.CAMPAIGN))
    renamed = [write for write in sandbox.world.journal if write.actor == "api" and "name" in write.fields]
    assert len(renamed) == len(changes)


def test_an_expired_token_is_told_and_never_shown(sandbox, caplog):
    sandbox.fault("expired_token", "insights")
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthError, match="token") as caught:
        sandbox.insights()
    assert sandbox.token not in caplog.text + str(caught.value) + repr(caught.value)
    assert sandbox.slept == []


def test_a_wrong_token_is_told_at_once(sandbox):
    with pytest.raises(AuthError):
        sandbox.run(lambda meta, account: meta.entities(account, Level.AD), token="EAAwrong000000000")


def test_a_lost_permission_is_told_at_once(sandbox):
    sandbox.fault("permission_lost", "insights")
    with pytest.raises(PermissionDeniedError):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["malformed_row", "retyped_field", "missing_field"])
def test_one_spoilt_row_is_quarantined_and_the_others_are_kept(sandbox, kind):
    whole = sandbox.insights()
    sandbox.fault(
        kind, "insights", times=1, rows="one", field="spend", **({"value": "abc"} if kind != "missing_field" else {})
    )
    spoilt = sandbox.insights()
    assert len(spoilt.quarantined) == 1
    assert spoilt.quarantined[0].field == "spend"
    assert len(spoilt.rows) == len(whole.rows) - 1


def test_a_new_field_changes_nothing(sandbox, make_sandbox):
    sandbox.fault("new_field", "insights")
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(make_sandbox().insights().rows)


def test_a_page_that_comes_twice_counts_once(sandbox):
    whole = sandbox.insights()
    sandbox.fault("duplicated_page", "insights", times=1)
    doubled = sandbox.insights()
    assert sorted(sandbox.keys(doubled.rows)) == sorted(sandbox.keys(whole.rows))


def test_a_failed_report_is_started_again_and_a_stuck_one_given_up(make_sandbox):
    tiny = make_sandbox(sync_rows=5)
    tiny.fault("async_failed", times=1)
    assert tiny.insights(since=tiny.until).rows
    tiny.fault("async_stuck")
    with pytest.raises(ReportFailedError, match="still"):
        tiny.insights(since=tiny.until)


def test_no_schedule_of_passing_faults_loses_or_doubles_a_row(sandbox):
    whole = sandbox.insights(Level.AD)
    for seed in range(12):
        sandbox.app.state.kernel.faults.clear()
        for kind in ("server_error", "truncated_json", "response_lost", "throttle", "duplicated_page", "new_field"):
            sandbox.fault(kind, "insights", probability=0.2, times=4, seed=seed, retry_after_s=5)
        found = sandbox.insights(Level.AD)
        assert sorted(sandbox.keys(found.rows)) == sorted(sandbox.keys(whole.rows)), f"seed {seed}"
        assert sandbox.sums(found.rows) == sandbox.sums(whole.rows), f"seed {seed}"
