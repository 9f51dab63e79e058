"""Reports: measures add up exactly over levels, segments and hours; conversions arrive late and only grow."""

import itertools
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.sandbox.world import Incident, World, WorldConfig, WorldError
from stakazo_pipelines.sandbox.world.splits import apportion

SMALL = WorldConfig(seed=5, history_days=16, accounts=3, campaigns=4, ad_groups=8, ads=20)
SINCE, UNTIL = SMALL.first_day, date(2026, 6, 30)
COUNTS = [
    "impressions",
    "clicks",
    "link_clicks",
    "landing_page_views",
    "add_to_cart",
    "video_views",
    "thruplays",
    "post_engagement",
    "purchases",
    "purchases_1d_click",
    "purchases_7d_click",
    "purchases_1d_view",
]
MONEY = ["spend", "purchase_value", "purchase_value_1d_click", "purchase_value_7d_click", "purchase_value_1d_view"]


@pytest.fixture(scope="module")
def world():
    return World(SMALL)


def cents(world, account, values):
    return np.rint(values * world.accounts[account].minor_units).astype(np.int64)


def daily_totals(world, account, report):
    """Every additive measure by day, exact."""
    out = {}
    for name in (*COUNTS, *MONEY):
        values = cents(world, account, report[name]) if name in MONEY else report[name]
        for day, value in zip(report["day"], values, strict=True):
            out[day, name] = out.get((day, name), 0) + int(value)
    return out


@pytest.mark.parametrize("level", ["ad", "ad_group", "campaign"])
def test_every_level_adds_up_to_the_account(world, level):
    for account in world.accounts:
        whole = daily_totals(world, account, world.report(account, "account", SINCE, UNTIL))
        assert daily_totals(world, account, world.report(account, level, SINCE, UNTIL)) == whole


@pytest.mark.parametrize(
    "breakdowns", [("age",), ("gender",), ("country",), ("publisher_platform",), ("age", "gender")], ids="+".join
)
def test_segments_add_up_to_the_ad(world, breakdowns):
    for account in world.accounts:
        plain = daily_totals(world, account, world.report(account, "ad", SINCE, UNTIL))
        split = world.report(account, "ad", SINCE, UNTIL, breakdowns=breakdowns)
        assert daily_totals(world, account, split) == plain
        assert all(len(set(split[name])) > 1 for name in breakdowns)


def test_hours_add_up_to_the_day(world):
    for account in world.accounts:
        plain = daily_totals(world, account, world.report(account, "ad", SINCE, UNTIL))
        hourly = world.report(account, "ad", SINCE, UNTIL, hourly=True)
        assert daily_totals(world, account, hourly) == plain
        assert set(hourly["hour"]) == set(range(24))
        assert all((hourly[name] >= 0).all() for name in (*COUNTS, *MONEY))


def test_rows_are_unique_and_carry_all_ids_above(world):
    account = next(iter(world.accounts))
    report = world.report(account, "ad", SINCE, UNTIL)
    assert len(set(zip(report["ad_id"], report["day"], strict=True))) == len(report)
    for ad_id, group_id, campaign_id in zip(report["ad_id"], report["ad_group_id"], report["campaign_id"], strict=True):
        ad = world.ads[ad_id]
        assert (ad.ad_group_id, ad.campaign_id, ad.account_id) == (group_id, campaign_id, account)


def test_funnel_narrows_and_windows_nest(world):
    for account in world.accounts:
        r = world.report(account, "ad", SINCE, UNTIL)
        for wide, narrow in [
            ("impressions", "clicks"),
            ("clicks", "link_clicks"),
            ("link_clicks", "landing_page_views"),
            ("landing_page_views", "add_to_cart"),
            ("impressions", "reach"),
            ("impressions", "video_views"),
            ("video_views", "thruplays"),
            ("purchases_7d_click", "purchases_1d_click"),
        ]:
            assert (r[wide] >= r[narrow]).all(), (wide, narrow)
        assert (r["purchases"] == r["purchases_7d_click"] + r["purchases_1d_view"]).all()


def test_reach_is_not_additive(world):
    account = next(iter(world.accounts))
    ads, whole = (world.report(account, level, SINCE, UNTIL)["reach"].sum() for level in ("ad", "account"))
    assert 0 < whole < ads


def test_yen_come_in_whole_units(world):
    tokyo = next(a.id for a in world.accounts.values() if a.currency == "JPY")
    for hourly in (False, True):
        report = world.report(tokyo, "ad", SINCE, UNTIL, hourly=hourly)
        assert all((report[name] == np.rint(report[name])).all() for name in MONEY)
        assert report["spend"].sum() > 0


def test_conversions_arrive_late_and_only_grow():
    world = World(SMALL)
    day = date(2026, 6, 30)
    seen = {account: [] for account in world.accounts}
    for age in range(18):
        for account in world.accounts:
            rows = world.report(account, "ad", day, day)
            seen[account].append(
                dict(zip(rows["ad_id"], zip(rows["purchases"], rows["purchase_value"], strict=True), strict=True))
            )
        world.advance(SMALL.start + timedelta(days=age + 1))
    for history in seen.values():
        for earlier, later in itertools.pairwise(history):
            assert all(later[ad][0] >= n and later[ad][1] >= value for ad, (n, value) in earlier.items())
        assert history[16] == history[17]
    first, final = (sum(n for h in seen.values() for n, _ in h[age].values()) for age in (2, 17))
    assert 0.45 < first / final < 0.95


