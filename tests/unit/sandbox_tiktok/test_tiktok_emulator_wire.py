"""How a call to TikTok's API is let in and answered: paths, token, envelope, JSON in queries, limits."""

from typing import Any

import pytest

from stakazo_pipelines.sandbox.tiktok import Limit, TikTokOptions


def test_a_path_without_its_slash_or_unknown_is_plain_text(api: Any) -> None:
    for path in ("/campaign/get", "/campaign/nothing/", "/"):
        response = api.raw("GET", path)
        assert (response.status_code, response.text) == (404, "404 page not found")
        assert response.headers["content-type"].startswith("text/plain")
    assert api.raw("POST", "/campaign/get/", json={}).status_code == 405
    assert api.request("GET", "/open_api/v1.2/campaign/get/").status_code == 404


def test_a_connector_may_leave_the_slash_off_the_user(api: Any) -> None:
    assert api.get("/user/info")["code"] == api.get("/user/info/")["code"] == 0


def test_without_a_token_or_with_a_wrong_one_the_status_is_200(api: Any) -> None:
    response = api.request("GET", "/open_api/v1.3/user/info/")
    assert response.status_code == 200
    assert (response.json()["code"], response.json()["data"]) == (40104, {})
    assert response.json()["message"] == (
        "Access token is null, you should set it in http header with key Access-Token."
    )
    api.token = "stale"
    assert api.get("/user/info/")["code"] == 40105


def test_every_answer_stands_in_the_envelope_with_its_traces(api: Any) -> None:
    first, second = (api.raw("GET", "/user/info/") for _ in range(2))
    assert list(first.json()) == ["code", "message", "request_id", "data"]
    assert first.json()["request_id"] != second.json()["request_id"]
    assert {"x-tt-logid", "x-tt-trace-id"} <= set(first.headers)
    assert "retry-after" not in first.headers


def test_another_platforms_advertiser_is_nobodys(api: Any) -> None:
    assert api.get("/campaign/get/", advertiser_id="999")["code"] == 40001
    assert api.get("/campaign/get/")["message"] == "Missing required field(s): advertiser_id."


@pytest.mark.parametrize("value", ["campaign_id", '["campaign_id"', '{"a": }', "[unquoted]"])
def test_bad_json_in_a_query_is_a_parameter_error(api: Any, value: str) -> None:
    body = api.get("/campaign/get/", advertiser_id=api.account().id, fields=value)
    assert body["code"] == 40002
    assert body["message"].startswith("fields: ")


def test_a_public_connectors_report_request_is_answered_as_it_comes(api: Any) -> None:
    """As Airbyte writes it: plus signs for spaces, JSON inside JSON, metrics that this world has nothing for."""
    query = (
        "service_type=AUCTION&report_type=BASIC&data_level=AUCTION_AD&dimensions=%5B%22ad_id%22%2C+%22stat_time_day%22%5D"
        "&metrics=%5B%22campaign_name%22%2C+%22tt_app_name%22%2C+%22cta_purchase%22%2C+%22real_time_app_install_cost%22%5D"
        "&start_date=2026-06-20&end_date=2026-06-20&filtering=%5B%7B%22field_name%22%3A+%22ad_status%22%2C+%22filter_type"
        "%22%3A+%22IN%22%2C+%22filter_value%22%3A+%22%5B%5C%22STATUS_ALL%5C%22%5D%22%7D%5D&page_size=1000"
    )
    response = api.raw("GET", f"/report/integrated/get/?{query}&advertiser_id={api.account().id}")
    [row, *_] = response.json()["data"]["list"]
    assert (row["metrics"]["tt_app_name"], row["metrics"]["cta_purchase"]) == ("-", "0")
    assert row["metrics"]["real_time_app_install_cost"] == "0.00"


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"page_size": 1001}, "page_size"),
        ({"page_size": 0}, "page_size"),
        ({"page": 0}, "page"),
        ({"page": "x"}, "page"),
    ],
)
def test_pages_have_bounds(api: Any, params: dict[str, Any], word: str) -> None:
    body = api.get("/ad/get/", advertiser_id=api.account().id, **params)
    assert (body["code"], body["message"].split(":")[0]) == (40002, word)


def test_a_body_must_be_a_json_object(api: Any) -> None:
    for content in (b"[1]", b"{"):
        assert api.raw("POST", "/campaign/create/", content=content).json()["code"] == 40002
    assert "Missing required field(s)" in api.raw("POST", "/campaign/create/").json()["message"]


