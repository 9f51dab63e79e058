"""Integrated reports: figures that equal the world's, dimensions, attributes, filters, limits, and report tasks."""

import csv
import io
from datetime import date
from typing import Any

import numpy as np
import pytest
from openpyxl import load_workbook

from stakazo_pipelines.sandbox.tiktok import TikTokOptions

COUNTS = ["impressions", "clicks", "complete_payment", "video_watched_2s"]


def rows(api: Any, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.data(api.report(**params))["list"]
    return found


def test_rows_equal_the_worlds_report_as_texts(api: Any) -> None:
    found = rows(api, metrics=["spend", "total_complete_payment_rate", *COUNTS])
    world = api.world.report(api.account().id, "ad", date(2026, 6, 20), date(2026, 6, 26))
    assert len(found) == len(world) > 0
    for i, row in enumerate(found):
        day = f"{world['day'][i]} 00:00:00"
        assert row["dimensions"] == {"ad_id": world["ad_id"][i], "stat_time_day": day}
        assert row["metrics"] == {
            "spend": f"{world['spend'][i]:.2f}",
            "total_complete_payment_rate": f"{world['purchase_value'][i]:.2f}",
            "impressions": str(world["impressions"][i]),
            "clicks": str(world["clicks"][i]),
            "complete_payment": str(world["purchases"][i]),
            "video_watched_2s": str(world["video_views"][i]),
        }


@pytest.mark.parametrize(
    ("level", "name"),
    [
        ("AUCTION_ADVERTISER", "advertiser_id"),
        ("AUCTION_CAMPAIGN", "campaign_id"),
        ("AUCTION_ADGROUP", "adgroup_id"),
    ],
)
def test_every_level_adds_up_to_the_same(api: Any, level: str, name: str) -> None:
    ads = rows(api, metrics=COUNTS)
    found = rows(api, data_level=level, dimensions=[name, "stat_time_day"], metrics=COUNTS)
    for metric in COUNTS:
        assert sum(int(r["metrics"][metric]) for r in found) == sum(int(r["metrics"][metric]) for r in ads)


def test_hours_add_up_to_the_day(api: Any) -> None:
    terms = {"start_date": "2026-06-26", "end_date": "2026-06-26", "metrics": COUNTS}
    hours = rows(api, **terms, dimensions=["ad_id", "stat_time_hour"])
    days = {row["dimensions"]["ad_id"]: row["metrics"] for row in rows(api, **terms)}
    assert all(row["dimensions"]["stat_time_hour"][10:].endswith(":00:00") for row in hours)
    for ad_id, day in days.items():
        mine = [row["metrics"] for row in hours if row["dimensions"]["ad_id"] == ad_id]
        assert [sum(int(row[name]) for row in mine) for name in COUNTS] == [int(day[name]) for name in COUNTS]


@pytest.mark.parametrize("segments", [["age"], ["gender"], ["country_code"], ["age", "gender"], ["platform"]])
def test_audience_rows_add_up_to_the_whole(api: Any, segments: list[str]) -> None:
    terms = {"data_level": "AUCTION_ADGROUP", "metrics": ["impressions"]}
    split = rows(api, **terms, report_type="AUDIENCE", dimensions=["adgroup_id", "stat_time_day", *segments])
    whole = rows(api, **terms, dimensions=["adgroup_id", "stat_time_day"])
    assert len({tuple(row["dimensions"].values()) for row in split}) == len(split)
    assert sum(int(r["metrics"]["impressions"]) for r in split) == sum(int(r["metrics"]["impressions"]) for r in whole)
    known = {
        "age": {"AGE_18_24", "AGE_25_34", "AGE_35_44", "AGE_45_54", "AGE_55_100"},
        "gender": {"FEMALE", "MALE", "NONE"},
        "platform": {"NONE"},
    }
    for name in segments:
        values = {row["dimensions"][name] for row in split}
        assert values <= known.get(name, {"US", "CA", "GB"})


def test_ratios_are_percent_numbers_and_zero_over_nothing(api: Any) -> None:
    metrics = ["spend", "clicks", "impressions", "complete_payment", "ctr", "cpm", "cost_per_complete_payment"]
    for row in rows(api, metrics=metrics):
        m = row["metrics"]
        assert m["ctr"] == f"{100 * int(m['clicks']) / int(m['impressions']):.2f}"
        assert float(m["cpm"]) == pytest.approx(1000 * float(m["spend"]) / int(m["impressions"]), abs=0.01)
        if m["complete_payment"] == "0":
            assert m["cost_per_complete_payment"] == "0.00"


def test_attributes_name_entities_and_their_parents(api: Any) -> None:
    metrics = ["campaign_name", "campaign_id", "adgroup_name", "adgroup_id", "ad_name", "budget", "currency", "ad_text"]
    [row, *_] = rows(api, metrics=[*metrics, "bid_strategy", "opt_status", "secondary_goal_result", "tt_app_id"])
    ad = api.world.ads[row["dimensions"]["ad_id"]]
    campaign, group = api.world.campaigns[ad.campaign_id], api.world.ad_groups[ad.ad_group_id]
    m = row["metrics"]
    assert (m["campaign_id"], m["campaign_name"]) == (campaign.id, campaign.name)
    assert (m["adgroup_id"], m["adgroup_name"], m["ad_name"]) == (group.id, group.name, ad.name)
    assert (m["currency"], m["bid_strategy"]) == ("USD", "BID_STRATEGY_LOWEST_COST")
    assert m["tt_app_id"] == m["secondary_goal_result"] == "-"
    campaigns = {"data_level": "AUCTION_CAMPAIGN", "dimensions": ["campaign_id"], "metrics": metrics}
    [row, *_] = rows(api, **campaigns)
    assert row["metrics"]["ad_name"] == row["metrics"]["adgroup_id"] == "-"


def test_the_result_is_what_the_ad_group_is_optimised_for(api: Any) -> None:
    made = api.tree()
    names = {
        "OFFSITE_CONVERSIONS": "complete_payment",
        "VALUE": "complete_payment",
        "LINK_CLICKS": "clicks",
        "REACH": "reach",
    }
    for row in rows(api, dimensions=["ad_id"], metrics=["result", *set(names.values())]):
        group = api.world.ad_groups[api.world.ads[row["dimensions"]["ad_id"]].ad_group_id]
        if group.optimization_goal in names:
            assert row["metrics"]["result"] == row["metrics"][names[group.optimization_goal]]
    assert made["ad"] in [row["dimensions"]["ad_id"] for row in rows(api, dimensions=["ad_id"])]


def test_reach_of_many_days_lies_between_the_best_day_and_the_sum(api: Any) -> None:
    days = rows(api, metrics=["reach"])
    for row in rows(api, dimensions=["ad_id"], metrics=["reach"]):
        of_days = [int(d["metrics"]["reach"]) for d in days if d["dimensions"]["ad_id"] == row["dimensions"]["ad_id"]]
        assert max(of_days, default=0) <= int(row["metrics"]["reach"]) <= sum(of_days)


def test_filters_take_triples_with_json_inside_texts(api: Any) -> None:
    group = api.adgroup()
    triple = {"field_name": "adgroup_ids", "filter_type": "IN", "filter_value": f'["{group.id}"]'}
    mine = rows(api, filtering=[triple])
    ads = {row["dimensions"]["ad_id"] for row in mine}
    assert ads == {ad.id for ad in api.world.ads.values() if ad.ad_group_id == group.id} & ads
    assert ads
    rest = rows(api, filtering=[triple | {"filter_type": "NOT_IN"}])
    assert len(mine) + len(rest) == len(rows(api))
    campaigns = rows(api, data_level="AUCTION_CAMPAIGN", dimensions=["campaign_id"], filtering=[triple])
    assert [row["dimensions"]["campaign_id"] for row in campaigns] == [group.campaign_id]
    floor = {"field_name": "spend", "filter_type": "GREATER_EQUAL", "filter_value": "10"}
    dear = rows(api, filtering=[floor])
    assert dear
    assert all(float(row["metrics"]["spend"]) >= 10 for row in dear)


def test_deleted_ones_need_the_status_filter(api: Any) -> None:
    whole = rows(api)
    ad_id = whole[0]["dimensions"]["ad_id"]
    switch = {"ad_ids": [ad_id], "operation_status": "DELETE"}
    api.data(api.post("/ad/status/update/", advertiser_id=api.account().id, **switch))
    everything = {"field_name": "ad_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}
    assert ad_id not in {row["dimensions"]["ad_id"] for row in rows(api)}
    assert rows(api, filtering=[everything]) == whole
    plain = everything | {"filter_type": "MATCH", "filter_value": "STATUS_DELETE"}
    assert {row["dimensions"]["ad_id"] for row in rows(api, filtering=[plain])} == {ad_id}


def test_pages_join_and_orders_sort(api: Any) -> None:
    whole = rows(api)
    paged = [row for page in range(1, 20) for row in rows(api, page=page, page_size=7)]
    assert paged == whole
    sorted_rows = rows(api, order_field="spend", order_type="ASC")
    spend = [float(row["metrics"]["spend"]) for row in sorted_rows]
    assert spend == sorted(spend)
    spend = [float(row["metrics"]["spend"]) for row in rows(api, order_field="spend")]
    assert spend == sorted(spend, reverse=True)


def test_totals_are_sums_and_ratios_of_sums(api: Any) -> None:
    metrics = ["spend", "clicks", "impressions", "ctr", "ad_name"]
    data = api.data(api.report(metrics=metrics, enable_total_metrics=True, page_size=3))
    whole = rows(api, metrics=metrics)
    clicks, shown = (sum(int(row["metrics"][name]) for row in whole) for name in ("clicks", "impressions"))
    total = data["total_metrics"]
    assert (total["clicks"], total["impressions"], total["ad_name"]) == (str(clicks), str(shown), "-")
    assert total["ctr"] == f"{100 * clicks / shown:.2f}"


def test_several_advertisers_stand_in_one_report_in_whole_money(api: Any, make_api: Any) -> None:
    ids = list(api.world.accounts)
    terms = {"advertiser_id": None, "advertiser_ids": ids, "data_level": "AUCTION_ADVERTISER"}
    found = rows(api, **terms, dimensions=["advertiser_id", "stat_time_day"], metrics=["spend"])
    assert {row["dimensions"]["advertiser_id"] for row in found} == set(ids)
    for row in found:
        account = api.world.accounts[row["dimensions"]["advertiser_id"]]
        assert row["metrics"]["currency"] == account.currency
        assert row["metrics"]["timezone"] == account.timezone
        assert "." not in row["metrics"]["spend"]
    exact = make_api(options=TikTokOptions(level=None, decimals_for_many=True))
    [row, *_] = rows(exact, **terms, dimensions=["advertiser_id", "stat_time_day"], metrics=["spend"])
    assert row["metrics"]["spend"][-3] == "."
    assert api.report(**terms | {"advertiser_ids": ids * 2})["code"] == 40002


def test_the_lifetime_needs_no_dates(api: Any) -> None:
    terms = {"start_date": None, "end_date": None, "dimensions": ["ad_id"], "query_lifetime": "true"}
    whole = rows(api, **terms)
    days = api.world.report(api.account().id, "ad", api.world.config.first_day, api.world.now.date())
    total = sum(float(row["metrics"]["spend"]) for row in whole)
    assert total == pytest.approx(float(np.sum(days["spend"])))
    assert api.report(**terms | {"dimensions": ["ad_id", "stat_time_day"]})["code"] == 40002


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"start_date": "2026-05-27"}, "30 days"),
        ({"dimensions": ["ad_id", "stat_time_hour"]}, "1 days"),
        ({"dimensions": ["ad_id"], "start_date": "2025-06-26"}, "365 days"),
        ({"start_date": "2026-06-27"}, "later"),
        ({"start_date": "26.06.2026"}, "start_date"),
        ({"end_date": None}, "end_date"),
        ({"metrics": ["spend", "luck"]}, "luck"),
        ({"dimensions": ["ad_id", "mood"]}, "mood"),
        ({"dimensions": ["campaign_id"]}, "data_level"),
        ({"dimensions": ["ad_id", "age"]}, "age"),
        ({"dimensions": ["ad_id", "stat_time_day"], "report_type": "AUDIENCE"}, "audience dimension"),
        ({"data_level": None}, "data_level"),
        ({"report_type": "PLAYABLE_MATERIAL"}, "report_type"),
        ({"order_field": "cpm"}, "order_field"),
        ({"filtering": [{"field_name": "ad_ids", "filter_type": "IN", "filter_value": "1"}]}, "JSON array"),
        ({"filtering": [{"field_name": "ad_ids", "filter_type": "IN"}]}, "filter_value"),
        ({"filtering": [{"field_name": "mood", "filter_type": "IN", "filter_value": '["1"]'}]}, "mood"),
        ({"filtering": [{"field_name": "spend", "filter_type": "BETWEEN", "filter_value": '["1"]'}]}, "two elements"),
    ],
)
def test_reports_that_tiktok_would_refuse(api: Any, params: dict[str, Any], word: str) -> None:
    body = api.report(**params)
    assert (body["code"], word in body["message"]) == (40002, True), body


