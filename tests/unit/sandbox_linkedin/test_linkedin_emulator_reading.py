"""Reading accounts, campaign groups, campaigns and creatives: finders, paging, single and batch reads."""

from datetime import timedelta
from typing import Any

import pytest

from stakazo_pipelines.sandbox.world import Incident

RESOURCES = ("adCampaignGroups", "adCampaigns", "creatives")


def found(api: Any, resource: str, query: str = "") -> list[dict[str, Any]]:
    """All pages of a finder."""
    finder = "criteria" if resource == "creatives" else "search"
    rows: list[dict[str, Any]] = []
    token = ""
    while True:
        page = f"q={finder}&pageSize=3{query}{token}"
        response = api.get(api.below(resource), page, "FINDER")
        assert response.status_code == 200, response.text
        rows += response.json()["elements"]
        following = response.json()["metadata"].get("nextPageToken")
        if following is None:
            return rows
        token = f"&pageToken={following}"


def own(api: Any, resource: str) -> list[Any]:
    stores = {"adCampaignGroups": api.world.campaigns, "adCampaigns": api.world.ad_groups, "creatives": api.world.ads}
    return [entity for entity in stores[resource].values() if entity.account_id == api.account]


@pytest.mark.parametrize("resource", RESOURCES)
def test_paging_shows_everything_of_the_account_once(api: Any, resource: str) -> None:
    ids = [str(row["id"]).rsplit(":", 1)[-1] for row in found(api, resource)]
    assert ids == sorted(entity.id for entity in own(api, resource))


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_order_can_be_turned(api: Any, resource: str) -> None:
    assert found(api, resource, "&sortOrder=DESCENDING") == found(api, resource)[::-1]


def test_only_accounts_of_the_platform_are_shown(api: Any) -> None:
    ids = {str(row["id"]) for row in api.get("adAccounts", "q=search").json()["elements"]}
    assert ids == {account.id for account in api.world.accounts.values() if account.platform == "linkedin"}


def test_an_account_is_found_by_its_urn(api: Any) -> None:
    query = f"q=search&pageSize=2&search=(id:(values:List(urn%3Ali%3AsponsoredAccount%3A{api.account})))"
    (row,) = api.get("adAccounts", query).json()["elements"]
    assert row == api.get(f"adAccounts/{api.account}").json()
    assert (row["currency"], row["test"], row["servingStatuses"]) == ("USD", False, ["RUNNABLE"])


def test_an_account_of_another_platform_is_not_there(api: Any) -> None:
    other = next(account.id for account in api.world.accounts.values() if account.platform == "meta")
    assert api.get(f"adAccounts/{other}").status_code == 404
    assert api.get(f"adAccounts/{other}/adCampaigns", "q=search").status_code == 404


def test_criteria_are_joined_by_and_their_values_by_or(api: Any) -> None:
    first, second = own(api, "adCampaigns")[:2]
    api.patch(f"{api.below('adCampaigns')}/{first.id}", status="PAUSED")
    both = f"&search=(id:(values:List({first.id},urn%3Ali%3AsponsoredCampaign%3A{second.id}))"
    assert [row["id"] for row in found(api, "adCampaigns", both + ")")] == [int(first.id), int(second.id)]
    paused = both + ",status:(values:List(PAUSED)))"
    assert [row["id"] for row in found(api, "adCampaigns", paused)] == [int(first.id)]
    assert found(api, "adCampaigns", "&search=(test:true)") == []
    assert len(found(api, "adCampaigns", "&search=(test:false)")) == len(own(api, "adCampaigns"))


def test_campaigns_are_found_by_name_and_group(api: Any) -> None:
    campaign = own(api, "adCampaigns")[0]
    group = f"urn%3Ali%3AsponsoredCampaignGroup%3A{campaign.campaign_id}"
    rows = found(api, "adCampaigns", f"&search=(campaignGroup:(values:List({group})))")
    assert {row["campaignGroup"].rsplit(":", 1)[-1] for row in rows} == {campaign.campaign_id}
    api.patch(f"{api.below('adCampaigns')}/{campaign.id}", name="Tag (a,b): x")
    (row,) = found(api, "adCampaigns", "&search=(name:(values:List(Tag%20%28a%2Cb%29%3A%20x)))")
    assert row["id"] == int(campaign.id)


