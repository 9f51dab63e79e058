"""What only the Meta adapter meets while the sandbox misbehaves; the rest stands one folder up."""

from stakazo_pipelines.platforms.port import EntityChange
from stakazo_pipelines.vocabulary import Level


def test_a_throttle_is_waited_out_as_long_as_the_server_says(sandbox, make_sandbox):
    sandbox.fault("throttle", "insights", times=1, retry_after_s=120)
    whole = sandbox.insights()
    assert sandbox.sums(whole.rows) == sandbox.sums(make_sandbox().insights().rows)
    assert sum(sandbox.slept) >= 120


def test_entries_a_batch_did_not_execute_are_sent_again(sandbox):
    campaigns = sandbox.entities(Level.CAMPAIGN)
    sandbox.fault("partial_batch", times=1)
    changes = [EntityChange(Level.CAMPAIGN, c.id, c.account_id, name=f"{c.name} +") for c in campaigns]
    outcomes = sandbox.run(lambda meta, account: meta.update(account, changes))
    assert [outcome.error for outcome in outcomes] == [None] * len(changes)
    assert all(campaign.name.endswith(" +") for campaign in sandbox.entities(Level.CAMPAIGN))
    renamed = [write for write in sandbox.world.journal if write.actor == "api" and "name" in write.fields]
    assert len(renamed) == len(changes)


def test_a_page_that_comes_twice_counts_once(sandbox):
    whole = sandbox.insights()
    sandbox.fault("duplicated_page", "insights", times=1)
    doubled = sandbox.insights()
    assert sorted(sandbox.keys(doubled.rows)) == sorted(sandbox.keys(whole.rows))


def test_no_schedule_of_passing_faults_loses_or_doubles_a_row(sandbox):
    whole = sandbox.insights(Level.AD)
    for seed in range(12):
        sandbox.app.state.kernel.faults.clear()
        for kind in ("server_error", "truncated_json", "response_lost", "throttle", "duplicated_page", "new_field"):
            sandbox.fault(kind, "insights", probability=0.2, times=4, seed=seed, retry_after_s=5)
        found = sandbox.insights(Level.AD)
        assert sorted(sandbox.keys(found.rows)) == sorted(sandbox.keys(whole.rows)), f"seed {seed}"
        assert sandbox.sums(found.rows) == sandbox.sums(whole.rows), f"seed {seed}"
