"""From long frames to dense, scale-free arrays: what the filter reads, and the references that undo the scaling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import inf

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array, BoolArray, IntArray, sum_by
from stakazo_pipelines.measurement.curves import CURVATURE
from stakazo_pipelines.measurement.filtering import Series
from stakazo_pipelines.measurement.maturity import MATURE_AGE, MaturityCurve, maturity_of
from stakazo_pipelines.measurement.pooling import Tree

ARM_COLUMNS = ("arm_id", "account_id", "campaign_id", "platform", "objective", "currency")
AMOUNTS = ("spend", "conversions", "conversions_value")
DAY_COLUMNS = (*ARM_COLUMNS, "date_day", *AMOUNTS, "age_days")
REFERENCE_HALF_LIFE = 14.0  # days: the reference spend is the arm's recent one
MAX_LOG_RATIO = 5.0
LEAST_CONVERSIONS = 1e-6  # fewer than this in a whole sum are none


@dataclass(frozen=True, slots=True)
class Panel:
    """`arms` has one row an arm (index order of every array) with its keys and `unit` (account and currency)."""

    arms: pl.DataFrame
    rows: pl.DataFrame  # the long rows used: arm (index), day (index), age, spend, conversions, value, share
    series: Series
    tree: Tree
    ref_spend: Array
    log_rate: Array  # per arm: log conversions per money of its account
    log_size: Array  # per arm: log reference spend over its account's geometric mean
    unit_value: Array  # per arm: recent mean value per conversion of its account; NaN when no value was ever reported
    edited: BoolArray  # days x arms: the day of a known edit
    days: int


def check_columns(
    frame: pl.DataFrame,
    *,
    table: str = "arm_days",
    needed: Sequence[str] = DAY_COLUMNS,
    amounts: Sequence[str] = (*AMOUNTS, "age_days"),
) -> None:
    """Raise MeasurementError naming the table and the columns where one is missing, or amounts are no numbers."""
    if missing := [name for name in needed if name not in frame.columns]:
        raise MeasurementError(f"{table} lacks {', '.join(missing)}; give one column for each of {', '.join(needed)}")
    for name in amounts:
        kind = frame.schema[name]
        if not kind.is_numeric() and kind != pl.Null:
            raise MeasurementError(f"{table}.{name} holds {kind}, not numbers; read it as a number or leave it empty")
    if "date_day" in needed and frame.schema["date_day"] not in (pl.Date, pl.Null):
        raise MeasurementError(f"{table}.date_day holds {frame.schema['date_day']}, not days; read it as a date")


def check_days(arm_days: pl.DataFrame) -> None:
    """Refuse what no model should see: missing columns, text, negative or infinite numbers, a day twice."""
    check_columns(arm_days)
    for name in AMOUNTS:
        column = arm_days[name].cast(pl.Float64)
        if bool((column.is_nan() | column.is_infinite() | (column < 0)).any()):
            raise MeasurementError(f"arm_days.{name} holds a negative, infinite or undefined number")
    for name in ("arm_id", "date_day"):
        if arm_days[name].null_count():
            raise MeasurementError(f"arm_days.{name} is empty in {arm_days[name].null_count()} rows")
    twice = arm_days.filter(pl.struct("arm_id", "date_day").is_duplicated())
    if len(twice):
        raise MeasurementError(f"arm_days holds {twice['arm_id'][0]} on {twice['date_day'][0]} more than once")


def build_panel(
    *,
    arm_days: pl.DataFrame,
    arms: pl.DataFrame,
    as_of: date,
    window_days: int,
    maturity: Mapping[str, MaturityCurve],
    value_memory_days: float = inf,
) -> Panel:
    """Dense arrays over the last `window_days` up to `as_of`, for the arms in `arms` and any other with delivery there.

    Rows without spend say nothing about returns and are left out. `arms` may have `changed_on`, the day of an arm's
    last edit. Values per conversion are averaged with a half-life of `value_memory_days`. Raises MeasurementError on
    impossible input.
    """
    check_days(arm_days)
    first = as_of - timedelta(days=window_days - 1)
    used = arm_days.filter(pl.col("date_day").is_between(first, as_of)).select(DAY_COLUMNS)
    table = _arm_table(used, arms)
    index = table.select("arm_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("arm"))
    rows = (
        used.filter(pl.col("spend") > 0)
        .join(index, on="arm_id")
        .select(
            "arm",
            (pl.col("date_day") - first).dt.total_days().alias("day"),
            pl.col("age_days").fill_null(0).clip(0).cast(pl.Int64).alias("age"),
            pl.col("spend").cast(pl.Float64),
            pl.col("conversions").cast(pl.Float64),
            pl.col("conversions_value").cast(pl.Float64).alias("value"),
        )
        .sort("arm", "day")
    )
    share, share_variance, value_factor = _shares(rows, table, arm_days, maturity)
    rows = rows.with_columns(
        pl.Series("share", share), pl.Series("share_variance", share_variance), pl.col("value") * value_factor
    )
    ref_spend = _reference(rows, table, window_days)
    unit = table["unit"].to_numpy()
    fresh = 0.5 ** ((window_days - 1 - rows["day"].to_numpy()) / value_memory_days)
    log_rate, unit_value = _references(rows, table, fresh)
    arm, day = rows["arm"].to_numpy(), rows["day"].to_numpy()
    shape = (window_days, len(table))
    counted = rows["conversions"].is_not_null().to_numpy()
    observed = np.zeros(shape, dtype=np.bool_)
    observed[day, arm] = counted
    ratio = np.clip(np.log(rows["spend"].to_numpy() / ref_spend[arm]), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    known = np.log(ref_spend[arm]) + log_rate[arm] + np.log(share) - CURVATURE * ratio**2 / 2
    series = Series(
        count=_dense(shape, day, arm, rows["conversions"].fill_null(0.0).to_numpy()),
        log_ratio=_dense(shape, day, arm, ratio),
        offset=_dense(shape, day, arm, known),
        offset_variance=_dense(shape, day, arm, share_variance),
        observed=observed,
        weekday=np.array([(first + timedelta(days=step)).weekday() for step in range(window_days)], dtype=np.int64),
        account=unit,
        accounts=int(unit.max()) + 1,
    )
    tree = Tree.build([table[name].to_numpy() for name in ("campaign_code", "objective_code", "unit", "platform_code")])
    log_spend = np.log(ref_spend)
    count = sum_by(unit, np.ones(len(unit)), series.accounts)
    log_size = log_spend - (sum_by(unit, log_spend, series.accounts) / np.maximum(count, 1.0))[unit]
    edited = _edits(arms, table, first, shape)
    return Panel(table, rows, series, tree, ref_spend, log_rate, log_size, unit_value, edited, window_days)


def _edits(arms: pl.DataFrame, table: pl.DataFrame, first: date, shape: tuple[int, int]) -> BoolArray:
    """Where `arms.changed_on`, if there is such a column, falls into the window."""
    edited = np.zeros(shape, dtype=np.bool_)
    if "changed_on" in arms.columns:
        day = table.join(arms.select("arm_id", "changed_on"), on="arm_id", how="left", maintain_order="left").select(
            (pl.col("changed_on") - first).dt.total_days().fill_null(-1)
        )["changed_on"]
        inside = np.flatnonzero(day.is_between(0, shape[0] - 1).to_numpy())
        edited[day.to_numpy()[inside], inside] = True
    return edited


def _dense(shape: tuple[int, int], day: IntArray, arm: IntArray, values: Array) -> Array:
    grid = np.zeros(shape)
    grid[day, arm] = values
    return grid


def _arm_table(used: pl.DataFrame, arms: pl.DataFrame) -> pl.DataFrame:
    """One row an arm: the listed ones first and in their order, then others that delivered; codes for the tree."""
    if missing := [name for name in (*ARM_COLUMNS, "budget") if name not in arms.columns]:
        raise MeasurementError(f"arms lacks {', '.join(missing)}")
    if bool(arms["arm_id"].is_duplicated().any()) or arms["arm_id"].null_count():
        raise MeasurementError("arms holds an arm more than once, or one without arm_id")
    others = (
        used.sort("date_day")
        .group_by("arm_id", maintain_order=True)
        .agg(pl.col(ARM_COLUMNS[1:]).last())
        .join(arms.select("arm_id"), on="arm_id", how="anti")
        .sort("arm_id")
    )
    listed = arms.select(*(pl.col(name).cast(pl.String) for name in ARM_COLUMNS), pl.col("budget").cast(pl.Float64))
    table = pl.concat([listed, others.select(ARM_COLUMNS).with_columns(budget=pl.lit(None, dtype=pl.Float64))])
    if not len(table):
        raise MeasurementError("there is no arm to estimate: `arms` and `arm_days` are both empty")
    unit = ["platform", "account_id", "currency"]
    known = table.with_columns(pl.col(ARM_COLUMNS[1:]).fill_null(""))
    codes = known.select(
        pl.struct(unit).rank("dense").cast(pl.Int64).sub(1).alias("unit"),
        pl.struct(*unit, "objective").rank("dense").cast(pl.Int64).sub(1).alias("objective_code"),
        pl.struct(*unit, "objective", "campaign_id").rank("dense").cast(pl.Int64).sub(1).alias("campaign_code"),
        pl.col("platform").rank("dense").cast(pl.Int64).sub(1).alias("platform_code"),
    )
    return pl.concat([table, codes], how="horizontal")


def _shares(
    rows: pl.DataFrame, table: pl.DataFrame, arm_days: pl.DataFrame, maturity: Mapping[str, MaturityCurve]
) -> tuple[Array, Array, Array]:
    """Per row, by the curve of its arm's group: the reported share of its conversions, the variance of that share's
    log, and what makes its value as mature as its conversions.

    An arm's attribution window is that of its newest day, where `arm_days` tells it.
    """
    windows = table.select("arm_id", attribution_window=pl.lit(""))
    if "attribution_window" in arm_days.columns:
        newest = pl.col("attribution_window").get(pl.col("date_day").arg_max())
        windows = table.select("arm_id").join(
            arm_days.group_by("arm_id").agg(newest), on="arm_id", how="left", maintain_order="left"
        )
    of_arm = table.select("platform", windows["attribution_window"], "objective", "account_id").fill_null("")
    groups = of_arm.unique(maintain_order=True).with_row_index("group")
    code = of_arm.join(groups, on=of_arm.columns, how="left", maintain_order="left")["group"].to_numpy()
    ages = np.arange(MATURE_AGE + 1)
    curves = [maturity_of(maturity, *key) for key in groups.drop("group").iter_rows()]
    at = code[rows["arm"].to_numpy()], np.minimum(rows["age"].to_numpy(), MATURE_AGE)
    told = [(curve.fraction(ages), curve.log_sd(ages) ** 2, curve.value_factor(ages)) for curve in curves]
    share, variance, factor = np.array(told, dtype=np.float64).reshape(-1, 3, len(ages)).transpose(1, 0, 2)
    return share[at], variance[at], factor[at]


def _reference(rows: pl.DataFrame, table: pl.DataFrame, window_days: int) -> Array:
    """Recent geometric mean of an arm's spend; its budget, else its account's typical spend, when it has none."""
    weight = 0.5 ** ((window_days - 1 - rows["day"].to_numpy()) / REFERENCE_HALF_LIFE)
    arm, count = rows["arm"].to_numpy(), len(table)
    total = sum_by(arm, weight, count)
    mean = sum_by(arm, weight * np.log(np.maximum(rows["spend"].to_numpy(), 1e-12)), count)
    own = np.where(total > 0, mean / np.where(total > 0, total, 1.0), np.nan)
    budget = table["budget"].fill_null(0.0).to_numpy()
    own = np.where(np.isnan(own) & (budget > 0), np.log(np.where(budget > 0, budget, 1.0)), own)
    typical = (
        table.select("unit", pl.Series("own", own).fill_nan(None))
        .select(pl.col("own").median().over("unit").fill_null(0.0))["own"]
        .to_numpy()
    )
    return np.asarray(np.exp(np.where(np.isnan(own), typical, own)), dtype=np.float64)


def _references(rows: pl.DataFrame, table: pl.DataFrame, fresh: Array) -> tuple[Array, Array]:
    """Per arm, of its account: log mature conversions per money, and mean value per conversion, rows weighted `fresh`.

    An account that never converted takes the value of its currency; one without spend takes the pooled return of all
    accounts as its rate (its value then being 1 per conversion: only the product has a meaning across currencies).
    """
    unit = table["unit"].to_numpy()
    units = int(unit.max()) + 1
    of_row = unit[rows["arm"].to_numpy()]
    counts = rows["conversions"].fill_null(0.0).to_numpy()
    told = rows["conversions"].is_not_null().to_numpy()
    conversions = sum_by(of_row, counts, units)
    exposure = sum_by(of_row, rows["spend"].to_numpy() * rows["share"].to_numpy() * told, units)
    value = sum_by(of_row, fresh * rows["value"].fill_null(0.0).to_numpy() * (counts > 0), units)
    valued = sum_by(of_row, fresh * counts * rows["value"].is_not_null().to_numpy(), units)
    known = (value > 0) & (valued > LEAST_CONVERSIONS)
    unit_value = np.where(known, value / np.where(known, valued, 1.0), np.nan)
    rate = np.where(exposure > 0, (conversions + 0.5) / np.where(exposure > 0, exposure, 1.0), np.nan)
    frame = table.group_by("unit").agg(pl.col("currency").first()).sort("unit")
    for currency in frame["currency"].unique():
        here = frame["currency"].eq_missing(currency).to_numpy()
        if np.any(known & here):
            unit_value = np.where(here & np.isnan(unit_value), np.median(unit_value[known & here]), unit_value)
        if np.any((exposure > 0) & here):
            rate = np.where(here & np.isnan(rate), np.median(rate[(exposure > 0) & here]), rate)
    strange = np.isnan(rate)
    if np.any(known):
        pooled = float(np.median((rate * unit_value)[known]))
        rate, unit_value = np.where(strange, pooled, rate), np.where(strange, 1.0, unit_value)
    return np.log(np.where(np.isnan(rate), 1.0, rate))[unit], unit_value[unit]
