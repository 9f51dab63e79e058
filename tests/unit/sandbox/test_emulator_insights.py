"""Insights of the Meta emulator: row shape, windows, breakdowns, totals that add up, bounds, report runs."""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from stakazo_pipelines.sandbox.meta import MetaOptions
from stakazo_pipelines.sandbox.meta.errors import GraphError
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.insights.query import read_query
from stakazo_pipelines.sandbox.meta.insights.rows import RowReader
from stakazo_pipelines.sandbox.meta.insights.table import MEASURES, Table
from stakazo_pipelines.sandbox.meta.insights.windows import DayRange, months_before, preset, split
from stakazo_pipelines.sandbox.meta.params import Params

TODAY = date(2026, 6, 30)
WEEK = {"since": "2026-06-20", "until": "2026-06-26"}
HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"


def spend_of(rows: list[dict[str, Any]]) -> float:
    return round(sum(float(row["spend"]) for row in rows), 2)


def purchases(row: dict[str, Any], key: str = "value") -> int:
    return sum(int(item.get(key, 0)) for item in row.get("actions", []) if item["action_type"] == "omni_purchase")


def test_a_row_reads_as_recorded(api: Any, golden: Any) -> None:
    tree = api.tree()
    fields = (
        "account_currency,campaign_name,adset_name,ad_id,ad_name,objective,attribution_setting,impressions,reach,frequency,"
        "clicks,spend,cpc,cpm,ctr,inline_link_clicks,actions,action_values,purchase_roas,video_thruplay_watched_actions"
    )
    query = read_query(
        Params({"level": "ad", "fields": fields, "action_attribution_windows": "['1d_click','7d_click','1d_view']",
                "time_range": '{"since":"2026-06-28","until":"2026-06-28"}', "time_increment": "1"}),
        account_id=tree["account"], node_level="account", node_id=tree["account"], today=TODAY,
    )  # fmt: skip
    measures = {name: np.array([0.0]) for name in MEASURES}
    given = {"impressions": 1200, "reach": 1000, "clicks": 30, "link_clicks": 20, "spend": 12.5}
    given |= {"landing_page_views": 15, "add_to_cart": 4, "post_engagement": 40}
    given |= {"purchases": 3, "purchases_1d_click": 1, "purchases_7d_click": 2, "purchases_1d_view": 1}
    given |= {"purchase_value": 90.5, "purchase_value_1d_click": 30, "purchase_value_7d_click": 60.5}
    given |= {"purchase_value_1d_view": 30}
    measures |= {name: np.array([float(value)]) for name, value in given.items()}
    table = Table(np.array([0]), np.array([tree["ad"]], dtype=object), {}, measures)
    golden("insights_row", RowReader(Graph(api.kernel), query, table).row(0), **tree)


def test_rows_without_fields_carry_ids_impressions_and_spend(api: Any) -> None:
    row = api.get(f"/{api.adset().id}/insights").json()["data"][0]
    assert row.keys() == {"account_id", "campaign_id", "adset_id", "impressions", "spend", "date_start", "date_stop"}
    assert (row["date_start"], row["date_stop"]) == ("2026-05-31", "2026-06-29")


def test_every_scalar_is_text(api: Any) -> None:
    fields = "impressions,reach,clicks,spend,cpc,cpm,ctr,frequency,inline_link_clicks"
    for row in api.pages(f"/act_{api.account()}/insights", level="ad", fields=fields, date_preset="last_7d"):
        assert all(isinstance(value, str) for value in row.values())


@pytest.mark.parametrize("level", ["campaign", "adset", "ad"])
def test_rows_of_a_level_add_up_to_the_account(api: Any, level: str) -> None:
    query = {"fields": "spend,impressions,actions", "time_range": WEEK, "time_increment": 1}
    for currency in ("USD", "JPY"):
        path = f"/act_{api.account(currency)}/insights"
        total, parts = api.pages(path, **query), api.pages(path, level=level, **query)
        assert spend_of(parts) == spend_of(total) > 0
        assert sum(map(purchases, parts)) == sum(map(purchases, total)) > 0


def test_yen_have_no_decimals(api: Any) -> None:
    rows = api.pages(f"/act_{api.account('JPY')}/insights", fields="spend,action_values", time_range=WEEK)
    assert "." not in rows[0]["spend"]
    assert all("." not in item["value"] for item in rows[0]["action_values"])


def test_breakdown_rows_add_up_to_the_whole(api: Any) -> None:
    path, query = f"/act_{api.account()}/insights", {"fields": "spend,impressions", "time_range": WEEK}
    whole = spend_of(api.pages(path, **query))
    for breakdowns in (["age"], ["gender"], ["age", "gender"], ["country"], ["publisher_platform"], [HOURLY]):
        rows = api.pages(path, breakdowns=breakdowns, **query, limit=500)
        assert spend_of(rows) == whole
        assert all(set(breakdowns) <= row.keys() for row in rows)


