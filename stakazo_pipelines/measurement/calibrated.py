"""Estimates of attributed returns turned into incremental ones, and back: columns beside those of `Estimates`."""

import numpy as np
import polars as pl
from scipy.special import ndtr

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.incrementality import Factors

ATTRIBUTED, INCREMENTAL = "attributed", "incremental"
# What `calibrated` adds. basis: what the ROAS columns are. incremental_factor (median) and its 90 % interval: NULL
# where tests say too little, and the attributed returns stand as they are. lift_tests: how many cover the arm; with 0
# the factor rests on tests elsewhere.
COLUMNS = (
    "basis", "incremental_factor", "incremental_low", "incremental_high", "lift_tests", "attributed_roas",
    "log_factor_mean", "log_factor_sd",
)  # fmt: skip
_TAIL = 1.6448536269514722  # deviates from the middle to the end of a 90 % interval
_RETURNS = ("roas", "marginal_roas")
_SKEW = "log_value_skew"  # where measurement tells one


def calibrated(frame: pl.DataFrame, factors: Factors, *, target: float) -> pl.DataFrame:
    """A frame of `Estimates` with its returns made incremental where tests tell, and `COLUMNS`; rows as in `factors`.

    The factor is independent of what the reports say, so that on the log scale means and variances add up; intervals
    are widened on either side by themselves. `target` is that of p_above_target.
    """
    if not factors.told:
        return _attributed_only(frame, factors)
    mean, sd = factors.mean, np.sqrt(factors.variance)
    added = frame.with_columns(
        pl.lit(INCREMENTAL).alias("basis"),
        pl.Series("incremental_factor", np.exp(mean)),
        pl.Series("incremental_low", np.exp(mean - _TAIL * sd)),
        pl.Series("incremental_high", np.exp(mean + _TAIL * sd)),
        pl.Series("lift_tests", factors.tests),
        pl.col("roas").alias("attributed_roas"),
        pl.Series("log_factor_mean", mean),
        pl.Series("log_factor_sd", sd),
    ).select(*frame.columns, *COLUMNS)
    changed = {
        name: column for part in _RETURNS for name, column in _widened(_interval(frame, part), part, mean, sd).items()
    }
    changed |= _curve(frame, mean, np.sqrt(_column(frame, "log_value_sd") ** 2 + sd**2))
    low, middle, high = (np.log(changed[name]) for name in ("roas_low", "roas", "roas_high"))
    distance = np.where(np.log(target) < middle, middle - low, high - middle) / _TAIL
    changed["p_above_target"] = ndtr((middle - np.log(target)) / distance)
    return _with(added, changed)


def _attributed_only(frame: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    unknown = pl.lit(None, dtype=pl.Float64)
    return frame.with_columns(
        pl.lit(ATTRIBUTED).alias("basis"),
        *(unknown.alias(name) for name in ("incremental_factor", "incremental_low", "incremental_high")),
        pl.Series("lift_tests", factors.tests),
        pl.col("roas").alias("attributed_roas"),
        *(pl.lit(0.0).alias(name) for name in ("log_factor_mean", "log_factor_sd")),
    ).select(*frame.columns, *COLUMNS)


def attributed(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame with its curve as the platforms attribute it (what their reports can be held against)."""
    if "basis" not in frame.columns or (frame["basis"] != INCREMENTAL).all():
        return frame
    mean, sd = _column(frame, "log_factor_mean"), _column(frame, "log_factor_sd")
    own = np.sqrt(np.maximum(_column(frame, "log_value_sd") ** 2 - sd**2, 0.0))
    return _with(frame, _curve(frame, -mean, own))


def _curve(frame: pl.DataFrame, shift: Array, sd: Array) -> dict[str, Array]:
    """The curve's columns after a shift of log value, with another standard deviation of it."""
    ratio = _column(frame, "log_value_sd") / sd
    changed = {
        "log_value_mean": _column(frame, "log_value_mean") + shift,
        "log_value_sd": sd,
        "curve_corr": np.clip(_column(frame, "curve_corr") * ratio, -0.999, 0.999),
    }
    if _SKEW in frame.columns:
        changed[_SKEW] = _column(frame, _SKEW) * ratio**3
    return changed


def _interval(frame: pl.DataFrame, name: str) -> tuple[Array, Array, Array]:
    return _column(frame, f"{name}_low"), _column(frame, name), _column(frame, f"{name}_high")


def _widened(interval: tuple[Array, Array, Array], name: str, shift: Array, sd: Array) -> dict[str, Array]:
    """Quantiles of a product with an independent log-normal: distances from the median add up in squares."""
    low, middle, high = (np.log(part) for part in interval)
    below, above = np.hypot(middle - low, _TAIL * sd), np.hypot(high - middle, _TAIL * sd)
    centre = middle + shift
    return {name: np.exp(centre), f"{name}_low": np.exp(centre - below), f"{name}_high": np.exp(centre + above)}


def _column(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _with(frame: pl.DataFrame, changed: dict[str, Array]) -> pl.DataFrame:
    """The frame with the changed columns; what is undefined stays NULL."""
    return frame.with_columns(pl.Series(name, column, nan_to_null=True) for name, column in changed.items())
