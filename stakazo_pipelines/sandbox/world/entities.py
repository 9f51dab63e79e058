"""The world's entity store types: what an advertiser sees and edits. Hidden parameters live in `nature`.

Levels are platform-neutral: campaign, ad_group, ad, creative. Budgets are whole minor units of the account's currency.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

Level = Literal["campaign", "ad_group", "ad", "creative"]

PLATFORMS = ("meta", "tiktok", "linkedin")
STATUSES = ("ACTIVE", "PAUSED", "ARCHIVED", "DELETED")


class WorldError(Exception):
    """The world refuses: unknown entity, impossible field, or a clock that would run backwards or past its limit."""


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """What a world is made of. `start` is the clock at boot, after `history_days` complete local days of history.

    `today_limit` is the latest instant the clock may be advanced to (an argument: the world reads no clock).
    Account i is on `platforms[i % len(platforms)]`.
    """

    seed: int = 7
    start: datetime = datetime(2026, 6, 30, 12, tzinfo=UTC)
    history_days: int = 120
    accounts: int = 3
    campaigns: int = 60
    ad_groups: int = 150
    ads: int = 600
    today_limit: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    platforms: tuple[str, ...] = ("meta",)

    def __post_init__(self) -> None:
        for name in ("start", "today_limit"):
            if getattr(self, name).tzinfo is None:
                raise WorldError(f"{name} must be an aware datetime")
        if self.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0) != self.start:
            raise WorldError("start must be a whole UTC hour")
        if self.today_limit < self.start:
            raise WorldError("today_limit lies before start")
        if not 1 <= self.accounts <= self.campaigns <= self.ad_groups <= self.ads or self.history_days < 1:
            raise WorldError("a world needs 1 <= accounts <= campaigns <= ad_groups <= ads and one day of history")
        if not self.platforms or not set(self.platforms) <= set(PLATFORMS):
            raise WorldError(f"platforms must be among {', '.join(PLATFORMS)}, not {self.platforms!r}")

    @property
    def first_day(self) -> date:
        """The first report day of every account."""
        return date.fromordinal(self.start.date().toordinal() - self.history_days)

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__} | {"platforms": list(self.platforms)}
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in plain.items()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "WorldConfig":
        """Without `platforms` (as written before there were several) the world is Meta's alone."""
        times = {name: datetime.fromisoformat(data[name]) for name in ("start", "today_limit") if name in data}
        return WorldConfig(**{**data, **times, "platforms": tuple(data.get("platforms", ("meta",)))})


@dataclass(frozen=True, slots=True)
class Account:
    """One advertiser. `timezone` is an IANA name; `minor_units` smallest units make one major unit."""

    id: str
    name: str
    currency: str
    timezone: str
    minor_units: int
    created_at: datetime
    platform: str = "meta"
    status: str = "ACTIVE"


@dataclass(slots=True)
class Campaign:
    """`daily_budget` or `lifetime_budget` is set only where the campaign holds the budget for its ad groups."""

    id: str
    account_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    status: str = "PAUSED"
    objective: str = "OUTCOME_SALES"
    daily_budget: int | None = None
    lifetime_budget: int | None = None
    bid_strategy: str = "LOWEST_COST_WITHOUT_CAP"
    start_time: datetime | None = None
    end_time: datetime | None = None
    native: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class AdGroup:
    """`last_significant_edit` restarts learning (see `World.learning`)."""

    id: str
    account_id: str
    campaign_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    last_significant_edit: datetime
    status: str = "PAUSED"
    optimization_goal: str = "OFFSITE_CONVERSIONS"
    billing_event: str = "IMPRESSIONS"
    daily_budget: int | None = None
    lifetime_budget: int | None = None
    bid_strategy: str = "LOWEST_COST_WITHOUT_CAP"
    bid_amount: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    targeting: dict[str, Any] = field(default_factory=dict)
    native: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Ad:
    """`review_until` is when the platform's review ends and the ad may deliver."""

    id: str
    account_id: str
    campaign_id: str
    ad_group_id: str
    creative_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    review_until: datetime
    status: str = "PAUSED"
    native: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Creative:
    """What is shown. `kind` is image or video."""

    id: str
    account_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    status: str = "ACTIVE"
    kind: str = "image"
    title: str = ""
    body: str = ""
    call_to_action: str = "SHOP_NOW"
    link_url: str = "https://shop.example/"
    image_hash: str = ""
    video_id: str | None = None
    native: dict[str, Any] = field(default_factory=dict)


Entity = Campaign | AdGroup | Ad | Creative


@dataclass(frozen=True, slots=True)
class AppliedWrite:
    """One create or update as it was applied. `before` holds the old values of `fields`; empty for a create.

    `actor` is "history" for what happened before the boot, "api" for what came through `create` and `update`.
    """

    seq: int
    at: datetime
    level: Level
    id: str
    fields: dict[str, Any]
    before: dict[str, Any]
    actor: str = "api"


@dataclass(frozen=True, slots=True)
class Learning:
    """The learning phase of an ad group: LEARNING, SUCCESS or FAIL (limited); conversions since the edit."""

    status: str
    conversions: int
    last_significant_edit: datetime
