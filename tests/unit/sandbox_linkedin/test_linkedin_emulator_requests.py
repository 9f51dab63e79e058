"""What every request has to bring, and the ways a query can travel."""

from collections.abc import Callable
from typing import Any

import pytest

from stakazo_pipelines.sandbox.linkedin import LinkedInOptions


def without(api: Any, name: str) -> dict[str, str]:
    return {key: value for key, value in api.headers.items() if key != name}


def test_a_request_without_a_version_is_refused(api: Any) -> None:
    response = api.request("GET", "/rest/adAccounts?q=search", headers=without(api, "LinkedIn-Version"))
    assert (response.status_code, response.json()["code"]) == (400, "VERSION_MISSING")


@pytest.mark.parametrize("version", ["202301", "209901", "202613", "v2"])
def test_a_version_that_is_not_active_is_refused(api: Any, version: str) -> None:
    api.headers["LinkedIn-Version"] = version
    response = api.get("adAccounts", "q=search")
    assert (response.status_code, response.json()["code"]) == (426, "NONEXISTENT_VERSION")
    assert response.json()["message"] == f"Requested version {version} is not active"


def test_a_version_may_name_a_revision(api: Any) -> None:
    api.headers["LinkedIn-Version"] = "202607.01"
    assert api.get("adAccounts", "q=search").status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic secret-token", "Bearer"])
def test_a_request_without_the_token_is_refused(api: Any, header: str | None) -> None:
    headers = without(api, "Authorization") | ({"Authorization": header} if header else {})
    response = api.request("GET", "/rest/adAccounts?q=search", headers=headers)
    assert response.status_code == 401
    assert response.json()["status"] == 401


def test_header_names_are_read_in_any_case(api: Any) -> None:
    api.headers = {name.upper(): value for name, value in api.headers.items()}
    assert api.get("adAccounts", "q=search").status_code == 200


def test_answers_carry_linkedins_headers_and_none_about_limits(api: Any) -> None:
    headers = api.get("adAccounts", "q=search").headers
    assert {"x-li-uuid", "x-li-request-id", "x-li-fabric"} <= set(headers)
    assert not [name for name in headers if "limit" in name or name == "retry-after"]


@pytest.mark.parametrize("path", ["nothing", "adAccounts/1/nothing", "adAnalytics/1", "posts/1/2"])
def test_an_unknown_path_is_not_found(api: Any, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("q=search&search=%28status%3A%28values%3AList%28ACTIVE%29%29%29", "PARAM_INVALID"),
        ("q=search&search.status.values[0]=ACTIVE", "QUERY_PARAM_NOT_ALLOWED"),
        ("q=search&surprise=1", "QUERY_PARAM_NOT_ALLOWED"),
        ("q=search&search=(status:(values:List(NOPE)))", "PARAM_INVALID"),
        ("q=search&search=(colour:(values:List(RED)))", "FIELD_INVALID"),
        ("q=nonsense", "PARAM_INVALID"),
        ("q=search&pageSize=1001", "PARAM_INVALID"),
        ("q=search&pageToken=%24", "PARAM_INVALID"),
        ("q=search&sortOrder=SIDEWAYS", "PARAM_INVALID"),
    ],
)
def test_wrong_parameters_are_explained(api: Any, query: str, code: str) -> None:
    response = api.get(api.below("adCampaigns"), query)
    body = response.json()
    assert (response.status_code, body["code"]) == (400, code)
    assert body["message"] == "Invalid param. Please see errorDetails for more information."
    assert body["errorDetails"]["inputErrors"][0]["code"] == code


def test_older_resources_answer_errors_in_the_older_shape(api: Any) -> None:
    body = api.get("adAnalytics", "q=analytics").json()
    assert set(body) == {"message", "code", "serviceErrorCode", "status"}


def test_a_long_query_may_travel_in_the_body(api: Any) -> None:
    query = "q=search&search=(status:(values:List(ACTIVE,PAUSED)))&pageSize=3"
    headers = {"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded"}
    tunnelled = api.call("POST", api.below("adCampaigns"), headers=headers, content=query)
    assert tunnelled.status_code == 200
    assert tunnelled.json() == api.get(api.below("adCampaigns"), query).json()


def test_a_write_with_a_long_query_travels_in_two_parts(api: Any) -> None:
    campaign = api.running().id
    content = (
        "--xyz\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        f"ids=List({campaign})\r\n--xyz\r\nContent-Type: application/json\r\n\r\n"
        f'{{"entities":{{"{campaign}":{{"patch":{{"$set":{{"name":"Renamed"}}}}}}}}}}\r\n--xyz--'
    )
    headers = {"X-HTTP-Method-Override": "POST", "Content-Type": "multipart/mixed; boundary=xyz"}
    response = api.call("POST", api.below("adCampaigns"), "", "BATCH_PARTIAL_UPDATE", headers=headers, content=content)
    assert response.json() == {"results": {campaign: {"status": 204}}, "errors": {}}
    assert api.world.ad_groups[campaign].name == "Renamed"


def test_a_body_that_is_no_json_is_refused(api: Any) -> None:
    response = api.call("POST", api.below("adCampaigns"), content="{not json")
    assert (response.status_code, response.json()["status"]) == (400, 400)


def test_the_daily_quota_of_one_endpoint_ends_with_the_utc_day(make_api: Callable[..., Any]) -> None:
    api = make_api(LinkedInOptions(calls={"adCampaigns": 1}))
    assert api.get(api.below("adCampaigns"), "q=search").status_code == 200
    refused = api.get(api.below("adCampaigns"), "q=search")
    assert refused.status_code == 429
    assert "APPLICATION_AND_MEMBER DAY limit" in refused.json()["message"]
    assert api.get("adAccounts", "q=search").status_code == 200
    api.request("POST", "/sandbox/clock", json={"advance_hours": 12})
    assert api.get(api.below("adCampaigns"), "q=search").status_code == 200
