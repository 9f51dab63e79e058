"""What the marts look like and how they are read. The same columns as dbt/models/marts, checked on every promotion."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lake.files import torn_reason
from stakazo_pipelines.lake.frames import INSTANT, MONEY

_NAMED = 3  # files of which an error tells
_RATIOS = ("cpm", "cpc", "link_cpc", "ctr", "link_ctr", "cvr", "cpa", "roas", "aov", "frequency")


def _schema(*entities: str) -> Mapping[str, Any]:
    keys = {"date_day": pl.Date(), "platform": pl.String(), "account_id": pl.String(), "account_name": pl.String()}
    named = {f"{entity}_{part}": pl.String() for entity in entities for part in ("id", "name")}
    facts = {
        "currency": pl.String(),
        "timezone": pl.String(),
        "attribution_window": pl.String(),
        "fetched_at": INSTANT,
        "age_days": pl.Int64(),
        "maturity": pl.Float64(),
        "reported_level": pl.String(),
        "impressions": pl.Int64(),
        "clicks": pl.Int64(),
        "link_clicks": pl.Int64(),
        "spend": MONEY,
        "conversions": MONEY,
        "conversions_value": MONEY,
        "reach": pl.Int64(),
        "video_plays": pl.Int64(),
        "engagements": pl.Int64(),
        "spend_reporting": MONEY,
        "conversions_value_reporting": MONEY,
        "reporting_currency": pl.String(),
    }
    return {**keys, **named, **facts, **dict.fromkeys(_RATIOS, pl.Float64())}


_PORTFOLIO: Mapping[str, Any] = {
    "date_day": pl.Date(),
    "platform": pl.String(),
    "currency": pl.String(),
    "accounts": pl.Int64(),
    "accounts_without_rate": pl.Int64(),
    "impressions": pl.Int64(),
    "clicks": pl.Int64(),
    "spend": MONEY,
    "conversions": MONEY,
    "conversions_value": MONEY,
    "maturity": pl.Float64(),
    "roas": pl.Float64(),
}

MART_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "ad_reporting__account_report": _schema(),
    "ad_reporting__campaign_report": _schema("campaign"),
    "ad_reporting__ad_group_report": _schema("campaign", "ad_group"),
    "ad_reporting__ad_report": _schema("campaign", "ad_group", "ad"),
    "ad_reporting__portfolio_report": _PORTFOLIO,
}
MART_MODELS = tuple(MART_SCHEMAS)
# Without these a day says nothing; any other column may have been added after the day was built.
_KEYS = ("date_day", "platform", "account_id", "campaign_id", "ad_group_id", "ad_id", "currency")
_NEEDED = frozenset((*_KEYS, "impressions", "spend", "conversions", "conversions_value"))
_DAY_NAME = re.compile(r"date_day=(\d{4}-\d{2}-\d{2})")


def mart_schema(model: str) -> Mapping[str, Any]:
    """Columns and types of a mart. Raises LakeError for a name that is none."""
    if model not in MART_SCHEMAS:
        raise LakeError(f"no mart {model!r}; there are {', '.join(MART_MODELS)}")
    return MART_SCHEMAS[model]


def day_file(lake: Lake, model: str, day: date) -> Path:
    """Where one day of a mart lies."""
    return lake.root / "marts" / model / f"date_day={day}" / "data.parquet"


def mart_days(lake: Lake, model: str, *, since: date = date.min, until: date = date.max) -> list[date]:
    """Days of a mart that were ever built, in order (a day may be empty)."""
    mart_schema(model)
    return [day for day, _ in _day_files(lake, model, since, until)]


def read_mart(lake: Lake, model: str, since: date, until: date) -> pl.DataFrame:
    """Rows of `since`..`until` inclusive, ordered by day; no rows when none was built.

    Columns that a day's file does not have, built before they were added, are null. Raises LakeError naming the file
    when one cannot be read, lacks another column, or holds a column of another type.
    """
    schema = dict(mart_schema(model))
    paths = [path for _, path in _day_files(lake, model, since, until)]
    if not paths:
        return pl.DataFrame(schema=schema)
    try:
        scan = pl.scan_parquet(
            paths, schema=schema, hive_partitioning=False, missing_columns="insert", extra_columns="ignore"
        )
        rows = scan.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        detail = _wrong(paths, schema) or str(error).splitlines()[0]
        raise LakeError(f"{model}: {detail}; build those days again") from error
    # Files are opened one by one only where a column may be missing.
    if any(rows[name].null_count() for name in _NEEDED & schema.keys()) and (wrong := _wrong(paths, schema)):
        raise LakeError(f"{model}: {wrong}; build those days again")
    return rows


def _wrong(paths: Sequence[Path], schema: Mapping[str, Any]) -> str:
    """What is wrong with which files; '' where every one has the mart's columns."""
    found = []
    for path in paths:
        if reason := torn_reason(path):
            found.append(f"{path}: {reason}")
            continue
        try:
            own = pl.read_parquet_schema(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            found.append(f"{path}: {str(error).splitlines()[0]}")
            continue
        lacking = [name for name in schema if name not in own and name in _NEEDED]
        other = [
            f"{name} as {own[name]}, not {schema[name]}"
            for name in schema
            if own.get(name, schema[name]) != schema[name]
        ]
        if lacking:
            found.append(f"{path}: lacks {', '.join(lacking)}")
        elif other:
            found.append(f"{path}: holds {', '.join(other)}")
    return "; ".join(found[:_NAMED])


def _day_files(lake: Lake, model: str, since: date, until: date) -> list[tuple[date, Path]]:
    folder = lake.root / "marts" / model
    if not folder.is_dir():
        return []
    days = []
    for entry in folder.iterdir():
        name = _DAY_NAME.fullmatch(entry.name)
        if name and since <= (day := date.fromisoformat(name[1])) <= until:
            days.append((day, entry / "data.parquet"))
    return sorted((day, path) for day, path in days if path.is_file())
