"""Faults on request against the TikTok emulator: the platform's own face of each kind."""

import json
import time
from typing import Any

import pytest

from stakazo_pipelines.sandbox.faults import KINDS
from stakazo_pipelines.sandbox.wire import ConnectionDroppedError


@pytest.mark.parametrize("code", [40100, 40133, 40016, 40132])
def test_a_throttle_is_a_code_in_a_200_without_headers(api: Any, code: int) -> None:
    api.fault("throttle", code=code, times=1)
    response = api.raw("GET", "/user/info/")
    assert (response.status_code, response.json()["code"]) == (200, code)
    assert "retry-after" not in response.headers
    assert api.get("/user/info/")["code"] == 0


@pytest.mark.parametrize(
    ("kind", "options", "status", "code"),
    [("server_error", {}, 500, 50000), ("server_error", {"status": 200, "code": 51010}, 200, 51010),
     ("expired_token", {}, 200, 40102), ("permission_lost", {}, 200, 40001)],
)  # fmt: skip
def test_errors_in_place_of_an_answer(api: Any, kind: str, options: dict[str, int], status: int, code: int) -> None:
    api.fault(kind, times=1, **options)
    response = api.raw("GET", "/user/info/")
    assert (response.status_code, response.json()["code"], response.json()["data"]) == (status, code, {})
    assert api.get("/user/info/")["code"] == 0


def test_a_server_error_can_come_without_json(api: Any) -> None:
    api.fault("server_error", status=502, body="html", times=1)
    response = api.raw("GET", "/user/info/")
    assert (response.status_code, response.text[:6]) == (502, "<html>")


def test_transport_breaks(api: Any) -> None:
    api.fault("truncated_json", times=1)
    with pytest.raises(json.JSONDecodeError):
        api.get("/user/info/")
    api.fault("slow_body", seconds=0.1, times=1)
    begun = time.monotonic()
    assert api.get("/user/info/")["code"] == 0
    assert time.monotonic() - begun >= 0.1
    api.fault("timeout", seconds=0.01, times=1)
    with pytest.raises(ConnectionDroppedError):
        api.get("/user/info/")


def test_a_lost_response_has_written(api: Any) -> None:
    group = api.adgroup()
    api.fault("response_lost", method="POST", times=1)
    switch = {"adgroup_ids": [group.id], "operation_status": "DISABLE"}
    with pytest.raises(ConnectionDroppedError):
        api.post("/adgroup/status/update/", advertiser_id=group.account_id, **switch)
    assert group.status == "PAUSED"


@pytest.mark.parametrize("level", ["campaign", "adgroup", "ad"])
def test_a_lost_create_looks_made_and_is_nowhere(api: Any, level: str) -> None:
    api.fault("write_lost", path=f"^/{level}/create/$", times=1)
    made = {}
    try:
        made = api.tree()
    except AssertionError as error:  # what is made of the lost parent fails in its turn
        assert "does not exist" in str(error)  # noqa: PT017
    if level == "ad":
        filtering = {"ad_ids": [made["ad"]]}
        assert api.list("ad", api.account(), filtering=filtering) == []
    assert not [write for write in api.world.journal if write.actor == "api" and write.level == level]


def test_a_create_that_was_lost_leaves_its_request_id_free(api: Any) -> None:
    api.fault("write_lost", times=1)
    params = {
        "campaign_name": "C",
        "objective_type": "TRAFFIC",
        "budget_mode": "BUDGET_MODE_INFINITE",
        "request_id": "5",
    }
    owner = api.account().id
    ghost, real = (api.data(api.post("/campaign/create/", advertiser_id=owner, **params)) for _ in range(2))
    assert ghost["campaign_name"] == "C"
    assert ghost["campaign_id"] not in api.world.campaigns
    assert api.world.campaigns[real["campaign_id"]].name == "C"


def test_a_refused_write_is_an_error_and_does_nothing(api: Any) -> None:
    group = api.adgroup()
    api.fault("write_refused", times=1)
    params = {"adgroup_ids": [group.id], "operation_status": "DISABLE"}
    assert api.post("/adgroup/status/update/", advertiser_id=group.account_id, **params)["code"] == 40002
    assert group.status == "ACTIVE"


def test_a_delayed_write_shows_itself_at_once_in_its_answer_and_later_in_reads(api: Any) -> None:
    group = api.adgroup()
    api.fault("write_delayed", times=1, requests=2)
    body = {name: value for name, value in api.one("adgroup", group.id).items() if value is not None}
    new = body["budget"] + 10
    keys = ("advertiser_id", "adgroup_id", "location_ids", "age_groups")
    sent = {name: body[name] for name in keys}
    assert api.data(api.post("/adgroup/update/", **sent, budget=new))["budget"] == new
    assert [api.one("adgroup", group.id)["budget"] == new for _ in range(3)] == [False, False, True]


