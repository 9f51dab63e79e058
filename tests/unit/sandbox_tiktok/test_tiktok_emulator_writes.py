"""Creating, changing, switching campaigns and ad groups, and the rules of their budgets."""

from datetime import date, timedelta
from typing import Any

import pytest

from stakazo_pipelines.sandbox.tiktok import TikTokOptions

CBO = {"budget_mode": "BUDGET_MODE_DAY", "budget_optimize_on": True, "budget": 200}


def campaign(api: Any, **fields: Any) -> dict[str, Any]:
    usual = {"campaign_name": "C", "objective_type": "WEB_CONVERSIONS", "budget_mode": "BUDGET_MODE_INFINITE"}
    body: dict[str, Any] = api.post("/campaign/create/", advertiser_id=api.account().id, **usual | fields)
    return body


def adgroup(api: Any, parent: str, **fields: Any) -> dict[str, Any]:
    usual = {
        "adgroup_name": "G",
        "promotion_type": "WEBSITE",
        "optimization_goal": "CONVERT",
        "billing_event": "OCPM",
        "budget_mode": "BUDGET_MODE_DAY",
        "budget": 50,
        "location_ids": ["6252001"],
    }
    params = {name: value for name, value in (usual | fields).items() if value is not None}
    body: dict[str, Any] = api.post("/adgroup/create/", advertiser_id=api.account().id, campaign_id=parent, **params)
    return body


def refused(body: dict[str, Any], word: str, code: int = 40002) -> None:
    assert body["code"] == code, body
    assert word in body["message"]


def test_a_create_answers_the_whole_object_and_the_world_has_it(api: Any) -> None:
    data = api.data(campaign(api, objective_type="TRAFFIC", operation_status="DISABLE", po_number="7"))
    entity = api.world.campaigns[data["campaign_id"]]
    assert (entity.objective, entity.status) == ("OUTCOME_TRAFFIC", "PAUSED")
    assert data == api.one("campaign", entity.id)
    assert (data["objective_type"], data["po_number"], data["operation_status"]) == ("TRAFFIC", "7", "DISABLE")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"objective_type": "TOPVIEW_REACH"}, "objective isn't supported"),
        ({"campaign_name": ""}, "campaign_name"),
        ({"campaign_name": "x" * 513}, "maximum length"),
        ({"campaign_name": "服" * 257}, "maximum length"),
        ({"campaign_name": "Sale 🎉"}, "Emojis"),
        ({"budget_mode": None}, "budget_mode"),
        ({"budget_mode": "BUDGET_MODE_DAY"}, "budget"),
        ({"budget_mode": "BUDGET_MODE_DAY", "budget": 49.99}, "must not be less than 50"),
        ({"budget_mode": "BUDGET_MODE_DAY", "budget": 50.001}, "precision"),
        ({"budget_mode": "BUDGET_MODE_DAY", "budget": 10_000_000}, "less than 1e+07"),
        ({"budget_mode": "BUDGET_MODE_DYNAMIC_DAILY_BUDGET", "budget": 90}, "budget_optimize_on"),
        ({"budget_optimize_on": True}, "BUDGET_MODE_INFINITE"),
        ({"request_id": "abc"}, "64-bit"),
        ({"operation_status": "DELETE"}, "operation_status"),
    ],
)
def test_campaigns_that_tiktok_would_refuse(api: Any, fields: dict[str, Any], word: str) -> None:
    refused(campaign(api, **fields), word)


def test_floors_are_in_the_currency_of_the_advertiser(api: Any) -> None:
    yen = api.account("JPY").id
    params = {"campaign_name": "C", "objective_type": "TRAFFIC", "advertiser_id": yen, "budget_mode": "BUDGET_MODE_DAY"}
    refused(api.post("/campaign/create/", **params, budget=4999), "not be less than 5000")
    refused(api.post("/campaign/create/", **params, budget=5000.5), "precision")
    assert api.data(api.post("/campaign/create/", **params, budget=5000))["budget"] == 5000.0