def test_hourly_rows_have_no_reach_and_no_purchases(api: Any) -> None:
    rows = api.pages(f"/act_{api.account()}/insights", fields="reach,actions", time_range=WEEK, breakdowns=[HOURLY])
    assert rows[0][HOURLY].endswith(":59:59")
    assert {row["reach"] for row in rows} == {"0"}
    assert sum(map(purchases, rows)) == 0


@pytest.mark.parametrize(
    "breakdowns",
    [["country", "region"], ["age", "country"], ["impression_device"], ["platform_position"], [HOURLY, "age"]],
)
def test_combinations_that_meta_forbids_are_code_100(api: Any, breakdowns: list[str]) -> None:
    error = api.get(f"/act_{api.account()}/insights", breakdowns=breakdowns).json()["error"]
    assert error["code"] == 100
    assert "Current combination of data breakdown columns" in error["message"]


def test_a_breakdown_must_not_be_repeated_in_fields(api: Any) -> None:
    assert api.get(f"/act_{api.account()}/insights", breakdowns=["age"], fields="age,spend").status_code == 400


def test_one_purchase_stands_under_several_types_and_windows_are_nested(api: Any) -> None:
    rows = api.pages(f"/act_{api.account()}/insights", fields="actions,action_values", time_range=WEEK,
                     action_attribution_windows=["1d_click", "7d_click", "1d_view", "7d_view"])  # fmt: skip
    stats = {item["action_type"]: item for item in rows[0]["actions"]}
    once = stats["omni_purchase"]
    for kind in ("purchase", "offsite_conversion.fb_pixel_purchase"):
        assert {**stats[kind], "action_type": ""} == {**once, "action_type": ""}
    assert int(once["1d_click"]) <= int(once["7d_click"])
    assert int(once["7d_click"]) + int(once.get("1d_view", 0)) == int(once["value"])
    assert "7d_view" not in once


def test_conversions_keep_arriving_while_spend_stands(api: Any) -> None:
    path = f"/act_{api.account()}/insights"
    query = {"fields": "spend,actions", "time_range": {"since": "2026-06-27", "until": "2026-06-29"}}
    before = api.pages(path, **query)[0]
    assert api.request("POST", "/sandbox/clock", json={"advance_days": 14}).status_code == 200
    after = api.pages(path, **query)[0]
    assert after["spend"] == before["spend"]
    assert purchases(after) > purchases(before)


def test_days_without_delivery_have_no_row(api: Any) -> None:
    adset = api.adset()
    api.post(f"/{adset.id}", status="PAUSED")
    api.request("POST", "/sandbox/clock", json={"advance_days": 3})
    rows = api.pages(f"/{adset.id}/insights", date_preset="yesterday", fields="impressions,spend")
    assert rows == []


def test_daily_windows_and_longer_ones_agree(api: Any) -> None:
    path = f"/act_{api.account()}/insights"
    daily = api.pages(path, level="campaign", fields="campaign_id,spend", time_range=WEEK, time_increment=1)
    halves = api.pages(path, level="campaign", fields="campaign_id,spend", time_range=WEEK, time_increment=4)
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for row in daily:
        start = "2026-06-20" if row["date_start"] < "2026-06-24" else "2026-06-24"
        sums[row["campaign_id"], start] += float(row["spend"])
    assert {(r["campaign_id"], r["date_start"]): float(r["spend"]) for r in halves} == {
        k: round(v, 2) for k, v in sums.items()
    }
    assert {row["date_stop"] for row in halves} == {"2026-06-23", "2026-06-26"}


def test_several_ranges_are_several_result_sets(api: Any) -> None:
    ranges = [{"since": "2026-06-20", "until": "2026-06-21"}, {"since": "2026-06-21", "until": "2026-06-21"}]
    rows = api.pages(f"/act_{api.account()}/insights", fields="spend", time_ranges=ranges)
    assert [row["date_start"] for row in rows] == ["2026-06-20", "2026-06-21"]


def test_presets_mean_the_accounts_days() -> None:
    assert preset("last_7d", TODAY) == DayRange(date(2026, 6, 23), date(2026, 6, 29))
    assert preset("yesterday", TODAY) == DayRange(date(2026, 6, 29), date(2026, 6, 29))
    assert preset("last_month", TODAY) == DayRange(date(2026, 5, 1), date(2026, 5, 31))
    assert preset("this_month", TODAY).until == TODAY
    assert preset("last_quarter", TODAY) == DayRange(date(2026, 1, 1), date(2026, 3, 31))
    with pytest.raises(GraphError):
        preset("lifetime", TODAY)


def test_increments_cut_the_last_window() -> None:
    days = DayRange(date(2026, 1, 30), date(2026, 3, 2))
    assert [(w.since.day, w.until.day) for w in split(days, "monthly")] == [(30, 31), (1, 28), (1, 2)]
    assert split(days, "30")[-1] == DayRange(date(2026, 3, 1), date(2026, 3, 2))
    assert len(split(days, "1")) == 32
    for bad in ("0", "91", "weekly"):
        with pytest.raises(GraphError):
            split(days, bad)


