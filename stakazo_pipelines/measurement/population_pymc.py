"""The population by full Bayes: the filter's hierarchy in PyMC, sampled by NUTS, with the gate that a fit must pass.

PyMC, ArviZ and nutpie are imported at call time only: loading definitions must not pay for them. Arms' levels move in
weekly steps here (daily in the filter), which says the same about the population and samples much faster.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.hyperparameters import Population, Sds, Slopes
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.panel import Panel, build_panel
from stakazo_pipelines.measurement.pooling import TREE_LEVELS, Tree
from stakazo_pipelines.measurement.population import (
    DYNAMICS_SPREAD,
    ELASTICITY_SDS_SPREAD,
    ELASTICITY_SLOPES_SD,
    LEVEL_SLOPES_SD,
    SDS_SPREAD,
    arms_of,
    fit_value,
    subsample,
)
from stakazo_pipelines.measurement.posterior import covariates_of
from stakazo_pipelines.measurement.values import value_posterior

MAX_RHAT = 1.05
MIN_ESS = 100.0
MAX_DIVERGENT_SHARE = 0.01
_WEEK = 7
_HYPER = (
    "drift_sd",
    "trend",
    "dispersion",
    "shock_sd",
    "shock_persistence",
    "weekday_sd",
    "elasticity_mean",
    "elasticity_slopes",
    "elasticity_sds",
    "level_slopes",
    "level_sds",
)


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How well the chains agree on the hyper-parameters."""

    max_rhat: float
    min_ess: float
    divergences: int
    draws: int  # over all chains

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the fit, in words; empty when it may be used."""
        found = []
        if not self.max_rhat <= MAX_RHAT:
            found.append(f"R-hat {self.max_rhat:.3f} above {MAX_RHAT}")
        if not self.min_ess >= MIN_ESS:
            found.append(f"effective sample size {self.min_ess:.0f} below {MIN_ESS:.0f}")
        if self.divergences > MAX_DIVERGENT_SHARE * self.draws:
            found.append(f"{self.divergences} divergences in {self.draws} draws")
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether the population may replace the last good one."""
        return not self.problems


def sample_population(
    arm_days: pl.DataFrame,
    maturity: Mapping[str, MaturityCurve],
    *,
    seed: int,
    draws: int = 700,
    tune: int = 500,
    chains: int = 2,
    cores: int = 2,
    as_of: date | None = None,
    window_days: int = 56,
    max_arms: int = 60,
    prior: Population | None = None,
) -> tuple[Population, Diagnostics]:
    """Posterior means of the hyper-parameters from a stratified subsample of arms, and the diagnostics of the chains.

    The caller keeps its last good population unless `Diagnostics.passed`. Raises MeasurementError when there is no
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
    with warnings.catch_warnings():
        # nutpie compiles with Numba; the BLAS that PyTensor misses is that of a backend which is not used here.
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS", category=UserWarning)
        trace = _sample(_model(panel, valued, defaults), seed=seed, draws=draws, tune=tune, chains=chains, cores=cores)
    population = _read(trace, valued)
    return replace(population, arms=len(panel.arms), source="nuts"), _diagnose(trace)


def _model(panel: Panel, valued: Population, defaults: Population) -> Any:
    """The hierarchy of `posterior` with `defaults` as priors; values per conversion (`valued`) are taken as known."""
    import pymc as pm

    series = panel.series
    day, arm = np.nonzero(series.observed)
    weeks = -(-panel.days // _WEEK)
    week_from_end = (panel.days - 1 - day) // _WEEK
    log_spread = DYNAMICS_SPREAD
    level_covariates = covariates_of(panel, value_posterior(panel, valued)[0])
    with pm.Model() as model:
        drift = pm.LogNormal("drift_sd", np.log(defaults.drift_sd), log_spread[0])
        trend = pm.Normal("trend", defaults.trend, log_spread[1])
        dispersion = pm.LogNormal("dispersion", np.log(defaults.dispersion), log_spread[2])
        shock_sd = pm.LogNormal("shock_sd", np.log(defaults.shock_sd), log_spread[3])
        persistence = pm.LogitNormal("shock_persistence", _logit(defaults.shock_persistence), log_spread[4])
        weekday_sd = pm.LogNormal("weekday_sd", np.log(defaults.weekday_sd), log_spread[5])
        mean = pm.Normal("elasticity_mean", defaults.elasticity_mean, defaults.elasticity_mean_sd)
        level_slopes = pm.Normal("level_slopes", np.asarray(defaults.level_slopes), np.asarray(LEVEL_SLOPES_SD))
        slopes = pm.Normal(
            "elasticity_slopes", np.asarray(defaults.elasticity_slopes), np.asarray(ELASTICITY_SLOPES_SD)
        )
        root = pm.Normal("level_root", 0.0, 0.5)
        level_sds = pm.LogNormal("level_sds", np.log(np.asarray(defaults.level_sds)), SDS_SPREAD, shape=5)
        expected = root + _group_effects(panel.tree, "level", level_sds) + level_covariates @ level_slopes
        # Centred for single arms: their own counts say more about them than their groups do.
        level = pm.Normal("level", expected, level_sds[0])
        spreads = pm.LogNormal(
            "elasticity_sds", np.log(np.asarray(defaults.elasticity_sds)), ELASTICITY_SDS_SPREAD, shape=5
        )
        own = pm.Normal("elasticity_own", 0.0, 1.0, shape=len(panel.arms))
        shift = slopes[0] * (level + level_covariates[:, 0]) + slopes[1] * level_covariates[:, 1]
        elasticity = mean + _group_effects(panel.tree, "elasticity", spreads) + shift + spreads[0] * own
        # Backwards from the last week, whose levels the tree pools.
        steps = pm.Normal("steps", 0.0, 1.0, shape=(weeks, len(panel.arms)))
        before = drift * np.sqrt(_WEEK) * (steps.cumsum(axis=0) - steps)
        walk = before[week_from_end, arm] - trend * (panel.days - 1 - day)
        innovation = pm.Normal("innovation", 0.0, 1.0, shape=(series.accounts, panel.days))
        shock = shock_sd * innovation @ _ar1(persistence, panel.days).T
        weekday = pm.ZeroSumNormal("weekday", sigma=weekday_sd, shape=(series.accounts, 7))
        account = series.account[arm]
        eta = (
            level[arm]
            + walk
            + elasticity[arm] * series.log_ratio[day, arm]
            + series.offset[day, arm]
            + shock[account, day]
            + weekday[account, series.weekday[day]]
        )
        counts = np.round(series.count[day, arm]).astype(np.int64)
        pm.NegativeBinomial("count", mu=pm.math.exp(eta), alpha=1.0 / dispersion, observed=counts)
    return model


def _group_effects(tree: Tree, name: str, sds: Any) -> Any:
    """Sum of the effects of an arm's groups, campaign and wider, non-centred; shape (arms,)."""
    import pymc as pm

    total: Any = 0.0
    for level in reversed(range(1, len(tree.parents))):
        effect = sds[level] * pm.Normal(f"{name}_{TREE_LEVELS[level]}", 0.0, 1.0, shape=tree.sizes[level])
        above = total[tree.parents[level]] if level < len(tree.parents) - 1 else 0.0
        total = above + effect
    return total[tree.parents[0]]


