"""The population by full Bayes: the filter's hierarchy sampled by NUTS, with the gate that a fit must pass.

Levels of arms move in weekly steps here (daily in the filter): that says the same of the population and samples faster.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.full_model import HYPER, Diagnostics, Sampling, diagnose, drawn, full_model, sample
from stakazo_pipelines.measurement.hyperparameters import Population, Sds, Slopes
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.panel import build_panel
from stakazo_pipelines.measurement.population import arms_of, fit_value, subsample

MAX_RHAT = 1.01
MIN_ESS = 400.0
MAX_DIVERGENT_SHARE = 0.001
STEP_DAYS = 7
SAMPLING = Sampling(draws=1500, tune=600)


def problems_of(diagnostics: Diagnostics) -> tuple[str, ...]:
    """What is wrong with a fit, in words; empty when it may be used."""
    found = []
    if not diagnostics.max_rhat <= MAX_RHAT:
        found.append(f"R-hat {diagnostics.max_rhat:.3f} above {MAX_RHAT}")
    if not diagnostics.min_ess >= MIN_ESS:
        found.append(f"effective sample size {diagnostics.min_ess:.0f} below {MIN_ESS:.0f}")
    if diagnostics.divergences > MAX_DIVERGENT_SHARE * diagnostics.draws:
        found.append(f"{diagnostics.divergences} divergences in {diagnostics.draws} draws")
    return tuple(found)


def sample_population(
    arm_days: pl.DataFrame,
    maturity: Mapping[str, MaturityCurve],
    *,
    seed: int,
    sampling: Sampling = SAMPLING,
    as_of: date | None = None,
    window_days: int = 56,
    max_arms: int = 60,
    prior: Population | None = None,
) -> tuple[Population, Diagnostics]:
    """Posterior means of the hyper-parameters from a stratified subsample of arms, and the diagnostics of the chains.

    The caller keeps its last good population when `problems_of` finds any. Raises MeasurementError when there is no
    delivery to learn from, or on impossible input.
    """
    defaults = prior or Population()
    if not len(arm_days):
        raise MeasurementError("there is no arm with delivery to learn a population from")
    until = as_of or arm_days.select(pl.col("date_day").max()).item()
    known = arm_days.filter(
        pl.col("date_day").is_between(until - timedelta(days=window_days - 1), until), pl.col("spend") > 0
    )
    if not len(known):
        raise MeasurementError("there is no arm with delivery to learn a population from")
    chosen = known.filter(pl.col("arm_id").is_in(subsample(known, max_arms, seed).implode()))
    panel = build_panel(arm_days=chosen, arms=arms_of(chosen), as_of=until, window_days=window_days, maturity=maturity)
    valued = fit_value(panel, defaults, defaults)
    trace = sample(full_model(panel, valued, defaults, step_days=STEP_DAYS), sampling, seed=seed, keep=HYPER)
    population = replace(population_of(trace, valued), arms=len(panel.arms))
    return population, diagnose(trace, HYPER)


def population_of(trace: Any, valued: Population) -> Population:
    """Geometric means of deviations, means of the rest; what is not sampled (how values vary) as in `valued`."""
    posterior = {name: drawn(trace, name) for name in HYPER}

    def typical(name: str) -> float:
        return float(np.exp(np.log(posterior[name]).mean()))

    return replace(
        valued,
        elasticity_mean=float(posterior["elasticity_mean"].mean()),
        elasticity_mean_sd=float(posterior["elasticity_mean"].std()),
        elasticity_sds=_sds(posterior["elasticity_sds"]),
        elasticity_slopes=_slopes(posterior["elasticity_slopes"]),
        level_sds=_sds(posterior["level_sds"]),
        level_slopes=_slopes(posterior["level_slopes"]),
        value_sds=_sds(posterior["value_sds"]),
        drift_sd=typical("drift_sd"),
        trend=float(posterior["trend"].mean()),
        trend_sd=float(posterior["trend"].std()),
        dispersion=typical("dispersion"),
        shock_sd=typical("shock_sd"),
        shock_persistence=float(posterior["shock_persistence"].mean()),
        weekday_sd=typical("weekday_sd"),
        source="nuts",
    )


def _sds(draws: Array) -> Sds:
    arm, campaign, objective, account, platform = np.exp(np.log(draws).mean(axis=0)).tolist()
    return arm, campaign, objective, account, platform


def _slopes(draws: Array) -> Slopes:
    first, second = draws.mean(axis=0).tolist()
    return first, second
