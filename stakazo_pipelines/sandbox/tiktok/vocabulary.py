"""The platform's words, and those of the world where they mean the same."""

from collections.abc import Mapping
from unicodedata import east_asian_width

OBJECTIVES: Mapping[str, str] = {
    "REACH": "OUTCOME_AWARENESS",
    "TRAFFIC": "OUTCOME_TRAFFIC",
    "VIDEO_VIEWS": "OUTCOME_ENGAGEMENT",
    "ENGAGEMENT": "OUTCOME_ENGAGEMENT",
    "LEAD_GENERATION": "OUTCOME_LEADS",
    "APP_PROMOTION": "OUTCOME_SALES",
    "WEB_CONVERSIONS": "OUTCOME_SALES",
    "PRODUCT_SALES": "OUTCOME_SALES",
    "BRAND_CONSIDERATION": "OUTCOME_AWARENESS",
}
OBJECTIVE_OF: Mapping[str, str] = {
    "OUTCOME_AWARENESS": "REACH",
    "OUTCOME_TRAFFIC": "TRAFFIC",
    "OUTCOME_ENGAGEMENT": "ENGAGEMENT",
    "OUTCOME_LEADS": "LEAD_GENERATION",
    "OUTCOME_SALES": "WEB_CONVERSIONS",
}
# Reserved buying and retired objectives exist on reads of the real platform; new campaigns cannot have them.
OPEN_OBJECTIVES = frozenset({"REACH", "VIDEO_VIEWS", "ENGAGEMENT"})  # no promotion_type needed
NO_PIXEL = frozenset({"REACH", "VIDEO_VIEWS", "ENGAGEMENT", "TRAFFIC", "BRAND_CONSIDERATION"})

GOALS: Mapping[str, str] = {
    "CLICK": "LINK_CLICKS",
    "TRAFFIC_LANDING_PAGE_VIEW": "LANDING_PAGE_VIEWS",
    "DESTINATION_VISIT": "LANDING_PAGE_VIEWS",
    "CONVERT": "OFFSITE_CONVERSIONS",
    "INSTALL": "OFFSITE_CONVERSIONS",
    "IN_APP_EVENT": "OFFSITE_CONVERSIONS",
    "LEAD_GENERATION": "OFFSITE_CONVERSIONS",
    "CONVERSATION": "OFFSITE_CONVERSIONS",
    "CONVERSION_LEADS": "OFFSITE_CONVERSIONS",
    "PREFERRED_LEAD": "OFFSITE_CONVERSIONS",
    "PURCHASES": "OFFSITE_CONVERSIONS",
    "INITIATE_CHECKOUTS": "OFFSITE_CONVERSIONS",
    "VALUE": "VALUE",
    "AUTOMATIC_VALUE_OPTIMIZATION": "VALUE",
    "GMV": "VALUE",
    "REACH": "REACH",
    "SHOW": "REACH",
    "FOLLOWERS": "POST_ENGAGEMENT",
    "PROFILE_VIEWS": "POST_ENGAGEMENT",
    "PAGE_VISITS": "POST_ENGAGEMENT",
    "ENGAGED_VIEW": "THRUPLAY",
    "ENGAGED_VIEW_FIFTEEN": "THRUPLAY",
    "MT_LIVE_ROOM": "POST_ENGAGEMENT",
    "PRODUCT_CLICK_IN_LIVE": "LINK_CLICKS",
}
GOAL_OF: Mapping[str, str] = {
    "LINK_CLICKS": "CLICK",
    "LANDING_PAGE_VIEWS": "TRAFFIC_LANDING_PAGE_VIEW",
    "OFFSITE_CONVERSIONS": "CONVERT",
    "VALUE": "VALUE",
    "REACH": "REACH",
    "POST_ENGAGEMENT": "PROFILE_VIEWS",
    "THRUPLAY": "ENGAGED_VIEW",
}
_BILLING: Mapping[str, str] = {"CLICK": "CPC", "REACH": "CPM", "SHOW": "CPM", "ENGAGED_VIEW": "CPV"}
BILLING_EVENTS = ("CPC", "CPM", "CPV", "OCPM")

BUDGET_MODES = ("BUDGET_MODE_DAY", "BUDGET_MODE_TOTAL", "BUDGET_MODE_DYNAMIC_DAILY_BUDGET", "BUDGET_MODE_INFINITE")
DAILY_MODES = frozenset({"BUDGET_MODE_DAY", "BUDGET_MODE_DYNAMIC_DAILY_BUDGET"})
OPERATIONS: Mapping[str, str] = {"ENABLE": "ACTIVE", "DISABLE": "PAUSED", "DELETE": "DELETED"}
OPERATION_OF: Mapping[str, str] = {
    "ACTIVE": "ENABLE",
    "PAUSED": "DISABLE",
    "DELETED": "DELETE",
    "ARCHIVED": "DELETE",
}
GONE = ("DELETED", "ARCHIVED")

LOCATIONS: Mapping[str, str] = {"US": "6252001", "DE": "2921044", "JP": "1861060", "GB": "2635167"}
GENDERS = ("GENDER_FEMALE", "GENDER_MALE", "GENDER_UNLIMITED")
AGES = ("AGE_13_17", "AGE_18_24", "AGE_25_34", "AGE_35_44", "AGE_45_54", "AGE_55_100")
KINDS: Mapping[str, str] = {"campaign": "Campaign", "ad_group": "Ad group", "ad": "Ad"}
ID_FIELDS: Mapping[str, str] = {"campaign": "campaign_id", "ad_group": "adgroup_id", "ad": "ad_id"}


def billing_of(goal: str) -> str:
    """The one billing event that goes with a goal."""
    return "CPV" if goal.startswith("ENGAGED_VIEW") else _BILLING.get(goal, "OCPM")


def width(text: str) -> int:
    """Length as the platform counts it: Chinese, Japanese and Korean characters are two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