def test_delivery_of_past_days_never_changes():
    world = World(SMALL)
    account = next(iter(world.accounts))
    day = date(2026, 6, 29)
    before = world.report(account, "ad", day, day)
    world.advance(SMALL.start + timedelta(days=5))
    after = world.report(account, "ad", day, day)
    for name in ("ad_id", "spend", "impressions", "clicks", "video_views"):
        assert before[name].tolist() == after[name].tolist()


def test_days_that_have_not_happened_give_an_empty_report(world):
    account = next(iter(world.accounts))
    report = world.report(account, "ad", date(2026, 7, 5), date(2026, 7, 9), breakdowns=("age",))
    assert len(report) == 0
    assert {"ad_id", "day", "age", "spend", "purchases_1d_view"} <= set(report.columns)


def test_report_refuses_unknown_accounts_levels_and_breakdowns(world):
    account = next(iter(world.accounts))
    for args, extra in [(("9", "ad"), {}), ((account, "banner"), {}), ((account, "ad"), {"breakdowns": ("mood",)})]:
        with pytest.raises(WorldError):
            world.report(*args, SINCE, UNTIL, **extra)


def test_days_of_23_and_25_hours_keep_the_day_whole():
    config = WorldConfig(
        seed=5, history_days=40, accounts=2, campaigns=3, ad_groups=4, ads=8, start=SMALL.start - timedelta(days=85)
    )
    world = World(config)
    account = next(a.id for a in world.accounts.values() if a.currency == "EUR")
    short = date(2026, 3, 29)  # Berlin loses the hour from 2 to 3
    hourly = world.report(account, "account", short, short, hourly=True)
    assert hourly["hour"].tolist() == [h for h in range(24) if h != 2]
    plain = world.report(account, "account", short, short)
    assert daily_totals(world, account, hourly) == daily_totals(world, account, plain)


def test_tracking_outage_hides_conversions_but_not_spend():
    calm, blind = World(SMALL), World(SMALL)
    account = next(iter(calm.accounts))
    start = SMALL.start + timedelta(days=1)
    blind.add_incident(Incident("tracking_outage", account, None, start, start + timedelta(days=2), magnitude=1.0))
    for world in (calm, blind):
        world.advance(SMALL.start + timedelta(days=20))
    day = date(2026, 7, 2)
    clear, dark = (w.report(account, "account", day, day) for w in (calm, blind))
    assert clear["spend"].tolist() == dark["spend"].tolist()
    assert (clear["purchases"].sum() > 0, dark["purchases"].sum()) == (True, 0)
    assert blind.outcome(day, day) == calm.outcome(day, day)


def test_delivery_stop_cpc_jump_runaway_and_rejection_do_what_they_say():
    calm, hurt = World(SMALL), World(SMALL)
    accounts = list(calm.accounts)
    start = SMALL.start + timedelta(days=1)
    end = start + timedelta(days=3)
    ad = next(
        a for a in hurt.ads.values() if hurt.delivery_status("ad", a.id) == "ACTIVE" and a.account_id == accounts[1]
    )
    hurt.add_incident(Incident("delivery_stop", accounts[0], None, start, end))
    hurt.add_incident(Incident("creative_rejected", accounts[1], ad.id, start, end))
    hurt.add_incident(Incident("spend_runaway", accounts[2], None, start, end, magnitude=1.6))
    hurt.add_incident(Incident("cpc_jump", accounts[2], None, start, end, magnitude=2.0))
    hurt.advance(start + timedelta(days=1))
    assert hurt.delivery_status("ad", ad.id) == "DISAPPROVED"
    for world in (calm, hurt):
        world.advance(end + timedelta(days=1))
    day = date(2026, 7, 2)
    assert len(hurt.report(accounts[0], "ad", day, day)) == 0
    assert ad.id not in set(hurt.report(accounts[1], "ad", day, day)["ad_id"])
    normal, runaway = (w.report(accounts[2], "account", day, day) for w in (calm, hurt))
    assert runaway["spend"].sum() == pytest.approx(1.6 * normal["spend"].sum(), rel=0.01)
    assert runaway["impressions"].sum() == pytest.approx(0.8 * normal["impressions"].sum(), rel=0.01)
    assert hurt.delivery_status("ad", ad.id) == "ACTIVE"


def test_incident_cannot_begin_in_the_past(world):
    account = next(iter(world.accounts))
    with pytest.raises(WorldError, match="past"):
        world.add_incident(Incident("delivery_stop", account, None, SMALL.start - timedelta(hours=3), SMALL.start))


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=5),
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=12),
    st.floats(0.001, 0.999),
)
def test_apportioned_parts_are_whole_and_add_up(totals, weights, offset):
    share = np.tile(np.array(weights) / sum(weights), (len(totals), 1))
    parts = apportion(np.array(totals), share, np.full(len(totals), offset))
    assert parts.sum(axis=1).tolist() == totals
    assert (parts >= 0).all()
    assert (np.abs(parts - np.array(totals)[:, None] * share) < 1 + 1e-6).all()


def test_a_long_report_is_the_sum_of_its_pieces(world, monkeypatch):
    account = next(iter(world.accounts))
    whole = world.report(account, "ad_group", SINCE, UNTIL, breakdowns=("age",), hourly=True)
    monkeypatch.setattr("stakazo_pipelines.sandbox.world.report._MOST_ATOMS", 1)
    pieces = world.report(account, "ad_group", SINCE, UNTIL, breakdowns=("age",), hourly=True)
    assert {n: c.tolist() for n, c in pieces.columns.items()} == {n: c.tolist() for n, c in whole.columns.items()}
