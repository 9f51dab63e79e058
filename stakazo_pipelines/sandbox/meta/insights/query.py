"""One insights request, read and checked: what the rows are about, which days, which fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid, unknown_field
from stakazo_pipelines.sandbox.meta.insights import catalogue, windows
from stakazo_pipelines.sandbox.meta.insights.windows import DayRange
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.unset import UNSET_INSIGHTS

_MAX_FIELDS = 150


@dataclass(frozen=True, slots=True)
class Filter:
    """One `filtering` entry: `ad.id IN [..]`."""

    field: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Query:
    """`node_level`/`node_id` say whose insights; `level` what one row is about; `windows` one result set each."""

    account_id: str
    node_level: str
    node_id: str
    level: str
    fields: tuple[str, ...]
    windows: tuple[DayRange, ...]
    breakdowns: tuple[str, ...]
    attribution: tuple[str, ...]
    filters: tuple[Filter, ...]
    sort: tuple[str, bool] | None
    summary: tuple[str, ...]

    @property
    def since(self) -> date:
        return min(window.since for window in self.windows)

    @property
    def until(self) -> date:
        return max(window.until for window in self.windows)


def read_query(params: Params, *, account_id: str, node_level: str, node_id: str, today: date) -> Query:
    """Read and check the parameters of an insights call. `today` is the account's day. Raises GraphError."""
    level = params.text("level") or node_level
    if level not in catalogue.LEVELS:
        raise invalid(f"level must be one of the following values: {', '.join(catalogue.LEVELS)}", field_name="level")
    if catalogue.LEVELS.index(level) < catalogue.LEVELS.index(node_level):
        level = node_level
    fields = tuple(params.names("fields") or _default_fields(level))
    _check_fields(fields)
    breakdowns = tuple(params.names("breakdowns") or ())
    catalogue.check_breakdowns(breakdowns, fields)
    return Query(
        account_id=account_id,
        node_level=node_level,
        node_id=node_id,
        level=level,
        fields=fields,
        windows=tuple(_windows(params, today)),
        breakdowns=breakdowns,
        attribution=_attribution(params),
        filters=read_filters(params),
        sort=_sort(params),
        summary=_summary(params, fields),
    )


def _default_fields(level: str) -> list[str]:
    depth = catalogue.LEVELS.index(level)
    ids = [f"{name}_id" for name in catalogue.LEVELS[: depth + 1]]
    return [*ids, "impressions", "spend"]


def _check_fields(fields: Sequence[str]) -> None:
    if len(fields) > _MAX_FIELDS:
        raise invalid(f"at most {_MAX_FIELDS} fields may be asked for", field_name="fields")
    known = catalogue.ID_FIELDS.keys() | catalogue.METRIC_FIELDS | UNSET_INSIGHTS
    for name in fields:
        if name in known:
            continue
        if name in catalogue.KNOWN_BREAKDOWNS:
            raise invalid(f"{name} is not valid for fields param", field_name="fields")
        raise unknown_field(name, "AdsInsights")


def _windows(params: Params, today: date) -> list[DayRange]:
    ranges = params.structure("time_ranges")
    if ranges is not None:
        if not isinstance(ranges, list) or not ranges:
            raise invalid("Param time_ranges must be an array.", field_name="time_ranges")
        return [windows.explicit(item, today) for item in ranges]
    given = params.mapping("time_range")
    if given is not None:
        days = windows.explicit(given, today)
    else:
        days = windows.preset(params.text("date_preset") or "last_30d", today)
    return windows.split(days, params.text("time_increment") or "all_days")


def _attribution(params: Params) -> tuple[str, ...]:
    names = params.names("action_attribution_windows") or []
    for name in names:
        if name.removesuffix("_first_conversion").removesuffix("_all_conversions") not in catalogue.KNOWN_WINDOWS:
            raise invalid(f"action_attribution_windows does not know {name}", field_name="action_attribution_windows")
    return tuple(name for name in names if name in catalogue.SIMULATED_WINDOWS)


def read_filters(params: Params) -> tuple[Filter, ...]:
    """The `filtering` parameter, for edges and insights alike. Raises code 100 when an entry is not understood."""
    entries = params.structure("filtering")
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise invalid("Param filtering must be an array.", field_name="filtering")
    filters = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not {"field", "operator"} <= entry.keys():
            raise invalid("Filtering field, operator and value are required", field_name="filtering")
        filters.append(Filter(str(entry["field"]), str(entry["operator"]), entry.get("value")))
    return tuple(filters)


def _sort(params: Params) -> tuple[str, bool] | None:
    names = params.names("sort") or []
    if not names:
        return None
    if len(names) > 1:
        raise invalid("sort takes at most one element", field_name="sort")
    for suffix, descending in (("_ascending", False), ("_descending", True)):
        if names[0].endswith(suffix):
            return names[0].removesuffix(suffix), descending
    return names[0], False


def _summary(params: Params, fields: tuple[str, ...]) -> tuple[str, ...]:
    value = params.text("summary").lower()
    if value in ("true", "1") or (not value and params.boolean("default_summary")):
        return tuple(name for name in fields if name in catalogue.METRIC_FIELDS)
    if value in ("", "false", "0"):
        return ()
    names = tuple(params.names("summary") or ())
    _check_fields(names)
    return names
