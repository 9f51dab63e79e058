"""What arms have in common, learned from the arms: empirical Bayes around the filter and the pooling tree.

Weakly informative priors (the defaults of `Population`) keep one arm, or few, from being over-confident.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import expit, logit

from stakazo_pipelines.measurement.arrays import Array, IntArray
from stakazo_pipelines.measurement.filtering import Belief, Dynamics, Series, run_filter
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.panel import ARM_COLUMNS, Panel, build_panel
from stakazo_pipelines.measurement.posterior import LEVEL_ROOT, run_passes
from stakazo_pipelines.measurement.tree_fit import TreePrior, fit_tree
from stakazo_pipelines.measurement.values import VALUE_ROOT, value_evidence, value_memory, value_variation

__all__ = ["Population", "fit_population", "subsample"]

_ROUNDS = 2
_STEP = 1e-3
_CURVATURE_STEP = 0.2
# A slope that all accounts shared in the window lasts in part only: of the trend found, this share is carried on, as
# forecasts are better for it (Gardner & McKenzie 1985). Prior sd 0.004 a day, of slopes that end 0.003.
_DAMPED = 0.004**2 / (0.004**2 + 0.003**2)
_HAZARD_DAYS = 5000.0  # arm-days that the prior of the jump hazard is worth
_MOST_HAZARD = 0.05
_DRIFT, _TREND, _SHOCK, _ACCOUNT_DRIFT = 0, 1, 3, 6  # places in DYNAMICS_SPREAD
# Prior sd of each transformed parameter around the default: log drift, trend, log dispersion, log shock, logit
# persistence, log weekday, log drift of accounts.
DYNAMICS_SPREAD = np.array([0.7, 0.004, 1.0, 0.7, 1.0, 0.7, 0.7])
SDS_SPREAD = 0.6  # of log standard deviations in the trees
ELASTICITY_SDS_SPREAD = 0.5
LEVEL_SLOPES_SD = (0.5, 0.2)
ELASTICITY_SLOPES_SD = (0.1, 0.1)


def fit_population(
    arm_days: pl.DataFrame,
    maturity: Mapping[str, MaturityCurve],
    *,
    as_of: date | None = None,
    window_days: int = 90,
    prior: Population | None = None,
    max_arms: int = 150,
    max_pooled_arms: int = 5000,
    seed: int = 0,
) -> Population:
    """Maximise the marginal likelihood times the prior: movements by the filter, spreads by the tree, in turn.

    The movements are learned from at most `max_arms` arms, the spreads from `max_pooled_arms` (both drawn with `seed`,
    stratified by conversions). No delivery at all returns the prior. Raises MeasurementError on impossible input.
    """
    population = prior or Population()
    if not len(arm_days):
        return population
    until = as_of or arm_days.select(pl.col("date_day").max()).item()
    known = arm_days.filter(pl.col("date_day").is_between(until - timedelta(days=window_days - 1), until))
    if not bool((known["spend"] > 0).any()):
        return population

    def panel_of(most: int) -> Panel:
        chosen = known.filter(pl.col("arm_id").is_in(subsample(known, most, seed).implode()))
        return build_panel(
            arm_days=chosen,
            arms=arms_of(chosen),
            as_of=until,
            window_days=window_days,
            maturity=maturity,
        )

    defaults = prior or Population()
    wide = panel_of(max_pooled_arms)
    narrow = wide if len(wide.arms) <= max_arms else panel_of(max_arms)
    population = fit_value(wide, population, defaults)
    for _ in range(_ROUNDS):
        population = _fit_spreads(wide, population, defaults)
        population = _fit_dynamics(narrow, population, defaults)
    population = _fit_spreads(wide, population, defaults)
    return replace(population, arms=known["arm_id"].n_unique(), source="empirical_bayes")


def subsample(arm_days: pl.DataFrame, most: int, seed: int) -> pl.Series:
    """At most `most` arm ids, spread evenly over the ranking by conversions (a random start, no order within ties)."""
    totals = arm_days.group_by("arm_id").agg(pl.col("conversions").sum()).sort("conversions", "arm_id")
    if len(totals) <= most:
        return totals["arm_id"]
    step = len(totals) / most
    start = np.random.default_rng(seed).uniform(0.0, step)
    return totals["arm_id"][np.minimum((start + step * np.arange(most)).astype(np.int64), len(totals) - 1)]


def arms_of(arm_days: pl.DataFrame) -> pl.DataFrame:
    latest = arm_days.sort("date_day").group_by("arm_id").agg(pl.col(ARM_COLUMNS[1:]).last()).sort("arm_id")
    return latest.with_columns(budget=pl.lit(None, dtype=pl.Float64))


def fit_value(panel: Panel, population: Population, defaults: Population) -> Population:
    """How values of conversions vary, how long they are remembered, and how far they lie apart in the tree."""
    variation = value_variation(panel)
    cv = defaults.value_cv if variation is None else float(np.clip(variation, 0.05, 5.0))
    memory = value_memory(panel, value_cv=cv, default=defaults.value_memory_days)
    evidence = value_evidence(panel, memory_days=memory)
    found = fit_tree(
        panel.tree,
        evidence.log_mean(cv),
        evidence.precision(cv),
        TreePrior(defaults.value_sds, SDS_SPREAD, VALUE_ROOT),
    )
    return replace(population, value_cv=cv, value_memory_days=memory, value_sds=found.sds)


def _fit_spreads(panel: Panel, population: Population, defaults: Population) -> Population:
    """Spreads and slopes of level and elasticity, and the mean elasticity, from the arms' sites."""
    fit = run_passes(panel, population)
    level = fit_tree(
        panel.tree,
        fit.sites.level,
        fit.sites.level_precision,
        TreePrior(defaults.level_sds, SDS_SPREAD, LEVEL_ROOT, defaults.level_slopes, LEVEL_SLOPES_SD),
        fit.level_covariates,
    )
    root = (defaults.elasticity_mean, defaults.elasticity_mean_sd**2)
    slopes, slopes_sd = defaults.elasticity_slopes, ELASTICITY_SLOPES_SD
    elasticity = fit_tree(
        panel.tree,
        fit.sites.elasticity,
        fit.sites.elasticity_precision,
        TreePrior(defaults.elasticity_sds, ELASTICITY_SDS_SPREAD, root, slopes, slopes_sd),
        fit.elasticity_covariates,
    )
    return replace(
        population,
        level_sds=level.sds,
        level_slopes=level.slopes,
        elasticity_sds=elasticity.sds,
        elasticity_slopes=elasticity.slopes,
        elasticity_mean=float(np.clip(elasticity.root_mean, 0.1, 0.95)),
        elasticity_mean_sd=float(np.sqrt(elasticity.root_variance)),
    )