def test_creatives_are_found_by_campaign_status_and_post(api: Any) -> None:
    creative = own(api, "creatives")[0]
    campaign = f"&campaigns=List(urn%3Ali%3AsponsoredCampaign%3A{creative.ad_group_id})"
    rows = found(api, "creatives", campaign)
    assert {row["campaign"].rsplit(":", 1)[-1] for row in rows} == {creative.ad_group_id}
    assert found(api, "creatives", campaign + "&intendedStatuses=List(DRAFT)") == []
    reference = rows[0]["content"]["reference"].replace(":", "%3A")
    shown = found(api, "creatives", f"&contentReferences=List({reference})")
    assert [row["id"] for row in shown] == [rows[0]["id"]]


def test_the_creatives_finder_needs_its_header(api: Any) -> None:
    assert api.get(api.below("creatives"), "q=criteria").status_code == 400


def test_creatives_come_in_pages_of_at_most_a_hundred(api: Any) -> None:
    assert api.get(api.below("creatives"), "q=criteria&pageSize=101", "FINDER").status_code == 400


def test_ids_are_numbers_and_relations_are_urns(api: Any) -> None:
    campaign = found(api, "adCampaigns")[0]
    assert isinstance(campaign["id"], int)
    assert campaign["account"] == f"urn:li:sponsoredAccount:{api.account}"
    assert campaign["campaignGroup"].startswith("urn:li:sponsoredCampaignGroup:")
    assert isinstance(campaign["runSchedule"]["start"], int)
    creative = found(api, "creatives")[0]
    assert creative["id"].startswith("urn:li:sponsoredCreative:")


def test_a_projection_leaves_only_what_is_asked_for(api: Any) -> None:
    campaign = own(api, "adCampaigns")[0].id
    row = api.get(f"{api.below('adCampaigns')}/{campaign}", "fields=id,name,nothing").json()
    assert row.keys() == {"id", "name"}
    (first, *_) = api.get(api.below("adCampaigns"), "q=search&fields=status").json()["elements"]
    assert first.keys() == {"status"}


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_batch_read_tells_found_from_missing(api: Any, resource: str) -> None:
    known = own(api, resource)[0].id
    key, missing = known, "7"
    if resource == "creatives":
        key, missing = (f"urn%3Ali%3AsponsoredCreative%3A{number}" for number in (known, "7"))
    body = api.get(api.below(resource), f"ids=List({key},{missing})", "BATCH_GET").json()
    assert list(body["results"]) == [key]
    assert body["results"][key] == api.get(f"{api.below(resource)}/{key}").json()
    assert body["errors"][missing]["status"] == 404


def test_a_group_that_holds_the_budget_is_dynamic(api: Any) -> None:
    group = next(group for group in api.world.campaigns.values() if group.account_id == api.account)
    api.kernel.update("campaign", group.id, daily_budget=9900)
    row = api.get(f"{api.below('adCampaignGroups')}/{group.id}").json()
    assert row["dailyBudget"] == {"amount": "99.00", "currencyCode": "USD"}
    assert row["budgetOptimization"]["budgetOptimizationStrategy"] == "DYNAMIC"


def test_holds_come_down_from_group_and_campaign(api: Any) -> None:
    creative = own(api, "creatives")[0]
    group = f"{api.below('adCampaignGroups')}/{creative.campaign_id}"
    campaign = f"{api.below('adCampaigns')}/{creative.ad_group_id}"
    key = f"{api.below('creatives')}/urn%3Ali%3AsponsoredCreative%3A{creative.id}"
    assert api.get(campaign, "fields=servingStatuses").json() == {"servingStatuses": ["RUNNABLE"]}
    api.patch(group, status="PAUSED")
    assert api.get(group).json()["servingStatuses"] == ["STOPPED"]
    assert api.get(campaign).json()["servingStatuses"] == ["CAMPAIGN_GROUP_STATUS_HOLD"]
    api.patch(campaign, status="PAUSED")
    row = api.get(key).json()
    assert row["isServing"] is False
    assert row["servingHoldReasons"] == ["CAMPAIGN_STOPPED", "CAMPAIGN_GROUP_STATUS_HOLD"]


