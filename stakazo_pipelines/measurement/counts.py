"""One noisy count against a Gaussian belief on its log mean: the scalar step that the filter repeats per arm and day.

Negative-binomial likelihood, exact to quadrature: adaptive Gauss-Hermite around the posterior mode (Liu & Pierce 1994).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from stakazo_pipelines.measurement.arrays import Array

_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(5)
_LOG_WEIGHTS = np.log(_WEIGHTS) + _NODES**2
_WIDE_NODES, _WIDE_WEIGHTS = np.polynomial.hermite.hermgauss(15)
_LOG_WIDE_WEIGHTS = np.log(_WIDE_WEIGHTS) + _WIDE_NODES**2
_NEWTON_STEPS = 3
_TALLY_STEPS = 8
_MAX_LOG_MEAN = 40.0


@dataclass(frozen=True, slots=True)
class Moments:
    """Posterior mean and variance of the log mean, and the log predictive probability of the count."""

    mean: Array
    variance: Array
    log_predictive: Array


def absorb(count: Array, *, mean: Array, variance: Array, dispersion: Array, normalised: bool = False) -> Moments:
    """Posterior of eta ~ N(mean, variance) after `count` ~ NegBin(exp(eta), size 1/dispersion).

    `normalised` adds the terms of the probability that depend on nothing but count and dispersion.
    """
    size = 1.0 / dispersion
    half = count + 0.5
    weight = half / (1.0 + dispersion * half)
    prior_precision = 1.0 / variance
    # Between the prior mean and what the count says by itself: Newton on a concave target never overshoots from here.
    mode = (mean * prior_precision + weight * np.log(half)) / (prior_precision + weight)
    mode = np.minimum(mode, _MAX_LOG_MEAN)
    curvature = prior_precision
    for _ in range(_NEWTON_STEPS):
        mu = np.exp(mode)
        scale = 1.0 / (1.0 + dispersion * mu)
        curvature = prior_precision + mu * scale * scale * (1.0 + dispersion * count)
        gradient = (count - mu) * scale - (mode - mean) * prior_precision
        mode = np.minimum(mode + np.clip(gradient / curvature, -3.0, 3.0), _MAX_LOG_MEAN)
    sd = np.sqrt(2.0 / curvature)

    def log_target(eta: Array) -> Array:
        deviation = eta - mean
        log_like = count * eta - (count + size) * np.log1p(dispersion * np.exp(eta))
        return np.asarray(log_like - 0.5 * deviation * deviation * prior_precision, dtype=np.float64)

    top = log_target(mode)
    total = np.zeros_like(mode)
    first = np.zeros_like(mode)
    second = np.zeros_like(mode)
    for node, log_weight in zip(_NODES, _LOG_WEIGHTS, strict=True):
        step = sd * node
        term = np.exp(np.minimum(log_target(mode + step) - top + log_weight, 50.0))
        total += term
        first += term * step
        second += term * step * step
    shift = first / total
    spread = np.maximum(second / total - shift * shift, 1e-10)
    log_predictive = top + np.log(total * sd) + 0.5 * np.log(prior_precision / (2.0 * np.pi))
    if normalised:
        log_predictive = log_predictive + (
            gammaln(count + size) - gammaln(size) - gammaln(count + 1.0) + count * np.log(dispersion)
        )
    return Moments(mode + shift, np.minimum(spread, variance), log_predictive)


@dataclass(frozen=True, slots=True)
class Shape:
    """Mean, variance and skewness of a belief on a log rate."""

    mean: Array
    variance: Array
    skewness: Array


def tally(count: Array, exposure: Array, *, mean: Array, variance: Array) -> Shape:
    """Posterior shape of eta ~ N(mean, variance) after `count` Poisson events over `exposure` (rate exp(eta) each).

    The count may be a weighted sum, hence not whole. Few events leave a long tail to the left: nothing seen in little
    exposure rules out high rates and no low one.
    """
    precision = 1.0 / variance
    mode = np.minimum(mean, np.log((count + 0.5) / np.maximum(exposure, 1e-12)))
    for _ in range(_TALLY_STEPS):
        expected = exposure * np.exp(np.clip(mode, -_MAX_LOG_MEAN, _MAX_LOG_MEAN))
        step = (count - expected - (mode - mean) * precision) / (precision + expected)
        mode = mode + np.clip(step, -2.0, 2.0)
    expected = exposure * np.exp(np.clip(mode, -_MAX_LOG_MEAN, _MAX_LOG_MEAN))
    # The left tail follows the prior, not the curvature at the mode: nodes halfway between reach both.
    scale = np.sqrt(2.0 / (precision + 0.5 * expected))

    def log_target(eta: Array) -> Array:
        rate = exposure * np.exp(np.clip(eta, -_MAX_LOG_MEAN, _MAX_LOG_MEAN))
        return np.asarray(count * eta - rate - 0.5 * (eta - mean) ** 2 * precision, dtype=np.float64)

    top = log_target(mode)
    sums = [np.zeros_like(mode) for _ in range(4)]
    for node, log_weight in zip(_WIDE_NODES, _LOG_WIDE_WEIGHTS, strict=True):
        step = scale * node
        term = np.exp(np.minimum(log_target(mode + step) - top + log_weight, 50.0))
        for power, total in enumerate(sums):
            total += term * step**power
    first, second, third = (total / sums[0] for total in sums[1:])
    spread = np.clip(second - first**2, 1e-10, variance)
    skewness = (third - 3 * first * second + 2 * first**3) / spread**1.5
    return Shape(mode + first, spread, skewness)
