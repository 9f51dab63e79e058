"""Checking campaigns and writing them as ad groups of the world."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from stakazo_pipelines.sandbox.linkedin import money, urns, words
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.views import CAMPAIGN_KEPT, group_document
from stakazo_pipelines.sandbox.linkedin.writes.checks import Checks, Document, record, times
from stakazo_pipelines.sandbox.linkedin.writes.targeting import check_targeting
from stakazo_pipelines.sandbox.world import Account, Campaign

_TYPES = ("SPONSORED_UPDATES", "TEXT_AD", "SPONSORED_INMAILS", "DYNAMIC", "EVENT_AD")
_FORMATS = (
    "STANDARD_UPDATE", "SINGLE_VIDEO", "CAROUSEL", "SPONSORED_UPDATE_NATIVE_DOCUMENT", "SPONSORED_UPDATE_EVENT", "TEXT",
    "SPOTLIGHT", "FOLLOW_COMPANY", "JOBS", "SPONSORED_INMAIL", "SPONSORED_MESSAGE",
)  # fmt: skip
# optimizationTargetType -> the cost types it goes with, the world's goal, the world's bid strategy.
_ANY = ("CPC", "CPM", "CPV")
_FREE, _BID, _CAP = "LOWEST_COST_WITHOUT_CAP", "LOWEST_COST_WITH_BID_CAP", "COST_CAP"
_STRATEGIES: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "NONE": (_ANY, "IMPRESSIONS", _BID),
    "ENHANCED_CONVERSION": (_ANY, "OFFSITE_CONVERSIONS", _BID),
    "MAX_IMPRESSION": (("CPM",), "IMPRESSIONS", _FREE),
    "MAX_REACH": (("CPM",), "REACH", _FREE),
    "MAX_CLICK": (("CPM",), "LINK_CLICKS", _FREE),
    "MAX_CONVERSION": (("CPM",), "OFFSITE_CONVERSIONS", _FREE),
    "MAX_VIDEO_VIEW": (("CPM",), "THRUPLAY", _FREE),
    "MAX_LEAD": (("CPM",), "LEAD_GENERATION", _FREE),
    "MAX_QUALIFIED_LEAD": (("CPM",), "QUALITY_LEAD", _FREE),
    "TARGET_COST_PER_CLICK": (("CPC",), "LINK_CLICKS", _CAP),
    "TARGET_COST_PER_IMPRESSION": (("CPM",), "IMPRESSIONS", _CAP),
    "TARGET_COST_PER_VIDEO_VIEW": (("CPV",), "THRUPLAY", _CAP),
    "CAP_COST_AND_MAXIMIZE_CLICKS": (("CPM",), "LINK_CLICKS", _CAP),
    "CAP_COST_AND_MAXIMIZE_IMPRESSIONS": (("CPM",), "IMPRESSIONS", _CAP),
    "CAP_COST_AND_MAXIMIZE_VIDEO_VIEWS": (("CPM",), "THRUPLAY", _CAP),
    "CAP_COST_AND_MAXIMIZE_LEADS": (("CPM",), "LEAD_GENERATION", _CAP),
}
_WRITABLE = (
    "account", "campaignGroup", "name", "status", "dailyBudget", "unitCost", "runSchedule", "targetingCriteria",
    *CAMPAIGN_KEPT,
)  # fmt: skip
_READ_ONLY = ("id", "servingStatuses", "test", "changeAuditStamps", "version")
_MOST_IN_GROUP = 2000


def campaign_fields(
    directory: Directory, account: Account, document: Document, before: Document | None
) -> dict[str, Any]:
    """The world's fields of a campaign that passes. Raises LinkedInError."""
    document = {"status": "DRAFT", "optimizationTargetType": "NONE", **document}
    checks = Checks(document, before)
    checks.known(_WRITABLE, _READ_ONLY)
    checks.required("account", "status", "type", "costType", "targetingCriteria", "offsiteDeliveryEnabled",
                    "politicalIntent")  # fmt: skip
    if urns.number(document.get("account"), urns.ACCOUNT) not in (None, account.id):
        checks.add("ACCOUNT_ID_MISMATCH_IN_PARAM_AND_BODY", "account", "is not the account of the path")
    checks.name(255)
    checks.status("status", words.CAMPAIGN_STATUSES)
    checks.one_of("type", _TYPES)
    checks.one_of("format", _FORMATS)
    checks.one_of("politicalIntent", ("POLITICAL", "NOT_POLITICAL", "NOT_DECLARED"))
    checks.one_of("creativeSelection", ("OPTIMIZED", "ROUND_ROBIN"))
    checks.one_of("pacingStrategy", ("LIFETIME", "ACCELERATED"))
    checks.boolean("offsiteDeliveryEnabled", "audienceExpansionEnabled", "connectedTelevisionOnly")
    checks.schedule(directory.now, activated=checks.activated)
    _immutables(checks)
    group = _group(checks, directory, account)
    objective = _objective(checks, group, directory)
    _budgets(checks, account, group)
    strategy = _strategy(checks, account)
    check_targeting(checks)
    checks.raise_any()
    kept = {name: document.get(name) for name in CAMPAIGN_KEPT}
    daily, total = (money.minor(document.get(name), account) for name in ("dailyBudget", "totalBudget"))
    fields: dict[str, Any] = {
        "name": document["name"],
        "status": words.to_world(document["status"]),
        "daily_budget": daily,
        # With a daily budget as well, the daily one paces and the total is a hold once it is spent.
        "lifetime_budget": total if daily is None else None,
        "bid_amount": money.minor(document.get("unitCost"), account) or None,
        "optimization_goal": strategy[1],
        "bid_strategy": strategy[2],
        "targeting": document["targetingCriteria"],
        "native": kept | {"status": document["status"], "objectiveType": objective},
        **times(document),
    }
    if before is None and group is not None:
        fields |= {"account_id": account.id, "campaign_id": group.id}
    return fields


