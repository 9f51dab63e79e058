"""Objects and edges of the Meta emulator: fields, expansion, filters, pages, tokens, paths."""

from typing import Any

import pytest

CAMPAIGN_FIELDS = (
    "id,account_id,name,objective,buying_type,status,configured_status,effective_status,daily_budget,lifetime_budget,"
    "bid_strategy,special_ad_categories,is_adset_budget_sharing_enabled,created_time,updated_time,start_time"
)
ADSET_FIELDS = (
    "id,account_id,campaign_id,name,status,effective_status,daily_budget,lifetime_budget,bid_strategy,bid_amount,"
    "optimization_goal,billing_event,targeting,promoted_object,attribution_spec,destination_type,learning_stage_info,"
    "created_time,updated_time"
)
CREATIVE_FIELDS = "id,name,status,title,body,call_to_action_type,image_hash,link_url,object_type,object_story_spec"
AD_FIELDS = "id,name,adset_id,campaign_id,status,effective_status,creative,adset{name},campaign{name}"


def first_campaign(api: Any) -> Any:
    return next(c for c in api.world.campaigns.values() if c.account_id == api.account())


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("campaign", CAMPAIGN_FIELDS), ("adset", ADSET_FIELDS), ("ad", AD_FIELDS), ("creative", CREATIVE_FIELDS)],
)
def test_each_kind_reads_as_recorded(api: Any, golden: Any, kind: str, fields: str) -> None:
    tree = api.tree()
    golden(kind, api.get(f"/{tree[kind]}", fields=fields).json(), **tree)


def test_an_error_reads_as_recorded(api: Any, golden: Any) -> None:
    body = api.post(f"/{api.adset().id}", daily_budget=1).json()
    assert len(body["error"].pop("fbtrace_id")) > 10
    golden("error", body)


def test_without_fields_only_the_id_comes_back(api: Any) -> None:
    campaign = first_campaign(api)
    assert api.get(f"/{campaign.id}").json() == {"id": campaign.id}
    account = api.account()
    assert api.get(f"/act_{account}").json() == {"id": f"act_{account}", "account_id": account}


def test_budgets_are_numeric_text_in_metas_minor_units(api: Any) -> None:
    dollars, yen = api.adset("USD"), api.adset("JPY")
    assert api.get(f"/{dollars.id}", fields="daily_budget").json()["daily_budget"] == str(dollars.daily_budget)
    assert api.get(f"/{yen.id}", fields="daily_budget").json()["daily_budget"] == str(yen.daily_budget)
    assert api.get(f"/act_{api.account('JPY')}", fields="min_daily_budget").json()["min_daily_budget"] == 150


def test_every_account_of_the_token_is_listed(api: Any) -> None:
    rows = api.get("/me/adaccounts", fields="name,currency,timezone_name").json()["data"]
    assert {row["currency"] for row in rows} == {account.currency for account in api.world.accounts.values()}
    assert all(row["id"].startswith("act_") for row in rows)


def test_a_trailing_slash_and_any_version_are_the_same_path(api: Any) -> None:
    campaign = first_campaign(api)
    for path in (f"/v19.0/{campaign.id}/", f"/{campaign.id}", f"/v26.0/{campaign.id}"):
        response = api.request("GET", path, params={"access_token": api.token, "fields": "name"})
        assert response.json()["name"] == campaign.name


def test_a_token_is_taken_from_query_form_and_header(api: Any) -> None:
    campaign = first_campaign(api)
    bearer = api.request("GET", f"/v26.0/{campaign.id}", headers={"Authorization": f"Bearer {api.token}"})
    form = api.request("POST", f"/v26.0/{campaign.id}", data={"access_token": api.token, "name": "Form"})
    proof = api.get(f"/{campaign.id}", appsecret_proof="0" * 64)
    json_body = api.request("POST", f"/v26.0/{campaign.id}", json={"access_token": api.token, "name": "JSON"})
    assert [r.status_code for r in (bearer, form, proof, json_body)] == [200] * 4
    assert api.world.campaigns[campaign.id].name == "JSON"


def test_an_unknown_token_is_refused(api: Any) -> None:
    response = api.get("/me/adaccounts", access_token="wrong")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == 190
    assert response.json()["error"]["type"] == "OAuthException"


def test_unknown_fields_and_objects_are_code_100(api: Any) -> None:
    field = api.get(f"/{first_campaign(api).id}", fields="name,colour").json()["error"]
    assert (field["code"], field["message"]) == (
        100,
        "(#100) Tried accessing nonexisting field (colour) on node type (AdCampaignGroup)",
    )
    missing = api.get("/999999", fields="name").json()["error"]
    assert (missing["code"], missing["error_subcode"]) == (100, 33)


def test_fields_the_world_does_not_fill_are_absent_not_wrong(api: Any) -> None:
    adset = api.adset()
    body = api.get(f"/{adset.id}", fields="name,issues_info,lifetime_imps,campaign_attribution").json()
    assert body == {"name": adset.name, "id": adset.id}
    assert api.get(f"/act_{api.account()}/customaudiences").json() == {"data": []}


def test_a_token_can_be_looked_into(api: Any) -> None:
    assert api.get("/debug_token", input_token=api.token).json()["data"]["is_valid"] is True
    assert api.get("/debug_token", input_token="other").json()["data"]["is_valid"] is False
    assert len(api.get("/me/permissions").json()["data"]) == 3


def test_reading_many_ids_at_once_is_gone(api: Any) -> None:
    response = api.get("/", ids="1,2")
    assert (response.status_code, response.json()["error"]["code"]) == (500, 100)


