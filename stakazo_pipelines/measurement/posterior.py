"""From a panel and a population to every arm's posterior: filter over the days, pool over the tree, in turn."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.filtering import Belief, Dynamics, Filtered, Series, run_filter
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.panel import Panel
from stakazo_pipelines.measurement.pooling import leave_one_out
from stakazo_pipelines.measurement.values import value_evidence

HORIZON_DAYS = 7
LEVEL_ROOT = (0.0, 0.5**2)  # the account's own mean was divided out
VALUE_ROOT = (0.0, 0.3**2)
PASSES = 3
_WIDE_LEVEL_SD = 1.0
_LEAST_PRECISION = 1e-3


class Sites(NamedTuple):
    """What the arms' own data say, as Gaussian pseudo-observations (precision 0: nothing)."""

    level: Array
    level_precision: Array
    elasticity: Array
    elasticity_precision: Array


@dataclass(frozen=True, slots=True)
class ArmPosterior:
    """Joint normal of (log value per day at the reference spend, elasticity), over the next `HORIZON_DAYS`.

    `log_value` is NaN where no value per conversion was ever reported.
    """

    log_value: Array
    elasticity: Array
    log_value_variance: Array
    covariance: Array
    elasticity_variance: Array


def dynamics_of(population: Population, arms: int, accounts: int) -> Dynamics:
    """The population's movements, repeated for every arm and account."""
    return Dynamics(
        drift_variance=np.full(arms, population.drift_sd**2),
        trend=np.full(arms, population.trend),
        dispersion=np.full(arms, population.dispersion),
        shock_variance=np.full(accounts, population.shock_sd**2),
        shock_persistence=np.full(accounts, population.shock_persistence),
        weekday_variance=np.full(accounts, population.weekday_sd**2),
    )


def wide_prior(population: Population, arms: int) -> Belief:
    """The belief of the first pass: each arm for itself."""
    spread = sum(sd**2 for sd in population.elasticity_sds) + population.elasticity_mean_sd**2
    return Belief(
        level=np.zeros(arms),
        elasticity=np.full(arms, population.elasticity_mean),
        level_variance=np.full(arms, _WIDE_LEVEL_SD**2),
        covariance=np.zeros(arms),
        elasticity_variance=np.full(arms, spread),
    )


def sites_of(filtered: Filtered, prior: Belief, dynamics: Dynamics) -> Sites:
    """Divide the prior out of the filtered belief (the level's prior having drifted since the arm's first day)."""
    level, level_precision = _divide(
        filtered.arms.level,
        filtered.arms.level_variance,
        prior.level + dynamics.trend * filtered.elapsed,
        prior.level_variance + dynamics.drift_variance * filtered.elapsed,
    )
    elasticity, elasticity_precision = _divide(
        filtered.arms.elasticity, filtered.arms.elasticity_variance, prior.elasticity, prior.elasticity_variance
    )
    return Sites(level, level_precision, elasticity, elasticity_precision)


def _divide(mean: Array, variance: Array, prior_mean: Array, prior_variance: Array) -> tuple[Array, Array]:
    precision = 1.0 / variance - 1.0 / prior_variance
    kept = precision > _LEAST_PRECISION
    safe = np.where(kept, precision, 1.0)
    return np.where(kept, (mean / variance - prior_mean / prior_variance) / safe, 0.0), np.where(kept, precision, 0.0)


def pooled_prior(panel: Panel, sites: Sites, population: Population, filtered: Filtered) -> Belief:
    """The prior of every arm at its first day, as all other arms give it."""
    level, level_variance = leave_one_out(
        panel.tree, mean=sites.level, precision=sites.level_precision, sds=population.level_sds, root=LEVEL_ROOT
    )
    elasticity, elasticity_variance = leave_one_out(
        panel.tree,
        mean=sites.elasticity,
        precision=sites.elasticity_precision,
        sds=population.elasticity_sds,
        root=(population.elasticity_mean, population.elasticity_mean_sd**2),
    )
    return Belief(
        level=level - population.trend * filtered.elapsed,
        elasticity=elasticity,
        level_variance=level_variance,
        covariance=np.zeros(len(level)),
        elasticity_variance=elasticity_variance,
    )


