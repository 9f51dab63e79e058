"""The list endpoints: filtering, fields, pages, and faults on their rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stakazo_pipelines.sandbox.emulation import spoil, turned_page
from stakazo_pipelines.sandbox.tiktok import reading
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, page_info, read_page
from stakazo_pipelines.sandbox.tiktok.directory import Directory, ListLevel
from stakazo_pipelines.sandbox.tiktok.errors import invalid, not_among
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.statuses import PRIMARY, passes, secondary_status

MAX_IDS = 100
_NAMES: Mapping[ListLevel, str] = {"campaign": "campaign_name", "ad_group": "adgroup_name", "ad": "ad_name"}
_IDS: Mapping[ListLevel, tuple[str, ...]] = {
    "campaign": ("campaign_ids",),
    "ad_group": ("campaign_ids", "adgroup_ids"),
    "ad": ("campaign_ids", "adgroup_ids", "ad_ids"),
}
_OF_CAMPAIGN = ("objective_type", "sales_destination", "campaign_product_source", "campaign_type")
_OF_GROUP = ("promotion_type", "creative_material_mode", "optimization_goal")
_BID_STRATEGIES = {
    "BID_STRATEGY_COST_CAP": "BID_TYPE_CUSTOM",
    "BID_STRATEGY_BID_CAP": "BID_TYPE_CUSTOM",
    "BID_STRATEGY_MAX_CONVERSION": "BID_TYPE_NO_BID",
    "BID_STRATEGY_LOWEST_COST": "BID_TYPE_NO_BID",
}
# Taken and without effect here: everything in this world is alike in these respects.
_IDLE = frozenset(
    (
        *("split_test_enabled", "is_smart_performance_campaign", "campaign_system_origins", "store_ids"),
        *("gmv_max_promotion_types", "destination", "creative_campaign_type"),
    )
)


class Lists:
    """`/campaign/get/`, `/adgroup/get/`, `/ad/get/`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, call: Call, level: ListLevel) -> Answer:
        directory, params = self._directory, call.params
        account = directory.account(params.needed("advertiser_id"))
        page, size = read_page(params)
        wanted = Wanted(directory, level, Params(params.mapping("filtering"), here="filtering."))
        found = [entity for entity in directory.all(account, level) if wanted(entity)]
        first = turned_page(call.draw, (page - 1) * size, size, len(found))
        rows = [reading.read(directory, level, entity) for entity in found[first : first + size]]
        rows = _shaped(params, rows, level)
        spoil(rows, call.draw, _NAMES[level])
        return Answer({"list": rows, "page_info": page_info(page, size, len(found))})


def _shaped(params: Params, rows: list[dict[str, Any]], level: ListLevel) -> list[dict[str, Any]]:
    fields = params.names("fields")
    bare = "NULL_FIELD" in (params.names("exclude_field_types_in_response") or ())
    if fields is not None and rows:
        unknown = [name for name in fields if name not in rows[0]]
        if unknown:
            raise invalid(f"fields: {', '.join(unknown)} not supported for {_NAMES[level].removesuffix('_name')}.")
        rows = [{name: row[name] for name in fields} for row in rows]
    if bare:
        rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return rows


class Wanted:
    """The test that a filtering object makes. Raises 40002 for what it does not know."""

    def __init__(self, directory: Directory, level: ListLevel, given: Params) -> None:
        self._directory, self._level = directory, level
        self._ids = {name: ids for name in _IDS[level] if (ids := given.names(name, most=MAX_IDS)) is not None}
        self._name = given.text(_NAMES[level]).lower()
        self._primary = given.choice("primary_status", PRIMARY, "STATUS_NOT_DELETE")
        self._secondary = given.text("secondary_status") or None
        self._words = {name: given.text(name) for name in (*_OF_CAMPAIGN, *_OF_GROUP) if given.given(name)}
        self._billing = given.names("billing_events")
        self._bid = given.choice("bid_strategy", _BID_STRATEGIES)
        self._reserved = "AUCTION" not in (given.names("buying_types") or ["AUCTION"])
        self._from, self._until = (given.moment(f"creation_filter_{side}_time") for side in ("start", "end"))
        self._modified = given.moment("modified_after")
        known = {*_IDS[level], _NAMES[level], *_IDLE, *_OF_CAMPAIGN, *_OF_GROUP, "primary_status", "secondary_status"}
        known |= {"billing_events", "bid_strategy", "buying_types", "modified_after"}
        known |= {"creation_filter_start_time", "creation_filter_end_time"}
        for name in given.unknown(known):
            raise not_among("filtering", name, sorted(known))

    def __call__(self, entity: Any) -> bool:
        return self._named(entity) and self._dated(entity) and self._stated(entity) and self._worded(entity)

    def _named(self, entity: Any) -> bool:
        own = {"campaign": "campaign_ids", "ad_group": "adgroup_ids", "ad": "ad_ids"}[self._level]
        for name, ids in self._ids.items():
            attribute = {"campaign_ids": "campaign_id", "adgroup_ids": "ad_group_id"}.get(name, "id")
            if getattr(entity, "id" if name == own else attribute) not in ids:
                return False
        return self._name in entity.name.lower()

    def _dated(self, entity: Any) -> bool:
        low, high = self._from, self._until
        if self._modified is not None and entity.updated_at < self._modified:
            return False
        at: datetime = entity.created_at
        return (low is None or at >= low) and (high is None or at <= high)

    def _stated(self, entity: Any) -> bool:
        plain = self._primary in ("STATUS_ALL", "STATUS_NOT_DELETE", "STATUS_DELETE") and self._secondary is None
        status = "" if plain else secondary_status(self._directory, entity)
        return passes(self._primary, status, self._secondary, gone=self._directory.gone(entity))

    def _worded(self, entity: Any) -> bool:
        if self._reserved:
            return False
        if not (self._words or self._billing or self._bid):
            return True
        row = reading.read(self._directory, self._level, entity)
        if self._level != "campaign":
            row = reading.campaign_row(self._directory, self._directory.campaign(entity)) | row
        if self._level == "ad":
            row |= {
                name: value
                for name, value in reading.ad_group_row(self._directory, self._directory.ad_group(entity)).items()
                if name not in row or name in _OF_GROUP
            }
        if self._billing and row.get("billing_event") not in self._billing:
            return False
        if self._bid and row.get("bid_type") != _BID_STRATEGIES[self._bid]:
            return False
        return all(row.get(name) == value for name, value in self._words.items())
