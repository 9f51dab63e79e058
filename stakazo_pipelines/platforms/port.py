"""The port every ad platform is reached through. Adding a platform means implementing `AdPlatform`, nothing else.

Amounts are Money in major units, ratios never appear (they are formed downstream), ids are strings, instants are
aware UTC, report days are account-local dates whose zone stands in `Account.timezone`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.money import Money
from stakazo_pipelines.vocabulary import EntityStatus, Level


@dataclass(frozen=True, slots=True)
class Account:
    """One advertiser. `timezone` is an IANA name; `minor_units` is how many smallest units make one major unit."""

    id: str
    name: str
    currency: str
    timezone: str
    minor_units: int
    status: EntityStatus
    min_daily_budget: Money | None = None
    min_campaign_budget: Money | None = None  # where a campaign's budget has another floor than an ad group's
    problem: str = ""  # why this account cannot be worked on (unknown currency, time zone); "" = it can


class BudgetPeriod(StrEnum):
    DAILY = "daily"
    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True)
class Budget:
    money: Money
    period: BudgetPeriod


@dataclass(frozen=True, slots=True)
class Entity:
    """A campaign, ad group, ad or creative as the platform reports it now.

    `parent_id` is the entity one level up (account id for campaigns and creatives). `budget` is None where the level
    holds none (an ad group under a campaign budget, every ad). `delivery` is the platform's own word for what delivery
    makes of the status (Meta: effective_status). `settings` is a digest of what an edit changes besides status, budget
    and creative (bid, audience, placements, …), "" where that is not known. `native` keeps the payload as it came, for
    audit and new fields.
    """

    level: Level
    id: str
    account_id: str
    parent_id: str
    name: str
    status: EntityStatus
    native_type: str
    delivery: str = ""
    objective: str = ""
    optimization_goal: str = ""
    budget: Budget | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    creative_id: str | None = None
    settings: str = ""
    in_learning: bool = False
    native: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityDraft:
    """What is needed to create an entity. `settings` carries platform-native parameters the port does not unify.

    `tag` makes the create safe to repeat: the adapter looks for an entity of this tag before it sends another create.
    """

    level: Level
    account_id: str
    parent_id: str
    name: str
    tag: str
    status: EntityStatus = EntityStatus.PAUSED
    budget: Budget | None = None
    objective: str = ""
    creative_id: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityChange:
    """One update. None leaves the field as it is. `settings` as in EntityDraft.

    `parent_id` spares the adapter a look-up where a platform limits what one batch may change; "" = not known.
    """

    level: Level
    id: str
    account_id: str
    name: str | None = None
    status: EntityStatus | None = None
    budget: Budget | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    parent_id: str = ""


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """How one write of a batch went. `error` is None when the platform said it took it (read back to be sure)."""

    change: EntityChange
    error: PlatformError | None = None


class Breakdown(StrEnum):
    AGE = "age"
    GENDER = "gender"
    COUNTRY = "country"
    PLACEMENT = "placement"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class InsightsQuery:
    """Daily rows of one account at one level, `since`..`until` inclusive, in the account's time zone."""

    account: Account
    level: Level
    since: date
    until: date
    breakdowns: tuple[Breakdown, ...] = ()


@dataclass(frozen=True, slots=True)
class InsightRow:
    """One report day of one entity (and breakdown values). Counts that the platform did not report are None, not 0.

    `spend` and `conversions_value` are major units of the account's currency. `attribution_window` is the platform's
    word (Meta "7d_click_1d_view"). `native` is the row as it came.
    """

    day: date
    level: Level
    account_id: str
    campaign_id: str | None
    ad_group_id: str | None
    ad_id: str | None
    campaign_name: str | None
    ad_group_name: str | None
    ad_name: str | None
    impressions: int
    clicks: int
    spend: Decimal
    conversions: Decimal
    conversions_value: Decimal
    attribution_window: str
    link_clicks: int | None = None
    reach: int | None = None
    video_plays: int | None = None
    engagements: int | None = None
    segments: Mapping[Breakdown, str] = field(default_factory=dict)
    native: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row the adapter could not trust, kept with the reason so that nothing is lost."""

    reason: str
    field: str
    native: object
    where: str


@dataclass(frozen=True, slots=True)
class InsightsResult:
    rows: Sequence[InsightRow]
    quarantined: Sequence[Quarantined] = ()


@dataclass(frozen=True, slots=True)
class EntitiesResult:
    entities: Sequence[Entity]
    quarantined: Sequence[Quarantined] = ()


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or film to show. `name` is the file's name, ending included."""

    kind: MediaKind
    name: str
    content: bytes


_ALL_LEVELS = frozenset({Level.CAMPAIGN, Level.AD_GROUP, Level.AD, Level.CREATIVE})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a caller may ask of a platform; ask here first instead of catching an exception in mid-run.

    `levels` can be listed and read. Where `archives` has a level, its `delete` archives instead of deleting.
    `breakdowns` has HOUR only where the platform reports by the hour.
    """

    levels: frozenset[Level]
    insight_levels: frozenset[Level]
    breakdowns: frozenset[Breakdown]
    async_reports: bool
    validate_only: bool
    write_batch: int  # how many writes one request may carry; 1 = no batch
    budget_levels: frozenset[Level]
    breakdown_pairs: frozenset[frozenset[Breakdown]] = frozenset()  # which breakdowns may be asked for together
    without_conversions: frozenset[Breakdown] = frozenset()  # broken down by these, conversions are not reported
    create_levels: frozenset[Level] = _ALL_LEVELS
    update_levels: frozenset[Level] = _ALL_LEVELS
    delete_levels: frozenset[Level] = _ALL_LEVELS
    archives: frozenset[Level] = frozenset()
    media: frozenset[MediaKind] = frozenset()


class AdPlatform(Protocol):
    """One ad platform. Every method raises errors of the PlatformError tree only."""

    @property
    def name(self) -> str:
        """Lower-case slug, as in lake paths and asset keys: meta, tiktok, linkedin."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def accounts(self) -> Sequence[Account]:
        """Every account the token can see."""
        ...

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        """Every entity of a level that is not deleted."""
        ...

    async def read(self, account: Account, level: Level, entity_id: str) -> Entity:
        """One entity as it is now. Raises NotFoundError."""
        ...

    async def insights(self, query: InsightsQuery) -> InsightsResult:
        """Daily rows; splits, pages, waits and falls back to asynchronous reports as needed."""
        ...

    async def create(self, account: Account, draft: EntityDraft, *, validate_only: bool = False) -> str:
        """The new entity's id ("" when only validated); the id of the one already made when repeated with its tag."""
        ...

    async def update(self, account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        """Apply each change at most once; outcomes in the order given."""
        ...

    async def delete(self, account: Account, level: Level, entity_id: str) -> None:
        """Delete (or archive, see `Capabilities.archives`). Deleting the deleted is no error."""
        ...

    async def upload(self, account: Account, media: Media) -> str:
        """The id by which creatives and ads refer to the media; the same content again gives the same id."""
        ...

    async def aclose(self) -> None: ...
