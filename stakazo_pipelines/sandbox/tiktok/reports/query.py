"""A report's parameters, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import invalid, missing, no_permission, not_among
from stakazo_pipelines.sandbox.tiktok.params import Params, parsed
from stakazo_pipelines.sandbox.tiktok.reports import catalogue
from stakazo_pipelines.sandbox.tiktok.statuses import PRIMARY
from stakazo_pipelines.sandbox.world import Account

LEVELS: Mapping[str, str] = {
    "AUCTION_ADVERTISER": "account",
    "AUCTION_CAMPAIGN": "campaign",
    "AUCTION_ADGROUP": "ad_group",
    "AUCTION_AD": "ad",
}
ID_DIMENSIONS: Mapping[str, str] = {
    "advertiser_id": "account",
    "campaign_id": "campaign",
    "adgroup_id": "ad_group",
    "ad_id": "ad",
    "ad_id_v2": "ad",
}
TIMES = ("stat_time_day", "stat_time_hour")
SEGMENTS: Mapping[str, str] = {"age": "age", "gender": "gender", "country_code": "country"}
# Breakdowns of the real API that the world does not carry: everything falls into one segment, "NONE".
_UNSEEN_BASIC = frozenset({"ad_type", "custom_event_type", "event_source_id", "page_id", "component_name"})
_UNSEEN_AUDIENCE = frozenset(
    (
        *("province_id", "dma_id", "language", "platform", "placement", "ac", "interest_category", "behavior_id"),
        *("interest_category_tier2", "interest_category_tier3", "interest_category_tier4", "device_brand_id"),
        *("contextual_tag",),
    )
)
_ID_FILTERS: Mapping[str, str] = {"campaign_ids": "campaign", "adgroup_ids": "ad_group", "ad_ids": "ad"}
_STATUS_FILTERS: Mapping[str, str] = {"campaign_status": "campaign", "adgroup_status": "ad_group", "ad_status": "ad"}
_IDLE_FILTERS = frozenset({"buying_type", "campaign_automation_type", "campaign_system_origins"})
_MANY = ("IN", "NOT_IN", "CONTAIN_ANY_OF", "BETWEEN")
_COMPARISONS = ("GREATER_EQUAL", "GREATER_THAN", "LOWER_EQUAL", "LOWER_THAN", "BETWEEN")
FILTER_TYPES = ("IN", "NOT_IN", "CONTAIN_ANY_OF", "MATCH", *_COMPARISONS)
_SPANS = {"stat_time_day": 30, "stat_time_hour": 1, "": 365}
_TYPES = ("BASIC", "AUDIENCE", "PLAYABLE_MATERIAL", "CATALOG", "BC", "TT_SHOP")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric that must lie somewhere: `low` and `high` as `kind` says."""

    metric: str
    kind: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Query:
    """`level` is the world's; `ids` and `statuses` filter by its levels. `whole_money`: amounts without decimals."""

    accounts: tuple[Account, ...]
    many: bool
    level: str
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    since: date
    until: date
    ids: Mapping[str, tuple[bool, frozenset[str]]]  # level -> (wanted or unwanted, ids)
    statuses: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    order: tuple[str, bool] | None  # field, descending
    whole_money: bool = False

    @property
    def id_dimension(self) -> str | None:
        return next((name for name in self.dimensions if name in ID_DIMENSIONS), None)

    @property
    def time(self) -> str:
        return next((name for name in self.dimensions if name in TIMES), "")


def read_query(directory: Directory, params: Params) -> Query:
    """Raises 40002 for what TikTok would refuse."""
    accounts, many = _accounts(directory, params)
    params.require("report_type", "dimensions")
    kind = params.choice("report_type", _TYPES)
    if kind not in ("BASIC", "AUDIENCE"):
        raise invalid(f"report_type: {kind} is not supported for these advertisers.")
    params.choice("service_type", ("AUCTION",))
    params.choice("query_mode", ("REGULAR", "CHUNK"))
    params.require("data_level")
    level = LEVELS[params.choice("data_level", LEVELS)]
    dimensions = _dimensions(params, kind, level)
    metrics = tuple(dict.fromkeys(params.names("metrics") or ["spend", "impressions"]))
    unknown = [name for name in metrics if not catalogue.known(name)]
    if unknown:
        raise invalid(f"metrics: Invalid metric fields: {', '.join(unknown)}.")
    since, until = _dates(directory, params, kind, dimensions, accounts)
    ids, statuses, comparisons = _filters(params, level)
    order = None
    if params.given("order_field"):
        name = params.text("order_field")
        if name not in metrics and name not in dimensions:
            raise invalid(f"order_field: {name} is not among the metrics or dimensions.")
        order = (name, params.choice("order_type", ("ASC", "DESC"), "DESC") == "DESC")
    return Query(accounts, many, level, dimensions, metrics, since, until, ids, statuses, comparisons, order)


