"""Creates, updates and deletes of the Meta emulator, and every rule they are refused by."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from stakazo_pipelines.sandbox.meta import MetaOptions

CAMPAIGN: dict[str, Any] = {
    "name": "C",
    "objective": "OUTCOME_SALES",
    "special_ad_categories": [],
    "is_adset_budget_sharing_enabled": False,
}
ADSET: dict[str, Any] = {
    "name": "S",
    "daily_budget": 5000,
    "optimization_goal": "OFFSITE_CONVERSIONS",
    "billing_event": "IMPRESSIONS",
    "targeting": {"geo_locations": {"countries": ["US"]}},
    "promoted_object": {"pixel_id": "1", "custom_event_type": "PURCHASE"},
}
GONE = object()


def changed(base: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not GONE}


def enhanced(feature: str) -> dict[str, Any]:
    return {"object_story_id": "1_2", "degrees_of_freedom_spec": {"creative_features_spec": {feature: {}}}}


def code_of(response: httpx.Response) -> tuple[int, int | None]:
    error = response.json()["error"]
    return error["code"], error.get("error_subcode")


def api_writes(api: Any) -> list[Any]:
    return [write for write in api.world.journal if write.actor == "api"]


def test_a_whole_tree_can_be_made_and_read_back(api: Any) -> None:
    tree = api.tree()
    ad = api.get(f"/{tree['ad']}", fields="adset{campaign_id},creative{title,body,image_hash}").json()
    assert ad["adset"]["campaign_id"] == tree["campaign"]
    assert (ad["creative"]["title"], ad["creative"]["body"], ad["creative"]["image_hash"]) == ("Title", "Text", "abc")
    assert api.get(f"/{tree['adset']}", fields="targeting").json()["targeting"]["age_min"] == 25


def test_validate_only_changes_nothing_and_gives_no_id(api: Any) -> None:
    dry = {"execution_options": ["validate_only"]}
    made = api.post(f"/act_{api.account()}/campaigns", **CAMPAIGN, **dry)
    updated = api.post(f"/{api.adset().id}", daily_budget=7000, **dry)
    assert made.json() == updated.json() == {"success": True}
    assert api_writes(api) == []
    assert code_of(api.post(f"/{api.adset().id}", daily_budget=1, **dry)) == (100, 1885272)


def test_an_update_is_seen_at_once_and_journaled_once(api: Any) -> None:
    adset = api.adset()
    before = adset.daily_budget
    assert api.post(f"/{adset.id}", daily_budget=before + 500).json() == {"success": True}
    assert api.get(f"/{adset.id}", fields="daily_budget").json()["daily_budget"] == str(before + 500)
    [write] = api_writes(api)
    assert (write.fields, write.before) == ({"daily_budget": before + 500}, {"daily_budget": before})


def test_deleting_twice_writes_once(api: Any) -> None:
    adset = api.adset()
    assert [api.delete(f"/{adset.id}").json() for _ in range(2)] == [{"success": True}] * 2
    assert len(api_writes(api)) == 1


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (changed(CAMPAIGN, objective="CONVERSIONS"), (100, None)),
        (changed(CAMPAIGN, objective=GONE), (100, None)),
        (changed(CAMPAIGN, name=GONE), (100, None)),
        (changed(CAMPAIGN, special_ad_categories=GONE), (100, None)),
        (changed(CAMPAIGN, special_ad_categories=["SWEETS"]), (100, None)),
        (changed(CAMPAIGN, is_adset_budget_sharing_enabled=GONE), (100, 4834011)),
        (changed(CAMPAIGN, is_adset_budget_sharing_enabled=True), (100, 4834005)),
        (changed(CAMPAIGN, is_adset_budget_sharing_enabled=True, daily_budget=5000), (100, 4834002)),
        (changed(CAMPAIGN, daily_budget=5), (100, 1885272)),
        (changed(CAMPAIGN, daily_budget=5000, lifetime_budget=90000), (100, None)),
        (changed(CAMPAIGN, daily_budget="ten"), (100, None)),
        (changed(CAMPAIGN, status="ARCHIVED"), (100, None)),
    ],
)
def test_a_wrong_campaign_is_refused(api: Any, params: dict[str, Any], code: tuple[int, int | None]) -> None:
    assert code_of(api.post(f"/act_{api.account()}/campaigns", **params)) == code
    assert api_writes(api) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (changed(ADSET, daily_budget=GONE), (100, None)),
        (changed(ADSET, daily_budget=GONE, lifetime_budget=90000), (100, None)),
        (changed(ADSET, daily_budget=GONE, lifetime_budget=90000, end_time="2020-01-01T00:00:00-0400"), (100, 1487033)),
        (changed(ADSET, daily_budget=GONE, lifetime_budget=500, end_time="2026-07-30T00:00:00-0400"), (100, 1885272)),
        (changed(ADSET, end_time="2026-06-30T20:00:00-0400"), (100, None)),
        (changed(ADSET, daily_budget=50), (100, 1885272)),
        (changed(ADSET, daily_budget=0), (100, 1885272)),
        (changed(ADSET, daily_budget=-5000), (100, 1885272)),
        (changed(ADSET, daily_budget=5000, lifetime_budget=90000), (100, None)),
        (changed(ADSET, billing_event="LINK_CLICKS", daily_budget=300), (100, 1885272)),
        (changed(ADSET, bid_strategy="COST_CAP"), (100, 1815857)),
        (changed(ADSET, bid_strategy="LOWEST_COST_WITH_BID_CAP"), (100, 1815857)),
        (changed(ADSET, bid_strategy="LOWEST_COST_WITHOUT_CAP", bid_amount=100), (100, 1885204)),
        (changed(ADSET, bid_strategy="LOWEST_COST_WITH_MIN_ROAS"), (100, None)),
        (changed(ADSET, bid_amount=6000), (100, 1885272)),
        (changed(ADSET, optimization_goal="APP_INSTALLS"), (100, None)),
        (changed(ADSET, targeting={"age_min": 20}), (100, 1885364)),
        (changed(ADSET, promoted_object=GONE), (100, 1885154)),
        (changed(ADSET, campaign_id="77"), (100, None)),
    ],
)
def test_a_wrong_ad_set_is_refused(api: Any, params: dict[str, Any], code: tuple[int, int | None]) -> None:
    params = {"campaign_id": api.adset().campaign_id, **params}
    assert code_of(api.post(f"/act_{api.account()}/adsets", **params)) == code
    assert api_writes(api) == []


def test_a_lone_bid_amount_chooses_the_bid_cap(api: Any) -> None:
    made = api.post(
        f"/act_{api.account()}/adsets", **ADSET, campaign_id=api.adset().campaign_id, bid_amount=1000
    ).json()
    body = api.get(f"/{made['id']}", fields="bid_strategy,bid_amount").json()
    assert (body["bid_strategy"], body["bid_amount"]) == ("LOWEST_COST_WITH_BID_CAP", 1000)


def test_a_lifetime_budget_with_an_end_is_taken(api: Any) -> None:
    params = changed(ADSET, daily_budget=GONE, lifetime_budget=90000, end_time="2026-07-30T00:00:00-0400")
    made = api.post(f"/act_{api.account()}/adsets", **params, campaign_id=api.adset().campaign_id).json()
    body = api.get(f"/{made['id']}", fields="lifetime_budget,daily_budget,end_time").json()
    assert body == {"id": made["id"], "lifetime_budget": "90000", "end_time": "2026-07-30T00:00:00-0400"}


def test_a_budget_stands_on_one_level_only(api: Any) -> None:
    account = api.account()
    params = changed(CAMPAIGN, is_adset_budget_sharing_enabled=GONE, daily_budget=9000)
    campaign = api.post(f"/act_{account}/campaigns", **params).json()["id"]
    with_budget = api.post(f"/act_{account}/adsets", **ADSET, campaign_id=campaign)
    assert code_of(with_budget) == (100, 1885621)
    adset = api.post(f"/act_{account}/adsets", **changed(ADSET, daily_budget=GONE), campaign_id=campaign).json()["id"]
    assert code_of(api.post(f"/{adset}", daily_budget=5000)) == (100, 1885621)
    assert code_of(api.post(f"/{api.adset().campaign_id}", daily_budget=9000)) == (100, 1885621)


def test_adset_budgets_turn_the_campaign_budget_off_in_one_call(api: Any) -> None:
    account = api.account()
    params = changed(CAMPAIGN, is_adset_budget_sharing_enabled=GONE, daily_budget=9000)
    campaign = api.post(f"/act_{account}/campaigns", **params).json()["id"]
    adset = api.post(f"/act_{account}/adsets", **changed(ADSET, daily_budget=GONE), campaign_id=campaign).json()["id"]
    assert api.post(f"/{campaign}", adset_budgets=[{"adset_id": adset, "daily_budget": 4000}]).json() == {
        "success": True
    }
    assert "daily_budget" not in api.get(f"/{campaign}", fields="daily_budget").json()
    assert api.get(f"/{adset}", fields="daily_budget").json()["daily_budget"] == "4000"


def test_a_fifth_budget_change_within_the_hour_is_refused_and_later_taken(api: Any) -> None:
    adset = api.adset()
    budgets = [adset.daily_budget + 100 * step for step in range(1, 6)]
    answers = [api.post(f"/{adset.id}", daily_budget=budget) for budget in budgets]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 400]
    assert code_of(answers[-1]) == (613, 1487632)
    assert api.post(f"/{adset.id}", name="Renaming is free").status_code == 200
    api.request("POST", "/sandbox/clock", json={"advance_hours": 1})
    assert api.post(f"/{adset.id}", daily_budget=budgets[-1]).status_code == 200


def test_a_lifetime_budget_cannot_fall_below_what_is_spent_plus_a_tenth(api: Any) -> None:
    tree = api.tree()
    end = {"end_time": "2026-09-30T00:00:00-0400"}
    api.post(f"/{tree['adset']}", lifetime_budget=1_000_000, **end)
    api.request("POST", "/sandbox/clock", json={"advance_days": 10})
    spent = float(api.get(f"/{tree['adset']}/insights", date_preset="maximum").json()["data"][0]["spend"]) * 100
    assert spent > 20_000
    assert code_of(api.post(f"/{tree['adset']}", lifetime_budget=int(spent * 1.05), **end)) == (100, 1885650)
    assert api.post(f"/{tree['adset']}", lifetime_budget=int(spent * 1.2), **end).status_code == 200


def test_the_spent_rule_can_be_extended_to_daily_budgets(make_api: Any) -> None:
    strict, usual = make_api(meta=MetaOptions(daily_110_rule=True)), make_api()
    for api, code in ((strict, 400), (usual, 200)):
        adset = api.adset("JPY")
        api.request("POST", "/sandbox/clock", json={"to": "2026-07-01T14:00:00Z"})  # 23:00 in Tokyo
        assert api.post(f"/{adset.id}", daily_budget=int(adset.daily_budget * 0.5)).status_code == code


def test_archived_objects_take_a_name_and_deletion_deleted_ones_a_name(api: Any) -> None:
    adset = api.adset()
    api.post(f"/{adset.id}", status="ARCHIVED")
    assert code_of(api.post(f"/{adset.id}", daily_budget=9000)) == (100, 1487566)
    assert code_of(api.post(f"/{adset.id}", status="ACTIVE")) == (100, 1487566)
    assert api.post(f"/{adset.id}", name="Old").status_code == 200
    assert api.post(f"/{adset.id}", status="DELETED").status_code == 200
    assert code_of(api.post(f"/{adset.id}", status="PAUSED")) == (100, 1487056)
    assert api.post(f"/{adset.id}", name="Older").status_code == 200


def test_goal_and_objective_cannot_be_changed(api: Any) -> None:
    adset = api.adset()
    assert code_of(api.post(f"/{adset.id}", optimization_goal="LINK_CLICKS"))[0] == 100
    assert code_of(api.post(f"/{adset.campaign_id}", objective="OUTCOME_LEADS"))[0] == 100


def test_targeting_is_replaced_as_a_whole(api: Any) -> None:
    adset = api.adset()
    api.post(f"/{adset.id}", targeting={"geo_locations": {"countries": ["CA"]}, "genders": [2]})
    api.post(f"/{adset.id}", targeting={"geo_locations": {"countries": ["US"]}})
    targeting = api.get(f"/{adset.id}", fields="targeting").json()["targeting"]
    assert "genders" not in targeting
    assert targeting["geo_locations"]["countries"] == ["US"]


def test_the_content_of_a_creative_cannot_be_changed(api: Any) -> None:
    creative = api.tree()["creative"]
    assert code_of(api.post(f"/{creative}", body="Better text")) == (100, 1815573)
    assert api.post(f"/{creative}", name="Better name").status_code == 200


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"name": "K"}, (100, None)),
        ({"object_story_spec": {"link_data": {"link": "https://x.example"}}}, (100, 1443048)),
        ({"object_story_spec": {"page_id": "1"}}, (100, 1443048)),
        ({"object_story_spec": {"page_id": "1", "link_data": {"message": "no link"}}}, (100, 2061015)),
        (enhanced("standard_enhancements"), (100, 3858504)),
        (enhanced("image_touchups"), (100, 3858082)),
    ],
)
def test_a_wrong_creative_is_refused(api: Any, params: dict[str, Any], code: tuple[int, int | None]) -> None:
    assert code_of(api.post(f"/act_{api.account()}/adcreatives", **params)) == code


def test_an_ad_can_bring_its_creative_along_and_take_another_one(api: Any) -> None:
    adset = api.adset()
    spec = {"object_story_spec": {"page_id": "1", "link_data": {"link": "https://x.example", "message": "Inline"}}}
    ad = api.post(f"/act_{adset.account_id}/ads", name="A", adset_id=adset.id, creative=spec).json()["id"]
    assert api.get(f"/{ad}", fields="creative{body}").json()["creative"]["body"] == "Inline"
    other = next(c.id for c in api.world.creatives.values() if c.account_id == adset.account_id)
    api.post(f"/{ad}", creative={"creative_id": other})
    assert api.get(f"/{ad}", fields="creative").json()["creative"] == {"id": other}


def test_an_ad_set_holds_50_live_ads(api: Any) -> None:
    adset = api.adset()
    creative = next(c.id for c in api.world.creatives.values() if c.account_id == adset.account_id)
    params = {"adset_id": adset.id, "creative": {"creative_id": creative}}
    live = sum(1 for ad in api.world.ads.values() if ad.ad_group_id == adset.id)
    answers = [api.post(f"/act_{adset.account_id}/ads", name=f"A{n}", **params) for n in range(51 - live)]
    assert [answer.status_code for answer in answers] == [200] * (50 - live) + [400]


def test_a_new_ad_is_reviewed_before_it_is_active(api: Any) -> None:
    ad = api.tree()["ad"]
    assert api.get(f"/{ad}", fields="effective_status").json()["effective_status"] == "PENDING_REVIEW"
    api.request("POST", "/sandbox/clock", json={"advance_days": 1})
    assert api.get(f"/{ad}", fields="effective_status").json()["effective_status"] == "ACTIVE"


def test_a_big_budget_change_restarts_learning(api: Any) -> None:
    adset = api.adset()
    before = api.get(f"/{adset.id}", fields="learning_stage_info").json()["learning_stage_info"]["last_sig_edit_ts"]
    api.post(f"/{adset.id}", daily_budget=adset.daily_budget * 2)
    after = api.get(f"/{adset.id}", fields="learning_stage_info").json()["learning_stage_info"]
    assert after["last_sig_edit_ts"] == int(api.world.now.timestamp()) > before


def test_other_accounts_objects_cannot_be_mixed(api: Any) -> None:
    foreign = api.adset("JPY")
    assert code_of(api.post(f"/act_{api.account()}/adsets", **ADSET, campaign_id=foreign.campaign_id))[0] == 100


def test_images_are_kept_by_their_content(api: Any) -> None:
    path = f"/v26.0/act_{api.account()}/adimages"
    upload = api.request("POST", path, params={"access_token": api.token}, files={"filename": ("a.png", b"pixels")})
    image = upload.json()["images"]["a.png"]
    again = api.post(f"/act_{api.account()}/adimages", bytes="cGl4ZWxz").json()["images"]["bytes"]
    assert image["hash"] == again["hash"]
    rows = api.get(f"/act_{api.account()}/adimages", hashes=[image["hash"]], fields="hash,name,status").json()["data"]
    assert rows == [
        {"id": f"{api.account()}:{image['hash']}", "hash": image["hash"], "name": "a.png", "status": "ACTIVE"}
    ]
    assert api.delete(f"/act_{api.account()}/adimages", hash=image["hash"]).json() == {"success": True}
    assert api.get(f"/act_{api.account()}/adimages").json() == {"data": []}
