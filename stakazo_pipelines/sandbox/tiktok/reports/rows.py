"""Table rows as the wire has them: texts in every place, "-" where something does not apply."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stakazo_pipelines.sandbox.tiktok import reading
from stakazo_pipelines.sandbox.tiktok.directory import Directory, ListLevel
from stakazo_pipelines.sandbox.tiktok.reports import catalogue
from stakazo_pipelines.sandbox.tiktok.reports.query import Query
from stakazo_pipelines.sandbox.tiktok.reports.table import ORDER, Column, Table
from stakazo_pipelines.sandbox.tiktok.reports.values import Values

ABSENT = "-"
_UNSEEN = "NONE"
_STRATEGIES = {"BID_TYPE_NO_BID": "BID_STRATEGY_LOWEST_COST", "BID_TYPE_CUSTOM": "BID_STRATEGY_COST_CAP"}
# Attributes whose answer is the same for all that the world holds.
_SAME = {
    "split_test": "0",
    "is_smart_creative": "0",
    "smart_target": ABSENT,
    "campaign_automation_type": "MANUAL",
}
_RENAMED = {"opt_status": "operation_status", "campaign_budget": "budget"}
_OF_ACCOUNT = {"currency": "currency", "timezone": "timezone", "advertiser_id": "id", "advertiser_name": "name"}
_OWNER = {  # attribute -> the level it belongs to
    **dict.fromkeys(("campaign_name", "campaign_id", "campaign_budget", "objective_type"), "campaign"),
    **dict.fromkeys(("app_promotion_type", "rf_campaign_type"), "campaign"),
    **dict.fromkeys(("adgroup_name", "adgroup_id", "bid", "bid_strategy", "billing_event"), "ad_group"),
    **dict.fromkeys(("promotion_type", "placement_type"), "ad_group"),
    **dict.fromkeys(("ad_name", "ad_id", "ad_text", "call_to_action", "image_mode"), "ad"),
}


def as_rows(directory: Directory, query: Query, table: Table) -> list[dict[str, dict[str, Any]]]:
    """`{"dimensions": {...}, "metrics": {...}}` of each row."""
    dimensions = {name: _dimension(query, table, name) for name in query.dimensions}
    metrics = _metrics(directory, query, table)
    return [
        {
            "dimensions": {name: column[i] for name, column in dimensions.items()},
            "metrics": {name: column[i] for name, column in metrics.items()},
        }
        for i in range(len(table))
    ]


def as_columns(directory: Directory, query: Query, table: Table) -> dict[str, list[str]]:
    """The same by column, dimensions first."""
    dimensions = {name: _dimension(query, table, name) for name in query.dimensions}
    return dimensions | _metrics(directory, query, table)


def totals(directory: Directory, query: Query, table: Table) -> dict[str, str]:
    """All rows as one, ratios as ratios of sums; attributes do not add up."""
    one = Table(
        table.account[:1],
        table.entity[:1],
        {},
        {name: column.sum(keepdims=True) for name, column in table.measures.items()},
    )
    values = Values(directory, query, one)
    decimals = _decimals(query)
    return {
        name: ABSENT if name in catalogue.ATTRIBUTES or not len(table) else _texts(values, name, decimals)[0]
        for name in query.metrics
    }


def sort_key(directory: Directory, query: Query, table: Table, name: str) -> Column:
    """What `order_field` sorts by: numbers for metrics, text for the rest."""
    if name in query.dimensions:
        return np.array(_dimension(query, table, name), dtype=str)
    if name in catalogue.ATTRIBUTES:
        return np.array(_metrics(directory, query, table)[name], dtype=str)
    return Values(directory, query, table).metric(name)


def _dimension(query: Query, table: Table, name: str) -> list[str]:
    if name == query.id_dimension:
        return [str(value) for value in table.entity]
    if name == "stat_time_day":
        return [f"{day} 00:00:00" for day in np.datetime_as_string(table.keys["day"], unit="D")]
    if name == "stat_time_hour":
        days = np.datetime_as_string(table.keys["day"], unit="D")
        return [f"{day} {hour:02d}:00:00" for day, hour in zip(days, table.keys["hour"], strict=True)]
    if name in table.keys:
        return [str(value) for value in table.keys[name]]
    return [_UNSEEN] * len(table)


def _metrics(directory: Directory, query: Query, table: Table) -> dict[str, list[str]]:
    values, decimals = Values(directory, query, table), _decimals(query)
    attributes = _Attributes(directory, query, table)
    found = {
        name: attributes.texts(name) if name in catalogue.ATTRIBUTES else _texts(values, name, decimals)
        for name in query.metrics
    }
    if query.many:
        found |= {name: attributes.texts(name) for name in ("currency", "timezone", "advertiser_id")}
    return found


def _decimals(query: Query) -> int:
    """Decimals of amounts: TikTok's page says none in reports over several advertisers."""
    return 0 if query.whole_money or all(account.minor_units == 1 for account in query.accounts) else 2