def _pack(population: Population) -> Array:
    return np.array(
        [
            np.log(population.drift_sd),
            population.trend,
            np.log(population.dispersion),
            np.log(population.shock_sd),
            logit(np.clip(population.shock_persistence, 0.01, 0.97)),
            np.log(population.weekday_sd),
            np.log(population.account_drift_sd),
        ]
    )


def _unpack(population: Population, packed: Array) -> Population:
    return replace(
        population,
        drift_sd=float(np.exp(packed[0])),
        trend=float(packed[1]),
        dispersion=float(np.exp(packed[2])),
        shock_sd=float(np.exp(packed[3])),
        shock_persistence=float(expit(packed[4])),
        weekday_sd=float(np.exp(packed[5])),
        account_drift_sd=float(np.exp(packed[6])),
    )


def _fit_dynamics(panel: Panel, population: Population, defaults: Population) -> Population:
    """Posterior mode of the movements; gradients by central differences, all perturbed copies in one filter run.

    Accounts' jumps are taken out. The drift of arms is learned as if they had none, so that it holds those that are too
    small or too late to be told: learned beside them, it came out too low for the other arms, and the intervals too
    narrow.
    """
    fit = run_passes(panel, population)
    centre = _pack(defaults)
    walk_jumps = fit.account_jumps * population.jump_sd**2
    score = _stacked_score(panel.series, walk_jumps, fit.prior, copies=2 * len(centre) + 1)

    size = len(centre)
    directions = np.vstack([np.zeros(size), np.eye(size), -np.eye(size)])

    def losses(units: Array) -> Array:
        return np.asarray(-score(centre + units * DYNAMICS_SPREAD) + 0.5 * np.sum(units**2, axis=1))

    def loss(unit: Array) -> tuple[float, Array]:
        around = losses(unit + _STEP * directions)
        return float(around[0]), (around[1 : size + 1] - around[size + 1 :]) / (2 * _STEP)

    start = np.clip((_pack(population) - centre) / DYNAMICS_SPREAD, -3.5, 3.5)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(-3.5, 3.5)] * size, options={"maxiter": 20, "ftol": 1e-7}
    )
    around = losses(found.x + _CURVATURE_STEP * directions)
    curvature = (around[1 : size + 1] + around[size + 1 :] - 2 * around[0]) / _CURVATURE_STEP**2
    sds = DYNAMICS_SPREAD / np.sqrt(np.maximum(curvature, 1.0))
    mode = centre + found.x * DYNAMICS_SPREAD
    # Posterior means of the variances, not their modes: what is badly known (few arms) has to widen the intervals.
    mean = mode + np.where(np.isin(np.arange(size), (_DRIFT, _SHOCK, _ACCOUNT_DRIFT)), sds**2, 0.0)
    mean[_TREND] = centre[_TREND] + _DAMPED * (mean[_TREND] - centre[_TREND])
    days = float(panel.series.observed.sum())
    hazard = (_HAZARD_DAYS * defaults.jump_hazard + float(fit.jumps.sum())) / (_HAZARD_DAYS + days)
    return replace(_unpack(population, mean), trend_sd=float(sds[_TREND]), jump_hazard=min(hazard, _MOST_HAZARD))


