"""Quantiles of ROAS and marginal ROAS under a curve whose elasticity is a truncated normal.

Log ROAS is a normal bent to the left where conversions are few; marginal ROAS adds log elasticity, so that it is a
mixture over elasticity quantiles, solved for its own quantiles.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN, MEASURED_MAX
from stakazo_pipelines.measurement.posterior import ArmPosterior

# Deviates of the elasticity, evenly spaced with normal weights: quantiles of equal weight would cut off its tails.
_NODES = np.linspace(-3.3, 3.3, 17)
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
_STEPS = 8
_LEVELS = (0.05, 0.5, 0.95)
_LEAST_SKEWNESS = 1e-3  # below, a normal is as good
_MOST_SKEWNESS = 1.5


def truncated_elasticity(standard: Array, mean: Array, sd: Array, most: float = ELASTICITY_MAX) -> Array:
    """Standard normal deviates to a normal truncated to (ELASTICITY_MIN, `most`), quantile by quantile."""
    low, high = ndtr((ELASTICITY_MIN - mean) / sd), ndtr((most - mean) / sd)
    inside = np.clip(low + ndtr(standard) * (high - low), 1e-12, 1.0 - 1e-12)
    return np.asarray(np.clip(mean + sd * ndtri(inside), ELASTICITY_MIN, most), dtype=np.float64)


def skewed(standard: Array, skewness: Array) -> Array:
    """Standard normal deviates to a mean of 0, a deviation of 1 and a skewness of 0 or below: a mirrored log-normal."""
    shape = _shape(skewness)
    norm = np.sqrt(np.expm1(shape**2))
    bent = (1.0 - np.exp(-shape * standard - shape**2 / 2)) / norm
    return np.asarray(bent, dtype=np.float64)


def _unskewed(bent: Array, shape: Array) -> Array:
    """The inverse of `skewed`; beyond the end of its range, a deviate that nothing exceeds."""
    rest = np.maximum(1.0 - bent * np.sqrt(np.expm1(shape**2)), 1e-9)
    return np.asarray(-(np.log(rest) + shape**2 / 2) / shape, dtype=np.float64)


def _shape(skewness: Array) -> Array:
    """The log-normal's sigma: its skewness is (e^(s^2) + 2) (e^(s^2) - 1)^(1/2), 3 s where small."""
    size = np.clip(-np.asarray(skewness, dtype=np.float64), _LEAST_SKEWNESS, _MOST_SKEWNESS)
    return np.asarray(size / (3.0 * (1.0 + 0.06 * size**2)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Returns:
    """Per arm: 5 %, 50 % and 95 % quantiles, each (low, mid, high), and the chance of ROAS above the target."""

    roas: tuple[Array, Array, Array]
    marginal: tuple[Array, Array, Array]
    p_above: Array
    curve_corr: Array  # of the normals behind log value and elasticity
    skewness: Array  # of log value


def returns_at(spend: Array, *, posterior: ArmPosterior, target: float) -> Returns:
    """Returns at `spend` a day, per arm, of a posterior seen from there; NaN where its value is. `target` is a ROAS."""
    sd = np.sqrt(posterior.log_value_variance)
    slope_sd = np.sqrt(posterior.elasticity_variance)
    corr = np.clip(posterior.covariance / (sd * slope_sd), -0.999, 0.999)
    skewness = np.clip(posterior.third_cumulant / sd**3, -_MOST_SKEWNESS, 0.0)
    shape = _shape(skewness)
    log_roas = posterior.log_value - np.log(spend)
    low, mid, high = (
        np.exp(log_roas + sd * skewed(np.full_like(sd, float(ndtri(level))), skewness)) for level in _LEVELS
    )
    bent = _Bent(log_roas, sd, shape, corr)
    elasticity = truncated_elasticity(_NODES[:, None], posterior.elasticity, slope_sd, MEASURED_MAX)
    return Returns(
        roas=(low, mid, high),
        marginal=_quantiles(bent, np.log(elasticity)),
        p_above=ndtr(-_unskewed((np.log(target) - log_roas) / sd, shape)),
        curve_corr=corr,
        skewness=skewness,
    )


@dataclass(frozen=True, slots=True)
class _Bent:
    """Log ROAS: `centre` + `sd` x skewed deviate, whose normal has correlation `corr` with elasticity's."""

    centre: Array
    sd: Array
    shape: Array
    corr: Array


def _quantiles(bent: _Bent, log_elasticity: Array) -> tuple[Array, Array, Array]:
    """Exponentials of the quantiles of log ROAS + log elasticity (nodes x arms), by Newton from the matched normal."""
    # First order: the deviate's own mean and spread at a node of elasticity.
    centres = bent.centre + bent.corr * bent.sd * _NODES[:, None] + log_elasticity
    mean = _WEIGHTS @ centres
    spread = np.sqrt(bent.sd**2 * (1.0 - bent.corr**2) + _WEIGHTS @ (centres - mean) ** 2)
    low, mid, high = (_solve(level, bent, log_elasticity, mean, spread) for level in _LEVELS)
    return np.exp(np.minimum(low, mid)), np.exp(mid), np.exp(np.maximum(high, mid))


def _solve(level: float, bent: _Bent, log_elasticity: Array, mean: Array, spread: Array) -> Array:
    at = mean + float(ndtri(level)) * spread
    own = np.sqrt(1.0 - bent.corr**2)
    norm = np.sqrt(np.expm1(bent.shape**2))
    for _ in range(_STEPS):
        standard = _unskewed((at - log_elasticity - bent.centre) / bent.sd, bent.shape)
        z = (standard - bent.corr * _NODES[:, None]) / own
        stretch = norm * np.exp(np.minimum(bent.shape * standard + bent.shape**2 / 2, 20.0)) / bent.shape
        density = _WEIGHTS @ (np.exp(-0.5 * z * z) * stretch) / (own * bent.sd * np.sqrt(2.0 * np.pi))
        step = (_WEIGHTS @ ndtr(z) - level) / np.maximum(density, 1e-3 / spread)
        at = at - np.clip(step, -0.5 * spread, 0.5 * spread)
    return np.asarray(at, dtype=np.float64)
