"""Quantiles of ROAS and marginal ROAS under a curve whose elasticity is a truncated normal.

Given the elasticity both are log-normal, so each is a mixture over elasticity quantiles, solved for its own quantiles.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN
from stakazo_pipelines.measurement.posterior import ArmPosterior

_NODES = ndtri((np.arange(15) + 0.5) / 15)
_STEPS = 8
_LEVELS = (0.05, 0.5, 0.95)


def truncated_elasticity(standard: Array, mean: Array, sd: Array) -> Array:
    """Standard normal deviates to a normal truncated to the elasticity's range, quantile by quantile."""
    low, high = ndtr((ELASTICITY_MIN - mean) / sd), ndtr((ELASTICITY_MAX - mean) / sd)
    inside = np.clip(low + ndtr(standard) * (high - low), 1e-12, 1.0 - 1e-12)
    return np.asarray(np.clip(mean + sd * ndtri(inside), ELASTICITY_MIN, ELASTICITY_MAX), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Returns:
    """Per arm: 5 %, 50 % and 95 % quantiles, each (low, mid, high), and the chance of ROAS above the target."""

    roas: tuple[Array, Array, Array]
    marginal: tuple[Array, Array, Array]
    p_above: Array
    curve_corr: Array  # of log value and the normal behind elasticity


def returns_at(spend: Array, *, posterior: ArmPosterior, target: float) -> Returns:
    """Returns at `spend` a day, per arm, of a posterior seen from there; NaN where its value is. `target` is a ROAS."""
    sd = np.sqrt(posterior.log_value_variance)
    slope_sd = np.sqrt(posterior.elasticity_variance)
    corr = np.clip(posterior.covariance / (sd * slope_sd), -0.999, 0.999)
    rest = sd * np.sqrt(1.0 - corr**2)
    nodes = _NODES[:, None]
    elasticity = truncated_elasticity(nodes, posterior.elasticity, slope_sd)
    log_roas = posterior.log_value - np.log(spend) + corr * sd * nodes
    return Returns(
        roas=_quantiles(log_roas, rest),
        marginal=_quantiles(log_roas + np.log(elasticity), rest),
        p_above=np.asarray(ndtr((log_roas - np.log(target)) / rest).mean(axis=0)),
        curve_corr=corr,
    )


def _quantiles(centres: Array, sd: Array) -> tuple[Array, Array, Array]:
    """Exponentials of the quantiles of an even mixture of normals (nodes x arms), by Newton from the matched normal."""
    mean = centres.mean(axis=0)
    spread = np.sqrt(sd**2 + centres.var(axis=0))
    low, mid, high = (_solve(level, centres, sd, mean, spread) for level in _LEVELS)
    return np.exp(np.minimum(low, mid)), np.exp(mid), np.exp(np.maximum(high, mid))


def _solve(level: float, centres: Array, sd: Array, mean: Array, spread: Array) -> Array:
    at = mean + float(ndtri(level)) * spread
    for _ in range(_STEPS):
        z = (at - centres) / sd
        density = np.exp(-0.5 * z * z).mean(axis=0) / (sd * np.sqrt(2.0 * np.pi))
        step = (ndtr(z).mean(axis=0) - level) / np.maximum(density, 1e-3 / spread)
        at = at - np.clip(step, -0.5 * spread, 0.5 * spread)
    return np.asarray(at, dtype=np.float64)