def test_a_seconds_breach_ends_with_the_second_and_counts_one_endpoint(make_api: Any) -> None:
    now = [1_000_000.0]
    api = make_api(options=TikTokOptions(limits={"/user/info/": Limit(2, 100, 1000)}, clock=lambda: now[0]))
    codes = [api.get("/user/info/")["code"] for _ in range(3)]
    assert codes == [0, 0, 40100]
    assert api.get("/ad/get/", advertiser_id=api.account().id)["code"] == 0
    now[0] += 1
    assert api.get("/user/info/")["code"] == 0


def test_a_minutes_breach_shuts_the_endpoint_for_five(make_api: Any) -> None:
    now = [960_000.0]
    api = make_api(options=TikTokOptions(limits={"/user/info/": Limit(10, 2, 1000)}, clock=lambda: now[0]))
    assert [api.get("/user/info/")["code"] for _ in range(3)] == [0, 0, 40100]
    now[0] += 299
    assert api.get("/user/info/")["code"] == 40100
    now[0] += 1
    assert api.get("/user/info/")["code"] == 0


def test_a_days_breach_ends_at_midnight_utc(make_api: Any) -> None:
    now = [10 * 86_400.0 + 1000]
    api = make_api(options=TikTokOptions(limits={"/user/info/": Limit(10, 10, 1)}, clock=lambda: now[0]))
    assert [api.get("/user/info/")["code"] for _ in range(2)] == [0, 40100]
    now[0] = 11 * 86_400.0
    assert api.get("/user/info/")["code"] == 0


def test_one_advertiser_may_be_too_busy(make_api: Any) -> None:
    api = make_api(options=TikTokOptions(level=None, advertiser_qps=1, clock=lambda: 5.0))
    owner = api.account().id
    assert api.get("/ad/get/", advertiser_id=owner)["code"] == 0
    body = api.get("/ad/get/", advertiser_id=owner)
    assert (body["code"], owner in body["message"]) == (40133, True)
    assert api.get("/ad/get/", advertiser_id=api.account("JPY").id)["code"] == 0


def test_the_tiers_have_their_published_limits() -> None:
    options = TikTokOptions(level="basic")
    assert options.limit("/ad/get/") == Limit(10, 600, 864_000)
    assert options.limit("/ad/create/") == Limit(5, 150, 86_400)
    assert options.limit("/report/task/create/") == TikTokOptions().limit("/report/task/create/") == Limit(2, 60, 4500)
    assert TikTokOptions(level=None).limit("/ad/get/") is None


def test_the_advertisers_of_the_token_and_what_they_are(api: Any) -> None:
    listed = api.data(api.get("/oauth2/advertiser/get/", app_id=0, secret="s"))["list"]
    assert [row["advertiser_id"] for row in listed] == list(api.world.accounts)
    assert api.get("/oauth2/advertiser/get/")["message"] == "Missing required field(s): app_id, secret."
    yen = api.account("JPY")
    [row] = api.data(api.get("/advertiser/info/", advertiser_ids=[yen.id]))["list"]
    assert (row["currency"], row["display_timezone"], row["timezone"]) == ("JPY", "Asia/Tokyo", "Etc/GMT-9")
    assert row["status"] == "STATUS_ENABLE"
    [row] = api.data(api.get("/advertiser/info/", advertiser_ids=[yen.id], fields=["name"]))["list"]
    assert row == {"name": yen.name}
    assert api.get("/advertiser/info/", advertiser_ids=[yen.id, "1"])["code"] == 40001


def test_an_auth_code_works_once(api: Any) -> None:
    body = {"app_id": "1", "secret": "s", "auth_code": "c"}
    first, second = (api.request("POST", "/open_api/v1.3/oauth2/access_token/", json=body).json() for _ in range(2))
    assert (first["data"]["access_token"], second["code"]) == (api.token, 40110)


@pytest.mark.parametrize(
    ("path", "key"),
    [("/dmp/custom_audience/list/", "list"), ("/file/music/get/", "musics"), ("/pixel/list/", "pixels"),
     ("/creative/portfolio/list/", "creative_portfolios"), ("/identity/get/", "identity_list")],
)  # fmt: skip
def test_what_the_world_has_nothing_of_is_an_empty_list(api: Any, path: str, key: str) -> None:
    data = api.data(api.get(path, advertiser_id=api.account().id))
    assert (data[key], data["page_info"]["total_number"]) == ([], 0)
