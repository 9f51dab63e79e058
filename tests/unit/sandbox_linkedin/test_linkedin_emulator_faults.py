"""Each fault kind as LinkedIn would show it, and what it leaves behind."""

from typing import Any

import httpx
import pytest

from stakazo_pipelines.sandbox.faults import KINDS
from stakazo_pipelines.sandbox.wire import ConnectionDroppedError

from_below = "q=search&pageSize=3"


def analytics(api: Any) -> httpx.Response:
    day = api.world.now.date()
    parts = f"dateRange=(start:(year:{day.year},month:{day.month},day:1))"
    account = f"accounts=List(urn%3Ali%3AsponsoredAccount%3A{api.account})"
    response: httpx.Response = api.get(
        "adAnalytics",
        f"q=analytics&pivot=CAMPAIGN&timeGranularity=ALL&{parts}&{account}&fields=pivotValues,costInLocalCurrency",
    )
    return response


@pytest.mark.parametrize(
    ("kind", "options", "status", "code"),
    [
        ("throttle", {}, 429, None),
        ("server_error", {}, 500, "INTERNAL_SERVER_ERROR"),
        ("server_error", {"status": 503}, 503, "UNDER_MAINTENANCE"),
        ("expired_token", {}, 401, "EXPIRED_ACCESS_TOKEN"),
        ("permission_lost", {}, 403, "ACCESS_DENIED"),
    ],
)
def test_faults_answer_in_linkedins_words(
    api: Any, kind: str, options: dict[str, Any], status: int, code: str | None
) -> None:
    api.fault(kind, times=1, **options)
    body = api.get("adAccounts", "q=search").json()
    assert (body["status"], body.get("code")) == (status, code)
    assert api.get("adAccounts", "q=search").status_code == 200


def test_a_broken_gateway_answers_with_a_page(api: Any) -> None:
    api.fault("server_error", status=502, body="html")
    response = api.get("adAccounts", "q=search")
    assert (response.status_code, response.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_calls_are_throttled_by_the_day_and_reports_by_their_values(api: Any) -> None:
    api.fault("throttle")
    assert api.get("adAccounts", "q=search").json() == {
        "serviceErrorCode": 101,
        "message": "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached.",
        "status": 429,
    }
    assert "data request limit" in analytics(api).json()["message"]


def test_losing_a_role_may_go_unsaid_in_reports(api: Any) -> None:
    api.fault("permission_lost", path="adAnalytics", silent=True)
    assert analytics(api).json()["elements"] == []


@pytest.mark.parametrize("kind", ["timeout", "response_lost"])
def test_an_answer_may_never_come(api: Any, kind: str) -> None:
    api.fault(kind, seconds=0)
    with pytest.raises(ConnectionDroppedError):
        api.get("adAccounts", "q=search")


def test_a_lost_answer_has_done_its_work(api: Any) -> None:
    campaign = api.running()
    api.fault("response_lost", method="POST")
    with pytest.raises(ConnectionDroppedError):
        api.patch(f"{api.below('adCampaigns')}/{campaign.id}", status="PAUSED")
    assert campaign.status == "PAUSED"


def test_a_body_may_be_cut_or_slow(api: Any) -> None:
    api.fault("truncated_json", times=1)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        api.get("adAccounts", "q=search").json()
    api.fault("slow_body", seconds=0.05, times=1)
    assert api.get("adAccounts", "q=search").json()["elements"]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("malformed_row", lambda row: row["costInLocalCurrency"] == "not-a-number"),
        ("missing_field", lambda row: "costInLocalCurrency" not in row),
        ("new_field", lambda row: row["brand_new_field"]),
        ("retyped_field", lambda row: isinstance(row["costInLocalCurrency"], dict)),
    ],
)
def test_rows_may_drift(api: Any, kind: str, shown: Any) -> None:
    api.fault(kind)
    assert any(shown(row) for row in analytics(api).json()["elements"])


@pytest.mark.parametrize(("kind", "served"), [("duplicated_page", 0), ("missing_page", 2)])
def test_pages_may_turn(api: Any, kind: str, served: int) -> None:
    rows = api.get(api.below("adCampaigns"), "q=search").json()["elements"]
    first = api.get(api.below("adCampaigns"), "q=search&pageSize=1").json()
    api.fault(kind, times=1)
    token = first["metadata"]["nextPageToken"]
    second = api.get(api.below("adCampaigns"), f"q=search&pageSize=1&pageToken={token}").json()
    assert second["elements"] == [rows[served]]