def test_a_request_id_is_used_from_the_create_on_even_if_the_server_dies_then(make_api: Any, tmp_path: Any) -> None:
    state = tmp_path / "events.jsonl"
    api = make_api(state_file=state)
    made = api.data(campaign(api, request_id="77"))
    api.kernel.close()
    lines = state.read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if made["campaign_id"] in line)
    state.write_text("".join(lines[: last + 1]))
    refused(campaign(make_api(state_file=state), request_id="77"), "77", 40050)


def test_a_request_id_succeeds_once_for_each_advertiser(api: Any) -> None:
    refused(campaign(api, request_id="77", budget_mode="BUDGET_MODE_DAY", budget=1), "less than")
    api.data(campaign(api, request_id="77"))
    refused(campaign(api, request_id="77"), "77", 40050)
    parent = api.data(campaign(api))["campaign_id"]
    refused(adgroup(api, parent, request_id="77"), "77", 40050)
    api.data(adgroup(api, parent, request_id="78"))
    assert sum(write.level == "campaign" for write in api.world.journal if write.actor == "api") == 2


def test_only_a_few_fields_of_a_campaign_can_change(api: Any) -> None:
    made = api.data(campaign(api, special_industries=["HOUSING"]))
    owner = {"advertiser_id": api.account().id, "campaign_id": made["campaign_id"]}
    data = api.data(api.post("/campaign/update/", **owner, campaign_name="Renamed", special_industries=[]))
    assert (data["campaign_name"], data["special_industries"]) == ("Renamed", [])
    refused(api.post("/campaign/update/", **owner, objective_type="TRAFFIC"), "objective_type: Cannot be updated")
    refused(api.post("/campaign/update/", **owner, budget=100), "BUDGET_MODE_INFINITE")
    refused(api.post("/campaign/update/", advertiser_id=owner["advertiser_id"], campaign_id="1"), "1", 40007)


def test_a_campaign_budget_reaches_delivery_only_when_it_is_optimised(api: Any) -> None:
    capped = api.data(campaign(api, budget_mode="BUDGET_MODE_DAY", budget=80))
    shared = api.data(campaign(api, **CBO))
    assert api.world.campaigns[capped["campaign_id"]].daily_budget is None
    assert api.world.campaigns[shared["campaign_id"]].daily_budget == 20_000
    assert (capped["budget"], capped["budget_optimize_on"]) == (80.0, False)
    for made, budget in ((capped, 90.5), (shared, 210.0)):
        owner = {"advertiser_id": api.account().id, "campaign_id": made["campaign_id"]}
        assert api.data(api.post("/campaign/update/", **owner, budget=budget))["budget"] == budget
        assert api.one("campaign", made["campaign_id"])["budget"] == budget


