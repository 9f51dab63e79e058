"""What an edit of an ad group changes is told apart from what it does not, alike on every platform."""

import json
from pathlib import Path

import pytest

from stakazo_pipelines.platforms.linkedin.entities import parse_entity as linkedin_entity
from stakazo_pipelines.platforms.meta.entities import parse_entity as meta_entity
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.platforms.tiktok.entities import parse_entity as tiktok_entity
from stakazo_pipelines.platforms.wire import settings_digest
from stakazo_pipelines.vocabulary import EntityStatus, Level

UNIT = Path(__file__).resolve().parents[1]


def golden(name):
    return json.loads((UNIT / name).read_text())


CASES = {
    "meta": (
        meta_entity, "101", golden("platforms/golden/adsets.json")["data"][0],
        [{"bid_amount": 300}, {"targeting": {"age_min": 25}}, {"optimization_goal": "LINK_CLICKS"}],
        [{"daily_budget": "9900"}, {"name": "Other"}, {"effective_status": "ACTIVE"}, {"learning_stage_info": None}],
    ),
    "tiktok": (
        tiktok_entity, "7001", golden("platforms_tiktok/golden/adgroups.json")["data"]["list"][0],
        [{"conversion_bid_price": 7.5}, {"location_ids": ["1"]}, {"age_groups": ["AGE_18_24"]}],
        [{"budget": 99.0}, {"scheduled_budget": 60.0}, {"age_groups": ["AGE_25_34", "AGE_18_24"]}],
    ),
    "linkedin": (
        linkedin_entity, "500", golden("platforms_linkedin/golden/campaigns.json")["elements"][0],
        [{"unitCost": {"amount": "3", "currencyCode": "EUR"}}, {"audienceExpansionEnabled": True}],
        [{"dailyBudget": {"amount": "60.00", "currencyCode": "EUR"}}, {"servingStatuses": ["RUNNABLE"]}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_bids_audiences_and_goals_are_settings_and_budgets_names_and_delivery_are_none(name):
    parse, owner, row, edits, others = CASES[name]
    account = Account(owner, "Shop", "EUR", "UTC", 100, EntityStatus.ACTIVE)

    def settings(**changed):
        return parse({**row, **changed}, Level.AD_GROUP, account).settings

    assert settings()
    assert {settings(**change) for change in others} == {settings()}
    assert len({settings(), *(settings(**change) for change in edits)}) == len(edits) + 1


def test_the_order_of_lists_makes_no_difference_and_nothing_told_is_not_known():
    one = {"targeting": {"places": [{"key": 1}, {"key": 2}], "ages": [3, 1]}}
    other = {"targeting": {"ages": [1, 3], "places": [{"key": 2}, {"key": 1}]}}
    assert settings_digest(one, ["targeting"]) == settings_digest(other, ["targeting"])
    assert settings_digest({"targeting": None, "bid": ""}, ["targeting", "bid"]) == ""
