"""The Meta adapter against the sandbox in memory: what it reads, and what its writes do."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stakazo_pipelines.errors import (
    NotFoundError,
    RejectedError,
    ThrottledError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import (
    Breakdown,
    Budget,
    BudgetPeriod,
    EntityChange,
    EntityDraft,
    Media,
    MediaKind,
)
from stakazo_pipelines.vocabulary import EntityStatus, Level


def campaign_draft(account, tag="run-7-c1", **more):
    money = Budget(Money(Decimal(80), account.currency), BudgetPeriod.DAILY)
    given = {"objective": "OUTCOME_SALES", "budget": money} | more
    return EntityDraft(Level.CAMPAIGN, account.id, account.id, "Launch", tag, **given)


# Reading ----------------------------------------------------------------------------------------------------------


def test_accounts_and_entities_are_those_of_the_world(sandbox):
    async def read(meta, account):
        accounts = await meta.accounts()
        levels = (Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE)
        return accounts, {level: await meta.entities(account, level) for level in levels}

    accounts, found = sandbox.run(read)
    assert {(a.id, a.currency, a.timezone, a.minor_units) for a in accounts} == {
        (a.id, a.currency, a.timezone, a.minor_units) for a in sandbox.world.accounts.values()
    }
    stores = {
        Level.CAMPAIGN: sandbox.world.campaigns,
        Level.AD_GROUP: sandbox.world.ad_groups,
        Level.AD: sandbox.world.ads,
        Level.CREATIVE: sandbox.world.creatives,
    }
    for level, result in found.items():
        mine = {e.id for e in stores[level].values() if e.account_id == accounts[0].id and e.status != "DELETED"}
        assert {entity.id for entity in result.entities} == mine
        assert result.quarantined == ()


def test_twenty_eight_days_add_up_alike_at_every_level(sandbox):
    by_level = {level: sandbox.insights(level) for level in (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD)}
    assert all(result.quarantined == () for result in by_level.values())
    total = sandbox.sums(by_level[Level.ACCOUNT].rows)
    assert len(total) == 28
    assert all(sandbox.sums(result.rows) == total for result in by_level.values())
    assert len(set(sandbox.keys(by_level[Level.AD].rows))) == len(by_level[Level.AD].rows)


@pytest.mark.parametrize(
    "breakdowns",
    [(Breakdown.AGE,), (Breakdown.AGE, Breakdown.GENDER), (Breakdown.COUNTRY,), (Breakdown.PLACEMENT,)],
)
def test_segments_add_up_to_the_whole(sandbox, breakdowns):
    since = sandbox.until - timedelta(2)
    parts = sandbox.insights(Level.CAMPAIGN, since, sandbox.until, breakdowns)
    assert parts.quarantined == ()
    assert sandbox.sums(parts.rows) == sandbox.sums(sandbox.insights(Level.CAMPAIGN, since, sandbox.until).rows)
    assert all(set(row.segments) == set(breakdowns) for row in parts.rows)


def test_hours_add_up_to_the_days_spend(sandbox):
    hours = sandbox.insights(Level.ACCOUNT, sandbox.until, sandbox.until, (Breakdown.HOUR,))
    (day,) = sandbox.insights(Level.ACCOUNT, sandbox.until, sandbox.until).rows
    assert sum(row.spend for row in hours.rows) == day.spend
    assert all(row.segments[Breakdown.HOUR] in {f"{hour:02}" for hour in range(24)} for row in hours.rows)


def test_a_range_too_large_is_split_and_complete(sandbox, make_sandbox):
    small = make_sandbox(sync_rows=60)
    split = small.insights()
    assert sorted(sandbox.keys(split.rows)) == sorted(sandbox.keys(sandbox.insights().rows))
    assert split.quarantined == ()
    assert sum("insights" in call for call in small.requests) > 8


def test_a_day_too_large_comes_by_asynchronous_report(sandbox, make_sandbox):
    tiny = make_sandbox(sync_rows=5)
    since = sandbox.until - timedelta(1)
    result = tiny.insights(since=since)
    assert sorted(sandbox.keys(result.rows)) == sorted(sandbox.keys(sandbox.insights(since=since).rows))
    assert any(call.startswith("POST") for call in tiny.requests)


# Writing ----------------------------------------------------------------------------------------------------------


def test_budget_and_status_changes_are_read_back(sandbox):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount + 7, group.budget.money.currency), group.budget.period)
    turned = EntityStatus.PAUSED if group.status is EntityStatus.ACTIVE else EntityStatus.ACTIVE

    async def write(meta, account):
        changes = [EntityChange(Level.AD_GROUP, group.id, account.id, status=turned, budget=raised)]
        outcomes = await meta.update(account, changes)
        return outcomes, await meta.read(account, Level.AD_GROUP, group.id)

    outcomes, after = sandbox.run(write)
    assert [outcome.error for outcome in outcomes] == [None]
    assert (after.budget, after.status) == (raised, turned)


def test_many_budgets_change_in_few_requests(sandbox):
    groups = [group for group in sandbox.entities(Level.AD_GROUP) if group.budget]

    async def write(meta, account):
        changes = [
            EntityChange(
                Level.AD_GROUP,
                group.id,
                account.id,
                budget=Budget(Money(group.budget.money.amount + 3, account.currency), group.budget.period),
            )
            for group in groups
        ]
        outcomes = await meta.update(account, changes)
        return outcomes, {e.id: e.budget for e in (await meta.entities(account, Level.AD_GROUP)).entities}, changes

    outcomes, after, changes = sandbox.run(write)
    assert [outcome.error for outcome in outcomes] == [None] * len(groups)
    assert all(after[change.id] == change.budget for change in changes)


def test_a_refused_change_leaves_the_others(sandbox):
    group = sandbox.budget_holder()
    cent = Budget(Money(Decimal("0.01"), group.budget.money.currency), BudgetPeriod.DAILY)

    async def write(meta, account):
        changes = [
            EntityChange(Level.AD_GROUP, group.id, account.id, budget=cent),
            EntityChange(Level.CAMPAIGN, group.parent_id, account.id, name="Renamed"),
        ]
        outcomes = await meta.update(account, changes)
        return outcomes, await meta.read(account, Level.CAMPAIGN, group.parent_id)

    outcomes, campaign = sandbox.run(write)
    assert isinstance(outcomes[0].error, RejectedError)
    assert outcomes[1].error is None
    assert campaign.name == "Renamed"


def test_the_fifth_budget_change_within_an_hour_is_told_with_its_wait(sandbox):
    group = sandbox.budget_holder()

    async def write(meta, account):
        errors = []
        for step in range(1, 6):
            raised = Budget(Money(group.budget.money.amount + step, account.currency), group.budget.period)
            (outcome,) = await meta.update(account, [EntityChange(Level.AD_GROUP, group.id, account.id, budget=raised)])
            errors.append(outcome.error)
        return errors

    errors = sandbox.run(write)
    assert errors[:4] == [None] * 4
    assert isinstance(errors[4], ThrottledError)
    assert errors[4].retry_after >= 3600


def test_a_tree_is_created_validated_repeated_and_deleted(sandbox):
    async def tree(meta, account):
        assert await meta.create(account, campaign_draft(account), validate_only=True) == ""
        before = len((await meta.entities(account, Level.CAMPAIGN)).entities)
        campaign = await meta.create(account, campaign_draft(account))
        settings = {
            "optimization_goal": "LINK_CLICKS",
            "billing_event": "IMPRESSIONS",
            "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
            "targeting": {
                "geo_locations": {"countries": ["US"]},
                "targeting_automation": {"advantage_audience": 0},
            },
        }
        group_draft = EntityDraft(Level.AD_GROUP, account.id, campaign, "Broad", "run-7-g1", settings=settings)
        group = await meta.create(account, group_draft)
        picture = await meta.upload(account, Media(MediaKind.IMAGE, "a.png", b"\x89PNG\r\n\x1a\n" + bytes(64)))
        story = {
            "page_id": "1",
            "link_data": {"link": "https://shop.example", "message": "m", "image_hash": picture},
        }
        creative_draft = EntityDraft(
            Level.CREATIVE, account.id, account.id, "Picture", "run-7-k1", settings={"object_story_spec": story}
        )
        creative = await meta.create(account, creative_draft)
        ad_draft = EntityDraft(Level.AD, account.id, group, "Ad", "run-7-a1", creative_id=creative)
        ad = await meta.create(account, ad_draft)
        sandbox.world.advance(sandbox.world.now + timedelta(hours=1))
        again = [
            await meta.create(account, one) for one in (campaign_draft(account), group_draft, creative_draft, ad_draft)
        ]
        assert again == [campaign, group, creative, ad]
        assert len((await meta.entities(account, Level.CAMPAIGN)).entities) == before + 1
        read = await meta.read(account, Level.AD, ad)
        assert (read.parent_id, read.creative_id, read.status) == (group, creative, EntityStatus.PAUSED)
        made = await meta.read(account, Level.CAMPAIGN, campaign)
        assert made.budget.money.amount == 80
        for level, entity in (
            (Level.AD, ad),
            (Level.AD_GROUP, group),
            (Level.CAMPAIGN, campaign),
            (Level.CREATIVE, creative),
        ):
            await meta.delete(account, level, entity)
            await meta.delete(account, level, entity)
        gone = await meta.read(account, Level.CAMPAIGN, campaign)
        assert gone.status is EntityStatus.DELETED
        assert campaign not in {e.id for e in (await meta.entities(account, Level.CAMPAIGN)).entities}

    sandbox.run(tree)


def test_todays_figures_can_be_read_right_after_an_ad_was_created(sandbox):
    async def use(meta, account):
        old = (await meta.entities(account, Level.AD)).entities[0]
        new = EntityDraft(Level.AD, account.id, old.parent_id, "Ad", "run-7-a2", creative_id=old.creative_id)
        await meta.create(account, new)
        return await meta.entities(account, Level.AD_GROUP)

    assert sandbox.run(use).entities


def test_a_create_whose_answer_is_lost_makes_one_campaign(sandbox):
    before = len(sandbox.entities(Level.CAMPAIGN))
    sandbox.fault("response_lost", "campaigns", method="POST", times=1)
    made = sandbox.run(lambda meta, account: meta.create(account, campaign_draft(account)))
    found = sandbox.entities(Level.CAMPAIGN)
    assert made in {campaign.id for campaign in found}
    assert len(found) == before + 1


def test_reading_what_does_not_exist_is_not_found(sandbox):
    with pytest.raises(NotFoundError):
        sandbox.run(lambda meta, account: meta.read(account, Level.CAMPAIGN, "999"))