def test_a_span_of_exactly_thirty_days_is_allowed(api: Any) -> None:
    assert api.report(start_date="2026-05-28")["code"] == 0


def test_too_many_ids_are_cut_to_the_newest_and_said_so(make_api: Any) -> None:
    api = make_api(options=TikTokOptions(level=None, report_ids=3))
    ids = sorted({ad.id for ad in api.world.ads.values() if ad.account_id == api.account().id})
    params = {"advertiser_id": api.account().id, "report_type": "BASIC", "data_level": "AUCTION_AD"}
    dates = {"dimensions": '["ad_id"]', "start_date": "2026-06-20", "end_date": "2026-06-26"}
    response = api.raw("GET", "/report/integrated/get/", params=params | dates)
    assert [row["dimensions"]["ad_id"] for row in response.json()["data"]["list"]] == ids[-3:]
    assert "x-tt-ads-throttle" in response.headers


def test_today_grows_with_the_clock_and_the_same_question_gets_the_same_answer(api: Any) -> None:
    today = {"start_date": "2026-06-30", "end_date": "2026-06-30"}
    before = rows(api, **today)
    assert rows(api, **today) == before
    api.advance(advance_hours=3)
    assert rows(api, **today) != before


def start(api: Any, **params: Any) -> dict[str, str]:
    usual = {
        "advertiser_id": api.account().id,
        "report_type": "BASIC",
        "data_level": "AUCTION_AD",
        "dimensions": ["ad_id", "stat_time_day"],
        "metrics": ["spend", "impressions"],
        "start_date": "2026-06-20",
        "end_date": "2026-06-26",
        "enable_report_title_translation": False,
    }
    task = api.data(api.post("/report/task/create/", **usual | params))["task_id"]
    return {"advertiser_id": usual["advertiser_id"], "task_id": task}


