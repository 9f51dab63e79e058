"""Meta's SDK as the public data connectors use it: details in batches, filters by time and delivery, breakdowns."""

import json
from decimal import Decimal

import pytest

pytest.importorskip("facebook_business", reason="the clients group is not installed (make setup-clients)")

from facebook_business.adobjects.user import User

CAMPAIGN = {
    "name": "Made for a connector",
    "objective": "OUTCOME_SALES",
    "status": "PAUSED",
    "special_ad_categories": [],
    "is_adset_budget_sharing_enabled": False,
}


@pytest.fixture(scope="module")
def api(open_meta, sandbox_token):
    return open_meta(sandbox_token)


@pytest.fixture(scope="module")
def account(api):
    return next(iter(User(fbid="me", api=api).get_ad_accounts(fields=["account_id"])))


def test_connectors_find_no_business_behind_a_system_user(api, account):
    me = User(fbid="me", api=api).api_get(fields=["id", "name"])
    assert list(me.get_business_users()) == []
    assert list(account.get_assigned_users(params={"business": "1"})) == []
    assert len(list(me.get_ad_accounts())) >= 2


def test_connectors_read_what_changed_and_its_details_in_batches(api, account):
    filtering = [{"field": "campaign.updated_time", "operator": "GREATER_THAN", "value": 1_700_000_000}]
    details = []
    batch = api.new_batch()
    campaigns = list(account.get_campaigns(params={"limit": 100, "filtering": filtering}))
    for campaign in campaigns:
        request = campaign.api_get(fields=["name", "objective", "status", "updated_time"], pending=True)
        batch.add_request(request, success=lambda response: details.append(response.json()))
    assert batch.execute() is None
    assert [one["id"] for one in details] == [campaign["id"] for campaign in campaigns]


def test_connectors_ask_for_archived_objects_by_delivery(account):
    campaign = account.create_campaign(params=CAMPAIGN)
    campaign.api_update(params={"status": "ARCHIVED"})
    words = ["active", "archived", "inactive", "pending_review", "rejected"]
    found = {}
    for asked in (words, words[:1]):
        rule = [{"field": "campaign.delivery_info", "operator": "IN", "value": asked}]
        found[len(asked)] = {one["id"] for one in account.get_campaigns(params={"limit": 500, "filtering": rule})}
    assert campaign["id"] in found[len(words)] - found[1]


@pytest.mark.parametrize(
    "breakdowns",
    [["region"], ["device_platform"], ["publisher_platform", "platform_position", "impression_device"]],
)
def test_breakdowns_the_world_does_not_know_are_unknown_but_whole(account, control, breakdowns):
    params = {
        "level": "ad",
        "time_range": control.last_week,
        "time_increment": 1,
        "action_breakdowns": ["action_type"],
        "action_attribution_windows": ["1d_click", "7d_click", "28d_click", "1d_view"],
        "limit": 500,
    }
    fields = ["ad_id", "impressions", "spend", "actions"]
    parts = list(account.get_insights(fields=fields, params={**params, "breakdowns": breakdowns}))
    assert {row[breakdowns[-1]] for row in parts} == {"unknown"}
    whole = account.get_insights(fields=fields, params=params)
    assert sum(Decimal(row["spend"]) for row in parts) == sum(Decimal(row["spend"]) for row in whole) > 0


def test_connectors_slow_down_by_the_headers(account):
    usage = json.loads(account.get_insights(fields=["spend"]).headers()["x-business-use-case-usage"])
    (limits,) = usage[account["account_id"]]
    assert {"call_count", "total_cputime", "total_time", "estimated_time_to_regain_access"} <= limits.keys()