def _texts(values: Values, name: str, decimals: int) -> list[str]:
    numbers = values.metric(name)
    ratio = catalogue.RATIOS.get(name)
    if name in catalogue.COUNTS or (catalogue.absent(name) and "rate" not in name and "cost" not in name):
        return [str(number) for number in numbers.tolist()]
    places = decimals if name in catalogue.MONEY or (ratio is not None and ratio.money) else 2
    return [f"{number:.{places}f}" for number in numbers.tolist()]


class _Attributes:
    """Attribute metrics: what the entities and advertisers of the rows are called and set to."""

    def __init__(self, directory: Directory, query: Query, table: Table) -> None:
        self._directory, self._query, self._table = directory, query, table
        self._owners: dict[str, list[Any]] = {}
        self._read: dict[str, Mapping[str, Any]] = {}

    def texts(self, name: str) -> list[str]:
        if name in _OF_ACCOUNT:
            accounts = {account.id: str(getattr(account, _OF_ACCOUNT[name])) for account in self._query.accounts}
            return [accounts[account_id] for account_id in self._table.account.tolist()]
        if name in _SAME:
            return [_SAME[name]] * len(self._table)
        level, owner = self._query.level, _OWNER.get(name, self._query.level)
        above = level == "account" or self._query.id_dimension is None or ORDER.index(owner) > ORDER.index(level)
        if above or name.startswith(("secondary_goal", "cost_per_secondary")):
            return [ABSENT] * len(self._table)
        entities = self._of_rows(owner)
        if name in ("campaign_name", "adgroup_name", "ad_name"):
            return [entity.name for entity in entities]
        if name in ("campaign_id", "adgroup_id", "ad_id"):
            return [entity.id for entity in entities]
        return [_text(name, self._reading(owner, entity)) for entity in entities]

    def _of_rows(self, owner: str) -> list[Any]:
        """The entity of a level that each row belongs to."""
        if owner not in self._owners:
            world = self._directory.kernel.world
            stores: Mapping[str, Mapping[str, Any]] = {
                "campaign": world.campaigns,
                "ad_group": world.ad_groups,
                "ad": world.ads,
            }
            store = stores[self._query.level]
            entities = [store[entity_id] for entity_id in self._table.entity.tolist()]
            if owner != self._query.level:
                above = stores[owner]
                entities = [above[getattr(entity, f"{owner}_id")] for entity in entities]
            self._owners[owner] = entities
        return self._owners[owner]

    def _reading(self, owner: str, entity: Any) -> Mapping[str, Any]:
        """All fields of an entity; each is read once."""
        if entity.id not in self._read:
            level: ListLevel = owner  # type: ignore[assignment]  # never the account
            self._read[entity.id] = reading.read(self._directory, level, entity)
        return self._read[entity.id]


def _text(name: str, row: Mapping[str, Any]) -> str:
    if name == "bid_strategy":
        return _STRATEGIES[row["bid_type"]]
    if name == "bid":
        value = row["conversion_bid_price"] if row["billing_event"] == "OCPM" else row["bid_price"]
        return f"{value or 0:.2f}"
    if name == "image_mode":
        return str(row["ad_format"])
    value = row.get(_RENAMED.get(name, name))
    if value is None or value == "":
        return ABSENT
    return f"{value:.2f}" if isinstance(value, float) else str(value)