def test_more_than_37_months_ago_is_3018(api: Any) -> None:
    since = months_before(TODAY, 37) - timedelta(days=1)
    query = {"time_range": {"since": since.isoformat(), "until": "2026-06-01"}}
    response = api.get(f"/act_{api.account()}/insights", **query)
    assert (response.status_code, response.json()["error"]["code"]) == (400, 3018)
    assert api.get(f"/act_{api.account()}/insights", date_preset="maximum").status_code == 200


def test_a_long_answer_is_too_much_data_until_it_is_split(make_api: Any) -> None:
    api = make_api(meta=MetaOptions(sync_rows=40))
    path, query = f"/act_{api.account()}/insights", {"level": "ad", "fields": "spend", "time_increment": 1}
    error = api.get(path, time_range=WEEK, **query).json()["error"]
    assert (error["code"], error["error_subcode"]) == (100, 1487534)
    day = {"since": "2026-06-20", "until": "2026-06-20"}
    assert api.get(path, time_range=day, **query).status_code == 200


def test_rows_are_sorted_on_request(api: Any) -> None:
    path, query = f"/act_{api.account()}/insights", {"level": "ad", "fields": "spend,actions", "time_range": WEEK}
    spends = [float(row["spend"]) for row in api.pages(path, sort=["spend_descending"], limit=3, **query)]
    assert spends == sorted(spends, reverse=True)
    assert api.get(path, sort=["actions:link_click_ascending"], **query).status_code == 200


def test_filtering_on_ids_keeps_their_rows(api: Any) -> None:
    adset = api.adset()
    asked = [{"field": "adset.id", "operator": "IN", "value": [adset.id]}]
    rows = api.pages(
        f"/act_{adset.account_id}/insights", level="ad", fields="adset_id,spend", time_range=WEEK, filtering=asked
    )
    assert {row["adset_id"] for row in rows} == {adset.id}
    direct = api.pages(f"/{adset.id}/insights", fields="spend", time_range=WEEK)
    assert spend_of(rows) == spend_of(direct)


def test_a_deleted_ad_counts_in_its_parents_only(api: Any) -> None:
    adset = api.adset()
    ad = next(ad for ad in api.world.ads.values() if ad.ad_group_id == adset.id and ad.status == "ACTIVE")
    query = {"fields": "ad_id,spend", "time_range": WEEK}
    whole = api.pages(f"/{adset.id}/insights", **query)
    api.delete(f"/{ad.id}")
    children = api.pages(f"/{adset.id}/insights", level="ad", **query)
    assert api.pages(f"/{adset.id}/insights", **query) == whole
    assert ad.id not in {row["ad_id"] for row in children}
    assert api.pages(f"/{ad.id}/insights", **query)
    deleted = [{"field": "ad.effective_status", "operator": "IN", "value": ["DELETED"]}]
    assert {row["ad_id"] for row in api.pages(f"/{adset.id}/insights", level="ad", filtering=deleted, **query)} == {
        ad.id
    }


def test_unknown_fields_levels_and_increments_are_code_100(api: Any) -> None:
    path = f"/act_{api.account()}/insights"
    for bad in ({"fields": "spend,wish_bid"}, {"level": "creative"}, {"time_increment": 0}, {"date_preset": "lifetime"},
                {"time_range": {"since": "2026-06-20"}}, {"time_range": {"since": "2026-06-20", "until": "2026-06-01"}},
                {"action_attribution_windows": ["3d_click"]}, {"breakdowns": ["weather"]}):  # fmt: skip
        response = api.get(path, **bad)
        assert (response.status_code, response.json()["error"]["code"]) == (400, 100), bad


def test_a_report_run_goes_through_its_states_and_gives_the_same_rows(api: Any) -> None:
    query = {"level": "ad", "fields": ["ad_id", "spend"], "time_range": WEEK, "time_increment": 1}
    path = f"/act_{api.account()}/insights"
    run = api.post(path, **query).json()["report_run_id"]
    assert api.get(f"/{run}/insights").json()["error"]["code"] == 100
    states = [api.get(f"/{run}").json() for _ in range(3)]
    assert [s["async_status"] for s in states] == ["Job Not Started", "Job Running", "Job Completed"]
    assert [s["async_percent_completion"] for s in states] == [0, 33, 100]
    assert states[2]["account_id"] == api.account()
    rows = api.pages(f"/{run}/insights", limit=10)
    assert rows == api.pages(path, **{**query, "fields": "ad_id,spend"})


def test_a_report_run_expires_after_30_days(api: Any) -> None:
    run = api.post(f"/act_{api.account()}/insights", level="ad").json()["report_run_id"]
    api.request("POST", "/sandbox/clock", json={"advance_days": 31})
    assert api.get(f"/{run}").json()["async_status"] == "Job Skipped"


def test_insights_can_be_read_right_after_an_ad_is_made(api: Any) -> None:
    before = api.pages(f"/act_{api.account()}/insights", level="ad", fields="spend", time_range=WEEK)
    api.tree()
    assert api.pages(f"/act_{api.account()}/insights", level="ad", fields="spend", time_range=WEEK) == before
