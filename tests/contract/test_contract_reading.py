"""What every platform's adapter reads, against what the world itself says."""

from datetime import timedelta

import pytest

from stakazo_pipelines.errors import NotFoundError
from stakazo_pipelines.platforms.port import Breakdown, BudgetPeriod
from stakazo_pipelines.platforms.registry import PLATFORMS
from stakazo_pipelines.vocabulary import EntityStatus, Level

LISTED = (Level.CAMPAIGN, Level.AD_GROUP, Level.AD)
REPORTED = (Level.ACCOUNT, *LISTED)


def test_every_registered_platform_is_under_contract(all_subjects):
    assert {subject.name for subject in all_subjects} >= set(PLATFORMS)


# Entities ---------------------------------------------------------------------------------------------------------


def test_accounts_are_those_of_the_world_on_this_platform(bench):
    async def use(platform, _account):
        return await platform.accounts()

    found = bench.run(use)
    mine = [account for account in bench.world.accounts.values() if account.platform == bench.subject.name]
    assert {(a.id, a.name, a.currency, a.timezone, a.status, a.problem) for a in found} == {
        (a.id, a.name, a.currency, a.timezone, EntityStatus.ACTIVE, "") for a in mine
    }
    assert all(account.min_daily_budget is None or account.min_daily_budget.amount > 0 for account in found)


@pytest.mark.parametrize("level", LISTED)
def test_lists_hold_every_entity_once_however_small_the_pages(make_bench, level):
    whole, paged = make_bench(), make_bench(rows=3)
    found = paged.entities(level)
    stored = paged.stored(found[0].account_id, level)
    assert sorted(entity.id for entity in found) == sorted(stored)
    assert [entity.id for entity in found] == [entity.id for entity in whole.entities(level)]
    assert len(paged.requests) >= len(stored) // 3
    for entity in found:
        there = stored[entity.id]
        assert (entity.level, entity.name) == (level, there.name)
        assert entity.status == there.status.lower()


def test_parents_and_budgets_are_those_of_the_world(bench):
    groups, ads = bench.entities(Level.AD_GROUP), bench.entities(Level.AD)
    account = bench.world.accounts[groups[0].account_id]
    for group in groups:
        there = bench.world.ad_groups[group.id]
        assert group.parent_id == there.campaign_id
        if group.budget and group.budget.period is BudgetPeriod.DAILY:
            assert round(group.budget.money.amount * account.minor_units) == there.daily_budget
            assert group.budget.money.currency == account.currency
        elif group.budget is None:
            assert there.daily_budget is None
    assert any(group.budget for group in groups)
    assert {ad.parent_id for ad in ads} <= {group.id for group in groups}
    assert all(ad.creative_id for ad in ads)


def test_creatives_are_the_contents_of_the_ads(bench):
    creatives = {creative.id for creative in bench.entities(Level.CREATIVE)}
    assert {ad.creative_id for ad in bench.entities(Level.AD)} <= creatives


@pytest.mark.parametrize("level", [*LISTED, Level.CREATIVE])
def test_one_entity_reads_as_it_is_listed(bench, level):
    async def use(platform, account):
        listed = (await platform.entities(account, level)).entities
        return listed[-1], await platform.read(account, level, listed[-1].id)

    listed, read = bench.run(use)
    for field in ("id", "level", "account_id", "parent_id", "name", "status", "budget", "creative_id", "native_type"):
        assert getattr(read, field) == getattr(listed, field), field


@pytest.mark.parametrize("level", [*LISTED, Level.CREATIVE])
def test_what_does_not_exist_is_not_found(bench, level):
    with pytest.raises(NotFoundError):
        bench.run(lambda platform, account: platform.read(account, level, "999"))


# Reports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", REPORTED)
def test_daily_rows_are_the_worlds_report_to_the_minor_unit(bench, level):
    result = bench.insights(level)
    account = bench.world.accounts[result.rows[0].account_id]
    assert result.quarantined == ()
    assert bench.told(result.rows, account.minor_units) == bench.truth(account, level)
    assert {row.level for row in result.rows} == {level}


