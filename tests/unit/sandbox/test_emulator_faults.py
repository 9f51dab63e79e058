"""Faults on request against the Meta emulator: what each looks like, that it stops, that a seed repeats it."""

import json
import time
from typing import Any

import pytest

from stakazo_pipelines.sandbox.faults import KINDS, FaultError, FaultTable
from stakazo_pipelines.sandbox.wire import ConnectionDroppedError

ADS = {"level": "ad", "fields": "ad_id,impressions,spend", "date_preset": "last_7d"}


def test_a_throttle_says_how_long_and_then_stops(api: Any) -> None:
    api.fault("throttle", path="insights$", times=2, retry_after_s=90)
    path = f"/act_{api.account()}/insights"
    first, second, third = (api.get(path) for _ in range(3))
    assert first.json()["error"]["code"] == second.json()["error"]["code"] == 17
    assert json.loads(first.headers["X-Ad-Account-Usage"])["reset_time_duration"] == 90
    usage = json.loads(first.headers["X-Business-Use-Case-Usage"])[api.account()][0]
    assert usage["estimated_time_to_regain_access"] == 1
    assert third.status_code == 200


@pytest.mark.parametrize(("code", "use_case"), [(80000, "ads_insights"), (80004, "ads_management")])
def test_a_throttle_can_be_of_a_use_case(api: Any, code: int, use_case: str) -> None:
    api.fault("throttle", code=code, times=1)
    response = api.get(f"/act_{api.account()}/campaigns")
    assert response.json()["error"]["code"] == code
    assert json.loads(response.headers["X-Business-Use-Case-Usage"])[api.account()][0]["type"] == use_case


@pytest.mark.parametrize(
    ("kind", "status", "code", "subcode"),
    [("expired_token", 400, 190, 463), ("permission_lost", 403, 200, None), ("server_error", 500, 2, None)],
)
def test_errors_in_place_of_an_answer(api: Any, kind: str, status: int, code: int, subcode: int | None) -> None:
    api.fault(kind, times=1)
    response = api.get("/me/adaccounts")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error.get("error_subcode")) == (status, code, subcode)
    assert api.get("/me/adaccounts").status_code == 200


def test_a_server_error_can_come_without_json(api: Any) -> None:
    api.fault("server_error", status=503, body="html", times=1)
    response = api.get("/me/adaccounts")
    assert response.status_code == 503
    assert response.text.startswith("<html>")


def test_truncated_json_cannot_be_read(api: Any) -> None:
    api.fault("truncated_json", times=1)
    with pytest.raises(json.JSONDecodeError):
        api.get("/me/adaccounts").json()


def test_a_slow_body_arrives_whole(api: Any) -> None:
    api.fault("slow_body", seconds=0.2, times=1)
    start = time.monotonic()
    assert len(api.get("/me/adaccounts").json()["data"]) == 3
    assert time.monotonic() - start >= 0.2


def test_a_timeout_writes_nothing(api: Any) -> None:
    api.fault("timeout", seconds=0.01, times=1, method="POST")
    with pytest.raises(ConnectionDroppedError):
        api.post(f"/{api.adset().id}", name="Never")
    assert api.adset().name != "Never"


def test_a_lost_response_has_written(api: Any) -> None:
    adset = api.adset()
    api.fault("response_lost", path=r"^/\d+$", method="POST", times=1)
    with pytest.raises(ConnectionDroppedError):
        api.batch([{"method": "POST", "relative_url": adset.id, "body": "name=Written"}])
    assert api.world.ad_groups[adset.id].name == "Written"


def test_a_lost_write_is_accepted_and_never_there(api: Any) -> None:
    adset = api.adset()
    api.fault("write_lost", times=2)
    assert api.post(f"/{adset.id}", daily_budget=adset.daily_budget + 100).json() == {"success": True}
    ghost = {"name": "Ghost", "objective": "OUTCOME_SALES", "special_ad_categories": [], "daily_budget": 9000}
    made = api.post(f"/act_{api.account()}/campaigns", **ghost).json()["id"]
    assert api.get(f"/{made}").json()["error"]["error_subcode"] == 33
    assert [write for write in api.world.journal if write.actor == "api"] == []


def test_a_refused_write_says_so_inside_a_200(api: Any) -> None:
    api.fault("write_refused", times=1)
    response = api.post(f"/{api.adset().id}", name="Refused")
    assert (response.status_code, response.json()) == (200, {"success": False})
    assert api.adset().name != "Refused"


@pytest.mark.parametrize(("code", "subcode"), [(4, 1504022), (17, 2446079), (613, 1487742), (80004, 2446079)])
def test_each_throttle_code_has_its_subcode(api: Any, code: int, subcode: int) -> None:
    api.fault("throttle", code=code, times=1)
    assert api.get("/me/adaccounts").json()["error"]["error_subcode"] == subcode


def test_a_server_error_can_be_of_a_code(api: Any) -> None:
    api.fault("server_error", code=1, subcode=99, times=1)
    error = api.get("/me/adaccounts").json()["error"]
    assert (error["code"], error["error_subcode"], error["is_transient"]) == (1, 99, True)


def test_a_delayed_write_acts_after_so_many_requests(api: Any) -> None:
    adset = api.adset()
    api.fault("write_delayed", times=1, requests=2)
    assert api.post(f"/{adset.id}", name="Late").json() == {"success": True}
    names = [api.get(f"/{adset.id}", fields="name").json()["name"] for _ in range(3)]
    assert [name == "Late" for name in names] == [False, False, True]


