"""The world's clock, entity store and replay: what moves it, what it refuses, and that it is the same world again."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from stakazo_pipelines.sandbox.world import AdGroup, Incident, World, WorldConfig, WorldError

SMALL = WorldConfig(seed=3, history_days=12, accounts=3, campaigns=4, ad_groups=8, ads=20)
FIRST = SMALL.first_day


def everything(world, until=date(2026, 8, 1)):
    """All ad rows of all accounts, as comparable columns."""
    reports = [world.report(account, "ad", FIRST, until) for account in world.accounts]
    return [{name: report[name].tolist() for name in report.columns} for report in reports]


def an_ad_group(world):
    """An active ad group that holds its budget and delivers now."""
    for group in world.ad_groups.values():
        live = any(
            world.delivery_status("ad", ad.id) == "ACTIVE" for ad in world.ads.values() if ad.ad_group_id == group.id
        )
        if group.daily_budget and live:
            return group
    raise AssertionError("the small world has no delivering ad group")


def spend_by_day(world, group_id, account_id):
    report = world.report(account_id, "ad_group", FIRST, date(2026, 8, 1))
    mine = report["ad_group_id"] == group_id
    return dict(zip(report["day"][mine].astype(object), report["spend"][mine], strict=True))


def test_same_seed_gives_the_same_world_and_another_seed_another():
    assert everything(World(SMALL)) == everything(World(SMALL))
    other = World(WorldConfig(seed=4, history_days=12, accounts=3, campaigns=4, ad_groups=8, ads=20))
    assert everything(other) != everything(World(SMALL))


def test_many_small_advances_equal_one_large():
    at_once, in_steps = World(SMALL), World(SMALL)
    at_once.advance(SMALL.start + timedelta(hours=100))
    for hours in (1, 2, 30, 31, 77, 100):
        in_steps.advance(SMALL.start + timedelta(hours=hours))
    assert everything(at_once) == everything(in_steps)
    assert at_once.now == in_steps.now


def test_clock_never_runs_backwards_nor_past_its_limit():
    world = World(SMALL)
    with pytest.raises(WorldError, match="backwards"):
        world.advance(SMALL.start - timedelta(hours=1))
    with pytest.raises(WorldError, match="may not pass"):
        world.advance(SMALL.today_limit + timedelta(seconds=1))
    with pytest.raises(WorldError, match="aware"):
        world.advance(datetime(2026, 7, 1))  # noqa: DTZ001
    assert world.now == SMALL.start
    assert not world.log


def test_writes_change_the_future_only():
    left_alone, changed = World(SMALL), World(SMALL)
    before = everything(changed)
    group = an_ad_group(changed)
    changed.update("ad_group", group.id, daily_budget=group.daily_budget * 3)
    assert everything(changed) == before
    for world in (left_alone, changed):
        world.advance(SMALL.start + timedelta(days=3))
    calm, moved = (spend_by_day(w, group.id, group.account_id) for w in (left_alone, changed))
    edit = date(2026, 6, 30)
    assert {d: s for d, s in calm.items() if d < edit} == {d: s for d, s in moved.items() if d < edit}
    assert moved[edit + timedelta(days=1)] > 2 * calm[edit + timedelta(days=1)]


def test_other_entities_meet_the_same_shocks_when_one_budget_changes():
    left_alone, changed = World(SMALL), World(SMALL)
    group = an_ad_group(changed)
    changed.update("ad_group", group.id, daily_budget=group.daily_budget * 2)
    for world in (left_alone, changed):
        world.advance(SMALL.start + timedelta(days=2))
    for calm, moved in zip(everything(left_alone), everything(changed), strict=True):
        others = [i for i, g in enumerate(calm["ad_group_id"]) if g != group.id]
        same = [i for i, g in enumerate(moved["ad_group_id"]) if g != group.id]
        for name in ("spend", "impressions", "clicks", "purchases", "purchase_value"):
            assert [calm[name][i] for i in others] == [moved[name][i] for i in same]


def test_pause_stops_spend_from_the_next_hour():
    world = World(SMALL)
    group = an_ad_group(world)
    spent = spend_by_day(world, group.id, group.account_id)
    world.update("ad_group", group.id, status="PAUSED")
    world.advance(SMALL.start + timedelta(days=3))
    assert spend_by_day(world, group.id, group.account_id) == spent
    assert world.delivery_status("ad_group", group.id) == "PAUSED"


def test_budget_caps_the_spend_of_every_day():
    world = World(SMALL)
    group = an_ad_group(world)
    account = world.accounts[group.account_id]
    world.advance(SMALL.start + timedelta(days=1))
    world.update("ad_group", group.id, daily_budget=4000)
    world.advance(SMALL.start + timedelta(days=6))
    later = {d: s for d, s in spend_by_day(world, group.id, group.account_id).items() if d > date(2026, 7, 2)}
    full = {d: s for d, s in later.items() if d < date(2026, 7, 5)}
    assert max(later.values()) <= 1.03 * 4000 / account.minor_units
    assert min(full.values()) > 0.8 * 4000 / account.minor_units


def test_lifetime_budget_is_never_overspent():
    world = World(SMALL)
    group = an_ad_group(world)
    end = SMALL.start + timedelta(days=4)
    world.update("ad_group", group.id, daily_budget=None, lifetime_budget=8000, start_time=SMALL.start, end_time=end)
    before = sum(spend_by_day(world, group.id, group.account_id).values())
    world.advance(SMALL.start + timedelta(days=8))
    unit = world.accounts[group.account_id].minor_units
    after = sum(spend_by_day(world, group.id, group.account_id).values())
    assert 0.7 * 8000 / unit < after - before <= 8000 / unit


def test_new_ad_waits_for_review_and_then_delivers():
    world = World(SMALL)
    group = an_ad_group(world)
    creative = world.create("creative", account_id=group.account_id, name="fresh", kind="video", video_id="42")
    mine = world.create("ad_group", campaign_id=group.campaign_id, name="new", status="ACTIVE", daily_budget=20_000)
    ad = world.create("ad", ad_group_id=mine.id, creative_id=creative.id, name="new ad", status="ACTIVE")
    assert world.delivery_status("ad", ad.id) == "PENDING_REVIEW"
    world.advance(SMALL.start + timedelta(days=2))
    assert world.delivery_status("ad", ad.id) == "ACTIVE"
    report = world.report(group.account_id, "ad", FIRST, date(2026, 8, 1))
    rows = report["ad_id"] == ad.id
    assert report["spend"][rows].sum() > 0
    assert report["video_views"][rows].sum() > 0


def test_delivery_status_is_inherited():
    world = World(SMALL)
    group = an_ad_group(world)
    ad = next(a for a in world.ads.values() if a.ad_group_id == group.id and a.status == "ACTIVE")
    world.update("ad_group", group.id, status="PAUSED")
    assert world.delivery_status("ad", ad.id) == "ADSET_PAUSED"
    world.update("campaign", group.campaign_id, status="PAUSED")
    assert world.delivery_status("ad", ad.id) == "CAMPAIGN_PAUSED"
    world.update("ad_group", group.id, status="ACTIVE")
    assert world.delivery_status("ad_group", group.id) == "CAMPAIGN_PAUSED"
    world.update("ad_group", group.id, status="DELETED")
    assert world.delivery_status("ad", ad.id) == "DELETED"


def test_every_write_is_journaled_with_before_and_after():
    world = World(SMALL)
    group = an_ad_group(world)
    old = group.daily_budget
    world.advance(SMALL.start + timedelta(hours=5))
    world.update("ad_group", group.id, daily_budget=old + 100)
    last = world.journal[-1]
    assert (last.level, last.id, last.actor, last.at) == ("ad_group", group.id, "api", world.now)
    assert (last.fields, last.before) == ({"daily_budget": old + 100}, {"daily_budget": old})
    assert group.updated_at == world.now
    assert [w.seq for w in world.journal] == list(range(1, len(world.journal) + 1))


def test_restored_world_is_the_same_world():
    world = World(SMALL)
    group = an_ad_group(world)
    world.advance(SMALL.start + timedelta(days=1))
    world.update("ad_group", group.id, daily_budget=group.daily_budget * 2, native={"note": "more"})
    made = world.create(
        "ad_group", campaign_id=group.campaign_id, name="b", daily_budget=900, end_time=SMALL.start + timedelta(days=9)
    )
    world.add_incident(
        Incident("cpc_jump", group.account_id, None, world.now, world.now + timedelta(days=1), magnitude=2.0)
    )
    world.advance(SMALL.start + timedelta(days=2, minutes=20))
    again = World.restore(json.loads(json.dumps(world.state())))
    assert everything(again) == everything(world)
    assert (again.now, again.ad_groups, again.journal) == (world.now, world.ad_groups, world.journal)
    assert again.ad_groups[made.id].end_time == SMALL.start + timedelta(days=9)
    assert again.truth() == world.truth()


@pytest.mark.parametrize(
    ("level", "fields", "complaint"),
    [
        ("campaign", {"name": "x"}, "account"),
        ("campaign", {"account_id": "1", "name": "x"}, "account"),
        ("ad_group", {"campaign_id": "1", "name": "x"}, "parent"),
        ("creative", {"account_id": "1002003400"}, "name"),
        ("creative", {"account_id": "1002003400", "name": "x", "colour": "red"}, "colour"),
        ("banner", {}, "level"),
    ],
)
def test_create_refuses_what_the_simulation_cannot_hold(level, fields, complaint):
    world = World(SMALL)
    with pytest.raises(WorldError, match=complaint):
        world.create(level, **fields)
    assert not world.log


@pytest.mark.parametrize("fields", [{"daily_budget": 0}, {"daily_budget": 1.5}, {"status": "SLEEPING"}, {"id": "1"}])
def test_update_refuses_bad_values_and_changes_nothing(fields):
    world = World(SMALL)
    group = an_ad_group(world)
    before = repr(group)
    with pytest.raises(WorldError):
        world.update("ad_group", group.id, **fields)
    assert repr(world.ad_groups[group.id]) == before
    with pytest.raises(WorldError, match="no ad_group 12"):
        world.update("ad_group", "12", status="PAUSED")


def test_learning_restarts_with_a_significant_edit_only():
    world = World(SMALL)
    group = an_ad_group(world)
    old = group.last_significant_edit
    world.update("ad_group", group.id, daily_budget=int(group.daily_budget * 1.1))
    assert group.last_significant_edit == old
    world.update("ad_group", group.id, daily_budget=group.daily_budget * 2)
    phase = world.learning(group.id)
    assert (phase.status, phase.last_significant_edit) == ("LEARNING", world.now)
    world.advance(SMALL.start + timedelta(days=9))
    done = world.learning(group.id)
    assert done.status == ("SUCCESS" if done.conversions >= 50 else "FAIL")
    assert done.conversions >= phase.conversions


def test_new_creative_on_an_ad_restarts_learning_of_its_ad_group():
    world = World(SMALL)
    group = an_ad_group(world)
    ad = next(a for a in world.ads.values() if a.ad_group_id == group.id)
    fresh = world.create("creative", account_id=ad.account_id, name="fresh")
    world.update("ad", ad.id, creative_id=fresh.id)
    assert isinstance(world.ad_groups[group.id], AdGroup)
    assert world.ad_groups[group.id].last_significant_edit == world.now


def test_default_world_has_the_promised_size_and_currencies():
    world = World()
    sizes = [len(x) for x in (world.accounts, world.campaigns, world.ad_groups, world.ads)]
    assert sizes == [3, 60, 150, 600]
    assert [(a.currency, a.timezone, a.minor_units) for a in world.accounts.values()] == [
        ("USD", "America/New_York", 100),
        ("EUR", "Europe/Berlin", 100),
        ("JPY", "Asia/Tokyo", 1),
    ]
    held = [c for c in world.campaigns.values() if c.daily_budget]
    assert 4 <= len(held) <= 8
    under = {c.id for c in held}
    assert all((g.daily_budget is None) == (g.campaign_id in under) for g in world.ad_groups.values())
    assert world.now == datetime(2026, 6, 30, 12, tzinfo=UTC)
    for account in world.accounts:
        days = np.unique(world.report(account, "account", world.config.first_day, date(2026, 6, 29))["day"])
        assert days.size == 120


def test_campaign_budget_is_shared_out_by_fixed_strength():
    world = World(SMALL)
    campaign = next(
        c for c in world.campaigns.values() if len([g for g in world.ad_groups.values() if g.campaign_id == c.id]) > 1
    )
    mine = [g for g in world.ad_groups.values() if g.campaign_id == campaign.id]
    world.update("campaign", campaign.id, daily_budget=30_000, status="ACTIVE")
    for group in mine:
        world.update("ad_group", group.id, daily_budget=None, status="ACTIVE")
    world.advance(SMALL.start + timedelta(days=4))
    world.update("campaign", campaign.id, daily_budget=15_000)
    world.advance(SMALL.start + timedelta(days=8))
    unit = world.accounts[campaign.account_id].minor_units
    report = world.report(campaign.account_id, "campaign", date(2026, 7, 1), date(2026, 7, 7))
    rows = report["campaign_id"] == campaign.id
    spent = dict(zip(report["day"][rows].astype(object), report["spend"][rows] * unit, strict=True))
    assert 0.7 * 30_000 < spent[date(2026, 7, 2)] < 1.03 * 30_000
    assert 0.7 * 15_000 < spent[date(2026, 7, 6)] < 1.03 * 15_000
    arm = next(a for a in world.truth()["arms"] if a["arm_id"] == campaign.id)
    assert (arm["level"], arm["budget"]) == ("campaign", 15_000 / unit)
    assert not {g.id for g in mine} & {a["arm_id"] for a in world.truth()["arms"]}
