"""From a panel and a population to every arm's posterior: filter over the days, pool over the tree, in turn."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.curves import CURVATURE
from stakazo_pipelines.measurement.filtering import Belief, Dynamics, Filtered, Series, run_filter
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.jumps import EDIT_HAZARD, jump_chances
from stakazo_pipelines.measurement.panel import Panel
from stakazo_pipelines.measurement.pooling import leave_one_out
from stakazo_pipelines.measurement.values import value_posterior

HORIZON_DAYS = 7
LEVEL_ROOT = (0.0, 0.5**2)  # the account's own mean was divided out
# The mean of a random walk over days 1..H has a variance of so many daily ones.
WALK_AHEAD = (HORIZON_DAYS + 1) * (2 * HORIZON_DAYS + 1) / (6 * HORIZON_DAYS)
_PASSES = 3
_WIDE_LEVEL_SD = 1.0
_LEAST_PRECISION = 1e-3
_MAX_COVARIATE = 3.0


class Sites(NamedTuple):
    """What the arms' own data say, as Gaussian pseudo-observations (precision 0: nothing)."""

    level: Array
    level_precision: Array
    elasticity: Array
    elasticity_precision: Array


@dataclass(frozen=True, slots=True)
class ArmPosterior:
    """Joint normal of (log value per day at the reference spend, elasticity), over the next `HORIZON_DAYS`.

    `log_value` is NaN where no value per conversion was ever reported. Its third cumulant, below 0 where few
    conversions leave a long tail to the left, bends its normal (`returns.skewed`).
    """

    log_value: Array
    elasticity: Array
    log_value_variance: Array
    covariance: Array
    elasticity_variance: Array
    third_cumulant: Array | float = 0.0


def at_spend(posterior: ArmPosterior, *, ref_spend: Array, spend: Array) -> ArmPosterior:
    """The same curve seen from another spend: log value there, and the elasticity that CURVATURE leaves there."""
    distance = np.log(spend / ref_spend)
    slope_variance = posterior.elasticity_variance
    return ArmPosterior(
        log_value=posterior.log_value + posterior.elasticity * distance - CURVATURE * distance**2 / 2,
        elasticity=posterior.elasticity - CURVATURE * distance,
        log_value_variance=posterior.log_value_variance
        + 2 * distance * posterior.covariance
        + distance**2 * slope_variance,
        covariance=posterior.covariance + distance * slope_variance,
        elasticity_variance=slope_variance,
        third_cumulant=posterior.third_cumulant,
    )


