"""Estimates of attributed returns turned into incremental ones, and back: columns beside those of `Estimates`."""

import numpy as np
import polars as pl
from scipy.special import ndtr

from stakazo_pipelines.measurement.arrays import TAIL_90, Array
from stakazo_pipelines.measurement.incrementality import Factors

ATTRIBUTED, INCREMENTAL = "attributed", "incremental"
# What `calibrated` adds. basis: what the ROAS columns are. incremental_factor (median) and its 90 % interval: NULL
# where tests say too little, and the attributed returns stand as they are. lift_tests: how many cover the arm; with 0
# the factor rests on tests elsewhere.
COLUMNS = (
    "basis", "incremental_factor", "incremental_low", "incremental_high", "lift_tests", "attributed_roas",
    "log_factor_mean", "log_factor_sd",
)  # fmt: skip
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
        pl.Series("incremental_low", np.exp(mean - TAIL_90 * sd)),
        pl.Series("incremental_high", np.exp(mean + TAIL_90 * sd)),
        pl.Series("lift_tests", factors.tests),
        pl.col("roas").alias("attributed_roas"),
        pl.Series("log_factor_mean", mean),
        pl.Series("log_factor_sd", sd),
    ).select(*frame.columns, *COLUMNS)
    changed = _times(frame, mean, sd**2)
    low, middle, high = (np.log(changed[name]) for name in ("roas_low", "roas", "roas_high"))
    distance = np.where(np.log(target) < middle, middle - low, high - middle) / TAIL_90
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
    """The same frame as the platforms attribute it, which is what their reports can be held against.

    p_above_target alone stays that of the incremental return.
    """
    if "basis" not in frame.columns or (frame["basis"] != INCREMENTAL).all():
        return frame
    return _with(frame, _times(frame, -_column(frame, "log_factor_mean"), -(_column(frame, "log_factor_sd") ** 2)))


def _times(frame: pl.DataFrame, shift: Array, variance: Array) -> dict[str, Array]:
    """Returns and curve times an independent log-normal; a negative variance takes one out again."""
    own = _column(frame, "log_value_sd")
    sd = np.sqrt(np.maximum(own**2 + variance, 0.0))
    ratio = own / sd
    changed = {
        "log_value_mean": _column(frame, "log_value_mean") + shift,
        "log_value_sd": sd,
        "curve_corr": np.clip(_column(frame, "curve_corr") * ratio, -0.999, 0.999),
    }
    if _SKEW in frame.columns:
        changed[_SKEW] = _column(frame, _SKEW) * ratio**3
    for name in _RETURNS:
        low, middle, high = (np.log(_column(frame, column)) for column in (f"{name}_low", name, f"{name}_high"))
        below, above = (
            np.sqrt(np.maximum(distance**2 + TAIL_90**2 * variance, 0.0)) for distance in (middle - low, high - middle)
        )
        centre = middle + shift
        changed |= {name: np.exp(centre), f"{name}_low": np.exp(centre - below), f"{name}_high": np.exp(centre + above)}
    return changed


def _column(frame: pl.DataFrame, name: str) -> Array:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _with(frame: pl.DataFrame, changed: dict[str, Array]) -> pl.DataFrame:
    """The frame with the changed columns; what is undefined stays NULL."""
    return frame.with_columns(pl.Series(name, column, nan_to_null=True) for name, column in changed.items())