def test_rows_carry_their_parents_names_and_window(bench):
    rows = bench.insights(Level.AD).rows
    for row in rows:
        ad = bench.world.ads[row.ad_id]
        assert (row.ad_group_id, row.campaign_id) == (ad.ad_group_id, ad.campaign_id)
        group, campaign = bench.world.ad_groups[ad.ad_group_id], bench.world.campaigns[ad.campaign_id]
        told = (row.ad_name, row.ad_group_name, row.campaign_name)
        assert told in {(ad.name, group.name, campaign.name), (None, None, None)}
    assert {row.attribution_window for row in rows} == {bench.subject.window}


def test_levels_add_up_to_the_same_days(bench):
    by_level = {level: bench.insights(level).rows for level in REPORTED}
    totals = {level: bench.told(rows, 100, lambda row: row.day) for level, rows in by_level.items()}
    assert len(totals[Level.ACCOUNT]) == 7
    assert all(total == totals[Level.ACCOUNT] for total in totals.values())


def test_small_pages_of_a_report_add_up_to_the_large_ones(make_bench):
    paged = make_bench(rows=9)
    small, whole = paged.insights().rows, make_bench().insights().rows
    assert sorted(map(_key, small)) == sorted(map(_key, whole))
    assert paged.told(small, 100) == make_bench().told(whole, 100)


def test_a_long_range_that_begins_before_the_world_is_whole(bench):
    since = bench.until - timedelta(75)  # beyond what one request may ask for on TikTok
    result = bench.insights(since=since)
    account = bench.world.accounts[result.rows[0].account_id]
    assert bench.told(result.rows, account.minor_units) == bench.truth(account, Level.AD, since)
    assert len(set(map(_key, result.rows))) == len(result.rows)


def test_a_range_too_large_for_one_answer_is_split_and_whole(make_bench):
    bench = make_bench()
    if not bench.subject.small_range:
        pytest.skip("the sandbox's answers cannot be made smaller on this platform")
    small = make_bench(**bench.subject.small_range)
    split, whole = small.insights(), bench.insights()
    assert sorted(map(_key, split.rows)) == sorted(map(_key, whole.rows))
    assert small.told(split.rows, 100) == bench.told(whole.rows, 100)
    assert len(small.requests) > len(bench.requests)


def test_a_day_too_large_comes_by_an_asynchronous_report(make_bench):
    bench = make_bench()
    if not bench.open().capabilities.async_reports:
        pytest.skip("this platform has no asynchronous reports")
    small = make_bench(**bench.subject.small_day)
    since = bench.until - timedelta(1)
    result, whole = small.insights(since=since), bench.insights(since=since)
    assert small.told(result.rows, 100) == bench.told(whole.rows, 100)
    assert small.reports_made()
    assert not bench.reports_made()


@pytest.mark.parametrize("breakdown", Breakdown)
def test_segments_add_up_to_the_whole(bench, breakdown):
    if breakdown not in bench.open().capabilities.breakdowns:
        pytest.skip(f"this platform does not break down by {breakdown}")
    since = bench.until if breakdown is Breakdown.HOUR else bench.until - timedelta(2)
    parts = bench.insights(Level.CAMPAIGN, since=since, breakdowns=(breakdown,))
    whole = bench.insights(Level.CAMPAIGN, since=since)
    assert parts.quarantined == ()
    assert all(row.segments[breakdown] for row in parts.rows)
    assert len({row.segments[breakdown] for row in parts.rows}) > 1
    told, total = bench.told(parts.rows, 100), bench.told(whole.rows, 100)
    if breakdown in bench.open().capabilities.without_conversions:
        told, total = ({key: [row[0], row[2]] for key, row in rows.items()} for rows in (told, total))
    assert told == total
    if breakdown is Breakdown.HOUR:
        assert {row.segments[breakdown] for row in parts.rows} <= {f"{hour:02}" for hour in range(24)}


def test_pairs_of_breakdowns_add_up_to_the_whole(bench):
    pairs = bench.open().capabilities.breakdown_pairs
    if not pairs:
        pytest.skip("this platform joins no breakdowns")
    for pair in pairs:
        parts = bench.insights(Level.CAMPAIGN, since=bench.until, breakdowns=sorted(pair))
        whole = bench.insights(Level.CAMPAIGN, since=bench.until)
        assert bench.told(parts.rows, 100) == bench.told(whole.rows, 100)


def _key(row):
    return row.day, row.ad_id