def test_part_of_a_batch_can_fail(api: Any) -> None:
    owner = api.account().id
    ids = [row["ad_id"] for row in api.list("ad", api.account())][:4]
    api.fault("partial_batch", share=0.5, times=1)
    body = api.post("/ad/status/update/", advertiser_id=owner, ad_ids=ids, operation_status="DISABLE")
    failed = {error["ad_id"] for error in body["data"]["error_list"]}
    assert (body["code"], len(failed)) == (20001, 2)
    assert {name for name in ids if api.world.ads[name].status == "ACTIVE"} == failed
    assert set(body["data"]["ad_ids"]) == set(ids) - failed


def test_a_malformed_row_is_one_row_and_waits_for_rows(api: Any) -> None:
    api.fault("malformed_row", times=1, field="spend")
    group = api.adgroup()
    switch = {"adgroup_ids": [group.id], "operation_status": "DISABLE"}
    api.data(api.post("/adgroup/status/update/", advertiser_id=group.account_id, **switch))
    first, second = (api.report()["data"]["list"] for _ in range(2))
    assert sum(row["metrics"]["spend"] == "not-a-number" for row in first) == 1
    assert all(row["metrics"]["spend"] != "not-a-number" for row in second)


@pytest.mark.parametrize(
    ("kind", "field", "seen"),
    [
        ("missing_field", "impressions", lambda row: "impressions" not in row["metrics"]),
        ("missing_field", "stat_time_day", lambda row: "stat_time_day" not in row["dimensions"]),
        ("new_field", "surprise", lambda row: "surprise" in row["metrics"]),
        ("retyped_field", "spend", lambda row: isinstance(row["metrics"]["spend"], dict)),
    ],
)
def test_the_schema_of_reports_can_drift(api: Any, kind: str, field: str, seen: Any) -> None:
    api.fault(kind, times=1, field=field)
    assert all(map(seen, api.report()["data"]["list"]))
    assert not any(map(seen, api.report()["data"]["list"]))


def test_the_schema_of_lists_can_drift(api: Any) -> None:
    api.fault("missing_field", times=1, field="budget", path="adgroup/get")
    assert all("budget" not in row for row in api.list("adgroup", api.account()))


@pytest.mark.parametrize("level", ["ad", "report"])
def test_a_page_comes_twice_or_goes_missing(api: Any, level: str) -> None:
    def ids(size: int) -> list[Any]:
        if level == "ad":
            return [row["ad_id"] for row in api.list("ad", api.account(), page_size=size)]
        pages = -(-len(api.report()["data"]["list"]) // size)
        found = [api.report(page=page, page_size=size)["data"]["list"] for page in range(1, pages + 1)]
        return [tuple(row["dimensions"].values()) for rows in found for row in rows]

    whole = ids(1000)
    size = 3
    api.fault("duplicated_page", times=1)
    assert ids(size) == [*whole[:size], *whole[:size], *whole[2 * size :]]
    api.fault("missing_page", times=1)
    assert ids(size) == [*whole[:size], *whole[2 * size : 3 * size], *whole[2 * size :]]


@pytest.mark.parametrize(("kind", "last"), [("async_failed", "FAILED"), ("async_stuck", "PROCESSING")])
def test_report_tasks_fail_and_hang(api: Any, kind: str, last: str) -> None:
    api.fault(kind, times=1)
    owner = {"advertiser_id": api.account().id}
    day = {"start_date": "2026-06-26", "end_date": "2026-06-26", "dimensions": ["ad_id"]}
    made = api.post("/report/task/create/", **owner, report_type="BASIC", data_level="AUCTION_AD", **day)
    task = owner | {"task_id": api.data(made)["task_id"]}
    assert [api.data(api.get("/report/task/check/", **task))["status"] for _ in range(5)][-1] == last
    assert api.get("/report/task/download/", **task)["code"] == (40200 if last == "FAILED" else 40201)


def test_every_kind_can_be_asked_for_and_requests_are_counted_by_path(api: Any) -> None:
    for kind in KINDS:
        api.fault(kind, probability=0.0)
    api.get("/user/info/")
    counts = api.request("GET", "/sandbox/requests").json()["counts"]
    assert counts["tiktok GET /user/info/"] == 1
