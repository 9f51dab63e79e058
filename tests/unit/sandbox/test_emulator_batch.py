"""Batches, throttle headers and the account's point budget of the Meta emulator."""

import json
from typing import Any

from stakazo_pipelines.sandbox.meta import MetaOptions


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def bodies(answers: list[Any]) -> list[Any]:
    return [None if answer is None else json.loads(answer["body"]) for answer in answers]


def test_items_are_answered_in_order_each_with_its_own_code(api: Any) -> None:
    adset = api.adset()
    answers = api.batch(
        [
            {"method": "GET", "relative_url": f"{adset.id}?fields=name"},
            {"method": "POST", "relative_url": f"v26.0/{adset.id}", "body": "daily_budget=1"},
            {"method": "POST", "relative_url": f"{adset.id}", "body": "name=B%20%26%20C"},
            {"method": "GET", "relative_url": f"/{adset.id}/?fields=name"},
        ]
    ).json()
    assert [answer["code"] for answer in answers] == [200, 400, 200, 200]
    assert bodies(answers)[1]["error"]["error_subcode"] == 1885272
    assert bodies(answers)[2:] == [{"success": True}, {"name": "B & C", "id": adset.id}]
    assert "x-ad-account-usage" in {header["name"] for header in answers[0]["headers"]}


def test_headers_can_be_left_out(api: Any) -> None:
    items = [{"method": "GET", "relative_url": "me/adaccounts"}]
    [answer] = api.batch(items, include_headers=False).json()
    assert answer.keys() == {"code", "body"}


def test_the_unversioned_root_takes_batches_too(api: Any) -> None:
    items = json.dumps([{"method": "GET", "relative_url": "me"}])
    response = api.request("POST", "/", data={"access_token": api.token, "batch": items})
    assert response.json()[0]["code"] == 200


def test_at_most_50_items(api: Any) -> None:
    response = api.batch([{"method": "GET", "relative_url": "me"}] * 51)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "GraphBatchException")


def test_an_item_can_use_what_an_earlier_one_made(api: Any) -> None:
    account = api.account()
    campaign = "name=Joined&objective=OUTCOME_SALES&special_ad_categories=[]&daily_budget=9000"
    adset = (
        "name=Below&campaign_id={result=made:$.id}&optimization_goal=LINK_CLICKS&billing_event=IMPRESSIONS"
        '&targeting={"geo_locations":{"countries":["US"]}}'
    )
    answers = api.batch(
        [
            {"method": "POST", "relative_url": f"act_{account}/campaigns", "body": campaign, "name": "made",
             "omit_response_on_success": True},
            {"method": "POST", "relative_url": f"act_{account}/adsets", "body": adset},
        ]
    ).json()  # fmt: skip
    assert answers[0] is None
    made = bodies(answers)[1]["id"]
    assert api.world.campaigns[api.world.ad_groups[made].campaign_id].name == "Joined"


def test_a_partial_batch_leaves_null_for_what_was_not_done(api: Any) -> None:
    adsets = [adset.id for adset in api.world.ad_groups.values()][:4]
    api.fault("partial_batch", times=1, share=0.5)
    items = [{"method": "POST", "relative_url": adset, "body": "name=Done"} for adset in adsets]
    answers = api.batch(items).json()
    done = {adset for adset, answer in zip(adsets, answers, strict=True) if answer is not None}
    assert len(done) == 2
    assert {a.id for a in api.world.ad_groups.values() if a.name == "Done"} == done
    assert None not in api.batch(items).json()


def test_usage_stands_on_every_answer(api: Any) -> None:
    account = api.account()
    fine = api.get(f"/act_{account}/insights")
    wrong = api.get(f"/act_{account}/insights", level="nonsense")
    for response in (fine, wrong):
        usage = json.loads(response.headers["X-Business-Use-Case-Usage"])[account][0]
        assert usage["type"] == "ads_insights"
        assert usage["estimated_time_to_regain_access"] == 0
        assert "acc_id_util_pct" in json.loads(response.headers["X-Ad-Account-Usage"])
        assert "acc_id_util_pct" in json.loads(response.headers["X-FB-Ads-Insights-Throttle"])
        assert "call_count" in json.loads(response.headers["X-App-Usage"])
    assert json.loads(api.get("/me/adaccounts").headers["X-App-Usage"])["call_count"] == 0


def test_the_points_run_out_and_come_back(make_api: Any) -> None:
    clock = FakeClock()
    api = make_api(meta=MetaOptions(point_limit=60, clock=clock))
    path = f"/{api.adset().id}"
    assert [api.post(path, name=f"N{n}").status_code for n in range(20)] == [200] * 20  # 3 points each
    blocked = api.get(path)
    error = blocked.json()["error"]
    assert (blocked.status_code, error["code"], error["error_subcode"]) == (400, 17, 2446079)
    assert json.loads(blocked.headers["X-Ad-Account-Usage"]) == {
        "acc_id_util_pct": 100.0,
        "reset_time_duration": 300,
        "ads_api_access_tier": "development_access",
    }
    usage = json.loads(blocked.headers["X-Business-Use-Case-Usage"])[api.account()][0]
    assert usage["estimated_time_to_regain_access"] == 5
    assert api.get(f"/{api.adset('JPY').id}").status_code == 200  # another account has its own points
    clock.now += 299
    assert api.get(path).status_code == 400
    clock.now += 2
    assert api.get(path).status_code == 200


def test_every_item_of_a_batch_costs_its_points(make_api: Any) -> None:
    api = make_api(meta=MetaOptions(point_limit=60, clock=FakeClock()))
    item = {"method": "POST", "relative_url": api.adset().id, "body": "name=N"}
    codes = [answer["code"] for answer in api.batch([item] * 22).json()]
    assert codes == [200] * 20 + [400] * 2