def test_ad_groups_of_an_optimised_campaign_have_no_budget(api: Any) -> None:
    parent = api.data(campaign(api, **CBO))["campaign_id"]
    made = api.data(adgroup(api, parent, budget=None, budget_mode=None))
    assert (made["budget"], made["budget_mode"]) == (0.0, "BUDGET_MODE_INFINITE")
    owner = {"advertiser_id": api.account().id, "adgroup_id": made["adgroup_id"]}
    assert api.data(api.post("/adgroup/update/", **owner, budget=500))["budget"] == 0.0
    items = [{"adgroup_id": made["adgroup_id"], "scheduled_budget": 60}]
    body = api.post("/adgroup/budget/update/", advertiser_id=owner["advertiser_id"], scheduled_budget=items)
    refused(body, "set by its campaign")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"promotion_type": None}, "promotion_type"),
        ({"location_ids": None}, "location_ids"),
        ({"location_ids": ["1", "1"]}, "none of them twice"),
        ({"billing_event": "CPC"}, "does not go with"),
        ({"optimization_goal": "LUCK"}, "optimization_goal"),
        ({"budget": 19}, "must not be less than 20"),
        ({"budget_mode": "BUDGET_MODE_TOTAL", "budget": 500}, "needs a daily budget"),
        ({"budget_mode": "BUDGET_MODE_INFINITE"}, "budget_mode"),
        ({"pacing": "PACING_MODE_FAST"}, "PACING_MODE_SMOOTH"),
        ({"bid_type": "BID_TYPE_CUSTOM"}, "conversion_bid_price"),
        ({"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 50}, "less than the budget"),
        ({"schedule_type": "SCHEDULE_START_END", "schedule_end_time": "2026-08-01 00:00:00"}, "schedule_start_time"),
        ({"schedule_type": "SCHEDULE_START_END", "schedule_start_time": "2026-07-02 00:00:00",
          "schedule_end_time": "2026-07-01 00:00:00"}, "later"),
        ({"schedule_start_time": "tomorrow"}, "datetime"),
        ({"placement_type": "PLACEMENT_TYPE_NORMAL"}, "placements"),
        ({"age_groups": ["AGE_7_12"]}, "age_groups"),
        ({"operating_systems": ["IOS", "ANDROID"]}, "Only one value"),
        ({"frequency": 3, "frequency_schedule": 7}, "REACH only"),
        ({"roas_bid": 1001}, "roas_bid"),
    ],
)  # fmt: skip
def test_ad_groups_that_tiktok_would_refuse(api: Any, fields: dict[str, Any], word: str) -> None:
    refused(adgroup(api, api.data(campaign(api))["campaign_id"], **fields), word)


def test_objectives_have_their_own_rules(api: Any) -> None:
    reach = api.data(campaign(api, objective_type="REACH"))["campaign_id"]
    terms = {"promotion_type": None, "optimization_goal": "REACH", "billing_event": "CPM"}
    api.data(adgroup(api, reach, **terms, frequency=3, frequency_schedule=7))
    refused(adgroup(api, reach, **terms, frequency=0, frequency_schedule=7), "1 to 1000")
    refused(adgroup(api, reach, **terms, pixel_id="5"), "pixel_id")


def test_a_lifetime_budget_holds_the_minimum_for_every_day(api: Any) -> None:
    parent = api.data(campaign(api))["campaign_id"]
    schedule = {
        "schedule_type": "SCHEDULE_START_END",
        "schedule_start_time": "2026-07-01 00:00:00",
        "schedule_end_time": "2026-07-11 00:00:00",
        "budget_mode": "BUDGET_MODE_TOTAL",
    }
    refused(adgroup(api, parent, **schedule, budget=199), "not be less than 200")
    made = api.data(adgroup(api, parent, **schedule, budget=200))
    assert api.world.ad_groups[made["adgroup_id"]].lifetime_budget == 20_000
    daily = api.data(campaign(api, budget_mode="BUDGET_MODE_DAY", budget=80))["campaign_id"]
    refused(adgroup(api, daily, **schedule, budget=300), "campaign with BUDGET_MODE_DAY")


def test_an_update_replaces_what_it_does_not_name(api: Any) -> None:
    parent = api.data(campaign(api))["campaign_id"]
    terms = {
        "bid_type": "BID_TYPE_CUSTOM",
        "conversion_bid_price": 9.5,
        "gender": "GENDER_FEMALE",
        "dayparting": "1" * 336,
    }
    made = api.data(adgroup(api, parent, **terms))
    assert (made["conversion_bid_price"], made["bid_type"]) == (9.5, "BID_TYPE_CUSTOM")
    owner = {"advertiser_id": made["advertiser_id"], "adgroup_id": made["adgroup_id"]}
    data = api.data(api.post("/adgroup/update/", **owner, budget=55))
    assert (data["budget"], data["adgroup_name"]) == (55.0, "G")
    assert (data["bid_type"], data["conversion_bid_price"]) == ("BID_TYPE_NO_BID", None)
    assert (data["location_ids"], data["gender"], data["dayparting"]) == (None, "GENDER_UNLIMITED", None)
    assert data == api.one("adgroup", made["adgroup_id"])