def run_passes(panel: Panel, population: Population, passes: int = PASSES) -> tuple[Filtered, Belief, Sites]:
    """Filter, pool, filter again with the pooled prior, ...: the last filter run, its prior and its sites."""
    dynamics = dynamics_of(population, len(panel.arms), panel.series.accounts)
    prior = wide_prior(population, len(panel.arms))
    filtered = run_filter(panel.series, dynamics, prior)
    sites = sites_of(filtered, prior, dynamics)
    for _ in range(passes - 1):
        prior = pooled_prior(panel, sites, population, filtered)
        filtered = run_filter(panel.series, dynamics, prior)
        sites = sites_of(filtered, prior, dynamics)
    return filtered, prior, sites


def arm_posterior(panel: Panel, population: Population) -> ArmPosterior:
    """Posterior of every arm of the panel, predicted over the days after its last."""
    filtered, _, _ = run_passes(panel, population)
    shared, shared_variance = _shared_ahead(panel.series, filtered, population)
    value, value_variance = _value_per_conversion(panel, population)
    steps = np.arange(1, HORIZON_DAYS + 1)
    account = panel.series.account
    # The mean of a random walk over days 1..H has variance q (H+1)(2H+1) / (6H).
    drift = population.drift_sd**2 * (HORIZON_DAYS + 1) * (2 * HORIZON_DAYS + 1) / (6 * HORIZON_DAYS)
    return ArmPosterior(
        log_value=np.log(panel.ref_spend)
        + panel.log_rate
        + filtered.arms.level
        + population.trend * float(steps.mean())
        + shared[account]
        + value,
        elasticity=filtered.arms.elasticity,
        log_value_variance=filtered.arms.level_variance + drift + shared_variance[account] + value_variance,
        covariance=filtered.arms.covariance,
        elasticity_variance=filtered.arms.elasticity_variance,
    )


def _shared_ahead(series: Series, filtered: Filtered, population: Population) -> tuple[Array, Array]:
    """Log of the mean shared effect over the next days of each account, and its variance."""
    steps = np.arange(1, HORIZON_DAYS + 1)
    weekday = (int(series.weekday[-1]) + steps) % 7
    decay = population.shock_persistence**steps
    effects = filtered.shared[:, :1] * decay + filtered.shared[:, 1 + weekday]
    loading = np.zeros(filtered.shared.shape[1])
    loading[0] = decay.mean()
    np.add.at(loading, 1 + weekday, 1.0 / HORIZON_DAYS)
    known = np.einsum("i,aij,j->a", loading, filtered.shared_covariance, loading)
    # Shocks still to come: AR(1) innovations of day k reach day h >= k by persistence^(h-k).
    reach = np.array([(population.shock_persistence ** np.arange(HORIZON_DAYS - k)).sum() for k in range(HORIZON_DAYS)])
    innovation = population.shock_sd**2 * (1.0 - population.shock_persistence**2)
    to_come = innovation * float((reach**2).sum()) / HORIZON_DAYS**2
    return np.log(np.exp(effects).mean(axis=1)), np.maximum(known, 0.0) + to_come


def _value_per_conversion(panel: Panel, population: Population) -> tuple[Array, Array]:
    """Log value per conversion of every arm, pooled over the tree, and its variance."""
    evidence = value_evidence(panel, memory_days=population.memory_days)
    # Delta method: the log of a mean of n values of variation cv has variance log(1 + cv^2 / n).
    told = evidence.conversions > 0
    spread = np.log1p(population.value_cv**2 / np.where(told, evidence.conversions, 1.0))
    precision = np.where(told, 1.0 / spread, 0.0)
    prior, prior_variance = leave_one_out(
        panel.tree, mean=evidence.log_ratio, precision=precision, sds=population.value_sds, root=VALUE_ROOT
    )
    total = precision + 1.0 / prior_variance
    mean = (precision * evidence.log_ratio + prior / prior_variance) / total
    return np.log(panel.unit_value) + mean, 1.0 / total
