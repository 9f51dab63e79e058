"""The LinkedIn adapter against the sandbox in memory: what it reads, and what its writes do."""

from datetime import timedelta
from decimal import Decimal

import pytest

from stakazo_pipelines.errors import NotFoundError, RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.linkedin import analytics
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

TARGETING = {
    "include": {
        "and": [
            {"or": {"urn:li:adTargetingFacet:locations": ["urn:li:geo:101282230"]}},
            {"or": {"urn:li:adTargetingFacet:interfaceLocales": ["urn:li:locale:de_DE"]}},
        ]
    }
}


def start(sandbox):
    return {"start": int((sandbox.world.now + timedelta(days=1)).timestamp() * 1000)}


def group_draft(sandbox, account, tag="run-7-c1", **more):
    given = {
        "objective": "WEBSITE_VISIT",
        "budget": Budget(Money(Decimal(80), account.currency), BudgetPeriod.DAILY),
        "settings": {"runSchedule": start(sandbox)},
    } | more
    return EntityDraft(Level.CAMPAIGN, account.id, account.id, "Launch", tag, **given)


# Reading ----------------------------------------------------------------------------------------------------------


def test_accounts_and_entities_are_those_of_the_world(sandbox):
    async def read(li, account):
        levels = (Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE)
        return await li.accounts(), {level: await li.entities(account, level) for level in levels}

    accounts, found = sandbox.run(read)
    assert {(a.id, a.currency, a.timezone, a.minor_units) for a in accounts} == {
        (a.id, a.currency, "UTC", a.minor_units) for a in sandbox.world.accounts.values()
    }
    mine = [ad for ad in sandbox.world.ads.values() if ad.account_id == accounts[0].id and ad.status != "DELETED"]
    stores = {
        Level.CAMPAIGN: {e.id for e in sandbox.world.campaigns.values() if e.account_id == accounts[0].id},
        Level.AD_GROUP: {e.id for e in sandbox.world.ad_groups.values() if e.account_id == accounts[0].id},
        Level.AD: {ad.id for ad in mine},
        Level.CREATIVE: {ad.creative_id for ad in mine},
    }
    for level, result in found.items():
        assert {entity.id for entity in result.entities} == stores[level]
        assert result.quarantined == ()


def test_ad_groups_hold_a_budget_where_their_campaign_does_not(sandbox):
    spread = {campaign.id for campaign in sandbox.entities(Level.CAMPAIGN) if campaign.budget}
    groups = sandbox.entities(Level.AD_GROUP)
    assert groups
    assert all((group.budget is None) == (group.parent_id in spread) for group in groups)


def test_twenty_eight_days_add_up_alike_at_every_level(sandbox):
    by_level = {level: sandbox.insights(level) for level in (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD)}
    assert all(result.quarantined == () for result in by_level.values())
    total = sandbox.sums(by_level[Level.ACCOUNT].rows)
    assert len(total) == 28
    assert all(sandbox.sums(result.rows) == total for result in by_level.values())
    assert len(set(sandbox.keys(by_level[Level.AD].rows))) == len(by_level[Level.AD].rows)


def test_what_is_reported_is_what_the_world_delivered(sandbox):
    account = next(iter(sandbox.world.accounts.values()))
    truth = sandbox.world.report(account.id, "ad_group", sandbox.since, sandbox.until)
    rows = sandbox.insights(Level.AD_GROUP).rows
    assert sum(row.spend for row in rows) == pytest.approx(Decimal(str(truth["spend"].sum())), abs=Decimal("0.01"))
    assert sum(row.conversions for row in rows) == int(truth["purchases"].sum())
    assert sum(row.impressions for row in rows) == int(truth["impressions"].sum())


def test_ads_by_country_name_their_campaign_although_pivots_have_no_room_for_it(sandbox):
    since = sandbox.until - timedelta(5)
    parts = sandbox.insights(Level.AD, since, sandbox.until - timedelta(2), (Breakdown.COUNTRY,))
    assert parts.quarantined == ()
    parents = {group.id: group.parent_id for group in sandbox.entities(Level.AD_GROUP)}
    assert all(row.campaign_id == parents[row.ad_group_id] for row in parts.rows)
    assert all(len(row.segments[Breakdown.COUNTRY]) == 2 for row in parts.rows)
    assert all(row.conversions_value == 0 for row in parts.rows)


