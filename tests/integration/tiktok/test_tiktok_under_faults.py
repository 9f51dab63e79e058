"""What only the TikTok adapter meets while the sandbox misbehaves; the rest stands one folder up."""

import pytest

from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.platforms.port import EntityChange
from stakazo_pipelines.vocabulary import EntityStatus, Level


def test_a_throttle_is_waited_out(sandbox, whole):
    sandbox.fault("throttle", "report", times=2)
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)
    assert sandbox.slept


@pytest.mark.parametrize("level", [Level.CAMPAIGN, Level.AD_GROUP, Level.AD])
def test_what_a_batch_refused_is_tried_alone(sandbox, level):
    entities = sandbox.entities(level)
    sandbox.fault("partial_batch")
    changes = [EntityChange(level, one.id, one.account_id, status=EntityStatus.PAUSED) for one in entities]
    outcomes = sandbox.run(lambda tiktok, account: tiktok.update(account, changes))
    assert [outcome.error for outcome in outcomes] == [None] * len(changes)
    assert {one.status for one in sandbox.entities(level)} == {EntityStatus.PAUSED}


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


@pytest.mark.parametrize("kind", ["duplicated_page", "missing_page"])
def test_a_page_that_comes_twice_or_not_at_all_is_made_up_for(sandbox, kind, whole, monkeypatch):
    monkeypatch.setattr("stakazo_pipelines.platforms.tiktok.calls.PAGE_SIZE", 100)
    sandbox.fault(kind, "report", times=1)
    again = sandbox.insights()
    assert sorted(sandbox.keys(again.rows)) == sorted(sandbox.keys(whole.rows))
    assert again.quarantined == ()


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
    group = sandbox.budget_holder()
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