def test_a_new_creative_is_reviewed_before_it_serves(api: Any) -> None:
    key = f"{api.below('creatives')}/{api.tree()['creative'].replace(':', '%3A')}"
    row = api.get(key).json()
    assert (row["review"]["status"], row["servingHoldReasons"], row["isServing"]) == (
        "PENDING",
        ["UNDER_REVIEW"],
        False,
    )
    api.request("POST", "/sandbox/clock", json={"advance_days": 1})
    row = api.get(key).json()
    assert (row["review"], row["servingHoldReasons"], row["isServing"]) == ({"status": "APPROVED"}, [], True)


def test_a_rejected_creative_says_so(api: Any) -> None:
    creative = own(api, "creatives")[0]
    now = api.world.now
    api.kernel.add_incident(
        Incident("creative_rejected", api.account, creative.id, now + timedelta(hours=1), now + timedelta(days=9))
    )
    api.request("POST", "/sandbox/clock", json={"advance_hours": 3})
    row = api.get(f"{api.below('creatives')}/urn%3Ali%3AsponsoredCreative%3A{creative.id}").json()
    assert row["review"]["status"] == "REJECTED"
    assert "REJECTED" in row["servingHoldReasons"]


def test_the_member_has_a_role_on_every_account(api: Any) -> None:
    rows = api.get("adAccountUsers", "q=authenticatedUser").json()["elements"]
    accounts = {row["account"] for row in rows}
    assert f"urn:li:sponsoredAccount:{api.account}" in accounts
    one = api.get("adAccountUsers", f"q=accounts&accounts=List(urn%3Ali%3AsponsoredAccount%3A{api.account})").json()
    assert [row["account"] for row in one["elements"]] == [f"urn:li:sponsoredAccount:{api.account}"]
    key = f"(account:urn%3Ali%3AsponsoredAccount%3A{api.account},user:{rows[0]['user'].replace(':', '%3A')})"
    assert api.get(f"adAccountUsers/{key}").json()["role"] == "ACCOUNT_BILLING_ADMIN"


def test_budget_pricing_gives_the_floor_that_writes_are_held_to(api: Any) -> None:
    account = f"urn%3Ali%3AsponsoredAccount%3A{api.account}"
    query = f"q=criteriaV2&account={account}&bidType=CPC&campaignType=SPONSORED_UPDATES&matchType=EXACT"
    (element,) = api.get("adBudgetPricing", query).json()["elements"]
    floor = element["dailyBudgetLimits"]["min"]
    campaign = f"{api.below('adCampaigns')}/{api.running().id}"
    assert api.patch(campaign, dailyBudget=floor).status_code == 204
    lower = {**floor, "amount": str(float(floor["amount"]) - 1)}
    assert api.patch(campaign, dailyBudget=lower).json()["code"] == "FIELD_VALUE_TOO_LOW"


def test_facets_countries_and_empty_lists_are_served(api: Any) -> None:
    names = {row["facetName"] for row in api.get("adTargetingFacets").json()["elements"]}
    assert {"locations", "interfaceLocales", "titles"} <= names
    (row,) = api.get("adTargetingEntities", "q=urns&urns=List(urn%3Ali%3Ageo%3A103644278)").json()["elements"]
    assert row["name"] == "United States"
    account = f"urn%3Ali%3AsponsoredAccount%3A{api.account}"
    (rule,) = api.get("conversions", f"q=account&account={account}").json()["elements"]
    assert (rule["postClickAttributionWindowSize"], rule["viewThroughAttributionWindowSize"]) == (30, 7)
    assert api.get("leadForms", f"q=owner&owner=(sponsoredAccount:{account})&count=500").json()["elements"] == []
