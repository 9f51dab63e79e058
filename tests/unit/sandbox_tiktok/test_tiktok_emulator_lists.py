"""Reading campaigns, ad groups and ads: fields, filters, pages, statuses, and how rows look."""

from datetime import timedelta
from typing import Any

import pytest

from stakazo_pipelines.sandbox.world import Incident


@pytest.mark.parametrize("level", ["campaign", "adgroup", "ad"])
def test_pages_join_to_the_whole_list_newest_first(api: Any, level: str) -> None:
    for account in api.world.accounts.values():
        whole = [row[f"{level}_id"] for row in api.list(level, account, page_size=1000)]
        assert [row[f"{level}_id"] for row in api.list(level, account, page_size=3)] == whole
        assert whole == sorted(whole, key=int, reverse=True)
    info = api.get(f"/{level}/get/", advertiser_id=api.account().id, page=9, page_size=1000)["data"]
    assert info["list"] == []
    assert info["page_info"]["page"] == 9


@pytest.mark.parametrize("level", ["campaign", "adgroup", "ad"])
def test_rows_look_as_documented(api: Any, golden: Any, level: str) -> None:
    made = api.tree()
    golden(f"{level}_row", api.one(level, made[level]), **made, video=api.video_id())


def test_fields_choose_and_unknown_ones_are_refused(api: Any) -> None:
    fields = ["adgroup_id", "budget"]
    assert all(list(row) == fields for row in api.list("adgroup", api.account(), fields=fields))
    body = api.get("/adgroup/get/", advertiser_id=api.account().id, fields=["adgroup_id", "bogus"])
    assert (body["code"], "bogus" in body["message"]) == (40002, True)


def test_unset_fields_are_null_unless_left_out(api: Any) -> None:
    [row, *_] = api.list("adgroup", api.account())
    assert row["frequency"] is None
    [row, *_] = api.list("adgroup", api.account(), exclude_field_types_in_response=["NULL_FIELD"])
    assert "frequency" not in row
    assert None not in row.values()


def test_ids_names_and_dates_filter(api: Any) -> None:
    account, made = api.account(), api.tree()
    ads = api.list("ad", account, filtering={"adgroup_ids": [made["adgroup"]]})
    assert [row["ad_id"] for row in ads] == [made["ad"]]
    assert len(api.list("adgroup", account, filtering={"campaign_ids": [made["campaign"]]})) == 1
    assert [row["campaign_id"] for row in api.list("campaign", account, filtering={"campaign_name": "NEW camp"})] == [
        made["campaign"]
    ]
    recent = {"creation_filter_start_time": api.world.now.strftime("%Y-%m-%d %H:%M:%S")}
    assert [row["ad_id"] for row in api.list("ad", account, filtering=recent)] == [made["ad"]]
    assert api.list("ad", account, filtering={"modified_after": "2027-01-01 00:00:00"}) == []


def test_words_of_parents_filter_too(api: Any) -> None:
    account = api.account()
    for row in api.list("ad", account, filtering={"objective_type": "WEB_CONVERSIONS", "optimization_goal": "CONVERT"}):
        assert api.one("adgroup", row["adgroup_id"])["optimization_goal"] == "CONVERT"
    assert api.list("adgroup", account, filtering={"billing_events": ["CPV"]}) == []
    assert api.list("adgroup", account, filtering={"buying_types": ["RESERVATION_RF"]}) == []
    assert api.list("adgroup", account, filtering={"bid_strategy": "BID_STRATEGY_COST_CAP"}) == []