def dynamics_of(population: Population, arms: int, accounts: int) -> Dynamics:
    """The population's movements, repeated for every arm and account."""
    return Dynamics(
        drift_variance=np.full(arms, population.drift_sd**2),
        trend=np.full(arms, population.trend),
        dispersion=np.full(arms, population.dispersion),
        shock_variance=np.full(accounts, population.shock_sd**2),
        shock_persistence=np.full(accounts, population.shock_persistence),
        weekday_variance=np.full(accounts, population.weekday_sd**2),
        walk_variance=np.full(accounts, population.account_drift_sd**2),
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
    """Divide the prior out of the filtered belief (the level's prior having moved since the arm's first day)."""
    level, level_precision = _divide(
        filtered.arms.level,
        filtered.arms.level_variance,
        prior.level + dynamics.trend * filtered.elapsed,
        prior.level_variance + filtered.wandered,
    )
    elasticity, elasticity_precision = _divide(
        filtered.arms.elasticity, filtered.arms.elasticity_variance, prior.elasticity, prior.elasticity_variance
    )
    return Sites(level, level_precision, elasticity, elasticity_precision)


def held_to_group(filtered: Filtered, prior: Belief, dynamics: Dynamics) -> tuple[Belief, Array]:
    """Belief and level skewness with the group's prior on the last day, of which spreads in the tree speak.

    The filter starts from it on the first day, so that it has worn off by what the level moved since. A random walk is
    the same in either direction: as much precision as it lost is given back, around the same mean.
    """
    arms, wandered = filtered.arms, filtered.wandered
    lost = wandered / (prior.level_variance * (prior.level_variance + wandered))
    share = lost / (1.0 + lost * arms.level_variance)
    surprise = prior.level + dynamics.trend * filtered.elapsed - arms.level
    kept = 1.0 - share * arms.level_variance
    belief = Belief(
        level=arms.level + share * arms.level_variance * surprise,
        elasticity=arms.elasticity + share * arms.covariance * surprise,
        level_variance=kept * arms.level_variance,
        covariance=kept * arms.covariance,
        elasticity_variance=arms.elasticity_variance - share * arms.covariance**2,
    )
    # Of a density tilted by a normal the third cumulant shrinks with the cube of the variance.
    return belief, filtered.level_skewness * kept**1.5


def _divide(mean: Array, variance: Array, prior_mean: Array, prior_variance: Array) -> tuple[Array, Array]:
    precision = 1.0 / variance - 1.0 / prior_variance
    kept = precision > _LEAST_PRECISION
    safe = np.where(kept, precision, 1.0)
    return np.where(kept, (mean / variance - prior_mean / prior_variance) / safe, 0.0), np.where(kept, precision, 0.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """The last filter run with its prior and sites; log value per conversion over the account's; what shifts priors."""

    filtered: Filtered
    belief: Belief  # of the last day, groups included
    level_skewness: Array
    prior: Belief
    sites: Sites
    value: Array
    value_variance: Array
    level_covariates: Array  # arms x 2: log value per conversion, log size
    elasticity_covariates: Array  # arms x 2: log return, log size
    jumps: Array  # days x arms: chance that the level jumped just before the day
    account_jumps: Array  # days x accounts: chance that all its arms did


def run_passes(panel: Panel, population: Population) -> Fit:
    """Filter with each arm for itself, pool, filter again with the pooled prior, and so on."""
    dynamics = dynamics_of(population, len(panel.arms), panel.series.accounts)
    value, value_variance = value_posterior(panel, population)
    prior = wide_prior(population, len(panel.arms))
    filtered = run_filter(panel.series, dynamics, prior, traced=True)
    jumps = _jumps(panel, filtered, population)
    series = replace(
        panel.series,
        jump_variance=jumps[0] * population.jump_sd**2,
        walk_jump_variance=jumps[1] * population.jump_sd**2,
    )
    fit = _fit(panel, filtered, prior, dynamics, value, value_variance, jumps)
    for _ in range(_PASSES - 1):
        prior = _pooled_prior(panel, fit, population)
        # Shocks that do not average out are the account's level: many arms with wide priors put the first days'
        # surprise into the shock, their levels learn the opposite, and no later day could tell.
        prior = replace(prior, level=prior.level + filtered.mean_shock[panel.series.account])
        filtered = run_filter(series, dynamics, prior)
        fit = _fit(panel, filtered, prior, dynamics, value, value_variance, jumps)
    return fit


def _jumps(panel: Panel, filtered: Filtered, population: Population) -> tuple[Array, Array]:
    """Chances of jumps of arms and of accounts by what their days told; a known edit makes an arm's likelier."""
    if filtered.trace is None:
        raise ValueError("jumps are found in a traced run of the filter")
    trace, series, jump_sd = filtered.trace, panel.series, population.jump_sd
    hazard = np.where(panel.edited, EDIT_HAZARD, population.jump_hazard)
    arms = jump_chances(trace.count, trace.exposure, hazard=hazard, jump_sd=jump_sd, drift_sd=population.drift_sd)
    accounts = jump_chances(
        *trace.of_accounts(filtered.arms.level, series.account, series.accounts),
        hazard=population.account_jump_hazard,
        jump_sd=jump_sd,
        drift_sd=population.account_drift_sd,
        shock_sd=population.shock_sd,
        persistence=population.shock_persistence,
    )
    return arms, accounts


def _fit(
    panel: Panel,
    filtered: Filtered,
    prior: Belief,
    dynamics: Dynamics,
    value: Array,
    value_variance: Array,
    jumps: tuple[Array, Array],
) -> Fit:
    belief, skewness = held_to_group(filtered, prior, dynamics)
    returns = np.clip(belief.level + value, -_MAX_COVARIATE, _MAX_COVARIATE)
    level_covariates = covariates_of(panel, value)
    return Fit(
        filtered=filtered,
        belief=belief,
        level_skewness=skewness,
        prior=prior,
        sites=sites_of(filtered, prior, dynamics),
        value=value,
        value_variance=value_variance,
        level_covariates=level_covariates,
        elasticity_covariates=np.column_stack([returns, level_covariates[:, 1]]),
        jumps=jumps[0],
        account_jumps=jumps[1],
    )


def covariates_of(panel: Panel, value: Array) -> Array:
    """What shifts an arm's level beside its groups: log value per conversion and log size, arms x 2."""
    return np.clip(np.column_stack([value, panel.log_size]), -_MAX_COVARIATE, _MAX_COVARIATE)


def _pooled_prior(panel: Panel, fit: Fit, population: Population) -> Belief:
    """The prior of every arm at its first day, as all other arms and its own covariates give it."""
    level_shift = fit.level_covariates @ np.asarray(population.level_slopes)
    elasticity_shift = fit.elasticity_covariates @ np.asarray(population.elasticity_slopes)
    level, level_variance = leave_one_out(
        panel.tree,
        mean=fit.sites.level - level_shift,
        precision=fit.sites.level_precision,
        sds=population.level_sds,
        root=LEVEL_ROOT,
    )
    elasticity, elasticity_variance = leave_one_out(
        panel.tree,
        mean=fit.sites.elasticity - elasticity_shift,
        precision=fit.sites.elasticity_precision,
        sds=population.elasticity_sds,
        root=(population.elasticity_mean, population.elasticity_mean_sd**2),
    )
    # Slopes that few arms have told leave an arm the less sure, the further it lies from the others.
    level_doubt = fit.level_covariates**2 @ np.square(population.level_slopes_sd)
    elasticity_doubt = fit.elasticity_covariates**2 @ np.square(population.elasticity_slopes_sd)
    return Belief(
        level=level + level_shift - population.trend * fit.filtered.elapsed,
        elasticity=elasticity + elasticity_shift,
        level_variance=level_variance + level_doubt,
        covariance=np.zeros(len(level)),
        elasticity_variance=elasticity_variance + elasticity_doubt,
    )


def ahead(panel: Panel, population: Population, fit: Fit) -> ArmPosterior:
    """A fit's posterior, predicted over the days after the panel's last."""
    filtered, belief, value, value_variance = fit.filtered, fit.belief, fit.value, fit.value_variance
    shared, shared_variance = _shared_ahead(panel.series, filtered, population)
    steps = np.arange(1, HORIZON_DAYS + 1)
    account = panel.series.account
    drift = population.drift_sd**2 * WALK_AHEAD
    # A random-walk filter trails an unknown slope by P / q days (its steady-state ramp error), at most by its past.
    lag = np.minimum(belief.level_variance / population.drift_sd**2, filtered.elapsed)
    slope = population.trend_sd**2 * (lag + float(steps.mean())) ** 2
    return ArmPosterior(
        log_value=np.log(panel.ref_spend)
        + panel.log_rate
        + belief.level
        + population.trend * float(steps.mean())
        + shared[account]
        + np.log(panel.unit_value)
        + value,
        elasticity=belief.elasticity,
        log_value_variance=belief.level_variance + drift + slope + shared_variance[account] + value_variance,
        covariance=belief.covariance,
        elasticity_variance=belief.elasticity_variance,
        third_cumulant=fit.level_skewness * belief.level_variance**1.5,
    )


def _shared_ahead(series: Series, filtered: Filtered, population: Population) -> tuple[Array, Array]:
    """Log of the mean shared effect over the next days of each account, and its variance."""
    steps = np.arange(1, HORIZON_DAYS + 1)
    weekday = (int(series.weekday[-1]) + steps) % 7
    decay = population.shock_persistence**steps
    effects = filtered.shared[:, :1] * decay + filtered.shared[:, 1 + weekday] + filtered.shared[:, -1:]
    loading = np.zeros(filtered.shared.shape[1])
    loading[0], loading[-1] = decay.mean(), 1.0
    np.add.at(loading, 1 + weekday, 1.0 / HORIZON_DAYS)
    known = np.einsum("i,aij,j->a", loading, filtered.shared_covariance, loading)
    # Shocks still to come: AR(1) innovations of day k reach day h >= k by persistence^(h-k).
    reach = np.array([(population.shock_persistence ** np.arange(HORIZON_DAYS - k)).sum() for k in range(HORIZON_DAYS)])
    innovation = population.shock_sd**2 * (1.0 - population.shock_persistence**2)
    to_come = innovation * float((reach**2).sum()) / HORIZON_DAYS**2 + population.account_drift_sd**2 * WALK_AHEAD
    return np.log(np.exp(effects).mean(axis=1)), np.maximum(known, 0.0) + to_come
