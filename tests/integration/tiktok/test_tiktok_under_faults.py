"""The TikTok adapter while the sandbox misbehaves: repeated, waited out, quarantined, or told, but never wrong."""

import logging

import pytest

from stakazo_pipelines.errors import (
    AuthError,
    PermissionDeniedError,
    PlatformError,
    ReportFailedError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, EntityChange
from stakazo_pipelines.vocabulary import EntityStatus, Level


def raised(group):
    return Budget(Money(group.budget.money.amount * 2, group.budget.money.currency), group.budget.period)


def test_a_throttle_is_waited_out(sandbox, whole):
    sandbox.fault("throttle", "report", times=2)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)
    assert sandbox.slept


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "timeout", "response_lost"])
def test_a_passing_fault_of_a_read_is_repeated(sandbox, kind, whole):
    more = {"seconds": 0} if kind == "timeout" else {}
    sandbox.fault(kind, "report", times=2, **more)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)
    assert sandbox.slept


def test_a_fault_that_stays_ends_in_words(sandbox):
    sandbox.fault("server_error", "report", status=503)
    with pytest.raises(TransientError, match="gave up after 6 attempts"):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["server_error", "truncated_json", "response_lost"])
def test_a_write_of_unknown_outcome_is_sent_once(sandbox, kind):
    group = sandbox.holder()
    sandbox.fault(kind, ".*", method="POST")
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=raised(group))
    (outcome,) = sandbox.run(lambda tiktok, account: tiktok.update(account, [change]))
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert sum(call.startswith("POST") for call in sandbox.requests) == 1


@pytest.mark.parametrize("level", [Level.CAMPAIGN, Level.AD_GROUP, Level.AD])
def test_what_a_batch_refused_is_tried_alone(sandbox, level):
    entities = sandbox.entities(level)
    sandbox.fault("partial_batch")
    changes = [EntityChange(level, one.id, one.account_id, status=EntityStatus.PAUSED) for one in entities]
    outcomes = sandbox.run(lambda tiktok, account: tiktok.update(account, changes))
    assert [outcome.error for outcome in outcomes] == [None] * len(changes)
    assert {one.status for one in sandbox.entities(level)} == {EntityStatus.PAUSED}


def test_an_expired_token_is_told_and_never_shown(sandbox, caplog):
    sandbox.fault("expired_token", "report")
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthError, match="token") as caught:
        sandbox.insights()
    assert sandbox.token not in caplog.text + str(caught.value) + repr(caught.value)


def test_a_wrong_token_is_told_at_once(sandbox):
    with pytest.raises(AuthError):
        sandbox.run(lambda tiktok, account: tiktok.entities(account, Level.AD), token="wrongTOKEN000000000")
    assert sandbox.slept == []


def test_a_lost_permission_is_told_at_once(sandbox):
    sandbox.fault("permission_lost", "report")
    with pytest.raises(PermissionDeniedError):
        sandbox.insights()


@pytest.mark.parametrize("kind", ["malformed_row", "retyped_field", "missing_field"])
def test_one_spoilt_row_is_quarantined_and_the_others_are_kept(sandbox, kind, whole):
    sandbox.fault(kind, "report", times=1, rows="one", **({"value": "abc"} if kind != "missing_field" else {}))
    spoilt = sandbox.insights()
    assert len(spoilt.quarantined) == 1
    assert len(spoilt.rows) == len(whole.rows) - 1


@pytest.mark.parametrize("kind", ["malformed_row", "retyped_field", "missing_field"])
def test_one_spoilt_entity_is_quarantined_and_the_others_are_kept(sandbox, kind):
    whole = sandbox.entities(Level.AD_GROUP)
    sandbox.fault(
        kind,
        "adgroup/get",
        times=1,
        rows="one",
        field="adgroup_id",
        **({"value": 1.5} if kind != "missing_field" else {}),
    )
    spoilt = sandbox.run(lambda tiktok, account: tiktok.entities(account, Level.AD_GROUP))
    assert len(spoilt.quarantined) == 1
    assert len(spoilt.entities) == len(whole) - 1


def test_a_new_field_changes_nothing(sandbox, whole):
    sandbox.fault("new_field", "report")
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)


@pytest.mark.parametrize("kind", ["duplicated_page", "missing_page"])
def test_a_page_that_comes_twice_or_not_at_all_is_made_up_for(sandbox, kind, whole, monkeypatch):
    monkeypatch.setattr("stakazo_pipelines.platforms.tiktok.calls.PAGE_SIZE", 100)
    sandbox.fault(kind, "report", times=1)
    again = sandbox.insights()
    assert sorted(sandbox.keys(again.rows)) == sorted(sandbox.keys(whole.rows))
    assert again.quarantined == ()


def test_a_failed_report_is_started_again_and_a_stuck_one_given_up(make_sandbox):
    tiny = make_sandbox(report_ids=5)
    tiny.fault("async_failed", times=1)
    assert tiny.insights(since=tiny.until).rows
    tiny.fault("async_stuck")
    with pytest.raises(ReportFailedError, match="still"):
        tiny.insights(since=tiny.until)


def test_no_schedule_of_passing_faults_loses_or_doubles_a_row(sandbox, whole, monkeypatch):
    monkeypatch.setattr("stakazo_pipelines.platforms.tiktok.calls.PAGE_SIZE", 200)
    kinds = (
        "server_error",
        "truncated_json",
        "response_lost",
        "throttle",
        "duplicated_page",
        "missing_page",
        "new_field",
    )
    for seed in range(12):
        sandbox.app.state.kernel.faults.clear()
        for at, kind in enumerate(kinds):
            sandbox.fault(kind, "report", probability=0.2, times=2, seed=100 * seed + at)
        found = sandbox.insights(Level.AD)
        assert sorted(sandbox.keys(found.rows)) == sorted(sandbox.keys(whole.rows)), f"seed {seed}"
        assert sandbox.sums(found.rows) == sandbox.sums(whole.rows), f"seed {seed}"


def test_no_schedule_of_faults_writes_twice_or_claims_what_is_not(sandbox):
    group = sandbox.holder()
    kinds = ("server_error", "truncated_json", "response_lost", "throttle", "write_refused")
    for seed in range(12):
        sandbox.app.state.kernel.faults.clear()
        for at, kind in enumerate(kinds):
            sandbox.fault(kind, "update", probability=0.3, times=2, seed=100 * seed + at)
        name = f"Renamed {seed}"
        change = EntityChange(Level.AD_GROUP, group.id, group.account_id, name=name)
        (outcome,) = sandbox.run(lambda tiktok, account, one=change: tiktok.update(account, [one]))
        sandbox.app.state.kernel.faults.clear()
        after = sandbox.run(lambda tiktok, account: tiktok.read(account, Level.AD_GROUP, group.id))
        assert outcome.error is None or isinstance(outcome.error, PlatformError)
        assert outcome.error is not None or after.name == name
        named = [one for one in sandbox.world.journal if one.actor == "api" and one.fields.get("name") == name]
        assert len(named) <= 1