@pytest.mark.parametrize("cut", [False, True])
def test_a_range_too_large_is_split_down_to_campaigns_and_complete(sandbox, make_sandbox, monkeypatch, cut):
    since = sandbox.until - timedelta(3)
    whole = sandbox.insights(since=since)
    limit = 12  # less than one day of ads
    monkeypatch.setattr(analytics, "MOST_ROWS", limit)
    small = make_sandbox(element_limit=limit, cut=cut)
    split = small.insights(since=since)
    assert sorted(sandbox.keys(split.rows)) == sorted(sandbox.keys(whole.rows))
    assert sandbox.sums(split.rows) == sandbox.sums(whole.rows)
    assert split.quarantined == ()
    assert sum("adAnalytics" in call for call in small.requests) > 8


def test_metrics_asked_for_in_parts_make_the_same_rows(sandbox, monkeypatch):
    whole = sandbox.insights().rows
    monkeypatch.setattr(analytics, "MOST_FIELDS", 5)
    before = len(sandbox.requests)
    parts = sandbox.insights()
    assert parts.quarantined == ()
    assert sorted(sandbox.keys(parts.rows)) == sorted(sandbox.keys(whole))
    assert {(row.day, row.ad_id): row.native for row in parts.rows} == {
        (row.day, row.ad_id): row.native for row in whole
    }
    assert sum("adAnalytics" in call for call in sandbox.requests[before:]) == 4


def test_reading_what_does_not_exist_is_not_found(sandbox):
    for level in (Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE):
        with pytest.raises(NotFoundError):
            sandbox.run(lambda li, account, level=level: li.read(account, level, "999"))


# Writing ----------------------------------------------------------------------------------------------------------


def test_budget_and_status_changes_are_read_back(sandbox):
    group = sandbox.budget_holder()
    raised = Budget(Money(group.budget.money.amount + 7, group.budget.money.currency), group.budget.period)
    turned = EntityStatus.PAUSED if group.status is EntityStatus.ACTIVE else EntityStatus.ACTIVE

    async def write(li, account):
        changes = [EntityChange(Level.AD_GROUP, group.id, account.id, status=turned, budget=raised)]
        outcomes = await li.update(account, changes)
        return outcomes, await li.read(account, Level.AD_GROUP, group.id)

    outcomes, after = sandbox.run(write)
    assert [outcome.error for outcome in outcomes] == [None]
    assert (after.budget, after.status) == (raised, turned)


