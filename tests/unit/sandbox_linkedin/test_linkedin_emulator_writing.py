"""Creating, changing and deleting: statuses, codes, batches, whole-entity checks."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

USD = {"currencyCode": "USD"}
DAY_MS = 86_400_000


def code(response: Any) -> str:
    assert response.status_code == 400, response.text
    return str(response.json()["code"])


def draft(api: Any, **changes: Any) -> str:
    """A campaign in DRAFT."""
    group = api.made(api.below("adCampaignGroups"), api.group_body())
    return str(api.made(api.below("adCampaigns"), api.campaign_body(group, status="DRAFT", **changes)))


def test_a_tree_is_made_from_group_to_creative(api: Any) -> None:
    made = api.tree()
    campaign = api.get(f"{api.below('adCampaigns')}/{made['campaign']}").json()
    assert campaign["campaignGroup"] == f"urn:li:sponsoredCampaignGroup:{made['group']}"
    assert campaign["dailyBudget"] == {"amount": "50.00", "currencyCode": "USD"}
    creative = api.get(f"{api.below('creatives')}/{made['creative'].replace(':', '%3A')}").json()
    assert creative["id"] == made["creative"]
    assert creative["content"] == {"reference": made["post"]}
    assert [write.level for write in api.world.journal if write.actor == "api"] == [
        "campaign",
        "ad_group",
        "creative",
        "ad",
    ]


def test_what_is_made_delivers(api: Any) -> None:
    made = api.tree()
    api.request("POST", "/sandbox/clock", json={"advance_days": 4})
    report = api.world.report(api.account, "ad_group", api.world.config.first_day, api.world.now.date())
    assert report["spend"][report["ad_group_id"] == made["campaign"]].sum() > 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": None}, "MISSING_FIELD"),
        ({"name": " "}, "INVALID_VALUE_BLANK_FIELD"),
        ({"account": None}, "MISSING_FIELD"),
        ({"account": "urn:li:sponsoredAccount:5"}, "ACCOUNT_ID_MISMATCH_IN_PARAM_AND_BODY"),
        ({"campaignGroup": None}, "MISSING_CAMPAIGN_GROUP_ID"),
        ({"campaignGroup": "urn:li:sponsoredCampaignGroup:5"}, "FIELD_VALUE_DOES_NOT_EXIST"),
        ({"type": None}, "MISSING_FIELD"),
        ({"type": "BANNER"}, "INVALID_VALUE_FOR_FIELD"),
        ({"costType": None}, "MISSING_FIELD"),
        ({"targetingCriteria": None}, "MISSING_FIELD"),
        ({"offsiteDeliveryEnabled": None}, "MISSING_FIELD"),
        ({"politicalIntent": None}, "MISSING_FIELD"),
        ({"dailyBudget": None}, "MISSING_FIELD"),
        ({"dailyBudget": {"amount": "50.00", "currencyCode": "EUR"}}, "CURRENCY_MISMATCH"),
        ({"dailyBudget": {"amount": "1.00", "currencyCode": "USD"}}, "FIELD_VALUE_TOO_LOW"),
        ({"dailyBudget": {"amount": 50, "currencyCode": "USD"}}, "INVALID_VALUE_FOR_FIELD"),
        ({"dailyBudget": {"amount": "50.001", "currencyCode": "USD"}}, "INVALID_VALUE_FOR_FIELD"),
        ({"totalBudget": {"amount": "500.00", "currencyCode": "USD"}}, "CONDITIONAL_MISSING_FIELD"),
        ({"optimizationTargetType": "NONE"}, "CONDITIONAL_MISSING_FIELD"),
        ({"optimizationTargetType": "MAX_CLICK", "costType": "CPC"}, "INVALID_CAMPAIGN_CONFIGURATION"),
        ({"optimizationTargetType": "MAX_FUN"}, "INVALID_VALUE_FOR_FIELD"),
        ({"objectiveType": "FAME"}, "INVALID_VALUE_FOR_FIELD"),
        ({"status": "ARCHIVED"}, "INVALID_VALUE_FOR_FIELD"),
        ({"status": "ASLEEP"}, "INVALID_VALUE_FOR_FIELD"),
        ({"runSchedule": {"start": 1_600_000_000_000}}, "DATE_TOO_EARLY"),
        ({"runSchedule": {"end": 1_900_000_000_000}}, "MISSING_FIELD"),
        ({"runSchedule": {"start": 1_900_000_000_000, "end": 1_899_000_000_000}}, "START_DATE_AFTER_END_DATE"),
        ({"colour": "red"}, "FIELD_NOT_ALLOWED"),
    ],
)
def test_a_campaign_that_is_wrong_gets_the_documented_code(api: Any, changes: dict[str, Any], expected: str) -> None:
    group = api.made(api.below("adCampaignGroups"), api.group_body())
    response = api.create(api.below("adCampaigns"), api.campaign_body(group) | changes)
    assert code(response) == expected
    detail = response.json()["errorDetails"]
    assert [error["code"] for error in detail["inputErrors"] + detail["conditionalInputErrors"]] == [expected]


@pytest.mark.parametrize(
    ("included", "expected"),
    [
        ({"titles": ["urn:li:title:1"]}, "MISSING_FIELD"),
        ({"locations": ["urn:li:geo:1"], "moods": ["urn:li:mood:1"]}, "INVALID_VALUE_FOR_FIELD"),
        (
            {"locations": ["urn:li:geo:1"], "titles": ["urn:li:title:1"], "seniorities": ["urn:li:seniority:1"]},
            "INCOMPATIBLE_TARGETING_COMBINATION",
        ),
    ],
)
def test_targeting_is_checked(api: Any, included: dict[str, list[str]], expected: str) -> None:
    groups = [{"or": {f"urn:li:adTargetingFacet:{facet}": values}} for facet, values in included.items()]
    campaign = f"{api.below('adCampaigns')}/{api.running().id}"
    assert code(api.patch(campaign, targetingCriteria={"include": {"and": groups}})) == expected


def test_nothing_is_included_and_excluded_at_once(api: Any) -> None:
    place = {"or": {"urn:li:adTargetingFacet:locations": ["urn:li:geo:1"]}}
    campaign = f"{api.below('adCampaigns')}/{api.running().id}"
    both = {"include": {"and": [place]}, "exclude": place}
    wanted = "FIELD_CANNOT_BE_BOTH_IN_INCLUDED_AND_EXCLUDED_TARGETING"
    assert code(api.patch(campaign, targetingCriteria=both)) == wanted


def test_several_mistakes_are_told_together(api: Any) -> None:
    response = api.create(api.below("adCampaigns"), {"name": "Only a name"})
    assert code(response) == "MULTIPLE_VALIDATIONS_FAILED"
    paths = {error["input"]["inputPath"]["fieldPath"] for error in response.json()["errorDetails"]["inputErrors"]}
    assert {"account", "campaignGroup", "type", "targetingCriteria"} <= paths


def test_a_read_only_field_is_refused(api: Any) -> None:
    response = api.patch(f"{api.below('adCampaigns')}/{api.running().id}", servingStatuses=["RUNNABLE"])
    assert response.status_code == 422


@pytest.mark.parametrize("written", ["WEBSITE_CONVERSION", "WEBSITE_CONVERSIONS"])
def test_objectives_are_taken_in_the_singular_and_the_plural(api: Any, written: str) -> None:
    group = api.made(api.below("adCampaignGroups"), api.group_body(objectiveType=written))
    assert api.get(f"{api.below('adCampaignGroups')}/{group}").json()["objectiveType"] == "WEBSITE_CONVERSION"
    assert api.world.campaigns[group].objective == "OUTCOME_SALES"
    other = api.campaign_body(group, objectiveType="WEBSITE_VISITS")
    assert code(api.create(api.below("adCampaigns"), other)) == "MISMATCH_FIELDS"
    change = api.patch(f"{api.below('adCampaignGroups')}/{group}", objectiveType="ENGAGEMENT")
    assert code(change) == "OBJECTIVE_CHANGE_NOT_ALLOWED"


def test_the_objective_of_a_campaign_stays(api: Any) -> None:
    response = api.patch(f"{api.below('adCampaigns')}/{api.running().id}", objectiveType="VIDEO_VIEW")
    assert code(response) == "IMMUTABLE_CAMPAIGN_OBJECTIVE_TYPE"


def test_a_group_budget_needs_an_end_or_the_dynamic_strategy(api: Any) -> None:
    path, now = api.below("adCampaignGroups"), int(api.world.now.timestamp() * 1000)
    total = {"totalBudget": {"amount": "900.00", **USD}}
    assert code(api.create(path, api.group_body(**total))) == "CONDITIONAL_MISSING_FIELD"
    api.made(path, api.group_body(**total, runSchedule={"start": now, "end": now + 9 * DAY_MS}))
    daily = {"dailyBudget": {"amount": "90.00", **USD}}
    assert code(api.create(path, api.group_body(**daily))) == "CONDITIONAL_FIELD_NOT_ALLOWED"
    dynamic = {"budgetOptimization": {"budgetOptimizationStrategy": "DYNAMIC", "bidStrategy": "MAXIMUM_DELIVERY"}}
    assert code(api.create(path, api.group_body(**dynamic))) == "CONDITIONAL_MISSING_FIELD"
    little = {"dailyBudget": {"amount": "29.00", **USD}}
    assert code(api.create(path, api.group_body(**little, **dynamic))) == "FIELD_VALUE_TOO_LOW"
    group = api.made(path, api.group_body(**daily, **dynamic))
    assert api.world.campaigns[group].daily_budget == 9000
    api.made(api.below("adCampaigns"), api.campaign_body(group, dailyBudget=None))


def test_a_draft_group_takes_only_drafts(api: Any) -> None:
    group = api.made(api.below("adCampaignGroups"), api.group_body(status="DRAFT"))
    refused = api.create(api.below("adCampaigns"), api.campaign_body(group))
    assert code(refused) == "ONLY_DRAFT_CAMPAIGNS_ALLOWED_IN_DRAFT_CAMPAIGN_GROUPS"
    api.made(api.below("adCampaigns"), api.campaign_body(group, status="DRAFT"))


def test_a_partial_update_writes_only_what_is_new(api: Any) -> None:
    campaign = api.running()
    path, before = f"{api.below('adCampaigns')}/{campaign.id}", len(api.world.journal)
    response = api.patch(path, dailyBudget={"amount": "61.00", **USD}, name=campaign.name)
    assert (response.status_code, response.content) == (204, b"")
    (write,) = api.world.journal[before:]
    assert (write.id, write.fields) == (campaign.id, {"daily_budget": 6100})
    assert api.get(path).json()["dailyBudget"]["amount"] == "61.00"
    assert api.patch(path, dailyBudget={"amount": "61.00", **USD}).status_code == 204
    assert len(api.world.journal) == before + 1


def test_a_post_on_an_entity_needs_its_method_header(api: Any) -> None:
    path = f"{api.below('adCampaigns')}/{api.running().id}"
    assert api.call("POST", path, json={"patch": {"$set": {"status": "PAUSED"}}}).status_code == 400


def test_a_field_can_be_taken_away(api: Any) -> None:
    start = int(api.world.now.timestamp() * 1000)
    tree = api.tree(runSchedule={"start": start, "end": start + DAY_MS})
    path = f"{api.below('adCampaigns')}/{tree['campaign']}"
    body = {"patch": {"$set": {"runSchedule": {"start": start}}, "$delete": ["dailyBudget"]}}
    assert code(api.call("POST", path, "", "PARTIAL_UPDATE", json=body)) == "MISSING_FIELD"


def test_activating_a_draft_checks_its_start_again(api: Any) -> None:
    campaign = draft(api, runSchedule={"start": int(api.world.now.timestamp() * 1000)})
    api.request("POST", "/sandbox/clock", json={"advance_days": 2})
    path = f"{api.below('adCampaigns')}/{campaign}"
    assert code(api.patch(path, status="ACTIVE")) == "DATE_TOO_EARLY"
    soon = int(api.world.now.timestamp() * 1000) + 60_000
    assert api.patch(path, status="ACTIVE", runSchedule={"start": soon}).status_code == 204


def test_only_drafts_are_deleted_and_then_gone(api: Any) -> None:
    running = f"{api.below('adCampaigns')}/{api.running().id}"
    assert code(api.call("DELETE", running)) == "DELETE_ALLOWED_ONLY_FOR_DRAFT_STATUS"
    path = f"{api.below('adCampaigns')}/{draft(api)}"
    assert api.call("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


def test_anything_else_waits_for_its_deletion(api: Any) -> None:
    path = f"{api.below('adCampaigns')}/{api.running().id}"
    assert api.patch(path, status="PENDING_DELETION").status_code == 204
    assert api.get(path).json()["status"] == "PENDING_DELETION"
    assert code(api.patch(path, status="ACTIVE")) == "INVALID_STATUS_TRANSITION"


@pytest.mark.parametrize(
    ("was", "then", "expected"),
    [
        ("CANCELED", "ACTIVE", "ACTION_NOT_ALLOWED_FOR_CANCELLED_STATUS"),
        ("PAUSED", "DRAFT", "INVALID_STATUS_TRANSITION"),
    ],
)
def test_some_moves_between_statuses_are_closed(api: Any, was: str, then: str, expected: str) -> None:
    path = f"{api.below('adCampaigns')}/{api.running().id}"
    assert api.patch(path, status=was).status_code == 204
    assert api.get(path).json()["status"] == was
    assert code(api.patch(path, status=then)) == expected


def test_the_content_of_a_creative_stays(api: Any) -> None:
    made = api.tree()
    key = f"{api.below('creatives')}/{made['creative'].replace(':', '%3A')}"
    other = api.made("posts", api.post_body())
    assert code(api.patch(key, content={"reference": other})) == "FIELD_NOT_ALLOWED"
    assert api.patch(key, name="Renamed", intendedStatus="PAUSED").status_code == 204
    row = api.get(key).json()
    assert (row["name"], row["intendedStatus"]) == ("Renamed", "PAUSED")


def test_a_creative_needs_a_campaign_and_a_post_that_exist(api: Any) -> None:
    campaign = f"urn:li:sponsoredCampaign:{api.running().id}"
    body = {"campaign": campaign, "content": {"reference": "urn:li:share:5"}, "intendedStatus": "ACTIVE"}
    assert code(api.create(api.below("creatives"), body)) == "FIELD_VALUE_DOES_NOT_EXIST"
    text = {"textAd": {"headline": "Buy", "description": "Now", "landingPage": "https://shop.example/"}}
    made = api.made(api.below("creatives"), body | {"content": text})
    assert api.get(f"{api.below('creatives')}/{made.replace(':', '%3A')}").json()["content"] == text


def test_a_post_and_its_creative_are_made_in_one_action(api: Any) -> None:
    campaign = f"urn:li:sponsoredCampaign:{api.running().id}"
    inline = {"inlineContent": {"post": api.post_body()}, "campaign": campaign, "intendedStatus": "PAUSED"}
    response = api.call("POST", api.below("creatives"), "action=createInline", "ACTION", json={"creative": inline})
    creative = response.json()["value"]["creative"]
    row = api.get(f"{api.below('creatives')}/{creative.replace(':', '%3A')}").json()
    assert row["content"]["reference"].startswith("urn:li:share:")


def test_a_batch_tells_of_each_of_its_creates(api: Any) -> None:
    path = api.below("adCampaignGroups")
    response = api.create(path, {"elements": [api.group_body(), {"name": "Wrong"}]}, "BATCH_CREATE")
    good, bad = response.json()["elements"]
    assert good == {"status": 201, "id": good["id"]}
    assert api.get(f"{path}/{good['id']}").status_code == 200
    assert (bad["status"], bad["error"]["code"]) == (400, "MISSING_FIELD")


def test_a_batch_tells_of_each_of_its_updates(api: Any) -> None:
    campaign, path = api.running().id, api.below("adCampaigns")
    entities = {
        campaign: {"patch": {"$set": {"status": "PAUSED"}}},
        "7": {"patch": {"$set": {"status": "PAUSED"}}},
    }
    query = f"ids=List({campaign},7)"
    body = api.call("POST", path, query, "BATCH_PARTIAL_UPDATE", json={"entities": entities}).json()
    assert body["results"] == {campaign: {"status": 204}}
    assert body["errors"]["7"]["status"] == 404
    assert api.world.ad_groups[campaign].status == "PAUSED"


def test_a_batch_deletes_drafts(api: Any) -> None:
    campaign, running = draft(api), api.running().id
    body = api.call("DELETE", api.below("adCampaigns"), f"ids=List({campaign},{running})", "BATCH_DELETE").json()
    assert body["results"] == {campaign: {"status": 204}}
    assert body["errors"][running]["code"] == "DELETE_ALLOWED_ONLY_FOR_DRAFT_STATUS"


def test_little_of_an_account_can_be_changed_and_it_is_kept(make_api: Any, tmp_path: Path) -> None:
    state = tmp_path / "events.jsonl"
    api = make_api(state_file=state)
    path = f"adAccounts/{api.account}"
    assert api.patch(path, name="Renamed", notifiedOnEndOfCampaign=False).status_code == 204
    assert code(api.patch(path, currency="EUR")) == "FIELD_NOT_ALLOWED"
    assert code(api.patch(path, status="CANCELED")) == "STATUS_CHANGE_NOT_ALLOWED"
    assert code(api.patch(path, reference="urn:li:organization:1")) == "UPDATE_REFERENCE_NOT_ALLOWED"
    api.kernel.close()
    row = make_api(state_file=state).get(path).json()
    assert (row["name"], row["notifiedOnEndOfCampaign"]) == ("Renamed", False)


def test_what_was_made_is_there_after_a_restart(make_api: Any, tmp_path: Path) -> None:
    state = tmp_path / "events.jsonl"
    api = make_api(state_file=state)
    made = api.tree()
    before = {name: api.get(f"{api.below(name)}/{key}").json() for name, key in paths(made).items()}
    api.kernel.close()
    again = make_api(state_file=state)
    assert {name: again.get(f"{again.below(name)}/{key}").json() for name, key in paths(made).items()} == before


def paths(made: dict[str, str]) -> dict[str, str]:
    creative = made["creative"].replace(":", "%3A")
    return {"adCampaignGroups": made["group"], "adCampaigns": made["campaign"], "creatives": creative}


FIELDS = ("name", "status", "dailyBudget", "totalBudget", "unitCost", "runSchedule", "targetingCriteria", "costType",
          "objectiveType", "optimizationTargetType", "campaignGroup", "account", "budgetOptimization", "content",
          "intendedStatus", "campaign", "leadgenCallToAction")  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("start") | st.just("amount")
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["start", "end", "amount", "include", "and", "or", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(FIELDS), junk, max_size=4))
@example(changes={"status": None})
def test_no_body_breaks_the_emulator(api: Any, changes: dict[str, Any]) -> None:
    campaign = api.running().id
    creative = next(ad.id for ad in api.world.ads.values() if ad.account_id == api.account)
    group = next(group.id for group in api.world.campaigns.values() if group.account_id == api.account)
    for path in (f"adCampaigns/{campaign}", f"creatives/urn%3Ali%3AsponsoredCreative%3A{creative}",
                 f"adCampaignGroups/{group}"):  # fmt: skip
        before = len(api.world.journal)
        response = api.patch(api.below(path), **changes)
        assert response.status_code in (204, 400, 422)
        assert response.status_code == 204 or len(api.world.journal) == before
        assert api.get(api.below(path)).status_code == 200