def _accounts(directory: Directory, params: Params) -> tuple[tuple[Account, ...], bool]:
    if params.given("bc_id"):
        raise no_permission(f"Business Center {params.text('bc_id')}")
    several = params.names("advertiser_ids", most=5)
    if several is not None:
        return tuple(directory.account(name) for name in several), True
    if not params.given("advertiser_id"):
        raise missing(["advertiser_id"])
    return (directory.account(params.text("advertiser_id")),), False


def _dimensions(params: Params, kind: str, level: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(params.names("dimensions") or ()))
    unseen = _UNSEEN_BASIC if kind == "BASIC" else _UNSEEN_AUDIENCE
    allowed = {*ID_DIMENSIONS, *TIMES, "country_code", *unseen, *(SEGMENTS if kind == "AUDIENCE" else ())}
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        raise invalid(f"dimensions: Invalid dimension fields: {', '.join(unknown) or 'none given'}.")
    ids = [name for name in names if name in ID_DIMENSIONS]
    if len(ids) > 1 or sum(name in TIMES for name in names) > 1:
        raise invalid("dimensions: At most one ID dimension and one time dimension.")
    if ids and ID_DIMENSIONS[ids[0]] != level:
        raise invalid(f"dimensions: {ids[0]} does not match data_level {params.text('data_level')}.")
    segments = [name for name in names if name in SEGMENTS or name in unseen]
    if kind == "AUDIENCE" and ("stat_time_hour" in names or not segments):
        raise invalid("dimensions: An audience report needs an audience dimension and no stat_time_hour.")
    return names


def _dates(
    directory: Directory, params: Params, kind: str, dimensions: tuple[str, ...], accounts: tuple[Account, ...]
) -> tuple[date, date]:
    time = next((name for name in dimensions if name in TIMES), "")
    if params.boolean("query_lifetime"):
        if kind != "BASIC" or time or "country_code" in dimensions:
            raise invalid("query_lifetime: Not supported with time, country or audience dimensions.")
        return directory.kernel.world.config.first_day, max(directory.today(account) for account in accounts)
    params.require("start_date", "end_date")
    since, until = params.day("start_date"), params.day("end_date")
    if since > until:
        raise invalid("start_date: Must not be later than end_date.")
    if until - since >= timedelta(days=_SPANS[time]):
        what = f"with {time}" if time else "without a time dimension"
        raise invalid(f"The time range must not exceed {_SPANS[time]} days {what}.")
    return since, until


def _filters(
    params: Params, level: str
) -> tuple[dict[str, tuple[bool, frozenset[str]]], dict[str, str], tuple[Comparison, ...]]:
    ids: dict[str, tuple[bool, frozenset[str]]] = {}
    statuses: dict[str, str] = {}
    comparisons = []
    for item in params.objects("filtering"):
        item.require("field_name", "filter_type", "filter_value")
        name, kind = item.text("field_name"), item.choice("filter_type", FILTER_TYPES)
        values = _values(item, kind)
        if name in _ID_FILTERS:
            if kind not in ("IN", "NOT_IN"):
                raise invalid(f"filtering: filter_type {kind} is not supported for {name}.")
            if not 1 <= len(values) <= 100:
                raise invalid(f"filtering: {name} takes 1 to 100 ids.")
            ids[_ID_FILTERS[name]] = (kind == "IN", frozenset(values))
        elif name in _STATUS_FILTERS:
            if len(values) != 1 or values[0] not in PRIMARY:
                raise not_among(f"filtering: {name}", ", ".join(values), PRIMARY)
            statuses[_STATUS_FILTERS[name]] = values[0]
        elif kind in _COMPARISONS and catalogue.known(name) and name not in catalogue.ATTRIBUTES:
            comparisons.append(_comparison(name, kind, values))
        elif name not in _IDLE_FILTERS:
            raise not_among("filtering: field_name", name, (*_ID_FILTERS, *_STATUS_FILTERS, *sorted(_IDLE_FILTERS)))
    if level != "account":
        statuses.setdefault(level, "STATUS_NOT_DELETE")
    return ids, statuses, tuple(comparisons)


def _values(item: Params, kind: str) -> list[str]:
    """`filter_value` is text; several values are a JSON array inside it."""
    value: Any = next(iter(item.raw(("filter_value",)).values()))
    if isinstance(value, str) and kind in _MANY:
        value = parsed(value, "filtering.filter_value")
    if kind in _MANY and not isinstance(value, list):
        raise invalid(f"filtering: filter_value must be a JSON array with filter_type {kind}.")
    values = [str(part) for part in value] if isinstance(value, list) else [str(value)]
    if kind == "BETWEEN" and len(values) != 2:
        raise invalid("filtering: BETWEEN takes exactly two elements.")
    return values


def _comparison(metric: str, kind: str, values: list[str]) -> Comparison:
    try:
        low, high = float(values[0]), float(values[-1])
    except ValueError as error:
        raise invalid(f"filtering: {metric} is compared with numbers.") from error
    return Comparison(metric, kind, low, high)