def test_ads_are_paused_and_renamed_in_one_request(sandbox):
    ads = sandbox.entities(Level.AD)

    async def write(li, account):
        changes = [
            EntityChange(Level.AD, ad.id, account.id, name=f"{ad.name} +", status=EntityStatus.PAUSED) for ad in ads
        ]
        return await li.update(account, changes)

    outcomes = sandbox.run(write)
    assert [outcome.error for outcome in outcomes] == [None] * len(ads)
    assert sum(call.startswith("POST") for call in sandbox.requests) == -(-len(ads) // 50)
    after = sandbox.entities(Level.AD)
    assert {ad.status for ad in after} == {EntityStatus.PAUSED}
    assert all(ad.name.endswith(" +") for ad in after)


def test_a_refused_change_leaves_the_others(sandbox):
    group = sandbox.budget_holder()
    cent = Budget(Money(Decimal("0.01"), group.budget.money.currency), BudgetPeriod.DAILY)

    async def write(li, account):
        changes = [
            EntityChange(Level.AD_GROUP, group.id, account.id, budget=cent),
            EntityChange(Level.CAMPAIGN, group.parent_id, account.id, name="Renamed"),
        ]
        outcomes = await li.update(account, changes)
        return outcomes, await li.read(account, Level.CAMPAIGN, group.parent_id)

    outcomes, campaign = sandbox.run(write)
    assert isinstance(outcomes[0].error, RejectedError)
    assert "TOO_LOW" in outcomes[0].error.code + outcomes[0].error.message
    assert outcomes[1].error is None
    assert campaign.name == "Renamed"


@pytest.mark.parametrize(
    "media", [Media(MediaKind.IMAGE, "a.png", b"\x89PNG\r\n"), Media(MediaKind.VIDEO, "a.mp4", bytes(5_000_000))]
)
def test_a_tree_is_created_repeated_and_deleted(sandbox, media):
    async def tree(li, account):
        before = len((await li.entities(account, Level.CAMPAIGN)).entities)
        campaign_draft = group_draft(sandbox, account)
        campaign = await li.create(account, campaign_draft)
        settings = {
            "type": "SPONSORED_UPDATES",
            "costType": "CPM",
            "optimizationTargetType": "MAX_CLICK",
            "targetingCriteria": TARGETING,
            "offsiteDeliveryEnabled": False,
            "politicalIntent": "NOT_POLITICAL",
            "locale": {"country": "DE", "language": "de"},
            "runSchedule": start(sandbox),
        }
        ad_group_draft = EntityDraft(Level.AD_GROUP, account.id, campaign, "Engineers", "run-7-g1", settings=settings)
        ad_group = await li.create(account, ad_group_draft)
        file = await li.upload(account, media)
        assert await li.upload(account, media) == file
        post = {
            "author": f"urn:li:organization:{account.id}",
            "commentary": "Hello",
            "content": {"media": {"id": file, "title": "T"}},
        }
        creative_draft = EntityDraft(Level.CREATIVE, account.id, account.id, "Post", "run-7-k1", settings=post)
        creative = await li.create(account, creative_draft)
        ad_draft = EntityDraft(Level.AD, account.id, ad_group, "Ad", "run-7-a1", creative_id=creative)
        ad = await li.create(account, ad_draft)
        sandbox.world.advance(sandbox.world.now + timedelta(hours=1))
        drafts = (campaign_draft, ad_group_draft, creative_draft, ad_draft)
        assert [await li.create(account, one) for one in drafts] == [campaign, ad_group, creative, ad]
        assert len((await li.entities(account, Level.CAMPAIGN)).entities) == before + 1
        read = await li.read(account, Level.AD, ad)
        assert (read.parent_id, read.creative_id, read.status) == (ad_group, creative, EntityStatus.PAUSED)
        assert creative in {one.id for one in (await li.entities(account, Level.CREATIVE)).entities}
        made = await li.read(account, Level.CAMPAIGN, campaign)
        assert (made.budget.money.amount, made.budget.period) == (80, BudgetPeriod.DAILY)
        for level, entity in ((Level.AD, ad), (Level.AD_GROUP, ad_group), (Level.CAMPAIGN, campaign)):
            await li.delete(account, level, entity)
            await li.delete(account, level, entity)
            assert entity not in {one.id for one in (await li.entities(account, level)).entities}

    sandbox.run(tree)


def test_a_draft_is_gone_once_it_is_deleted(sandbox):
    async def use(li, account):
        draft = group_draft(sandbox, account, settings={"status": "DRAFT", "runSchedule": start(sandbox)})
        made = await li.create(account, draft)
        assert (await li.read(account, Level.CAMPAIGN, made)).delivery.startswith("DRAFT")
        await li.delete(account, Level.CAMPAIGN, made)
        assert made not in {one.id for one in (await li.entities(account, Level.CAMPAIGN)).entities}

    sandbox.run(use)
    assert any(call.startswith("DELETE") for call in sandbox.requests)


def test_a_create_whose_answer_is_lost_makes_one_campaign(sandbox):
    before = len(sandbox.entities(Level.CAMPAIGN))
    sandbox.fault("response_lost", "adCampaignGroups", method="POST", times=1)
    made = sandbox.run(lambda li, account: li.create(account, group_draft(sandbox, account)))
    found = sandbox.entities(Level.CAMPAIGN)
    assert made in {campaign.id for campaign in found}
    assert len(found) == before + 1