def test_fields_expand_upward_and_downward(api: Any) -> None:
    campaign = first_campaign(api)
    body = api.get(f"/{campaign.id}", fields="name,adsets.limit(1){id,name,ads{creative{id,title}}}").json()
    adset = body["adsets"]["data"][0]
    assert len(body["adsets"]["data"]) == 1
    assert adset["ads"]["data"][0]["creative"]["title"]
    above = api.get(f"/{adset['id']}", fields="campaign{name,objective}").json()["campaign"]
    assert above == {"name": campaign.name, "objective": campaign.objective, "id": campaign.id}


def test_insights_expand_inside_fields(api: Any) -> None:
    adset = api.adset()
    body = api.get(f"/{adset.id}", fields="insights.date_preset(last_7d){spend,impressions}").json()
    direct = api.get(f"/{adset.id}/insights", fields="spend,impressions", date_preset="last_7d").json()
    assert body["insights"]["data"] == direct["data"]


@pytest.mark.parametrize("limit", [1, 3, 25])
def test_pages_hold_every_object_once(api: Any, limit: int) -> None:
    rows = api.pages(f"/act_{api.account()}/ads", fields="name", limit=limit)
    assert sorted(row["id"] for row in rows) == sorted(
        a.id for a in api.world.ads.values() if a.account_id == api.account()
    )


def test_paging_links_only_where_there_is_more(api: Any) -> None:
    body = api.get(f"/act_{api.account()}/adsets", limit=3, summary="true").json()
    assert body["summary"] == {"total_count": 4}
    assert body["paging"]["next"].startswith("http://sandbox.test/v26.0/")
    last = api.request("GET", body["paging"]["next"]).json()
    assert "next" not in last["paging"]
    back = api.request("GET", last["paging"]["previous"]).json()
    assert back["data"] == body["data"]


def test_a_cursor_belongs_to_its_query(api: Any) -> None:
    cursor = api.get(f"/act_{api.account()}/adsets", limit=1).json()["paging"]["cursors"]["after"]
    error = api.get(f"/act_{api.account()}/ads", limit=1, after=cursor).json()["error"]
    assert error["code"] == 100


def test_objects_made_between_two_pages_shift_nothing(api: Any) -> None:
    account = api.account()
    first = api.get(f"/act_{account}/campaigns", limit=1).json()
    api.post(f"/act_{account}/campaigns", name="New", objective="OUTCOME_SALES", special_ad_categories=[],
             is_adset_budget_sharing_enabled=False)  # fmt: skip
    second = api.request("GET", first["paging"]["next"]).json()
    assert second["data"][0]["id"] != first["data"][0]["id"]
    assert len({row["id"] for row in first["data"] + second["data"]}) == 2


def test_archived_objects_are_listed_on_request_and_deleted_ones_never(api: Any) -> None:
    account = api.account()
    archived, deleted = [c.id for c in api.world.campaigns.values() if c.account_id == account][:2]
    api.post(f"/{archived}", status="ARCHIVED")
    api.delete(f"/{deleted}")
    everything = ["ACTIVE", "PAUSED", "ARCHIVED", "DELETED"]
    usual = {row["id"] for row in api.pages(f"/act_{account}/campaigns")}
    asked = {row["id"] for row in api.pages(f"/act_{account}/campaigns", effective_status=everything)}
    assert archived not in usual
    assert archived in asked
    assert deleted not in asked
    assert api.get(f"/{deleted}", fields="status").json()["status"] == "DELETED"


def test_status_is_inherited_in_effective_status_only(api: Any) -> None:
    adset = api.adset()
    ad = next(ad for ad in api.world.ads.values() if ad.ad_group_id == adset.id and ad.status == "ACTIVE")
    api.post(f"/{adset.id}", status="PAUSED")
    assert api.get(f"/{ad.id}", fields="status,effective_status").json()["effective_status"] == "ADSET_PAUSED"
    api.post(f"/{adset.id}", status="ACTIVE")
    api.post(f"/{adset.campaign_id}", status="PAUSED")
    for identity in (adset.id, ad.id):
        body = api.get(f"/{identity}", fields="status,effective_status").json()
        assert (body["status"], body["effective_status"]) == ("ACTIVE", "CAMPAIGN_PAUSED")


@pytest.mark.parametrize(
    ("filters", "matching"),
    [
        ([{"field": "adset.id", "operator": "IN", "value": ["ID"]}], True),
        ([{"field": "id", "operator": "EQUAL", "value": "ID"}], True),
        ([{"field": "campaign.id", "operator": "EQUAL", "value": "0"}], False),
        ([{"field": "adset.effective_status", "operator": "IN", "value": ["PAUSED"]}], False),
        ([{"field": "updated_time", "operator": "GREATER_THAN", "value": 4102444800}], False),
        ([{"field": "name", "operator": "CONTAIN", "value": "us"}], True),
    ],
)
def test_edges_are_filtered(api: Any, filters: list[dict[str, Any]], *, matching: bool) -> None:
    adset = api.adset()
    asked = [{**f, "value": adset.id if f["value"] == "ID" else [adset.id] if f["value"] == ["ID"] else f["value"]}
             for f in filters]  # fmt: skip
    found = {row["id"] for row in api.pages(f"/act_{adset.account_id}/adsets", filtering=asked)}
    assert (adset.id in found) is matching


def test_a_page_that_asks_for_too_much_is_code_1(api: Any) -> None:
    response = api.get(f"/act_{api.account()}/ads", limit=5000)
    assert (response.status_code, response.json()["error"]["code"]) == (500, 1)


def test_minimum_budgets_are_whole_numbers(api: Any) -> None:
    row = api.get(f"/act_{api.account('JPY')}/minimum_budgets").json()["data"][0]
    assert row["currency"] == "JPY"
    assert row["min_daily_budget_imp"] == 150