def _immutables(checks: Checks) -> None:
    draft = checks.before is not None and checks.before["status"] == "DRAFT"
    checks.immutable("type", "FIELD_NOT_ALLOWED")
    checks.immutable("format", "FIELD_NOT_ALLOWED")
    checks.immutable("associatedEntity", "IMMUTABLE_ASSOCIATED_ENTITY")
    if not draft:
        checks.immutable("campaignGroup", "FIELD_IMMUTABLE_FOR_NON_DRAFT_CAMPAIGNS")
        checks.immutable("politicalIntent", "FIELD_IMMUTABLE_FOR_NON_DRAFT_CAMPAIGNS")
    elif checks.changed("campaignGroup"):
        # The world's ad groups stay where they were made.
        checks.add("FIELD_NOT_ALLOWED", "campaignGroup", "cannot be changed")
    if checks.before is not None and checks.changed("pacingStrategy"):
        checks.add("FIELD_NOT_ALLOWED", "pacingStrategy", "can be set at creation only")


def _group(checks: Checks, directory: Directory, account: Account) -> Campaign | None:
    given = checks.document.get("campaignGroup")
    if given is None:
        checks.add("MISSING_CAMPAIGN_GROUP_ID", "campaignGroup", "field is required but not found")
        return None
    group = directory.group(urns.number(given, urns.GROUP), account)
    if group is None:
        checks.add("FIELD_VALUE_DOES_NOT_EXIST", "campaignGroup", "is no campaign group of this account")
        return None
    status = words.status(group)
    if status == "DRAFT" and checks.document["status"] != "DRAFT":
        code = "ONLY_DRAFT_CAMPAIGNS_ALLOWED_IN_DRAFT_CAMPAIGN_GROUPS"
        checks.add(code, "status", "the campaign group is a draft")
    if checks.before is None:
        if status not in ("ACTIVE", "PAUSED", "DRAFT"):
            checks.add("FIELD_VALUE_NOT_ACTIVE", "campaignGroup", f"is {status}")
        siblings = directory.children(account, "adCampaigns")
        if sum(1 for campaign in siblings if campaign.campaign_id == group.id) >= _MOST_IN_GROUP:
            checks.add("FIELD_VALUE_TOO_HIGH", "campaignGroup", f"holds {_MOST_IN_GROUP} campaigns already")
    return group


def _objective(checks: Checks, group: Campaign | None, directory: Directory) -> str | None:
    given = checks.document.get("objectiveType")
    above = None if group is None else group_document(directory, group).get("objectiveType")
    if given is None:
        return above
    objective = words.singular(given)
    if objective is None:
        checks.add("INVALID_VALUE_FOR_FIELD", "objectiveType", f"{given} is not an enum symbol of the field")
    elif checks.before is not None:
        if objective != checks.before.get("objectiveType", objective):
            checks.add("IMMUTABLE_CAMPAIGN_OBJECTIVE_TYPE", "objectiveType", "cannot be changed")
    elif above is not None and objective != above:
        checks.add("MISMATCH_FIELDS", "objectiveType", f"the campaign group is for {above}")
    return objective


def _budgets(checks: Checks, account: Account, group: Campaign | None) -> None:
    daily = checks.money("dailyBudget", account, money.minimum_daily(account.currency))
    total = checks.money("totalBudget", account, money.minimum_total(account.currency))
    shared = group is not None and (group.daily_budget is not None or group.lifetime_budget is not None)
    if checks.document.get("dailyBudget") is None and checks.document.get("totalBudget") is None and not shared:
        checks.add("MISSING_FIELD", "dailyBudget", "a campaign needs dailyBudget or totalBudget")
    end = record(checks.document.get("runSchedule")).get("end")
    if total is not None and checks.changed("totalBudget") and end is None:
        checks.add("CONDITIONAL_MISSING_FIELD", "runSchedule/end", "is required with totalBudget")
    if daily is not None and total is not None and daily > total:
        checks.add("CONDITIONAL_VALUE_TOO_HIGH", "dailyBudget/amount", "is more than totalBudget")
    above = None if group is None else money.major(group.native.get("totalBudget"))
    if above is not None and checks.changed("dailyBudget") and (daily or Decimal(0)) > above:
        checks.add("INSUFFICIENT_CAMPAIGN_GROUP_BUDGET", "dailyBudget/amount", "is more than the group's totalBudget")


def _strategy(checks: Checks, account: Account) -> tuple[tuple[str, ...], str, str]:
    target, cost = str(checks.document["optimizationTargetType"]), checks.document.get("costType")
    checks.one_of("costType", _ANY)
    if target not in _STRATEGIES:
        checks.add("INVALID_VALUE_FOR_FIELD", "optimizationTargetType", f"{target} is not an enum symbol of the field")
        return _STRATEGIES["NONE"]
    strategy = _STRATEGIES[target]
    if cost in _ANY and cost not in strategy[0]:
        text = f"optimizationTargetType {target} does not go with costType {cost}"
        checks.add("INVALID_CAMPAIGN_CONFIGURATION", "costType", text)
    bid = checks.money("unitCost", account)
    if strategy[2] != _FREE and checks.document.get("unitCost") is None:
        checks.add("CONDITIONAL_MISSING_FIELD", "unitCost", f"is required with optimizationTargetType {target}")
    elif strategy[2] != _FREE and bid == 0:
        checks.add("FIELD_VALUE_TOO_LOW", "unitCost/amount", "must be more than zero")
    return strategy
