"""From raw vintages to what a model of delay reads: how many conversions arrived between two ages, and how scattered.

A day that was read at ages 3 and 7 says what share of what was there at 7 had come by 3, whatever is still to come:
days that are not mature yet teach their early ages without a word on the later ones.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array, IntArray

LEVELS = ("platform", "attribution_window", "objective", "account_id")  # from the widest group to the narrowest
MATURE_AGE = 28
# Variance of the arrivals of whole accounts over that of binomial draws, and how many days of evidence that is worth.
PRIOR_DISPERSION, PRIOR_DAYS = 4.0, 10.0
GROUP_DAYS = 20.0  # days of evidence that the platform's dispersion is worth for a group, and the group's for a cell

Group = tuple[str, str, str, str]  # values of LEVELS, "" where unknown


@dataclass(frozen=True, slots=True)
class Cells:
    """Of one group, per pair of ages: of `total` conversions seen by `until`, `arrived` came after `after`.

    Each counts in units of its dispersion, so that the sums behave like binomial counts. `conversions` is undivided
    and counts only days first read at the group's smallest age, by what they had at their next reading.
    """

    after: IntArray
    until: IntArray
    total: Array
    arrived: Array
    conversions: float


def triangle_cells(vintages: pl.DataFrame) -> dict[Group, Cells]:
    """Cells of every group from `platform, date_day, age_days, conversions`, one row a vintage of a day.

    `attribution_window`, `objective` and `account_id` where known. A group whose days were all seen once has no cells.

    Where a day is restated downwards the fall is counted with the arrivals of the other days of its group, and the sum
    is at least 0. Raises MeasurementError when a column is missing.
    """
    rows = _vintage_rows(vintages, "conversions")
    pairs = _pairs(rows)
    cell = [*LEVELS, "after", "until"]
    came = pl.col("seen") - pl.col("before")
    share = (came.sum().clip(lower_bound=0.0) / pl.col("seen").sum()).over(cell).fill_nan(0.0)
    chance = pl.col("seen") * share * (1.0 - share)
    sums = (
        pairs.with_columns(off=(came - pl.col("seen") * share) ** 2, chance=chance)
        .group_by(cell)
        .agg(
            pl.col("seen").sum().alias("total"),
            came.sum().clip(lower_bound=0.0).alias("arrived"),
            # One share was fitted to the cell's days.
            (pl.col("off").sum() * pl.len() / (pl.len() - 1)).alias("off"),
            pl.col("chance").sum(),
            (pl.len() - 1).cast(pl.Float64).alias("days"),
        )
        .with_columns(pl.col("arrived").clip(upper_bound=pl.col("total")))
        .sort(cell)
    )
    weighed = sums.with_columns(_dispersion())
    by_group = weighed.partition_by(LEVELS, as_dict=True)
    found: dict[Group, Cells] = {}
    for values in rows.select(LEVELS).unique().sort(LEVELS).iter_rows():
        group: Group = (values[0], values[1], values[2], values[3])
        found[group] = _cells(by_group.get(group, weighed.clear()))
    return found


def vintage_pairs(vintages: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Per group, day and pair of ages that followed each other: LEVELS, date_day, after, until, `before` and `seen`.

    The measure as reported at `after` and at `until`. Raises MeasurementError when a column is missing.
    """
    return _pairs(_vintage_rows(vintages, measure))


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("after").is_not_null()).rename({"age": "until"})


def _vintage_rows(vintages: pl.DataFrame, measure: str) -> pl.DataFrame:
    needed = {"platform", "date_day", "age_days", measure}
    if missing := needed - set(vintages.columns):
        raise MeasurementError(f"vintages lack {', '.join(sorted(missing))}")
    keys = [*LEVELS, "date_day"]
    amount = pl.col(measure).cast(pl.Float64)
    return (
        vintages.with_columns(pl.lit("").alias(name) for name in LEVELS if name not in vintages.columns)
        .filter(pl.col("platform").is_not_null() & pl.col("date_day").is_not_null() & pl.col("age_days").is_not_null())
        .filter(amount.is_finite() & (amount >= 0))
        .select(*(pl.col(name).fill_null("") for name in LEVELS), "date_day", "age_days", amount.alias("seen"))
        .sort(*keys, "age_days", "seen")
        .with_columns(age=pl.col("age_days").clip(0, MATURE_AGE))
        .group_by(*keys, "age", maintain_order=True)
        .agg(pl.col("seen").last())
        .with_columns(after=pl.col("age").shift(1).over(keys), before=pl.col("seen").shift(1).over(keys))
    )


def _dispersion() -> pl.Expr:
    """Variance of arrivals over that of binomial draws, at least 1: of a cell, shrunk to its group's, that to its
    platform's, and that to the prior. Ratios of sums: what counts is the variance of a sum over days.

    A cell of a single day says nothing of scatter.
    """
    told = (pl.col("days") > 0) & (pl.col("chance") > 0)
    off, chance, days = (pl.when(told).then(pl.col(name)).otherwise(0.0) for name in ("off", "chance", "days"))

    def shrunk(over: list[str], towards: pl.Expr, worth: float) -> pl.Expr:
        own = pl.when(chance.sum().over(over) > 0).then(off.sum().over(over) / chance.sum().over(over)).otherwise(0.0)
        known = days.sum().over(over)
        return (worth * towards + known * own) / (worth + known)

    platform = shrunk(["platform"], pl.lit(PRIOR_DISPERSION), PRIOR_DAYS)
    group = shrunk(list(LEVELS), platform, GROUP_DAYS)
    return shrunk([*LEVELS, "after", "until"], group, GROUP_DAYS).clip(lower_bound=1.0).alias("dispersion")


def _cells(mine: pl.DataFrame) -> Cells:
    dispersion = mine["dispersion"].to_numpy()
    return Cells(
        after=mine["after"].to_numpy().astype(np.int64),
        until=mine["until"].to_numpy().astype(np.int64),
        total=mine["total"].to_numpy() / dispersion,
        arrived=mine["arrived"].to_numpy() / dispersion,
        conversions=float(mine.filter(pl.col("after") == pl.col("after").min())["total"].sum()) if len(mine) else 0.0,
    )