def test_a_delayed_write_acts_after_so_many_world_hours(api: Any) -> None:
    adset = api.adset()
    api.fault("write_delayed", times=1, hours=3)
    api.post(f"/{adset.id}", name="Late")
    api.request("POST", "/sandbox/clock", json={"advance_hours": 2})
    assert api.get(f"/{adset.id}", fields="name").json()["name"] != "Late"
    api.request("POST", "/sandbox/clock", json={"advance_hours": 2})
    assert api.get(f"/{adset.id}", fields="name").json()["name"] == "Late"
    [write] = [write for write in api.world.journal if write.actor == "api"]
    assert (write.at - api.world.config.start).total_seconds() == 3 * 3600


def test_a_malformed_row_is_one_row_and_waits_for_rows(api: Any) -> None:
    api.fault("malformed_row", times=1, field="spend")
    api.post(f"/{api.adset().id}", name="No rows here")
    rows = api.get(f"/act_{api.account()}/insights", **ADS).json()["data"]
    assert sum(row["spend"] == "not-a-number" for row in rows) == 1
    assert all(
        row["spend"] != "not-a-number" for row in api.get(f"/act_{api.account()}/insights", **ADS).json()["data"]
    )


@pytest.mark.parametrize(
    ("kind", "field", "seen"),
    [
        ("missing_field", "impressions", lambda row: "impressions" not in row),
        ("new_field", "surprise", lambda row: "surprise" in row),
        ("retyped_field", "spend", lambda row: isinstance(row["spend"], dict)),
    ],
)
def test_the_schema_can_drift(api: Any, kind: str, field: str, seen: Any) -> None:
    api.fault(kind, times=1, field=field)
    assert all(map(seen, api.get(f"/act_{api.account()}/insights", **ADS).json()["data"]))


def test_a_page_can_come_twice(api: Any) -> None:
    whole = [row["ad_id"] for row in api.pages(f"/act_{api.account()}/insights", **ADS)]
    api.fault("duplicated_page", times=1)
    rows = [row["ad_id"] for row in api.pages(f"/act_{api.account()}/insights", **ADS, limit=2)]
    assert rows == whole[:2] + whole


def test_a_page_that_always_comes_twice_comes_twice_only(api: Any) -> None:
    whole = [row["id"] for row in api.pages(f"/act_{api.account()}/adsets")]
    api.fault("duplicated_page")
    rows = [row["id"] for row in api.pages(f"/act_{api.account()}/adsets", limit=2)]
    assert rows == whole[:2] * 2 + whole[2:]


def test_a_page_can_go_missing(api: Any) -> None:
    whole = [row["ad_id"] for row in api.pages(f"/act_{api.account()}/insights", **ADS)]
    api.fault("missing_page", times=1)
    rows = [row["ad_id"] for row in api.pages(f"/act_{api.account()}/insights", **ADS, limit=2)]
    assert rows == whole[:2] + whole[4:]


@pytest.mark.parametrize(("kind", "last"), [("async_failed", "Job Failed"), ("async_stuck", "Job Running")])
def test_report_runs_fail_and_hang(api: Any, kind: str, last: str) -> None:
    api.fault(kind, times=1)
    run = api.post(f"/act_{api.account()}/insights", **ADS).json()["report_run_id"]
    states = [api.get(f"/{run}").json() for _ in range(6)]
    assert states[-1]["async_status"] == last
    assert states[-1]["async_percent_completion"] == 0


def test_faults_are_listed_and_dropped(api: Any) -> None:
    first, second = api.fault("throttle", path="a"), api.fault("timeout", path="b", probability=0.5, seed=3)
    listed = api.request("GET", "/sandbox/faults").json()["faults"]
    assert [fault["id"] for fault in listed] == [first["id"], second["id"]]
    assert api.request("DELETE", "/sandbox/faults", params={"id": first["id"]}).json() == {"dropped": 1}
    assert api.request("DELETE", "/sandbox/faults").json() == {"dropped": 1}


def test_the_same_seed_picks_the_same_requests() -> None:
    def pattern(seed: int) -> list[bool]:
        table = FaultTable()
        table.add({"kind": "server_error", "probability": 0.4, "seed": seed})
        return [bool(table.hits("meta", "GET", "/x", {"any"})) for _ in range(40)]

    assert pattern(1) == pattern(1)
    assert pattern(1) != pattern(2)
    assert 5 < sum(pattern(1)) < 30


def test_a_fault_acts_on_its_platform_method_and_path_only() -> None:
    table = FaultTable()
    table.add({"kind": "server_error", "platform": "meta", "method": "POST", "path": "^/act_1"})
    assert table.hits("meta", "POST", "/act_1/ads", {"any"})
    assert not table.hits("tiktok", "POST", "/act_1/ads", {"any"})
    assert not table.hits("meta", "GET", "/act_1/ads", {"any"})
    assert not table.hits("meta", "POST", "/act_2/ads", {"any"})
    assert not table.hits("meta", "POST", "/act_1/ads", {"list"})


@pytest.mark.parametrize(
    "spec",
    [{}, {"kind": "gremlin"}, {"kind": "timeout", "probability": 2}, {"kind": "timeout", "times": 0},
     {"kind": "timeout", "path": "("}, {"kind": "timeout", "seed": "x"}],
)  # fmt: skip
def test_a_fault_nobody_understands_is_refused(api: Any, spec: dict[str, Any]) -> None:
    with pytest.raises(FaultError):
        FaultTable().add(spec)
    assert api.request("POST", "/sandbox/faults", json=spec).status_code == 400


def test_every_kind_can_be_asked_for(api: Any) -> None:
    for kind in KINDS:
        api.fault(kind)
    assert len(api.request("GET", "/sandbox/faults").json()["faults"]) == len(KINDS)