def test_reading_and_sending_everything_back_changes_nothing_but_what_was_meant(api: Any) -> None:
    group = api.adgroup()
    row = api.one("adgroup", group.id)
    learning = group.last_significant_edit
    body = {name: value for name, value in row.items() if value is not None}
    del body["scheduled_budget"], body["budget_mode"], body["operation_status"]
    api.data(api.post("/adgroup/update/", **body | {"budget": row["budget"] + 1}))
    [write] = [write for write in api.world.journal if write.actor == "api"]
    assert write.fields == {"daily_budget": group.daily_budget}
    assert group.last_significant_edit == learning
    refused(
        api.post("/adgroup/update/", **body | {"optimization_goal": "CLICK"}), "optimization_goal: Cannot be updated"
    )


def test_a_budget_stays_above_105_percent_of_todays_spend(api: Any, make_api: Any) -> None:
    group = api.adgroup()
    api.advance(advance_hours=12)
    day = date(2026, 6, 30)
    report = api.world.report(group.account_id, "ad_group", day, day)
    spent = dict(zip(report["ad_group_id"], report["spend"], strict=True))[group.id]
    assert spent > 20
    owner = {"advertiser_id": group.account_id, "adgroup_id": group.id}
    refused(api.post("/adgroup/update/", **owner, budget=round(1.04 * spent, 2)), "105%")
    api.data(api.post("/adgroup/update/", **owner, budget=round(1.06 * spent, 2)))
    lax = make_api(options=TikTokOptions(level=None, spend_rule=False, budget_floors=False))
    lax.data(lax.post("/adgroup/update/", **owner, budget=1))


def test_a_scheduled_budget_comes_into_force_at_the_accounts_midnight(api: Any) -> None:
    group = api.adgroup("JPY")
    yen, before, new = api.account("JPY"), group.daily_budget, group.daily_budget * 2
    items = [{"adgroup_id": group.id, "scheduled_budget": new}]
    assert api.data(api.post("/adgroup/budget/update/", advertiser_id=yen.id, scheduled_budget=items)) == {}
    row = api.one("adgroup", group.id, yen)
    assert (row["budget"], row["scheduled_budget"]) == (before, new)
    api.advance(to="2026-06-30T14:59:00+00:00")  # Tokyo's midnight is 15:00 UTC
    assert group.daily_budget == before
    api.advance(to="2026-06-30T15:00:00+00:00")
    row = api.one("adgroup", group.id, yen)
    assert (row["budget"], row["scheduled_budget"]) == (new, 0.0)


def test_a_scheduled_budget_outlives_the_server(make_api: Any, tmp_path: Any) -> None:
    api = make_api(state_file=tmp_path / "events.jsonl")
    group = api.adgroup("JPY")
    items = [{"adgroup_id": group.id, "scheduled_budget": group.daily_budget * 2}]
    api.data(api.post("/adgroup/budget/update/", advertiser_id=api.account("JPY").id, scheduled_budget=items))
    again = make_api(state_file=tmp_path / "events.jsonl")
    again.advance(advance_hours=24)
    assert again.world.ad_groups[group.id].daily_budget == group.daily_budget * 2


def test_budgets_are_locked_before_midnight(api: Any) -> None:
    group = api.adgroup("JPY")
    owner = {"advertiser_id": api.account("JPY").id}
    items = [{"adgroup_id": group.id, "scheduled_budget": group.daily_budget * 2}]
    api.advance(to="2026-06-30T14:55:00+00:00")
    refused(api.post("/adgroup/budget/update/", **owner, scheduled_budget=items), "23:55")
    body = api.post("/adgroup/update/", **owner, adgroup_id=group.id, budget=group.daily_budget * 2)
    refused(body, "23:55")
    api.advance(to="2026-06-30T15:00:00+00:00")
    api.data(api.post("/adgroup/budget/update/", **owner, scheduled_budget=items))


