"""The population by full Bayes: the filter's hierarchy sampled by NUTS, with the gate that a fit must pass.

Levels of arms move in weekly steps here (daily in the filter): that says the same of the population and samples faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.full_model import HYPER, full_model
from stakazo_pipelines.measurement.hyperparameters import Population, Sds, Slopes
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.nuts import Diagnostics, Sampling, compile_model, diagnose, drawn, sample
from stakazo_pipelines.measurement.panel import build_panel
from stakazo_pipelines.measurement.population import arms_of, fit_value, subsample

STEP_DAYS = 7
# The second is for a first that fails the gate: the compiled model, most of the cost, serves both.
SAMPLINGS = (Sampling(draws=1200, tune=500), Sampling(draws=3600, tune=1000, target_accept=0.9))


def sample_population(
    arm_days: pl.DataFrame,
    maturity: Mapping[str, MaturityCurve],
    *,
    seed: int,
    samplings: Sequence[Sampling] = SAMPLINGS,
    as_of: date | None = None,
    window_days: int = 56,
    max_arms: int = 60,
    prior: Population | None = None,
) -> tuple[Population, Diagnostics]:
    """Posterior means of the hyper-parameters from a stratified subsample of arms, and the diagnostics of the chains.

    Samples again with the next of `samplings` until the chains agree. The caller keeps its last good population unless
    `Diagnostics.passed`. Raises MeasurementError when there is no delivery to learn from, or on impossible input.
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
    compiled = compile_model(full_model(panel, valued, defaults, step_days=STEP_DAYS), keep=HYPER)
    for sampling in samplings:
        trace = sample(compiled, sampling, seed=seed)
        diagnostics = diagnose(trace, HYPER)
        if diagnostics.passed:
            break
    return replace(population_of(trace, valued), arms=len(panel.arms)), diagnostics


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
        elasticity_slopes=_slopes(posterior["elasticity_slopes"].mean(axis=0)),
        elasticity_slopes_sd=_slopes(posterior["elasticity_slopes"].std(axis=0)),
        level_sds=_sds(posterior["level_sds"]),
        level_slopes=_slopes(posterior["level_slopes"].mean(axis=0)),
        level_slopes_sd=_slopes(posterior["level_slopes"].std(axis=0)),
        value_sds=_sds(posterior["value_sds"]),
        drift_sd=typical("drift_sd"),
        trend=float(posterior["trend"].mean()),
        trend_sd=float(posterior["trend"].std()),
        dispersion=typical("dispersion"),
        shock_sd=typical("shock_sd"),
        shock_persistence=float(posterior["shock_persistence"].mean()),
        weekday_sd=typical("weekday_sd"),
        account_drift_sd=typical("account_drift_sd"),
        source="nuts",
    )


def _sds(draws: Array) -> Sds:
    arm, campaign, objective, account, platform = np.exp(np.log(draws).mean(axis=0)).tolist()
    return arm, campaign, objective, account, platform


def _slopes(both: Array) -> Slopes:
    first, second = both.tolist()
    return first, second