def finish(api: Any, task: dict[str, str]) -> list[str]:
    return [api.data(api.get("/report/task/check/", **task))["status"] for _ in range(3)]


def test_a_report_task_ends_in_the_csv_of_the_same_rows(api: Any) -> None:
    task = start(api)
    assert api.get("/report/task/download/", **task)["code"] == 40201
    assert finish(api, task) == ["QUEUING", "PROCESSING", "SUCCESS"]
    response = api.raw("GET", "/report/task/download/", params=task)
    assert response.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(response.text)))
    assert table == [{**row["dimensions"], **row["metrics"]} for row in rows(api)]


def test_titles_are_translated_unless_told_otherwise(api: Any) -> None:
    task = start(api, enable_report_title_translation=True)
    finish(api, task)
    assert api.raw("GET", "/report/task/download/", params=task).text.startswith(
        "Ad id,Stat time day,Spend,Impressions"
    )


@pytest.mark.parametrize("kind", ["CSV_DOWNLOAD", "XLSX_DOWNLOAD"])
def test_files_lie_behind_a_link_that_needs_no_token(api: Any, kind: str) -> None:
    task = start(api, output_format=kind, file_name="june")
    finish(api, task)
    data = api.data(api.get("/report/task/download/", **task))
    assert data["file_name"] == f"june.{kind[:4].strip('_').lower()}"
    content = api.request("GET", data["download_url"]).content
    if kind == "CSV_DOWNLOAD":
        lines = content.decode().splitlines()
    else:
        lines = list(load_workbook(io.BytesIO(content), read_only=True)["Report"].values)
    assert len(lines) == len(rows(api)) + 1


