"""Requests as public connectors send them (tap-linkedin-ads 2.8.0, airbyte-source-linkedin-ads 5.4.1), word for word.

The first tunnels every read and speaks Rest.li 1.0 where it leaves the protocol header out; the second writes enums as
`(value:X)` and percent-encodes plain values.
"""

from typing import Any

import pytest

TAP = {
    "Accept": "application/json",
    "LinkedIn-Version": "202511",
    "Cache-Control": "no-cache",
    "Content-Type": "application/x-www-form-urlencoded",
    "X-HTTP-Method-Override": "GET",
}
V2 = {"X-Restli-Protocol-Version": "2.0.0"}
DAYS = "dateRange.start.day={0}&dateRange.start.month=6&dateRange.start.year=2026&dateRange.end.day=30&\
dateRange.end.month=6&dateRange.end.year=2026"


def tap(api: Any, path: str, query: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    sent = {**TAP, "Authorization": api.headers["Authorization"], **(headers or {})}
    response = api.request("POST", f"/rest/{path}", headers=sent, content=query)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["elements"]
    return rows


def airbyte(api: Any, path: str, query: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    sent = {"Linkedin-Version": "202502", "Authorization": api.headers["Authorization"], **(headers or {})}
    response = api.request("GET", f"/rest/{path}?{query}", headers=sent)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["elements"]
    return rows


def test_the_tap_checks_its_accounts(api: Any) -> None:
    urn = f"urn%3Ali%3AsponsoredAccount%3A{api.account}"
    rows = tap(api, "adAccounts", f"pageSize=1&q=search&search=(id:(values:List({urn})))", V2)
    assert [str(row["id"]) for row in rows] == [api.account]


def test_the_tap_lists_users_in_the_old_style(api: Any) -> None:
    query = f"start=0&count=100&q=accounts&accounts[0]=urn:li:sponsoredAccount:{api.account}"
    (row,) = tap(api, "adAccountUsers", query)
    assert row["changeAuditStamps"].keys() == {"created", "lastModified"}


@pytest.mark.parametrize("resource", ["adCampaignGroups", "adCampaigns"])
def test_the_tap_searches_without_criteria_or_protocol(api: Any, resource: str) -> None:
    assert tap(api, api.below(resource), "pageSize=100&q=search")


def test_the_tap_lists_creatives_and_posts(api: Any) -> None:
    campaign = f"urn%3Ali%3AsponsoredCampaign%3A{api.running().id}"
    query = f"pageSize=100&q=criteria&campaigns=List({campaign})&sortOrder=ASCENDING"
    assert tap(api, api.below("creatives"), query, {**V2, "X-RestLi-Method": "FINDER"})
    account = f"urn%3Ali%3AsponsoredAccount%3A{api.account}"
    posts = f"start=0&count=100&q=dscAdAccount&dscAdTypes=List(VIDEO)&dscAdAccount={account}"
    assert tap(api, "posts", posts, V2)


@pytest.mark.parametrize("pivot", ["CAMPAIGN", "CREATIVE"])
def test_the_tap_reads_analytics_in_the_old_style(api: Any, pivot: str) -> None:
    campaign = f"campaigns[0]=urn:li:sponsoredCampaign:{api.running().id}"
    base = f"start=0&q=analytics&pivot={pivot}&timeGranularity=DAILY&count=10000&{campaign}&{DAYS.format(24)}"
    rows = tap(api, "adAnalytics", f"{base}&fields=clicks,costInUsd,approximateUniqueImpressions,dateRange,pivotValues")
    assert rows
    assert all(row["dateRange"].keys() == {"start", "end"} for row in rows)


def test_airbyte_lists_everything_that_it_starts_from(api: Any) -> None:
    accounts = airbyte(api, "adAccounts", "q=search&pageSize=500")
    assert int(api.account) in {row["id"] for row in accounts}
    users = f"q=accounts&count=500&accounts=urn%3Ali%3AsponsoredAccount%3A{api.account}"
    assert airbyte(api, "adAccountUsers", users)
    every = "ACTIVE,PAUSED,ARCHIVED,COMPLETED,CANCELED,DRAFT,PENDING_DELETION,REMOVED"
    campaigns = f"q=search&search=(status:(values:List({every})))&pageSize=500"
    assert airbyte(api, api.below("adCampaigns"), campaigns, V2)
    assert airbyte(api, api.below("creatives"), "q=criteria&pageSize=100", {"X-RestLi-Method": "FINDER"})
    rules = f"q=account&account=urn%3Ali%3AsponsoredAccount%3A{api.account}&count=500"
    assert airbyte(api, "conversions", rules, V2)


def test_airbyte_finds_no_leads(api: Any) -> None:
    owner = f"owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A{api.account})"
    assert airbyte(api, "leadForms", f"{owner}&q=owner&count=500", V2) == []
    responses = f"{owner}&leadType=(leadType:SPONSORED)&q=owner&count=500"
    assert airbyte(api, "leadFormResponses", responses, V2) == []


@pytest.mark.parametrize("pivot", ["CAMPAIGN", "CREATIVE", "MEMBER_COUNTRY_V2", "MEMBER_JOB_TITLE"])
def test_airbyte_reads_analytics_with_wrapped_enums(api: Any, pivot: str) -> None:
    campaign = f"campaigns=List(urn%3Ali%3AsponsoredCampaign%3A{api.running().id})"
    days = "dateRange=(start:(year:2026,month:6,day:20),end:(year:2026,month:6,day:30))"
    fields = "fields=actionClicks,adUnitClicks,approximateMemberReach,cardClicks,viralShares,dateRange,pivotValues"
    query = f"q=analytics&pivot=(value:{pivot})&timeGranularity=(value:DAILY)&{campaign}&{days}&{fields}"
    assert bool(airbyte(api, "adAnalytics", query, V2)) == (pivot != "MEMBER_JOB_TITLE")
