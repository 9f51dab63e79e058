"""Spreads of the groups of a tree, and the slopes on what shifts them, from what the arms' own data say."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.hyperparameters import Sds, Slopes
from stakazo_pipelines.measurement.pooling import Tree, Upward, send_up

_STEP = 0.2  # of the differences that curvature is measured by, in prior deviations


@dataclass(frozen=True, slots=True)
class TreePrior:
    """Log-normal on the five spreads around `sds`, normal on the slopes, normal (mean, variance) on the root."""

    sds: Sds
    spread: float
    root: tuple[float, float]
    slopes: Slopes = (0.0, 0.0)
    slopes_sd: Slopes = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class TreeFit:
    sds: Sds
    slopes: Slopes
    slopes_sd: Slopes  # the prior's without covariates
    root_mean: float
    root_variance: float


def fit_tree(tree: Tree, mean: Array, precision: Array, prior: TreePrior, covariates: Array | None = None) -> TreeFit:
    """Spreads and slopes (none without covariates) at their mode, and the root's posterior under them.

    A spread is the root of its variance's posterior mean, log-normal around the mode: what few arms leave open has to
    widen the intervals.
    """
    levels = len(prior.sds)
    shifts = np.zeros((len(mean), 2)) if covariates is None else covariates
    centre = np.concatenate([np.log(prior.sds), prior.slopes])
    scale = np.concatenate([np.full(levels, prior.spread), prior.slopes_sd])

    def send(unit: Array) -> Upward:
        point = centre + unit * scale
        sds = np.exp(point[:levels]).tolist()
        return send_up(tree, mean=mean - shifts @ point[levels:], precision=precision, sds=sds, root=prior.root)

    def loss(unit: Array) -> float:
        return -send(unit).log_evidence + 0.5 * float(unit @ unit)

    bounds = [(-5.0, 4.0)] * levels + [(-4.0, 4.0)] * 2
    found = minimize(loss, np.zeros(levels + 2), method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    up, point = send(found.x), centre + found.x * scale
    total = float(up.precision[-1].sum()) + 1.0 / prior.root[1]
    weighted = float(up.weighted[-1].sum()) + prior.root[0] / prior.root[1]
    variances = scale**2 / np.maximum(_bends(loss, found.x), 1.0)
    arm, campaign, objective, account, platform = np.exp(point[:levels] + variances[:levels]).tolist()
    first, second = point[levels:].tolist()
    first_sd, second_sd = np.sqrt(variances[levels:]).tolist()
    return TreeFit(
        (arm, campaign, objective, account, platform),
        (first, second),
        (first_sd, second_sd),
        weighted / total,
        1.0 / total,
    )


def _bends(loss: Callable[[Array], float], at: Array) -> Array:
    """Second derivatives of `loss` along each direction."""
    steps = _STEP * np.eye(len(at))
    return np.array([loss(at + step) + loss(at - step) - 2 * loss(at) for step in steps]) / _STEP**2
