"""How arms and accounts move, learned by the filter: drift, trend, dispersion, shocks, weekdays, accounts' walks."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from stakazo_pipelines.measurement.arrays import Array, IntArray
from stakazo_pipelines.measurement.filtering import Belief, Dynamics, Series, backwards, run_filter
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.panel import Panel
from stakazo_pipelines.measurement.posterior import run_passes

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


def fit_movements(panel: Panel, population: Population, defaults: Population) -> Population:
    """Posterior mode of the movements; gradients by differences, all perturbed copies in one filter run.

    The days are run from the last one back, where the tree's priors hold and the account's walk is zero: a random walk
    and a stationary shock are the same in either direction. Run forward from these priors, arms that once lay further
    apart come together, and drift is learned a quarter too small.

    Accounts' jumps are taken out. The drift of arms is learned as if they had none, so that it holds those that are too
    small or too late to be told: learned beside them, it came out too low for the other arms, and the intervals too
    narrow.
    """
    fit = run_passes(panel, population)
    walk_jumps = fit.account_jumps * population.jump_sd**2
    # The levels that the tree speaks of lack what the accounts' walks came to, backwards they hold it.
    moved = population.trend * fit.filtered.elapsed + fit.filtered.walk[panel.series.account]
    last = replace(fit.prior, level=fit.prior.level + moved)
    centre = _pack(defaults)
    size = len(centre)
    reversed_days = backwards(panel.series, walk_jumps)
    back = np.where(np.arange(size) == _TREND, -1.0, 1.0)
    steps = np.vstack([np.zeros(size), np.eye(size)])

    def losses(units: Array) -> Array:
        score = _score(reversed_days, last, back * (centre + units * DYNAMICS_SPREAD))
        return np.asarray(0.5 * np.sum(units**2, axis=1) - score)

    def loss(unit: Array) -> tuple[float, Array]:
        at, *ahead = losses(unit + _STEP * steps)
        return float(at), (np.array(ahead) - at) / _STEP

    start = np.clip((_pack(population) - centre) / DYNAMICS_SPREAD, -3.5, 3.5)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(-3.5, 3.5)] * size, options={"maxiter": 20, "ftol": 1e-7}
    )
    at, *more = losses(found.x + _CURVATURE_STEP * steps)
    less = losses(found.x - _CURVATURE_STEP * steps[1:])
    curvature = (np.array(more) + less - 2 * at) / _CURVATURE_STEP**2
    sds = DYNAMICS_SPREAD / np.sqrt(np.maximum(curvature, 1.0))
    mode = centre + found.x * DYNAMICS_SPREAD
    # Means of the deviations, not their modes: what is badly known (few arms) has to widen the intervals.
    mean = mode + np.where(np.isin(np.arange(size), (_DRIFT, _SHOCK, _ACCOUNT_DRIFT)), sds**2 / 2, 0.0)
    mean[_TREND] = centre[_TREND] + _DAMPED * (mode[_TREND] - centre[_TREND])
    days = float(panel.series.observed.sum())
    hazard = (_HAZARD_DAYS * defaults.jump_hazard + float(fit.jumps.sum())) / (_HAZARD_DAYS + days)
    return replace(_unpack(population, mean), trend_sd=float(sds[_TREND]), jump_hazard=min(hazard, _MOST_HAZARD))


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


def _score(series: Series, prior: Belief, points: Array) -> Array:
    """Log predictive of the whole panel under each of `points` (points x 7), all in one filter run."""
    copies, arms, accounts = len(points), series.count.shape[1], series.accounts
    account: IntArray = (series.account[None, :] + accounts * np.arange(copies)[:, None]).ravel()
    walk_jumps = series.walk_jump_variance
    many = Series(
        count=np.tile(series.count, copies),
        log_ratio=np.tile(series.log_ratio, copies),
        offset=np.tile(series.offset, copies),
        offset_variance=np.tile(series.offset_variance, copies),
        observed=np.tile(series.observed, copies),
        weekday=series.weekday,
        account=account,
        accounts=accounts * copies,
        walk_jump_variance=None if walk_jumps is None else np.tile(walk_jumps, copies),
    )
    believed = Belief(
        level=np.tile(prior.level, copies),
        elasticity=np.tile(prior.elasticity, copies),
        level_variance=np.tile(prior.level_variance, copies),
        covariance=np.tile(prior.covariance, copies),
        elasticity_variance=np.tile(prior.elasticity_variance, copies),
    )
    dynamics = Dynamics(
        drift_variance=np.repeat(np.exp(2 * points[:, _DRIFT]), arms),
        trend=np.repeat(points[:, _TREND], arms),
        dispersion=np.repeat(np.exp(points[:, 2]), arms),
        shock_variance=np.repeat(np.exp(2 * points[:, _SHOCK]), accounts),
        shock_persistence=np.repeat(expit(points[:, 4]), accounts),
        weekday_variance=np.repeat(np.exp(2 * points[:, 5]), accounts),
        walk_variance=np.repeat(np.exp(2 * points[:, _ACCOUNT_DRIFT]), accounts),
    )
    filtered = run_filter(many, dynamics, believed, normalised=True)
    by_arm = filtered.arm_log_predictive.reshape(copies, arms).sum(axis=1)
    return np.asarray(by_arm + filtered.account_log_predictive.reshape(copies, accounts).sum(axis=1))
