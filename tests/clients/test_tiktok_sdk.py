"""The official TikTok SDK, unmodified, against the sandbox: what programs written on it read, write and are refused."""

import csv
import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytest.importorskip("business_api_client", reason="the clients group is not installed (make setup-clients)")

import business_api_client as sdk
from business_api_client.models.filtering_report_integrated_get import FilteringReportIntegratedGet
from business_api_client.tiktok_business.tiktok_exceptions import TiktokSDKError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(64)
METRICS = ["spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate"]


class Client:
    """The SDK's own API classes on one `ApiClient`; every call gets the token and the advertiser."""

    def __init__(self, client: sdk.ApiClient, token: str) -> None:
        self._client, self.token = client, token
        self.advertiser = ""

    def call(self, api: type, name: str, *args: Any, **kwargs: Any) -> Any:
        """`data` of a successful answer. Raises TiktokSDKError."""
        return getattr(api(self._client), name)(*args, access_token=self.token, **kwargs)["data"]

    def rows(self, api: type, name: str, **kwargs: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            data = self.call(api, name, self.advertiser, page=page, **kwargs)
            rows += data["list"]
            if page >= data["page_info"]["total_page"]:
                return rows
            page += 1

    def campaigns(self, **kwargs: Any) -> list[dict[str, Any]]:
        return self.rows(sdk.CampaignCreationApi, "campaign_get", **kwargs)

    def adgroups(self, **kwargs: Any) -> list[dict[str, Any]]:
        return self.rows(sdk.AdgroupApi, "adgroup_get", **kwargs)

    def ads(self, **kwargs: Any) -> list[dict[str, Any]]:
        return self.rows(sdk.AdApi, "ad_get", **kwargs)

    def report(self, days: dict[str, str], **kwargs: Any) -> dict[str, Any]:
        usual = {
            "advertiser_id": self.advertiser,
            "data_level": "AUCTION_AD",
            "dimensions": ["ad_id", "stat_time_day"],
            "metrics": METRICS,
            "start_date": days["since"],
            "end_date": days["until"],
            "page_size": 1000,
        }
        data: dict[str, Any] = self.call(sdk.ReportingApi, "report_integrated_get", "BASIC", **usual | kwargs)
        return data


@pytest.fixture(scope="module")
def client(sandbox_url: str, sandbox_token: str) -> Client:
    configuration = sdk.Configuration()
    configuration.host = sandbox_url
    client = Client(sdk.ApiClient(configuration), sandbox_token)
    listed = client.call(sdk.AuthenticationApi, "oauth2_advertiser_get", "7000000000000000000", "secret")["list"]
    client.advertiser = listed[0]["advertiser_id"]
    return client


@pytest.fixture
def tree(client: Client) -> dict[str, str]:
    """A paused campaign and ad group of the test's own."""
    campaign = sdk.CampaignCreateBody(
        advertiser_id=client.advertiser,
        campaign_name="Made by the SDK",
        objective_type="WEB_CONVERSIONS",
        budget_mode="BUDGET_MODE_INFINITE",
        operation_status="DISABLE",
    )
    made = client.call(sdk.CampaignCreationApi, "campaign_create", body=campaign)
    floor = max(row["budget"] for row in client.adgroups())  # surely above the smallest budget of the currency
    adgroup = sdk.AdgroupCreateBody(
        advertiser_id=client.advertiser,
        campaign_id=made["campaign_id"],
        adgroup_name="Made by the SDK",
        promotion_type="WEBSITE",
        placement_type="PLACEMENT_TYPE_NORMAL",
        placements=["PLACEMENT_TIKTOK"],
        location_ids=["6252001"],
        age_groups=["AGE_25_34", "AGE_35_44"],
        budget_mode="BUDGET_MODE_DAY",
        budget=floor,
        schedule_type="SCHEDULE_FROM_NOW",
        schedule_start_time="2027-01-01 00:00:00",
        optimization_goal="CONVERT",
        billing_event="OCPM",
        bid_type="BID_TYPE_NO_BID",
        pacing="PACING_MODE_SMOOTH",
        operation_status="DISABLE",
    )
    group = client.call(sdk.AdgroupApi, "adgroup_create", body=adgroup)
    return {"campaign": made["campaign_id"], "adgroup": group["adgroup_id"]}


def refusal(act: Callable[[], object], code: int) -> str:
    """The message of the SDK's error, which must be of this code."""
    with pytest.raises(TiktokSDKError) as info:
        act()
    found = re.fullmatch(r"Error Code: (\d+), message: (.*), request_id: (\w+)", str(info.value))
    assert found is not None, str(info.value)
    assert int(found[1]) == code, found[2]
    return found[2]


def upload(client: Client, tmp_path: Any, kind: str, content: bytes, name: str) -> Any:
    path = tmp_path / name
    path.write_bytes(content)
    fields = {
        "advertiser_id": client.advertiser,
        "upload_type": "UPLOAD_BY_FILE",
        "file_name": name,
        f"{kind}_file": str(path),
        f"{kind}_signature": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    return client.call(sdk.FileApi, f"ad_{kind}_upload", **fields)


def test_the_advertisers_of_the_token(client: Client) -> None:
    listed = client.call(sdk.AuthenticationApi, "oauth2_advertiser_get", "1", "s")["list"]
    ids = [row["advertiser_id"] for row in listed]
    info = client.call(sdk.AccountManagementApi, "advertiser_info", ids, fields=["advertiser_id", "currency", "status"])
    assert [row["advertiser_id"] for row in info["list"]] == ids
    assert {row["status"] for row in info["list"]} == {"STATUS_ENABLE"}


def test_a_code_is_exchanged_for_the_token(client: Client, sandbox_url: str) -> None:
    configuration = sdk.Configuration()
    configuration.host = sandbox_url
    body = sdk.Oauth2AccessTokenBody(app_id="7", secret="s", auth_code="once")
    found = sdk.AuthenticationApi(sdk.ApiClient(configuration)).oauth2_access_token(body=body)["data"]
    assert found["access_token"] == client.token
    assert client.advertiser in found["advertiser_ids"]


def test_lists_are_read_in_pages_and_filtered(client: Client) -> None:
    whole = client.ads(page_size=1000)
    assert [row["ad_id"] for row in client.ads(page_size=7)] == [row["ad_id"] for row in whole]
    groups = client.adgroups(page_size=1000)
    assert {row["adgroup_id"] for row in whole} <= {row["adgroup_id"] for row in groups}
    one = whole[0]
    filtering = sdk.FilteringAdGet(adgroup_ids=[one["adgroup_id"]], primary_status="STATUS_ALL")
    found = client.ads(filtering=filtering, fields=["ad_id", "adgroup_id", "secondary_status"])
    assert {row["adgroup_id"] for row in found} == {one["adgroup_id"]}
    assert set(found[0]) == {"ad_id", "adgroup_id", "secondary_status"}
    campaigns = client.campaigns(filtering=sdk.FilteringCampaignGet(campaign_ids=[one["campaign_id"]]))
    assert [row["campaign_id"] for row in campaigns] == [one["campaign_id"]]
    assert client.adgroups(filtering={"adgroup_ids": [one["adgroup_id"]]})[0]["campaign_id"] == one["campaign_id"]


def test_a_campaign_with_ad_group_and_ad_is_made_and_read_back(client: Client, tree: Any, tmp_path: Any) -> None:
    [video] = upload(client, tmp_path, "video", MP4, "clip.mp4")
    creative = sdk.AdcreateCreatives(
        ad_name="Made by the SDK",
        identity_type="CUSTOMIZED_USER",
        identity_id="7000000000000000001",
        ad_format="SINGLE_VIDEO",
        video_id=video["video_id"],
        ad_text="See why people choose it",
        call_to_action="SHOP_NOW",
        landing_page_url="https://shop.example/?a=1&b=2",
    )
    body = sdk.AdCreateBody(advertiser_id=client.advertiser, adgroup_id=tree["adgroup"], creatives=[creative])
    [ad_id] = client.call(sdk.AdApi, "ad_create", body=body)["ad_ids"]
    [row] = client.ads(filtering={"ad_ids": [ad_id]})
    assert (row["campaign_id"], row["adgroup_id"], row["video_id"]) == (*tree.values(), video["video_id"])
    assert row["landing_page_url"] == "https://shop.example/?a=1&b=2"
    change = sdk.AdupdateCreatives(ad_id=ad_id, ad_text="Other words")
    patch = sdk.AdUpdateBody(
        advertiser_id=client.advertiser, adgroup_id=tree["adgroup"], patch_update=True, creatives=[change]
    )
    client.call(sdk.AdApi, "ad_update", body=patch)
    [row] = client.ads(filtering={"ad_ids": [ad_id]})
    assert (row["ad_text"], row["call_to_action"]) == ("Other words", "SHOP_NOW")


def test_statuses_change_and_deleted_is_final(client: Client, tree: Any) -> None:
    campaign = {"advertiser_id": client.advertiser, "campaign_ids": [tree["campaign"]]}
    for operation in ("ENABLE", "DISABLE"):
        body = sdk.CampaignStatusUpdateBody(**campaign, operation_status=operation)
        data = client.call(sdk.CampaignCreationApi, "campaign_status_update", body=body)
        assert data["campaign_list"][0]["status"] == operation
        assert client.campaigns(filtering={"campaign_ids": [tree["campaign"]]})[0]["operation_status"] == operation
    groups = {"advertiser_id": client.advertiser, "adgroup_ids": [tree["adgroup"]]}
    body = sdk.AdgroupStatusUpdateBody(**groups, operation_status="DELETE", allow_partial_success=True)
    client.call(sdk.AdgroupApi, "adgroup_status_update", body=body)
    assert client.adgroups(filtering={"adgroup_ids": [tree["adgroup"]]}) == []
    body = sdk.AdgroupStatusUpdateBody(**groups, operation_status="ENABLE")
    assert "deleted" in refusal(lambda: client.call(sdk.AdgroupApi, "adgroup_status_update", body=body), 40002)


def test_an_ad_group_update_replaces_and_a_campaign_is_renamed(client: Client, tree: Any) -> None:
    [before] = client.adgroups(filtering={"adgroup_ids": [tree["adgroup"]]})
    body = sdk.AdgroupUpdateBody(
        advertiser_id=client.advertiser,
        adgroup_id=tree["adgroup"],
        budget=before["budget"] + 10,
        location_ids=before["location_ids"],
    )
    after = client.call(sdk.AdgroupApi, "adgroup_update", body=body)
    assert (after["budget"], after["location_ids"]) == (before["budget"] + 10, before["location_ids"])
    assert (before["age_groups"], after["age_groups"]) == (["AGE_25_34", "AGE_35_44"], None)
    renamed = sdk.CampaignUpdateBody(
        advertiser_id=client.advertiser, campaign_id=tree["campaign"], campaign_name="New name"
    )
    assert client.call(sdk.CampaignCreationApi, "campaign_update", body=renamed)["campaign_name"] == "New name"


def test_a_daily_report_with_attributes_adds_up(client: Client, control: Any) -> None:
    attributes = ["campaign_name", "campaign_id", "adgroup_name", "adgroup_id", "ad_name"]
    rows = client.report(control.last_week, metrics=[*METRICS, *attributes], enable_total_metrics=True)
    names = {row["ad_id"]: row for row in client.ads(page_size=1000)}
    for row in rows["list"]:
        ad = names[row["dimensions"]["ad_id"]]
        assert {name: row["metrics"][name] for name in attributes} == {name: ad[name] for name in attributes}
        assert all(isinstance(value, str) for value in row["metrics"].values())
    whole = client.report(control.last_week, data_level="AUCTION_ADVERTISER", dimensions=["stat_time_day"])["list"]
    for metric in ("impressions", "clicks", "complete_payment"):
        total = sum(int(row["metrics"][metric]) for row in rows["list"])
        assert total == sum(int(row["metrics"][metric]) for row in whole) == int(rows["total_metrics"][metric]) > 0


def test_an_audience_report_and_a_filtered_one(client: Client, control: Any) -> None:
    days = control.last_week
    group = client.report(days, data_level="AUCTION_ADGROUP", dimensions=["adgroup_id"])["list"][0]
    value = f'["{group["dimensions"]["adgroup_id"]}"]'
    wanted = FilteringReportIntegratedGet(field_name="adgroup_ids", filter_type="IN", filter_value=value)
    usual = {"advertiser_id": client.advertiser, "start_date": days["since"], "end_date": days["until"]}
    split = client.call(
        sdk.ReportingApi,
        "report_integrated_get",
        "AUDIENCE",
        data_level="AUCTION_ADGROUP",
        dimensions=["adgroup_id", "age", "gender"],
        metrics=["impressions"],
        filtering=[wanted],
        page_size=1000,
        **usual,
    )["list"]
    total = sum(int(row["metrics"]["impressions"]) for row in split)
    assert total == int(group["metrics"]["impressions"])


def test_a_report_task_is_created_checked_and_downloaded(client: Client, control: Any, sandbox_url: str) -> None:
    days = control.last_week
    body = sdk.ReportTaskCreateBody(
        advertiser_id=client.advertiser,
        report_type="BASIC",
        data_level="AUCTION_AD",
        dimensions=["ad_id", "stat_time_day"],
        metrics=METRICS,
        start_date=days["since"],
        end_date=days["until"],
        enable_report_title_translation=False,
    )
    task = client.call(sdk.ReportingApi, "report_task_create", body=body)["task_id"]
    states = [client.call(sdk.ReportingApi, "report_task_check", task, client.advertiser)["status"] for _ in range(3)]
    assert states[-1] == "SUCCESS"
    # The SDK has no call for the download.
    response = httpx.get(
        f"{sandbox_url}/open_api/v1.3/report/task/download/",
        params={"advertiser_id": client.advertiser, "task_id": task},
        headers={"Access-Token": client.token},
        trust_env=False,
    )
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert rows == [{**row["dimensions"], **row["metrics"]} for row in client.report(days)["list"]]


def test_an_image_is_uploaded_and_found_again(client: Client, tmp_path: Any) -> None:
    image = upload(client, tmp_path, "image", PNG, "shelf.png")
    found = client.call(sdk.FileApi, "file_image_ad_info", client.advertiser, [image["image_id"]])["list"]
    assert found == [image]
    duplicate = "Duplicated material name: shelf.png."
    assert refusal(lambda: upload(client, tmp_path, "image", PNG, "shelf.png"), 40911) == duplicate
    found = client.call(sdk.FileApi, "ad_video_search", client.advertiser, page_size=5)
    assert len(found["list"]) == 5
    ids = [row["video_id"] for row in found["list"]]
    assert client.call(sdk.FileApi, "ad_video_info", client.advertiser, ids)["list"] == found["list"]


def test_what_the_world_has_nothing_of_reads_as_empty(client: Client) -> None:
    assert client.call(sdk.AudienceApi, "dmp_custom_audience_list", client.advertiser)["list"] == []
    assert client.call(sdk.MeasurementApi, "pixel_list", client.advertiser)["pixels"] == []
    assert client.call(sdk.IdentityApi, "identity_get", client.advertiser)["identity_list"] == []
    assert client.call(sdk.AdgroupApi, "adgroup_quota", client.advertiser)["used_adgroup_quota"] > 0


def test_a_wrong_token_is_told_apart_from_a_bad_parameter(client: Client, control: Any) -> None:
    api, owner = sdk.CampaignCreationApi(client._client), client.advertiser
    assert "revoked" in refusal(lambda: api.campaign_get(owner, "wrong"), 40105)
    assert "Access token is null" in refusal(lambda: api.campaign_get(owner, ""), 40104)
    assert "page_size" in refusal(lambda: client.campaigns(page_size=1001), 40002)
    assert "30 days" in refusal(lambda: client.report({"since": "2026-01-01", "until": "2026-06-01"}), 40002)
    assert "999" in refusal(lambda: client.call(sdk.CampaignCreationApi, "campaign_get", "999"), 40001)
    control.fault("throttle", platform="tiktok", path="/campaign/get/", times=1)
    assert "Too many requests" in refusal(client.campaigns, 40100)
