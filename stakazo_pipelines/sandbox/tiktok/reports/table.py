"""The rows of a report as columns: the world's report, cut to what is asked, relabelled and added up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.tiktok.directory import Directory, ListLevel
from stakazo_pipelines.sandbox.tiktok.reports.query import SEGMENTS, Query
from stakazo_pipelines.sandbox.tiktok.statuses import passes, secondary_status
from stakazo_pipelines.sandbox.world import Account, Report

Column = npt.NDArray[Any]
ORDER: tuple[str, ...] = ("account", "campaign", "ad_group", "ad")
MEASURES = (
    *("impressions", "reach", "clicks", "spend", "landing_page_views", "add_to_cart", "video_views", "thruplays"),
    *("post_engagement", "purchases", "purchases_7d_click", "purchases_1d_view", "purchase_value"),
)
_MONEY = frozenset({"spend", "purchase_value"})
_LABELS: Mapping[str, Mapping[str, str]] = {
    "age": {"18-24": "AGE_18_24", "25-34": "AGE_25_34", "35-44": "AGE_35_44", "45-54": "AGE_45_54",
            "55-64": "AGE_55_100", "65+": "AGE_55_100"},
    "gender": {"female": "FEMALE", "male": "MALE", "unknown": "NONE"},
    "country": {},
}  # fmt: skip
# The world knows daily reach only: of the days beyond the best one, this share is taken as people not seen before.
_NEW_PEOPLE = 0.45


@dataclass(frozen=True, slots=True)
class Table:
    """Equal-length columns: `keys` by dimension (text, days as datetime64, hours as numbers), `measures` by name."""

    account: Column
    entity: Column
    keys: dict[str, Column]
    measures: dict[str, Column]

    def __len__(self) -> int:
        return int(self.account.size)

    def take(self, rows: Any) -> "Table":
        return Table(
            self.account[rows],
            self.entity[rows],
            {name: column[rows] for name, column in self.keys.items()},
            {name: column[rows] for name, column in self.measures.items()},
        )


def build(directory: Directory, query: Query) -> Table:
    """All rows of a query, by account, day, hour, entity, segment."""
    parts = [_of_account(directory, query, account) for account in query.accounts]
    return Table(
        np.concatenate([part.account for part in parts]),
        np.concatenate([part.entity for part in parts]),
        {name: np.concatenate([part.keys[name] for part in parts]) for name in parts[0].keys},
        {name: np.concatenate([part.measures[name] for part in parts]) for name in parts[0].measures},
    )


def _of_account(directory: Directory, query: Query, account: Account) -> Table:
    base = ORDER[max([ORDER.index(query.level), *(ORDER.index(level) for level in (*query.ids, *query.statuses))])]
    segments = [name for name in query.dimensions if name in SEGMENTS]
    hourly = query.time == "stat_time_hour"
    report = directory.kernel.world.report(
        account.id, base, query.since, query.until, hourly=hourly, breakdowns=[SEGMENTS[name] for name in segments]
    )
    rows = np.flatnonzero(_kept(directory, query, report))
    keys: dict[str, Column] = {}
    if query.time:
        keys["day"] = report["day"][rows]
    if hourly:
        keys["hour"] = report["hour"][rows]
    with_id = query.id_dimension is not None
    entity = report[f"{query.level}_id"][rows] if with_id else np.full(rows.size, account.id, dtype=object)
    keys["entity"] = entity
    for name in segments:
        keys[name] = _relabelled(report[SEGMENTS[name]][rows], _LABELS[SEGMENTS[name]])
    measures = {name: _measure(report, name, rows) for name in MEASURES}
    grouped = not (query.time and base == query.level and with_id and "age" not in segments)
    if grouped:
        keys, measures = _grouped(keys, measures)
    if with_id and query.dimensions == (query.id_dimension,) and query.level != "account":
        keys, measures = _with_idle(directory, query, account, keys, measures)
    size = keys["entity"].size
    return Table(np.full(size, account.id, dtype=object), keys.pop("entity"), keys, measures)


def _measure(report: Report, name: str, rows: Column) -> Column:
    column = report[name][rows]
    return column.astype(np.float64) if name in _MONEY else column


def _kept(directory: Directory, query: Query, report: Report) -> Column:
    kept = np.ones(len(report), dtype=np.bool_)
    for level, (wanted, ids) in query.ids.items():
        kept &= np.isin(report[f"{level}_id"].astype(str), sorted(ids)) == wanted
    for level, status in query.statuses.items():
        if status != "STATUS_ALL":
            kept &= _where(report[f"{level}_id"], _status_test(directory, level, status))
    return kept


def _status_test(directory: Directory, level: Any, status: str) -> Callable[[str], bool]:
    world = directory.kernel.world
    stores: Mapping[str, Mapping[str, Any]] = {
        "campaign": world.campaigns,
        "ad_group": world.ad_groups,
        "ad": world.ads,
    }
    store = stores[level]

    def stands(entity_id: str) -> bool:
        entity, gone = store[entity_id], directory.gone(store[entity_id])
        plain = status in ("STATUS_NOT_DELETE", "STATUS_DELETE")
        return passes(status, "" if plain else secondary_status(directory, entity), None, gone=gone)

    return stands


def _where(column: Column, test: Callable[[str], bool]) -> Column:
    """Rows whose value passes; each value is asked once."""
    values, inverse = np.unique(column, return_inverse=True)
    return np.array([test(str(value)) for value in values], dtype=np.bool_)[inverse]


def _relabelled(column: Column, labels: Mapping[str, str]) -> Column:
    values, inverse = np.unique(column, return_inverse=True)
    return np.array([labels.get(str(value), str(value)) for value in values], dtype=object)[inverse]


def _grouped(keys: dict[str, Column], measures: dict[str, Column]) -> tuple[dict[str, Column], dict[str, Column]]:
    """Rows of equal keys added up, in the order of the keys; reach is not a sum."""
    size = next(iter(keys.values())).size
    if size == 0:
        return keys, measures
    code = np.zeros(size, dtype=np.int64)
    for column in keys.values():
        values, inverse = np.unique(column, return_inverse=True)
        code = code * values.size + inverse
    known, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    out = {}
    for name, column in measures.items():
        total: Column = np.bincount(inverse, weights=column, minlength=known.size)
        if name == "reach":
            best = np.zeros(known.size)
            np.maximum.at(best, inverse, column)
            total = best + np.floor(_NEW_PEOPLE * (total - best))
        out[name] = total if name in _MONEY else np.rint(total).astype(np.int64)
    return {name: column[first] for name, column in keys.items()}, out


def _with_idle(
    directory: Directory, query: Query, account: Account, keys: dict[str, Column], measures: dict[str, Column]
) -> tuple[dict[str, Column], dict[str, Column]]:
    """With nothing but an ID dimension, entities without activity stand in the report as well."""
    level: ListLevel = query.level  # type: ignore[assignment]  # the account's own level is dealt with before
    seen = set(keys["entity"])
    tests = {name: _status_test(directory, name, status) for name, status in query.statuses.items()}
    idle = [
        entity.id
        for entity in reversed(directory.all(account, level))
        if entity.id not in seen and _wanted(query, tests, level, entity)
    ]
    if not idle:
        return keys, measures
    entities = np.concatenate([keys["entity"], np.array(idle, dtype=object)])
    order = np.argsort(entities.astype(str), kind="stable")
    zeros = {name: np.concatenate([column, np.zeros(len(idle), column.dtype)]) for name, column in measures.items()}
    return {"entity": entities[order]}, {name: column[order] for name, column in zeros.items()}


def _wanted(query: Query, tests: Mapping[str, Callable[[str], bool]], level: str, entity: Any) -> bool:
    chain = {"campaign": getattr(entity, "campaign_id", None), "ad_group": getattr(entity, "ad_group_id", None)}
    chain[level] = entity.id
    for name, (wanted, ids) in query.ids.items():
        if (chain.get(name) in ids) != wanted:
            return False
    return all(chain.get(name) is not None and (query.statuses[name] == "STATUS_ALL" or test(str(chain[name])))
               for name, test in tests.items())  # fmt: skip
