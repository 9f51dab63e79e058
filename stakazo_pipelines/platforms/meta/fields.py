"""What is asked of Meta: nodes, edges, fields per level, statuses that count as not deleted, breakdown names.

Ratios (cpc, ctr, …) are never asked for; they are formed downstream from the counts.
"""

from collections.abc import Mapping

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.port import Account, Breakdown
from stakazo_pipelines.vocabulary import EntityStatus, Level

VERSION = "v26.0"
ACCOUNT_FIELDS = "id,account_id,name,currency,timezone_name,account_status,min_daily_budget"
EDGES: Mapping[Level, str] = {
    Level.CAMPAIGN: "campaigns",
    Level.AD_GROUP: "adsets",
    Level.AD: "ads",
    Level.CREATIVE: "adcreatives",
}
NATIVE_TYPES: Mapping[Level, str] = {
    Level.CAMPAIGN: "campaign",
    Level.AD_GROUP: "adset",
    Level.AD: "ad",
    Level.CREATIVE: "adcreative",
}
_COMMON = "id,account_id,name,status,effective_status,created_time,updated_time"
_BUDGET = "daily_budget,lifetime_budget,budget_remaining,bid_strategy,start_time"
ENTITY_FIELDS: Mapping[Level, str] = {
    Level.CAMPAIGN: f"{_COMMON},{_BUDGET},stop_time,objective,buying_type,special_ad_categories,issues_info",
    Level.AD_GROUP: f"{_COMMON},{_BUDGET},end_time,campaign_id,optimization_goal,billing_event,bid_amount,"
    "attribution_spec,promoted_object,targeting,learning_stage_info,issues_info",
    Level.AD: f"{_COMMON},campaign_id,adset_id,creative,issues_info",
    Level.CREATIVE: "id,account_id,name,status,title,body,object_type,call_to_action_type,image_hash,video_id,"
    "thumbnail_url,effective_object_story_id,object_story_spec,asset_feed_spec",
}
# What an edit changes besides status, budget and creative.
SETTINGS: Mapping[Level, tuple[str, ...]] = {
    Level.CAMPAIGN: ("bid_strategy", "objective"),
    Level.AD_GROUP: (
        *("bid_strategy", "bid_amount", "optimization_goal", "billing_event", "attribution_spec", "promoted_object"),
        "targeting",
    ),
}
# Archived objects are listed only when asked for by effective status; deleted ones are never listed.
_CAMPAIGN_STATES = ["ACTIVE", "PAUSED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"]
_AD_GROUP_STATES = [*_CAMPAIGN_STATES, "CAMPAIGN_PAUSED"]
LISTED_STATES: Mapping[Level, list[str]] = {
    Level.CAMPAIGN: _CAMPAIGN_STATES,
    Level.AD_GROUP: _AD_GROUP_STATES,
    Level.AD: [
        *_AD_GROUP_STATES,
        "ADSET_PAUSED",
        "PENDING_REVIEW",
        "DISAPPROVED",
        "PREAPPROVED",
        "PENDING_BILLING_INFO",
    ],
}
STATUS_TO_WIRE: Mapping[EntityStatus, str] = {status: status.value.upper() for status in EntityStatus}
# A creative's own words; it has no owner's switch.
STATUS_FROM_WIRE: Mapping[str, EntityStatus] = {word: status for status, word in STATUS_TO_WIRE.items()} | {
    "IN_PROCESS": EntityStatus.ACTIVE,
    "WITH_ISSUES": EntityStatus.ACTIVE,
}
# Open and in grace: runs. Closed or closing: over. Everything else (disabled, unsettled, in review) stands still.
ACCOUNT_STATUS: Mapping[int, EntityStatus] = {
    1: EntityStatus.ACTIVE,
    9: EntityStatus.ACTIVE,
    100: EntityStatus.ARCHIVED,
    101: EntityStatus.ARCHIVED,
}

INSIGHT_LEVELS: Mapping[Level, str] = {
    Level.ACCOUNT: "account",
    Level.CAMPAIGN: "campaign",
    Level.AD_GROUP: "adset",
    Level.AD: "ad",
}
_INSIGHT_IDS: Mapping[Level, tuple[str, ...]] = {
    Level.ACCOUNT: (),
    Level.CAMPAIGN: ("campaign_id", "campaign_name"),
    Level.AD_GROUP: ("campaign_id", "campaign_name", "adset_id", "adset_name"),
    Level.AD: ("campaign_id", "campaign_name", "adset_id", "adset_name", "ad_id", "ad_name"),
}
_MEASURES = (
    "impressions,clicks,inline_link_clicks,inline_post_engagement,spend,actions,action_values,attribution_setting"
)
BREAKDOWNS: Mapping[Breakdown, str] = {
    Breakdown.AGE: "age",
    Breakdown.GENDER: "gender",
    Breakdown.COUNTRY: "country",
    Breakdown.PLACEMENT: "publisher_platform",
    Breakdown.HOUR: "hourly_stats_aggregated_by_advertiser_time_zone",
}
# Meta joins breakdowns only in the combinations it lists; of ours that is this one.
BREAKDOWN_PAIRS = frozenset({frozenset({Breakdown.AGE, Breakdown.GENDER})})
# Off-Meta actions (purchases by pixel) are not returned by hour.
WITHOUT_CONVERSIONS = frozenset({Breakdown.HOUR})


def account_node(account: Account) -> str:
    """`act_<number>`, whichever way the id is written."""
    return account.id if account.id.startswith("act_") else f"act_{account.id}"


def insight_fields(level: Level, breakdowns: tuple[Breakdown, ...]) -> str:
    """Comma-joined. Reach by hour is 0 by definition on Meta, so it is not asked for there."""
    reach = () if Breakdown.HOUR in breakdowns else ("reach",)
    return ",".join(("account_id", *_INSIGHT_IDS[level], _MEASURES, *reach))


def check_breakdowns(breakdowns: tuple[Breakdown, ...]) -> None:
    """Raises RejectedError for a combination Meta would refuse."""
    asked = frozenset(breakdowns)
    if len(asked) != len(breakdowns) or (len(asked) > 1 and asked not in BREAKDOWN_PAIRS):
        names = ", ".join(breakdowns)
        raise RejectedError(f"Meta cannot break down by {names} at once; ask for one, or age with gender", "meta")


def edge_of(level: Level) -> str:
    """The edge of the account that lists and creates a level. Raises RejectedError for the account itself."""
    if level not in EDGES:
        raise RejectedError(f"{level} is not a level that can be listed, read or written", "meta")
    return EDGES[level]