@pytest.mark.parametrize(
    "filtering",
    [{"campaign_ids": [str(i) for i in range(101)]}, {"campaign_ids": []}, {"primary_status": "WHATEVER"},
     {"no_such_filter": 1}, {"modified_after": "yesterday"}],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(api: Any, filtering: dict[str, Any]) -> None:
    assert api.get("/ad/get/", advertiser_id=api.account().id, filtering=filtering)["code"] == 40002


def test_deleted_ones_are_hidden_unless_asked_for(api: Any) -> None:
    account, made = api.account(), api.tree()
    switch = {"campaign_ids": [made["campaign"]], "operation_status": "DELETE"}
    api.data(api.post("/campaign/status/update/", advertiser_id=account.id, **switch))
    usual = [row["ad_id"] for row in api.list("ad", account)]
    assert made["ad"] not in usual
    for filtering in ({"primary_status": "STATUS_ALL"}, {"secondary_status": "AD_STATUS_ALL"}):
        assert len(api.list("ad", account, filtering=filtering)) == len(usual) + 1
    [gone] = api.list("ad", account, filtering={"primary_status": "STATUS_DELETE"})
    assert (gone["ad_id"], gone["secondary_status"]) == (made["ad"], "AD_STATUS_CAMPAIGN_DELETE")


def test_statuses_follow_switches_above_review_and_schedule(api: Any) -> None:
    made = api.tree()
    owner = made["advertiser"]

    def statuses() -> list[str]:
        return [api.one(level, made[level])["secondary_status"] for level in ("campaign", "adgroup", "ad")]

    assert statuses() == ["CAMPAIGN_STATUS_ENABLE", "ADGROUP_STATUS_AUDIT", "AD_STATUS_AUDIT"]
    api.advance(advance_hours=24)
    assert statuses() == ["CAMPAIGN_STATUS_ENABLE", "ADGROUP_STATUS_DELIVERY_OK", "AD_STATUS_DELIVERY_OK"]
    api.post("/adgroup/status/update/", advertiser_id=owner, adgroup_ids=[made["adgroup"]], operation_status="DISABLE")
    assert statuses()[1:] == ["ADGROUP_STATUS_DISABLE", "AD_STATUS_ADGROUP_DISABLE"]
    api.post("/adgroup/status/update/", advertiser_id=owner, adgroup_ids=[made["adgroup"]], operation_status="ENABLE")
    api.post(
        "/campaign/status/update/", advertiser_id=owner, campaign_ids=[made["campaign"]], operation_status="DISABLE"
    )
    assert statuses() == ["CAMPAIGN_STATUS_DISABLE", "ADGROUP_STATUS_CAMPAIGN_DISABLE", "AD_STATUS_CAMPAIGN_DISABLE"]
    filtering = {"primary_status": "STATUS_DISABLE"}
    assert made["campaign"] in [row["campaign_id"] for row in api.list("campaign", api.account(), filtering=filtering)]


def test_a_rejected_ad_says_so_and_takes_its_ad_group_along(api: Any) -> None:
    made = api.tree()
    api.advance(advance_hours=24)
    now = api.world.now
    api.kernel.add_incident(
        Incident("creative_rejected", made["advertiser"], made["ad"], now + timedelta(hours=1), now + timedelta(days=1))
    )
    api.advance(advance_hours=2)
    assert api.one("ad", made["ad"])["secondary_status"] == "AD_STATUS_AUDIT_DENY"
    assert api.one("adgroup", made["adgroup"])["secondary_status"] == "ADGROUP_STATUS_AUDIT_DENY"
    denied = api.list("ad", api.account(), filtering={"primary_status": "STATUS_NOT_DELIVERY"})
    assert made["ad"] in [row["ad_id"] for row in denied]


def test_an_ad_group_that_has_spent_its_budget_says_so(api: Any) -> None:
    group = api.adgroup()
    report = api.world.report(group.account_id, "ad_group", *2 * (api.world.now.date(),))
    spent = dict(zip(report["ad_group_id"], report["spend"], strict=True))[group.id]
    api.kernel.update("ad_group", group.id, daily_budget=max(1, int(spent * 100) - 1))
    assert api.one("adgroup", group.id)["secondary_status"] == "ADGROUP_STATUS_BUDGET_EXCEED"
    ad = next(ad for ad in api.world.ads.values() if ad.ad_group_id == group.id and ad.status == "ACTIVE")
    assert api.one("ad", ad.id)["secondary_status"] == "AD_STATUS_BUDGET_EXCEED"
