"""ROAS, marginal ROAS and response curve of every arm, with 90 % intervals and a state: how far to trust them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.panel import Panel, build_panel
from stakazo_pipelines.measurement.posterior import ArmPosterior, ahead, at_spend, run_passes
from stakazo_pipelines.measurement.returns import returns_at, skewed, truncated_elasticity
from stakazo_pipelines.policy import MeasurementPolicy
from stakazo_pipelines.vocabulary import ArmState

RECENT_DAYS = 7  # the window whose maturity is judged
# An arm whose value was never reported earns, as far as anybody can tell, nothing: a draw of e^-50 of its spend.
_NO_LOG_VALUE = -50.0

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "arm_id": pl.String,
    "account_id": pl.String,
    "campaign_id": pl.String,
    "platform": pl.String,
    "currency": pl.String,
    "as_of": pl.Date,
    "state": pl.String,
    "budget": pl.Float64,
    "days": pl.Int64,
    "conversions": pl.Float64,
    "spend": pl.Float64,
    "last_day": pl.Date,
    "maturity": pl.Float64,
    "roas": pl.Float64,
    "roas_low": pl.Float64,
    "roas_high": pl.Float64,
    "marginal_roas": pl.Float64,
    "marginal_roas_low": pl.Float64,
    "marginal_roas_high": pl.Float64,
    "p_above_target": pl.Float64,
    "ref_spend": pl.Float64,
    "log_value_mean": pl.Float64,
    "log_value_sd": pl.Float64,
    "elasticity_mean": pl.Float64,
    "elasticity_sd": pl.Float64,
    "curve_corr": pl.Float64,
    "log_value_skew": pl.Float64,
}
_ADDED = {"log_value_skew": 0.0}  # what estimates of older days may lack


@dataclass(frozen=True, slots=True)
class Estimates:
    """One row an arm, columns as `SCHEMA`; NULL where undefined (no value ever reported, no delivery, no budget).

    ROAS columns are posterior medians and 5 % and 95 % quantiles of the mean of the next 7 days at today's budget (at
    the reference spend when there is no budget). The curve's parameters come from joint normals of correlation
    `curve_corr`: log value's bent to the left by `log_value_skew`, where conversions are few, and elasticity's
    truncated to (`curves.ELASTICITY_MIN`, `ELASTICITY_MAX`).
    """

    frame: pl.DataFrame

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> "Estimates":
        """Rebuild what passed through the lake. A missing column is a MeasurementError."""
        frame = frame.with_columns(
            pl.lit(blank).alias(name) for name, blank in _ADDED.items() if name not in frame.columns
        )
        if missing := [name for name in SCHEMA if name not in frame.columns]:
            raise MeasurementError(f"estimates lack {', '.join(missing)}")
        return cls(frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))

    def draws(self, n: int, seed: int, *, most: float = ELASTICITY_MAX) -> tuple[Array, Array]:
        """`n` posterior draws of (log value per day at `ref_spend`, elasticity), each n x arms, finite everywhere.

        Elasticities end at `most`: by default where curves stay concave, at `MEASURED_MAX` for marginal ROAS. An arm
        without any reported value draws a value of e^-50 of its reference spend.
        """
        rng = np.random.default_rng(seed)
        frame = self.frame
        shape = (n, len(frame))
        first, second = rng.standard_normal(shape), rng.standard_normal(shape)
        corr = frame["curve_corr"].fill_null(0.0).to_numpy()
        blank = np.log(frame["ref_spend"].to_numpy()) + _NO_LOG_VALUE
        mean = frame["log_value_mean"].to_numpy()
        mean = np.where(np.isnan(mean), blank, mean)
        elasticity = truncated_elasticity(
            corr * first + np.sqrt(1.0 - corr**2) * second,
            frame["elasticity_mean"].to_numpy(),
            frame["elasticity_sd"].to_numpy(),
            most,
        )
        first = skewed(first, frame["log_value_skew"].fill_null(0.0).to_numpy())
        return mean + frame["log_value_sd"].fill_null(0.0).to_numpy() * first, elasticity


def estimate(
    *,
    arm_days: pl.DataFrame,
    arms: pl.DataFrame,
    as_of: date,
    maturity: Mapping[str, MaturityCurve],
    population: Population,
    settings: MeasurementPolicy,
) -> Estimates:
    """Estimate every arm in `arms` from its days in the policy's window up to `as_of`.

    `arm_days` has one row per arm and day with delivery (spend, conversions, value as reported so far, `age_days` of
    the report); `arms` has the keys and today's budget, perhaps `changed_on` (see `panel.build_panel`). Platforms
    without a maturity curve take the default one.
    Raises MeasurementError on impossible input (see `panel.check_days`).
    """
    panel = build_panel(
        arm_days=arm_days,
        arms=arms,
        as_of=as_of,
        window_days=settings.window_days,
        maturity=maturity,
        value_memory_days=population.value_memory_days,
    )
    fit = run_passes(panel, population)
    evidence = _evidence(panel, as_of, population.memory_days, fit.jumps)
    returns = _returns(panel, ahead(panel, population, fit), settings.target_roas)
    listed = pl.concat([panel.arms, evidence, returns], how="horizontal").head(len(arms))
    # Delivery before the window teaches nothing, but tells that the arm stopped: it is stale, not new.
    seen = (
        arm_days.filter(pl.col("date_day") <= as_of, pl.col("spend") > 0)
        .group_by("arm_id")
        .agg(seen=pl.col("date_day").max())
    )
    dated = listed.join(seen, on="arm_id", how="left", maintain_order="left").with_columns(
        pl.coalesce("last_day", "seen").alias("last_day")
    )
    frame = dated.with_columns(
        _state(as_of, settings).alias("state"), pl.lit(as_of).alias("as_of"), pl.col("maturity").round(6)
    )
    return Estimates.from_frame(frame)


def _evidence(panel: Panel, as_of: date, memory_days: float, jumps: Array) -> pl.DataFrame:
    """Per arm: days, conversions, spend, last day, maturity of its recent days, and discounted mature conversions.

    What came before a jump is no evidence of today's level, as surely as there was one.
    """
    last = panel.days - 1
    after = np.cumsum(jumps[::-1], axis=0)[::-1] - jumps
    same = np.clip(1.0 - after, 0.0, 1.0)[panel.rows["day"].to_numpy(), panel.rows["arm"].to_numpy()]
    recent = pl.col("day") > pl.col("day").max() - RECENT_DAYS
    sums = (
        panel.rows.with_columns(pl.Series("same", same))
        .group_by("arm")
        .agg(
            pl.len().cast(pl.Int64).alias("days"),
            pl.col("conversions").sum(),
            pl.col("spend").sum(),
            pl.col("day").max().alias("last"),
            ((pl.col("share") * pl.col("spend")).filter(recent).sum() / pl.col("spend").filter(recent).sum()).alias(
                "maturity"
            ),
            (pl.col("conversions") / pl.col("share") * pl.col("same") * 0.5 ** ((last - pl.col("day")) / memory_days))
            .sum()
            .alias("evidence"),
        )
    )
    return (
        pl.DataFrame({"arm": np.arange(len(panel.arms))})
        .join(sums, on="arm", how="left", maintain_order="left")
        .select(
            pl.col("days", "conversions", "spend", "evidence").fill_null(0),
            "maturity",
            (pl.lit(as_of - timedelta(days=last)) + pl.duration(days=pl.col("last"))).cast(pl.Date).alias("last_day"),
        )
    )


def _state(as_of: date, settings: MeasurementPolicy) -> pl.Expr:
    """Stale before insufficient before immature: the first that holds is the one that has to change first."""
    stale = pl.col("last_day") < as_of - timedelta(days=settings.stale_after_days)
    too_little = (pl.col("evidence") < settings.min_conversions) | (pl.col("days") < settings.min_days)
    return (
        pl.when(stale)
        .then(pl.lit(ArmState.STALE.value))
        .when(too_little | pl.col("log_value_mean").is_null())
        .then(pl.lit(ArmState.INSUFFICIENT.value))
        .when(pl.col("maturity") < settings.min_maturity)
        .then(pl.lit(ArmState.IMMATURE.value))
        .otherwise(pl.lit(ArmState.OK.value))
    )


def _returns(panel: Panel, posterior: ArmPosterior, target: float) -> pl.DataFrame:
    """Medians and 90 % quantiles of ROAS and marginal ROAS at today's budget, and the curve's parameters."""
    budget = panel.arms["budget"].fill_null(0.0).to_numpy()
    at = np.where(budget > 0, budget, panel.ref_spend)
    local = at_spend(posterior, ref_spend=panel.ref_spend, spend=at)
    found = returns_at(at, posterior=local, target=target)
    columns = {
        "roas": found.roas[1],
        "roas_low": found.roas[0],
        "roas_high": found.roas[2],
        "marginal_roas": found.marginal[1],
        "marginal_roas_low": found.marginal[0],
        "marginal_roas_high": found.marginal[2],
        "p_above_target": found.p_above,
        "ref_spend": at,
        "log_value_mean": local.log_value,
        "log_value_sd": np.where(np.isnan(local.log_value), np.nan, np.sqrt(local.log_value_variance)),
        "elasticity_mean": local.elasticity,
        "elasticity_sd": np.sqrt(local.elasticity_variance),
        "curve_corr": found.curve_corr,
        "log_value_skew": found.skewness,
    }
    return pl.DataFrame(columns).fill_nan(None)
