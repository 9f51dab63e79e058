"""What is asked of TikTok: paths, words of statuses and budgets, report dimensions and metrics.

Ratios (cpc, ctr, …) are never asked for: TikTok's are percent numbers, and ours are formed downstream from the counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.port import Breakdown, BudgetPeriod
from stakazo_pipelines.vocabulary import EntityStatus, Level

VERSION = "open_api/v1.3"
ACCOUNT_FIELDS = ["advertiser_id", "name", "status", "currency", "timezone", "display_timezone"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a level is called: `path` in addresses, `id` and `name` in objects, `ids` in filters and status updates."""

    path: str

    @property
    def id(self) -> str:
        return f"{self.path}_id"

    @property
    def ids(self) -> str:
        return f"{self.path}_ids"

    @property
    def name(self) -> str:
        return f"{self.path}_name"


KINDS: Mapping[Level, Kind] = {
    Level.CAMPAIGN: Kind("campaign"),
    Level.AD_GROUP: Kind("adgroup"),
    Level.AD: Kind("ad"),
}
PARENT_FIELD = {Level.AD_GROUP: "campaign_id", Level.AD: "adgroup_id"}
NOT_DELETED, ALL = "STATUS_NOT_DELETE", "STATUS_ALL"

STATUS_TO_WIRE: Mapping[EntityStatus, str] = {
    EntityStatus.ACTIVE: "ENABLE",
    EntityStatus.PAUSED: "DISABLE",
    EntityStatus.DELETED: "DELETE",
}
STATUS_FROM_WIRE: Mapping[str, EntityStatus] = {word: status for status, word in STATUS_TO_WIRE.items()}
ACCOUNT_ACTIVE = "STATUS_ENABLE"

NO_BUDGET = "BUDGET_MODE_INFINITE"
PERIODS: Mapping[str, BudgetPeriod] = {
    "BUDGET_MODE_DAY": BudgetPeriod.DAILY,
    "BUDGET_MODE_DYNAMIC_DAILY_BUDGET": BudgetPeriod.DAILY,
    "BUDGET_MODE_TOTAL": BudgetPeriod.LIFETIME,
}
MODES: Mapping[BudgetPeriod, str] = {
    BudgetPeriod.DAILY: "BUDGET_MODE_DAY",
    BudgetPeriod.LIFETIME: "BUDGET_MODE_TOTAL",
}

DATA_LEVELS: Mapping[Level, str] = {
    Level.ACCOUNT: "AUCTION_ADVERTISER",
    Level.CAMPAIGN: "AUCTION_CAMPAIGN",
    Level.AD_GROUP: "AUCTION_ADGROUP",
    Level.AD: "AUCTION_AD",
}
ID_DIMENSIONS: Mapping[Level, str] = {
    Level.ACCOUNT: "advertiser_id",
    Level.CAMPAIGN: "campaign_id",
    Level.AD_GROUP: "adgroup_id",
    Level.AD: "ad_id",
}
# Names and ids above the level come as metrics that are attributes.
ATTRIBUTES: Mapping[Level, tuple[str, ...]] = {
    Level.ACCOUNT: (),
    Level.CAMPAIGN: ("campaign_name",),
    Level.AD_GROUP: ("campaign_id", "campaign_name", "adgroup_name"),
    Level.AD: ("campaign_id", "campaign_name", "adgroup_id", "adgroup_name", "ad_name"),
}
CONVERSIONS, CONVERSIONS_VALUE = "complete_payment", "total_complete_payment_rate"  # the latter is a value, not a rate
MEASURES = ("spend", "impressions", "clicks", CONVERSIONS, CONVERSIONS_VALUE)
VIDEO_PLAYS = "video_watched_2s"  # plays of at least 2 seconds
DAILY_MEASURES = ("reach", VIDEO_PLAYS, "engagements")
BREAKDOWNS: Mapping[Breakdown, str] = {
    Breakdown.AGE: "age",
    Breakdown.GENDER: "gender",
    Breakdown.COUNTRY: "country_code",
    Breakdown.HOUR: "stat_time_hour",
}
BREAKDOWN_PAIRS = frozenset({frozenset({Breakdown.AGE, Breakdown.GENDER})})


def kind_of(level: Level) -> Kind:
    """Raises RejectedError for a level that has no object of its own on TikTok."""
    if level not in KINDS:
        raise RejectedError(f"{level} is not a level that can be read or written by itself", "tiktok")
    return KINDS[level]


def metrics_of(level: Level, breakdowns: tuple[Breakdown, ...]) -> list[str]:
    """What a report is asked for. Reach and the film counts only by day: elsewhere TikTok does not promise them."""
    return [*MEASURES, *(() if breakdowns else DAILY_MEASURES), *ATTRIBUTES[level]]


def dimensions_of(level: Level, breakdowns: tuple[Breakdown, ...]) -> list[str]:
    """The id, the day (or the hour, which names its day), and what it is broken down by."""
    time = [] if Breakdown.HOUR in breakdowns else ["stat_time_day"]
    return [ID_DIMENSIONS[level], *time, *(BREAKDOWNS[breakdown] for breakdown in breakdowns)]


def check_breakdowns(breakdowns: tuple[Breakdown, ...]) -> None:
    """Raises RejectedError for a combination TikTok would refuse."""
    asked = frozenset(breakdowns)
    paired = len(asked) > 1 and asked not in BREAKDOWN_PAIRS
    if len(asked) != len(breakdowns) or paired or not asked <= BREAKDOWNS.keys():
        names = ", ".join(breakdowns)
        choice = "one of age, gender, country, hour, or for age with gender"
        raise RejectedError(f"TikTok cannot break down by {names}; ask for {choice}", "tiktok")