def test_budget_updates_take_one_kind_for_up_to_twenty(api: Any) -> None:
    group, owner = api.adgroup(), {"advertiser_id": api.account().id}
    item = {"adgroup_id": group.id, "scheduled_budget": 100}
    path = "/adgroup/budget/update/"
    refused(api.post(path, **owner, scheduled_budget=[item] * 21), "between 1 and 20")
    refused(api.post(path, **owner), "either")
    refused(api.post(path, **owner, budget=[{"adgroup_id": group.id, "budget": 100}]), "lifetime budgets only")
    refused(api.post(path, **owner, scheduled_budget=[item | {"scheduled_budget": 1}]), "not be less than 20")
    made = api.tree()["campaign"]
    until = (api.world.now + timedelta(days=5)).strftime("%Y-%m-%d %H:%M:%S")
    schedule = {"schedule_type": "SCHEDULE_START_END", "schedule_start_time": "2026-07-01 00:00:00"}
    terms = {**schedule, "schedule_end_time": until, "budget_mode": "BUDGET_MODE_TOTAL", "budget": 300}
    total = api.data(adgroup(api, made, **terms))["adgroup_id"]
    api.data(api.post(path, **owner, budget=[{"adgroup_id": total, "budget": 400}]))
    assert api.one("adgroup", total)["budget"] == 400.0


@pytest.mark.parametrize("level", ["campaign", "adgroup", "ad"])
def test_deleted_is_final(api: Any, level: str) -> None:
    made = api.tree()
    path, ids = f"/{level}/status/update/", {f"{level}_ids": [made[level]]}
    for operation in ("DISABLE", "ENABLE", "DELETE"):
        data = api.data(api.post(path, advertiser_id=made["advertiser"], **ids, operation_status=operation))
        assert (data[f"{level}_ids"], data["status"]) == ([made[level]], operation)
    assert api.one(level, made[level])["operation_status"] == "DELETE"
    refused(api.post(path, advertiser_id=made["advertiser"], **ids, operation_status="ENABLE"), "has been deleted")


def test_switches_take_up_to_twenty_ids_all_or_nothing(api: Any) -> None:
    made = api.tree()
    owner, path = {"advertiser_id": made["advertiser"]}, "/adgroup/status/update/"
    off = {"operation_status": "DISABLE"}
    refused(api.post(path, **owner, **off, adgroup_ids=[str(i) for i in range(21)]), "between 1 and 20")
    refused(api.post(path, **owner, **off), "adgroup_ids")
    refused(api.post(path, **owner, adgroup_ids=[made["adgroup"]], operation_status="PAUSE"), "operation_status")
    refused(api.post(path, **owner, **off, adgroup_ids=[made["adgroup"], "1"]), "1", 40007)
    assert api.one("adgroup", made["adgroup"])["operation_status"] == "ENABLE"
    body = api.post(path, **owner, **off, adgroup_ids=[made["adgroup"], "1"], allow_partial_success=True)
    assert (body["code"], body["data"]["adgroup_ids"]) == (20001, [made["adgroup"]])
    assert body["data"]["error_list"][0]["adgroup_id"] == "1"
    assert api.one("adgroup", made["adgroup"])["operation_status"] == "DISABLE"


def test_the_quota_counts_ad_groups(api: Any) -> None:
    before = api.data(api.get("/adgroup/quota/", advertiser_id=api.account().id))
    api.tree()
    after = api.data(api.get("/adgroup/quota/", advertiser_id=api.account().id))
    assert after["used_adgroup_quota"] == before["used_adgroup_quota"] + 1
