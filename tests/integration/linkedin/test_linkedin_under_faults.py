"""What only the LinkedIn adapter meets while the sandbox misbehaves; the rest stands one folder up."""

import pytest

from stakazo_pipelines.errors import ThrottledError
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


def test_no_schedule_of_passing_faults_loses_or_doubles_a_row(sandbox):
    whole = sandbox.insights(Level.AD)
    for seed in range(12):
        sandbox.heal()
        for kind in ("server_error", "truncated_json", "response_lost", "throttle", "new_field"):
            sandbox.fault(kind, "adAnalytics", probability=0.2, times=2, seed=seed)
        found = sandbox.insights(Level.AD)
        assert sorted(sandbox.keys(found.rows)) == sorted(sandbox.keys(whole.rows)), f"seed {seed}"
        assert sandbox.sums(found.rows) == sandbox.sums(whole.rows), f"seed {seed}"
