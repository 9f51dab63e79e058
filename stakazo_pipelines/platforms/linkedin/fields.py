"""What LinkedIn calls things: resources per level, status words, what is listed, metrics and pivots.

Unified names: campaign = LinkedIn's campaign group, ad group = its campaign, ad = its creative, creative = the post
that a creative shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.linkedin import urns
from stakazo_pipelines.platforms.port import Account, Breakdown
from stakazo_pipelines.vocabulary import EntityStatus, Level


@dataclass(frozen=True, slots=True)
class Resource:
    """Where the entities of a level live. `status` is the field that holds the owner's word."""

    path: str
    kind: str  # of its URNs
    status: str
    page_size: int
    longest_name: int | None


RESOURCES: Mapping[Level, Resource] = {
    Level.CAMPAIGN: Resource("adCampaignGroups", urns.GROUP, "status", 1000, 100),
    Level.AD_GROUP: Resource("adCampaigns", urns.CAMPAIGN, "status", 1000, None),
    Level.AD: Resource("creatives", urns.CREATIVE, "intendedStatus", 100, None),
}
BUDGET_LEVELS = frozenset({Level.CAMPAIGN, Level.AD_GROUP})
ACCOUNT_PAGE = 1000

STATUS_FROM_WIRE: Mapping[str, EntityStatus] = {
    "ACTIVE": EntityStatus.ACTIVE,
    "PAUSED": EntityStatus.PAUSED,
    "DRAFT": EntityStatus.PAUSED,
    "COMPLETED": EntityStatus.PAUSED,
    "ARCHIVED": EntityStatus.ARCHIVED,
    "CANCELED": EntityStatus.ARCHIVED,
    "PENDING_DELETION": EntityStatus.DELETED,
    "REMOVED": EntityStatus.DELETED,
}
STATUS_TO_WIRE: Mapping[EntityStatus, str] = {
    EntityStatus.ACTIVE: "ACTIVE",
    EntityStatus.PAUSED: "PAUSED",
    EntityStatus.ARCHIVED: "ARCHIVED",
    EntityStatus.DELETED: "PENDING_DELETION",
}
# Words that `EntityStatus` is too coarse for; they go in front of what delivery says.
TELLING_STATES = frozenset({"DRAFT", "COMPLETED", "CANCELED"})
_KEPT = ["ACTIVE", "PAUSED", "ARCHIVED", "CANCELED", "DRAFT"]
LISTED_STATES: Mapping[Level, list[str]] = {
    Level.CAMPAIGN: _KEPT,
    Level.AD_GROUP: [*_KEPT, "COMPLETED"],
    Level.AD: _KEPT,
}

# What an edit changes besides status, budget and content.
SETTINGS: Mapping[Level, tuple[str, ...]] = {
    Level.AD_GROUP: (
        "costType", "unitCost", "optimizationTargetType", "objectiveType", "targetingCriteria", "targeting", "locale",
        "audienceExpansionEnabled", "offsiteDeliveryEnabled", "creativeSelection", "pacingStrategy", "format",
    ),
}  # fmt: skip

# Pivots of each level, narrow to wide: the parents come along with every row.
PIVOTS: Mapping[Level, tuple[str, ...]] = {
    Level.ACCOUNT: ("ACCOUNT",),
    Level.CAMPAIGN: ("CAMPAIGN_GROUP",),
    Level.AD_GROUP: ("CAMPAIGN", "CAMPAIGN_GROUP"),
    Level.AD: ("CREATIVE", "CAMPAIGN", "CAMPAIGN_GROUP"),
}
MOST_PIVOTS = 3
BREAKDOWNS: Mapping[Breakdown, str] = {Breakdown.COUNTRY: "MEMBER_COUNTRY_V2"}
# Demographic pivots leave the conversions' value out, so ours counts no conversions there either.
WITHOUT_CONVERSIONS = frozenset({Breakdown.COUNTRY})

COST = "costInLocalCurrency"
CONVERSIONS = "externalWebsiteConversions"
VALUE = "conversionValueInLocalCurrency"
REACH = "approximateMemberReach"
METRICS = (
    "impressions",
    "clicks",
    COST,
    CONVERSIONS,
    VALUE,
    "landingPageClicks",
    "totalEngagements",
    "videoViews",  # plays of at least 2 seconds
    REACH,
    "oneClickLeads",
)
NOT_BY_MEMBER = frozenset({VALUE, REACH})  # no demographic pivot has these
KEY_FIELDS = ("dateRange", "pivotValues")
MOST_FIELDS = 20  # of one request, the key fields included
DEFAULT_WINDOW = "30d_click_7d_view"


def resource_of(level: Level) -> Resource:
    """Raises RejectedError for a level that is no resource of its own."""
    if level not in RESOURCES:
        raise RejectedError(f"{level} is not a level that can be changed or deleted", "linkedin")
    return RESOURCES[level]


def collection(account: Account, level: Level) -> str:
    return f"adAccounts/{urns.checked(account.id)}/{resource_of(level).path}"


def key_of(level: Level, number: str) -> str:
    """The key of an entity, not encoded: a number, but a creative's is its URN."""
    return urns.urn(urns.CREATIVE, urns.checked(number)) if level is Level.AD else urns.checked(number)