def _ar1(persistence: Any, days: int) -> Any:
    """Lower triangle that turns standard normal innovations into a stationary AR(1) path of unit variance."""
    import pymc as pm

    lag = np.subtract.outer(np.arange(days), np.arange(days))
    scale = pm.math.where(np.arange(days) == 0, 1.0, pm.math.sqrt(1.0 - persistence**2))
    return pm.math.where(lag >= 0, persistence ** np.maximum(lag, 0), 0.0) * scale[None, :]


def _logit(share: float) -> float:
    return float(np.log(share / (1.0 - share)))


def _sample(model: Any, *, seed: int, draws: int, tune: int, chains: int, cores: int) -> Any:
    """By nutpie where it is installed, by PyMC's own sampler elsewhere."""
    try:
        import nutpie
    except ImportError:
        import pymc as pm

        return pm.sample(draws, tune=tune, chains=chains, cores=cores, random_seed=seed, model=model, progressbar=False)
    compiled = nutpie.compile_pymc_model(model)
    return nutpie.sample(compiled, draws=draws, tune=tune, chains=chains, cores=cores, seed=seed, progress_bar=False)


def _read(trace: Any, valued: Population) -> Population:
    """Geometric means of deviations, means of the rest."""
    posterior = {name: np.asarray(trace.posterior[name]) for name in _HYPER}

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
        drift_sd=typical("drift_sd"),
        trend=float(posterior["trend"].mean()),
        trend_sd=float(posterior["trend"].std()),
        dispersion=typical("dispersion"),
        shock_sd=typical("shock_sd"),
        shock_persistence=float(posterior["shock_persistence"].mean()),
        weekday_sd=typical("weekday_sd"),
    )


def _sds(draws: Array) -> Sds:
    arm, campaign, objective, account, platform = np.exp(np.log(draws).mean(axis=(0, 1))).tolist()
    return arm, campaign, objective, account, platform


def _slopes(draws: Array) -> Slopes:
    first, second = draws.mean(axis=(0, 1)).tolist()
    return first, second


def _diagnose(trace: Any) -> Diagnostics:
    import arviz as az

    names = list(_HYPER)
    rhat = az.rhat(trace, var_names=names)  # type: ignore[no-untyped-call]  # arviz is untyped here
    ess = az.ess(trace, var_names=names)  # type: ignore[no-untyped-call]  # arviz is untyped here
    diverging = np.asarray(trace.sample_stats["diverging"])
    return Diagnostics(
        max_rhat=float(max(float(rhat[name].max()) for name in names)),
        min_ess=float(min(float(ess[name].min()) for name in names)),
        divergences=int(diverging.sum()),
        draws=int(diverging.size),
    )
