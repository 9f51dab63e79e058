"""The daily engine held against the full model: NUTS over the same arms and days, arm by arm, and its own fit.

Both speak of the log value of a day at the arm's reference spend, the mean of the days ahead, and of its elasticity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import TAIL_90, Array, IntArray
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.full_model import ARMS, CHECKED, HYPER, SHARED, full_model
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.nuts import Diagnostics, Sampling, compile_model, diagnose, drawn, sample
from stakazo_pipelines.measurement.panel import Panel, build_panel
from stakazo_pipelines.measurement.population import arms_of, fit_population, subsample
from stakazo_pipelines.measurement.posterior import HORIZON_DAYS, WALK_AHEAD
from stakazo_pipelines.policy import MeasurementPolicy

QUANTITIES = ("log_value", "elasticity")
QUANTITIES_SAMPLED = ("level", "elasticity")
CHECKS = ("total", "zeros", "dispersion", "weekday")
_MOST_LEVELS = 60_000  # arms x steps: beyond, levels move in longer steps than a day
_CHECKED_ARMS = 200
_MOST_STORED = 60_000_000  # draws x levels over all chains: nutpie keeps every level of every draw in memory
_DRAWS = (800, 4000)  # of one chain
_PREDICTIVE_DRAWS = 300
_QUANTILES = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class ArmDraws:
    """Posterior draws, draws x arms: log value per day at the reference spend over the next days, and elasticity.

    Log value is NaN for arms of which no value per conversion was ever reported.
    """

    log_value: Array
    elasticity: Array


@dataclass(frozen=True, slots=True)
class Agreement:
    """One quantity over all arms that both engines know: differences in the full model's posterior deviations."""

    arms: int
    difference: float  # mean of the absolute differences of posterior means
    bias: float  # mean of the signed differences, the daily engine's less the full model's
    width_ratio: float  # mean of the ratios of 90 % intervals, the daily engine's over the full model's
    worst: float  # largest absolute difference


def arm_draws(trace: Any, panel: Panel, *, step_days: int, seed: int) -> ArmDraws:
    """What the chains say of every arm of the panel; movements ahead, which the daily engine adds, are drawn."""
    rng = np.random.default_rng(seed)
    level, value = drawn(trace, "level"), drawn(trace, "value")
    trend, drift = drawn(trace, "trend")[:, None], drawn(trace, "drift_sd")[:, None]
    # Ahead: the mean of a walk over 1..H. Behind: the last day against the mean of its step, of which the level speaks.
    behind = (step_days - 1) * (2 * step_days - 1) / (6 * step_days)
    walk = drift * np.sqrt(WALK_AHEAD + behind) * rng.standard_normal(level.shape)
    log_value = (
        np.log(panel.ref_spend)
        + panel.log_rate
        + level
        + trend * (HORIZON_DAYS + 1) / 2
        + walk
        + _shared_ahead(trace, panel, rng)[:, panel.series.account]
        + np.log(panel.unit_value)
        + value
    )
    return ArmDraws(log_value, drawn(trace, "elasticity"))


def _shared_ahead(trace: Any, panel: Panel, rng: np.random.Generator) -> Array:
    """Log of the mean over the days ahead of an account's shared effects, draws x accounts."""
    shock, weekday = drawn(trace, "shock_last"), drawn(trace, "weekday")
    keep, sd = drawn(trace, "shock_persistence")[:, None], drawn(trace, "shock_sd")[:, None]
    wander, last = drawn(trace, "account_drift_sd")[:, None], int(panel.series.weekday[-1])
    walk, total = np.zeros_like(shock), np.zeros_like(shock)
    for step in range(1, HORIZON_DAYS + 1):
        shock = keep * shock + sd * np.sqrt(1.0 - keep**2) * rng.standard_normal(shock.shape)
        walk = walk + wander * rng.standard_normal(shock.shape)
        total += np.exp(walk + shock + weekday[:, :, (last + step) % 7])
    return np.asarray(np.log(total / HORIZON_DAYS), dtype=np.float64)