def test_a_task_can_be_cancelled_and_belongs_to_its_advertiser(api: Any) -> None:
    task = start(api)
    assert api.data(api.post("/report/task/cancel/", **task))["status"] == "CANCELED"
    assert finish(api, task) == ["CANCELED"] * 3
    assert api.get("/report/task/download/", **task)["code"] == 40200
    assert api.get("/report/task/check/", **task | {"advertiser_id": api.account("JPY").id})["code"] == 40007
    triple = {"field_name": "ad_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}
    assert "not supported" in str(api.post("/report/task/create/", **report_terms(api), filtering=[triple]))


def report_terms(api: Any) -> dict[str, Any]:
    day = {"start_date": "2026-06-26", "end_date": "2026-06-26", "dimensions": ["ad_id"]}
    return {"advertiser_id": api.account().id, "report_type": "BASIC", "data_level": "AUCTION_AD", **day}


def test_tasks_outlive_the_server(make_api: Any, tmp_path: Any) -> None:
    task = start(make_api(state_file=tmp_path / "events.jsonl"))
    again = make_api(state_file=tmp_path / "events.jsonl")
    assert again.data(again.get("/report/task/check/", **task))["status"] == "SUCCESS"
    text = again.raw("GET", "/report/task/download/", params=task).text
    assert len(text.splitlines()) == len(rows(again)) + 1
