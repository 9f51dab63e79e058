"""Keyed randomness: every draw is a pure function of (seed, stream, entity, time), never of what was drawn before.

So a counterfactual with other budgets meets the same shocks (common random numbers), and order does not matter.
"""

from enum import IntEnum, auto

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 40.0  # largest mean one Poisson inversion handles; exp(-40) is far from underflow


class Stream(IntEnum):
    """One independent sequence of draws each."""

    NATURE = auto()
    PACE = auto()
    HOUR = auto()
    CPM = auto()
    SHARE = auto()
    SHOCK = auto()
    BURST = auto()
    ARRIVALS = auto()
    EVENT = auto()
    RATES = auto()
    SEGMENT = auto()
    REVIEW = auto()


def _mix(x: Keys) -> Keys:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def keys(seed: int, stream: Stream, *parts: npt.ArrayLike) -> Keys:
    """Hash of the broadcast integer `parts` under a seed and stream."""
    with np.errstate(over="ignore"):
        h = _mix(np.asarray([(seed * 64 + stream) % 2**64], dtype=np.uint64) * _GOLDEN)
        for part in parts:
            h = _mix((h ^ np.asarray(part, dtype=np.int64).astype(np.uint64)) + _GOLDEN)
    return h


def derive(key: Keys, salt: int) -> Floats:
    """A further uniform from a key."""
    with np.errstate(over="ignore"):
        return unit(_mix(key + np.uint64(salt) * _GOLDEN))


def unit(key: Keys) -> Floats:
    """Uniform on the open interval (0, 1)."""
    return np.asarray((key >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54, dtype=np.float64)


def uniform(seed: int, stream: Stream, *parts: npt.ArrayLike) -> Floats:
    return unit(keys(seed, stream, *parts))


def normal(seed: int, stream: Stream, *parts: npt.ArrayLike) -> Floats:
    return np.asarray(ndtri(uniform(seed, stream, *parts)), dtype=np.float64)


def gamma_mean_one(shape: float, u: Floats) -> Floats:
    """Gamma multiplier with mean 1 and variance 1/shape; Poisson times it is negative binomial."""
    return np.asarray(gammaincinv(shape, u) / shape, dtype=np.float64)


def _invert_poisson(mean: Floats, u: Floats) -> Ints:
    """Smallest k with CDF(k) >= u for means up to `_CHUNK`, by adding up the mass."""
    count = np.zeros(mean.shape, dtype=np.int64)
    mass = np.exp(-mean)
    todo = np.flatnonzero(u > mass)
    m, target, p = mean[todo], u[todo], mass[todo]
    cdf, k = p.copy(), 0
    while todo.size and k < 200:
        k += 1
        p = p * m / k
        cdf = cdf + p
        count[todo] = k
        left = target > cdf
        todo, m, target, p, cdf = todo[left], m[left], target[left], p[left], cdf[left]
    return count


def poisson(mean: Floats, key: Keys) -> Ints:
    """Poisson counts by inversion: never fall when the mean grows while the key stays.

    Means above the chunk are sums of independent chunks, each with its own uniform, which keeps that property.
    """
    shape = np.broadcast_shapes(mean.shape, key.shape)
    flat, k = np.broadcast_to(mean, shape).ravel(), np.broadcast_to(key, shape).ravel()
    total = np.zeros(flat.shape, dtype=np.int64)
    rows, part = np.flatnonzero(flat > 0), 0
    while rows.size:
        total[rows] += _invert_poisson(np.minimum(flat[rows] - part * _CHUNK, _CHUNK), derive(k[rows], part + 1))
        part += 1
        rows = rows[flat[rows] > part * _CHUNK]
    return np.asarray(total.reshape(shape), dtype=np.int64)


def counts(mean: Floats, u: Floats, v: Floats) -> Ints:
    """Counts with about Poisson variance for large means, unbiased for small ones, and monotone in the mean.

    The bounded noise (uniform, unit variance) keeps the slope in the mean positive everywhere.
    """
    noise = np.sqrt(3.0) * (2.0 * u - 1.0) * mean * np.sqrt(mean) / (1.0 + mean)
    return np.asarray(np.floor(mean + noise + v), dtype=np.int64)


def thinned(total: Ints, share: Floats, u: Floats) -> Ints:
    """About `share` of `total`, whole, never above it, monotone in it."""
    return np.asarray(np.floor(total * share + u), dtype=np.int64)