def compare(draws: ArmDraws, daily: pl.DataFrame) -> pl.DataFrame:
    """Per arm and quantity of QUANTITIES: `<quantity>_difference` (in deviations) and `<quantity>_width_ratio`.

    `daily` has the arms of the draws in their order, as `estimate` gives them at the reference spend.
    """
    intervals = {
        "log_value": np.log(daily["roas_high"].to_numpy() / daily["roas_low"].to_numpy()),
        "elasticity": 2 * TAIL_90 * daily["elasticity_sd"].to_numpy(),
    }
    columns = {}
    for name, values in (("log_value", draws.log_value), ("elasticity", draws.elasticity)):
        low, high = np.quantile(values, _QUANTILES, axis=0)
        mean = daily[f"{name}_mean"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        columns[f"{name}_difference"] = (mean - values.mean(axis=0)) / values.std(axis=0)
        columns[f"{name}_width_ratio"] = intervals[name] / (high - low)
    return daily.select("arm_id", "account_id", "platform", "conversions").with_columns(
        **{name: pl.Series(values).fill_nan(None) for name, values in columns.items()}
    )


def agreement(compared: pl.DataFrame, name: str) -> Agreement:
    """Summary of `compare` for one quantity; arms that one engine does not value are left out."""
    known = compared.drop_nulls(f"{name}_difference")
    difference, ratio = known[f"{name}_difference"].to_numpy(), known[f"{name}_width_ratio"].to_numpy()
    if not len(known):
        return Agreement(0, *[float("nan")] * 4)
    size = np.abs(difference)
    return Agreement(len(known), float(size.mean()), float(difference.mean()), float(ratio.mean()), float(size.max()))


def predictive_checks(trace: Any, panel: Panel, *, checked_arms: int, seed: int) -> dict[str, float]:
    """Posterior predictive p-values of CHECKS over the cells of the first `checked_arms` arms (Gelman et al. 1996).

    The chance that counts drawn from the fitted model exceed the observed ones in: their total, days without any,
    squared errors over their variance, and squared errors of weekdays' totals. Near 0 or 1 the model does not describe
    the data.
    """
    rng = np.random.default_rng(seed)
    day, arm = np.nonzero(panel.series.observed)
    use = arm < checked_arms
    observed, weekday = panel.series.count[day[use], arm[use]], panel.series.weekday[day[use]]
    log_mean, dispersion = drawn(trace, CHECKED), drawn(trace, "dispersion")
    exceeded = np.zeros(len(CHECKS))
    chosen = np.linspace(0, len(log_mean) - 1, min(_PREDICTIVE_DRAWS, len(log_mean))).astype(np.int64)
    for place in chosen:
        mean, spread = np.exp(log_mean[place]), float(dispersion[place])
        copy = rng.poisson(mean * rng.gamma(1.0 / spread, spread, mean.shape)).astype(np.float64)
        seen = _statistics(observed, mean, spread, weekday)
        made = _statistics(copy, mean, spread, weekday)
        # Ties (days without any are few numbers) count half.
        exceeded += (made > seen) + 0.5 * (made == seen)
    return dict(zip(CHECKS, (exceeded / len(chosen)).tolist(), strict=True))


def _statistics(count: Array, mean: Array, dispersion: float, weekday: IntArray) -> Array:
    error, variance = count - mean, mean * (1.0 + dispersion * mean)
    of_weekday = np.bincount(weekday, error, 7)
    return np.array([count.sum(), (count == 0).sum(), (error**2 / variance).sum(), (of_weekday**2).sum()])


@dataclass(frozen=True, slots=True)
class Audit:
    """A comparison of the engines on one day: what was sampled, how well the chains and the engines agree."""

    arms: int  # sampled
    of_arms: int  # there are
    step_days: int  # of the levels of the full model; one in the daily engine
    hyper: Diagnostics
    single: Diagnostics  # of the arms' levels and elasticities
    compared: pl.DataFrame  # as `compare`
    p_values: dict[str, float]


def audit_engine(
    *,
    arm_days: pl.DataFrame,
    as_of: date,
    maturity: Mapping[str, MaturityCurve],
    population: Population | None,
    settings: MeasurementPolicy,
    seed: int,
    max_arms: int,
    sampling: Sampling | None = None,
) -> Audit:
    """Sample the full model for every arm of the window, or for a stratified `max_arms` of them, and compare.

    The daily engine sees the same arms and days, with `population` or, without one, its own empirical-Bayes fit.
    Without `sampling` the chains are as long as memory allows: minutes of CPU. Raises MeasurementError when there is
    no delivery in the window, or on impossible input.
    """
    first = as_of - timedelta(days=settings.window_days - 1)
    known = arm_days.filter(pl.col("date_day").is_between(first, as_of), pl.col("spend") > 0)
    if not len(known):
        raise MeasurementError("there is no arm with delivery to audit the estimates of")
    chosen = known.filter(pl.col("arm_id").is_in(subsample(known, max_arms, seed).implode()))
    arms = arms_of(chosen)  # without budgets: estimates are then at the reference spend
    window = settings.window_days
    used = population or fit_population(chosen, maturity, as_of=as_of, window_days=window, seed=seed)
    daily = estimate(
        arm_days=chosen, arms=arms, as_of=as_of, maturity=maturity, population=used, settings=settings
    ).frame
    panel = build_panel(
        arm_days=chosen,
        arms=arms,
        as_of=as_of,
        window_days=window,
        maturity=maturity,
        value_memory_days=used.value_memory_days,
    )
    step_days = max(1, -(-panel.days * len(arms) // _MOST_LEVELS))
    model = full_model(panel, used, Population(), step_days=step_days, checked_arms=_CHECKED_ARMS)
    lengths = sampling or _sampling_of(levels=len(arms) * -(-panel.days // step_days))
    trace = sample(compile_model(model, keep=(*HYPER, *ARMS, *SHARED, CHECKED)), lengths, seed=seed)
    return Audit(
        arms=len(arms),
        of_arms=known["arm_id"].n_unique(),
        step_days=step_days,
        hyper=diagnose(trace, HYPER),
        single=diagnose(trace, QUANTITIES_SAMPLED),
        compared=compare(arm_draws(trace, panel, step_days=step_days, seed=seed), daily),
        p_values=predictive_checks(trace, panel, checked_arms=_CHECKED_ARMS, seed=seed),
    )


def _sampling_of(levels: int) -> Sampling:
    fewest, most = _DRAWS
    draws = int(np.clip(_MOST_STORED // (2 * max(levels, 1)), fewest, most))
    return Sampling(draws=draws, tune=1000, chains=2, target_accept=0.9)
