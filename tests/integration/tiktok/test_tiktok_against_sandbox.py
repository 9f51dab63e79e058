"""The TikTok adapter against the sandbox in memory: what it reads, and what its writes do."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stakazo_pipelines.errors import NotFoundError, RejectedError
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

GROUP = {
    "promotion_type": "WEBSITE",
    "placement_type": "PLACEMENT_TYPE_AUTOMATIC",
    "location_ids": ["6252001"],
    "schedule_type": "SCHEDULE_FROM_NOW",
    "optimization_goal": "CONVERT",
    "optimization_event": "SHOPPING",
    "pixel_id": "5001",
    "billing_event": "OCPM",
    "excluded_audience_ids": ["77", "78"],
    "bid_type": "BID_TYPE_CUSTOM",
    "conversion_bid_price": 12.5,
    "pacing": "PACING_MODE_SMOOTH",
}


def money(account, units):
    """So many times the smallest daily budget of an ad group."""
    return Budget(Money(account.min_daily_budget.amount * units, account.currency), BudgetPeriod.DAILY)


def campaign_draft(account, tag="run-7-c1", **more):
    given = {"objective": "WEB_CONVERSIONS", "budget": money(account, 10)} | more
    return EntityDraft(Level.CAMPAIGN, account.id, account.id, "Launch", tag, **given)


# Reading ----------------------------------------------------------------------------------------------------------


def test_accounts_and_entities_are_those_of_the_world(sandbox):
    async def read(tiktok, account):
        accounts = await tiktok.accounts()
        levels = (Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE)
        return accounts, {level: await tiktok.entities(account, level) for level in levels}

    accounts, found = sandbox.run(read)
    assert {(a.id, a.currency, a.timezone, a.minor_units, a.problem) for a in accounts} == {
        (a.id, a.currency, a.timezone, a.minor_units, "") for a in sandbox.world.accounts.values()
    }
    stores = {
        Level.CAMPAIGN: sandbox.world.campaigns,
        Level.AD_GROUP: sandbox.world.ad_groups,
        Level.AD: sandbox.world.ads,
    }
    for level, store in stores.items():
        mine = {e.id for e in store.values() if e.account_id == accounts[0].id and e.status != "DELETED"}
        assert {entity.id for entity in found[level].entities} == mine
        assert found[level].quarantined == ()
    shown = {ad.creative_id for ad in found[Level.AD].entities}
    assert {creative.id for creative in found[Level.CREATIVE].entities} == shown - {None}
    assert shown


def test_each_budget_stands_at_one_level(sandbox):
    campaigns = {one.id: one for one in sandbox.entities(Level.CAMPAIGN)}
    groups = sandbox.entities(Level.AD_GROUP)
    assert any(group.budget for group in groups)
    for group in groups:
        assert (group.budget is None) == (campaigns[group.parent_id].budget is not None)


def test_twenty_eight_days_add_up_alike_at_every_level_in_one_call_each(sandbox):
    levels = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD)
    by_level = {level: sandbox.insights(level) for level in levels}
    assert sum("report" in call for call in sandbox.requests) == len(levels)
    assert all(result.quarantined == () for result in by_level.values())
    total = sandbox.sums(by_level[Level.ACCOUNT].rows)
    assert len(total) == 28
    assert all(sandbox.sums(result.rows) == total for result in by_level.values())
    assert len(set(sandbox.keys(by_level[Level.AD].rows))) == len(by_level[Level.AD].rows)
    ads = {ad.id: ad for ad in sandbox.entities(Level.AD)}
    for row in by_level[Level.AD].rows:
        assert row.ad_id not in ads or row.ad_group_id == ads[row.ad_id].parent_id


@pytest.mark.parametrize("breakdowns", [(Breakdown.AGE,), (Breakdown.AGE, Breakdown.GENDER), (Breakdown.COUNTRY,)])
def test_segments_add_up_to_the_whole(sandbox, breakdowns):
    since = sandbox.until - timedelta(2)
    parts = sandbox.insights(Level.CAMPAIGN, since, sandbox.until, breakdowns)
    assert parts.quarantined == ()
    assert sandbox.sums(parts.rows) == sandbox.sums(sandbox.insights(Level.CAMPAIGN, since, sandbox.until).rows)
    assert all(set(row.segments) == set(breakdowns) for row in parts.rows)


def test_hours_add_up_to_the_day(sandbox):
    hours = sandbox.insights(Level.ACCOUNT, sandbox.until, sandbox.until, (Breakdown.HOUR,))
    assert sandbox.sums(hours.rows) == sandbox.sums(sandbox.insights(Level.ACCOUNT, sandbox.until, sandbox.until).rows)
    assert {row.segments[Breakdown.HOUR] for row in hours.rows} <= {f"{hour:02}" for hour in range(24)}


def test_what_deleted_ads_spent_stays_in_the_reports(sandbox):
    whole = sandbox.insights()
    ad = next(row.ad_id for row in whole.rows if row.spend)
    sandbox.run(lambda tiktok, account: tiktok.delete(account, Level.AD, ad))
    assert sandbox.sums(sandbox.insights().rows) == sandbox.sums(whole.rows)


def test_more_ids_than_a_report_may_hold_come_by_asynchronous_report(make_sandbox, whole):
    tiny = make_sandbox(report_ids=5)
    result = tiny.insights()
    assert sorted(tiny.keys(result.rows)) == sorted(tiny.keys(whole.rows))
    assert tiny.sums(result.rows) == tiny.sums(whole.rows)
    assert "POST /report/task/create/" in tiny.requests


def test_the_basic_limits_are_never_broken(sandbox):
    async def many(tiktok, account):
        for _ in range(700):
            await tiktok.read(account, Level.CAMPAIGN, first)

    first = sandbox.entities(Level.CAMPAIGN)[0].id
    sandbox.run(many)
    assert max(sandbox.slept) < 5  # refused once, it would be 300


# Writing ----------------------------------------------------------------------------------------------------------


def test_budget_and_status_changes_are_read_back(sandbox):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount * 2, group.budget.money.currency), BudgetPeriod.DAILY)
    turned = EntityStatus.PAUSED if group.status is EntityStatus.ACTIVE else EntityStatus.ACTIVE

    async def write(tiktok, account):
        changes = [EntityChange(Level.AD_GROUP, group.id, account.id, status=turned, budget=raised)]
        return await tiktok.update(account, changes), await tiktok.read(account, Level.AD_GROUP, group.id)

    outcomes, after = sandbox.run(write)
    assert [outcome.error for outcome in outcomes] == [None]
    assert (after.budget, after.status) == (raised, turned)
    lost = {key for key, value in group.native.items() if value is not None and after.native.get(key) is None}
    assert lost == set()


def test_a_cbo_campaign_takes_the_budget_and_its_ad_groups_do_not(sandbox):
    async def write(tiktok, account):
        campaign = await tiktok.create(account, campaign_draft(account))
        group = await tiktok.create(
            account, EntityDraft(Level.AD_GROUP, account.id, campaign, "Broad", "g", settings=GROUP)
        )
        outcomes = await tiktok.update(
            account,
            [
                EntityChange(Level.CAMPAIGN, campaign, account.id, budget=money(account, 12)),
                EntityChange(Level.AD_GROUP, group, account.id, budget=money(account, 2)),
            ],
        )
        made = await tiktok.read(account, Level.CAMPAIGN, campaign)
        return outcomes, made, await tiktok.read(account, Level.AD_GROUP, group), account

    (first, second), campaign, group, account = sandbox.run(write)
    assert first.error is None
    assert campaign.budget == money(account, 12)
    assert isinstance(second.error, RejectedError)
    assert group.budget is None


def test_a_budget_change_loses_none_of_the_ad_groups_settings(sandbox):
    async def write(tiktok, account):
        campaign = await tiktok.create(account, campaign_draft(account, budget=None))
        draft = EntityDraft(
            Level.AD_GROUP, account.id, campaign, "Broad", "g", budget=money(account, 2), settings=GROUP
        )
        group = await tiktok.create(account, draft)
        before = await tiktok.read(account, Level.AD_GROUP, group)
        change = EntityChange(Level.AD_GROUP, group, account.id, budget=money(account, 3))
        (outcome,) = await tiktok.update(account, [change])
        assert outcome.error is None
        return before, await tiktok.read(account, Level.AD_GROUP, group), change.budget

    before, after, budget = sandbox.run(write)
    assert after.budget == budget
    differing = {key for key in before.native if before.native[key] != after.native.get(key)}
    assert differing <= {"budget", "modify_time"}
    assert after.native["excluded_audience_ids"] == ["77", "78"]


def test_a_budget_below_what_was_spent_today_holds_from_midnight_on(sandbox):
    sandbox.world.advance(sandbox.world.now + timedelta(hours=9))
    today = sandbox.world.now.date()
    spent = {row.ad_group_id: row.spend for row in sandbox.insights(Level.AD_GROUP, today, today).rows}
    group = max((one for one in sandbox.entities(Level.AD_GROUP) if one.budget), key=lambda one: spent[one.id])
    before = sandbox.world.ad_groups[group.id].daily_budget

    def cut(share):
        money = Money((spent[group.id] * Decimal(share)).quantize(Decimal(1)), group.budget.money.currency)
        change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=Budget(money, BudgetPeriod.DAILY))

        async def write(tiktok, account):
            (outcome,) = await tiktok.update(account, [change])
            return outcome.error, (await tiktok.read(account, Level.AD_GROUP, group.id)).budget

        assert sandbox.run(write) == (None, change.budget)
        return int(money.amount * 100)

    wanted = cut("1.02")
    assert sandbox.world.ad_groups[group.id].daily_budget == before
    sandbox.app.state.kernel.advance(sandbox.world.now + timedelta(hours=24))
    assert sandbox.world.ad_groups[group.id].daily_budget == wanted


def test_many_statuses_change_in_few_requests(sandbox):
    ads = sandbox.entities(Level.AD)

    async def write(tiktok, account):
        changes = [EntityChange(Level.AD, ad.id, account.id, status=EntityStatus.PAUSED) for ad in ads]
        outcomes = await tiktok.update(account, changes)
        return outcomes, (await tiktok.entities(account, Level.AD)).entities

    outcomes, after = sandbox.run(write)
    assert [outcome.error for outcome in outcomes] == [None] * len(ads)
    assert {ad.status for ad in after} == {EntityStatus.PAUSED}
    assert sum(call.startswith("POST") for call in sandbox.requests) == -(-len(ads) // 20)


def test_a_refused_change_leaves_the_others(sandbox):
    group = sandbox.budget_holder()
    cent = Budget(Money(Decimal(1), group.budget.money.currency), BudgetPeriod.DAILY)

    async def write(tiktok, account):
        changes = [
            EntityChange(Level.AD_GROUP, group.id, account.id, budget=cent),
            EntityChange(Level.CAMPAIGN, group.parent_id, account.id, name="Renamed"),
            EntityChange(Level.AD_GROUP, "999", account.id, status=EntityStatus.PAUSED),
        ]
        outcomes = await tiktok.update(account, changes)
        return outcomes, await tiktok.read(account, Level.CAMPAIGN, group.parent_id)

    outcomes, campaign = sandbox.run(write)
    assert isinstance(outcomes[0].error, RejectedError)
    assert outcomes[1].error is None
    assert isinstance(outcomes[2].error, RejectedError | NotFoundError)
    assert campaign.name == "Renamed"


def test_a_tree_is_created_repeated_and_deleted(sandbox):
    async def tree(tiktok, account):
        before = len((await tiktok.entities(account, Level.CAMPAIGN)).entities)
        draft = campaign_draft(account, budget=None)
        campaign = await tiktok.create(account, draft)
        group_draft = EntityDraft(
            Level.AD_GROUP, account.id, campaign, "Broad", "run-7-g1", budget=money(account, 2), settings=GROUP
        )
        group = await tiktok.create(account, group_draft)
        film = await tiktok.upload(account, Media(MediaKind.VIDEO, "a.mp4", b"\x00\x00\x00\x18ftypmp42" + bytes(64)))
        content = {"ad_format": "SINGLE_VIDEO", "identity_type": "CUSTOMIZED_USER", "identity_id": "4001"}
        ad_draft = EntityDraft(
            Level.AD, account.id, group, "Ad", "run-7-a1", creative_id=film, settings=content | {"ad_text": "Buy"}
        )
        ad = await tiktok.create(account, ad_draft)
        sandbox.world.advance(sandbox.world.now + timedelta(hours=1))
        again = [await tiktok.create(account, one) for one in (draft, group_draft, ad_draft)]
        assert again == [campaign, group, ad]
        assert len((await tiktok.entities(account, Level.CAMPAIGN)).entities) == before + 1
        read = await tiktok.read(account, Level.AD, ad)
        assert (read.parent_id, read.creative_id, read.status) == (group, film, EntityStatus.PAUSED)
        assert (await tiktok.read(account, Level.CREATIVE, film)).native["ad_text"] == "Buy"
        for level, entity in ((Level.AD, ad), (Level.AD_GROUP, group), (Level.CAMPAIGN, campaign)):
            await tiktok.delete(account, level, entity)
            await tiktok.delete(account, level, entity)
        gone = await tiktok.read(account, Level.CAMPAIGN, campaign)
        assert gone.status is EntityStatus.DELETED
        assert campaign not in {e.id for e in (await tiktok.entities(account, Level.CAMPAIGN)).entities}

    sandbox.run(tree)


def test_a_new_ad_shows_the_creative_of_another(sandbox):
    async def use(tiktok, account):
        old = (await tiktok.entities(account, Level.AD)).entities[0]
        new = EntityDraft(Level.AD, account.id, old.parent_id, "Ad", "run-7-a2", creative_id=old.creative_id)
        made = await tiktok.read(account, Level.AD, await tiktok.create(account, new))
        return old, made

    old, made = sandbox.run(use)
    assert made.creative_id == old.creative_id


@pytest.mark.parametrize(
    "media",
    [
        Media(MediaKind.IMAGE, "a.png", b"\x89PNG\r\n\x1a\n" + bytes(64)),
        Media(MediaKind.VIDEO, "a.mp4", b"\x00\x00\x00\x18ftypmp42" + bytes(64)),
    ],
)
def test_the_same_file_uploaded_again_is_the_same_file(sandbox, media):
    async def twice(tiktok, account):
        return [await tiktok.upload(account, media) for _ in range(2)]

    first, second = sandbox.run(twice)
    assert first == second


def test_a_create_whose_answer_is_lost_makes_one_campaign(sandbox):
    before = len(sandbox.entities(Level.CAMPAIGN))
    sandbox.fault("response_lost", "campaign/create", method="POST", times=1)
    made = sandbox.run(lambda tiktok, account: tiktok.create(account, campaign_draft(account)))
    found = sandbox.entities(Level.CAMPAIGN)
    assert made in {campaign.id for campaign in found}
    assert len(found) == before + 1


def test_reading_what_does_not_exist_is_not_found(sandbox):
    with pytest.raises(NotFoundError):
        sandbox.run(lambda tiktok, account: tiktok.read(account, Level.CAMPAIGN, "999"))