def test_a_write_may_be_confirmed_and_never_made(api: Any) -> None:
    campaign = api.running()
    api.fault("write_lost", times=2)
    assert api.patch(f"{api.below('adCampaigns')}/{campaign.id}", status="PAUSED").status_code == 204
    assert campaign.status == "ACTIVE"
    made = api.made(api.below("adCampaignGroups"), api.group_body())
    assert api.get(f"{api.below('adCampaignGroups')}/{made}").status_code == 404


def test_a_post_and_its_creative_are_lost_together(api: Any) -> None:
    campaign = f"urn:li:sponsoredCampaign:{api.running().id}"
    inline = {"inlineContent": {"post": api.post_body()}, "campaign": campaign, "intendedStatus": "PAUSED"}
    before = len(api.world.journal)
    rule = api.kernel.faults.add({"platform": "linkedin", "kind": "write_lost"})
    answer = api.call("POST", api.below("creatives"), "action=createInline", "ACTION", json={"creative": inline})
    made = answer.json()["value"]["creative"].replace(":", "%3A")
    assert (rule.fired, len(api.world.journal)) == (1, before)
    assert api.get(f"{api.below('creatives')}/{made}").status_code == 404


@pytest.mark.parametrize(
    "damage",
    [
        lambda inline: inline.update(intendedStatus="RUNNING"),
        lambda inline: inline.update(campaign="urn:li:sponsoredCampaign:1"),
        lambda inline: inline["inlineContent"]["post"].pop("author"),
        lambda inline: inline["inlineContent"]["post"].update(visibility="EVERYBODY"),
    ],
    ids=["status", "campaign", "author", "visibility"],
)
@pytest.mark.parametrize("kind", ["write_lost", None])
def test_a_post_and_creative_that_are_wrong_are_told_so_and_leave_nothing_behind(
    api: Any, damage: Any, kind: str | None
) -> None:
    campaign = f"urn:li:sponsoredCampaign:{api.running().id}"
    inline = {"inlineContent": {"post": api.post_body()}, "campaign": campaign, "intendedStatus": "PAUSED"}
    damage(inline)
    if kind:
        api.fault(kind)
    before = len(api.world.journal)
    answer = api.call("POST", api.below("creatives"), "action=createInline", "ACTION", json={"creative": inline})
    assert (answer.status_code, len(api.world.journal)) == (400, before)


def test_a_write_may_be_refused(api: Any) -> None:
    campaign = api.running()
    api.fault("write_refused", times=2)
    assert api.patch(f"{api.below('adCampaigns')}/{campaign.id}", status="PAUSED").status_code == 400
    assert api.create(api.below("adCampaignGroups"), api.group_body()).status_code == 400
    assert campaign.status == "ACTIVE"


def test_a_write_may_act_later(api: Any) -> None:
    campaign = api.running()
    api.fault("write_delayed", requests=1, times=1)
    path = f"{api.below('adCampaigns')}/{campaign.id}"
    assert api.patch(path, status="PAUSED").status_code == 204
    assert api.get(path).json()["status"] == "ACTIVE"
    assert api.get(path).json()["status"] == "PAUSED"


def test_part_of_a_batch_may_fail(api: Any) -> None:
    numbers = [c.id for c in api.world.ad_groups.values() if c.account_id == api.account][:4]
    api.fault("partial_batch", share=0.5)
    body = {"entities": {number: {"patch": {"$set": {"name": "Renamed"}}} for number in numbers}}
    query = f"ids=List({','.join(numbers)})"
    answer = api.call("POST", api.below("adCampaigns"), query, "BATCH_PARTIAL_UPDATE", json=body).json()
    assert (len(answer["results"]), len(answer["errors"])) == (2, 2)
    assert {n for n in numbers if api.world.ad_groups[n].name == "Renamed"} == set(answer["results"])


def test_a_fault_of_another_platform_leaves_linkedin_alone(api: Any) -> None:
    for kind in KINDS:
        api.fault(kind, platform="meta")
    assert api.get(api.below("adCampaigns"), from_below).status_code == 200