@dataclass(frozen=True, slots=True)
class _Copies:
    series: Series
    prior: Belief


def _stacked_score(series: Series, walk_jumps: Array, prior: Belief, copies: int) -> Callable[[Array], Array]:
    """A function from `copies` parameter points (copies x 7) to the log predictive of the whole panel under each."""
    arms, accounts = series.count.shape[1], series.accounts
    account: IntArray = (series.account[None, :] + accounts * np.arange(copies)[:, None]).ravel()
    many = _Copies(
        Series(
            count=np.tile(series.count, copies),
            log_ratio=np.tile(series.log_ratio, copies),
            offset=np.tile(series.offset, copies),
            offset_variance=np.tile(series.offset_variance, copies),
            observed=np.tile(series.observed, copies),
            weekday=series.weekday,
            account=account,
            accounts=accounts * copies,
            walk_jump_variance=np.tile(walk_jumps, copies),
        ),
        Belief(
            level=np.tile(prior.level, copies),
            elasticity=np.tile(prior.elasticity, copies),
            level_variance=np.tile(prior.level_variance, copies),
            covariance=np.tile(prior.covariance, copies),
            elasticity_variance=np.tile(prior.elasticity_variance, copies),
        ),
    )

    def score(points: Array) -> Array:
        dynamics = Dynamics(
            drift_variance=np.repeat(np.exp(2 * points[:, 0]), arms),
            trend=np.repeat(points[:, 1], arms),
            dispersion=np.repeat(np.exp(points[:, 2]), arms),
            shock_variance=np.repeat(np.exp(2 * points[:, 3]), accounts),
            shock_persistence=np.repeat(expit(points[:, 4]), accounts),
            weekday_variance=np.repeat(np.exp(2 * points[:, 5]), accounts),
            walk_variance=np.repeat(np.exp(2 * points[:, 6]), accounts),
        )
        filtered = run_filter(many.series, dynamics, many.prior, normalised=True)
        by_arm = filtered.arm_log_predictive.reshape(copies, arms).sum(axis=1)
        return np.asarray(by_arm + filtered.account_log_predictive.reshape(copies, accounts).sum(axis=1))

    return score
