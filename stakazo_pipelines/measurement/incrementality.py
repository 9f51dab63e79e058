"""What attributed returns are really worth: the posterior of log(incremental / attributed), learned from lift tests.

A platform counts conversions that would have come anyway; a lift test (geo holdout, conversion lift) tells how many
would not. Its result is shared over a tree: arm < campaign < account < platform < all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from stakazo_pipelines.measurement.arrays import Array, BoolArray, IntArray

Place = tuple[str, ...]  # (), (platform,), (platform, account), … down to the arm: what a test, or an arm, lies in

# What is assumed without tests: how far the log factor lies apart, in all together, between platforms, between accounts
# of a platform, campaigns of an account, arms of a campaign. Each part is centred so that its mean factor is 1:
# attributed returns are right on average until a test says otherwise, the factor in nine of ten cases 0.3 to 2.4.
PRIOR_SDS = (0.35, 0.4, 0.3, 0.15, 0.15)
# By how much two exact tests of one thing may differ (other weeks, designs, offers): learned over this grid, prior
# weights from a half-normal of 0.2.
BETWEEN_TESTS = (0.05, 0.1, 0.2, 0.4, 0.8)
_BETWEEN_SCALE = 0.2
DRIFT_SD = 0.25  # of the log factor in a year: an old test tells less of today
LEAST_ERROR = 0.02  # of the attributed value: no test is believed closer than this
# Share of the prior variance of some arm's log factor that tests have to remove before returns are told as incremental:
# with less, intervals would be wider for tests that say nothing.
TOLD_SHARE = 0.25

_GRID = np.linspace(-5.0, 2.5, 1501)
_SWEEPS = 60
_DAMPING = 0.7
_SETTLED = 1e-6
_LEAST_PRECISION = 1e-6
_COUNTS = 1e-3  # weight of a heterogeneity between tests; with less its fit does not show


@dataclass(frozen=True, slots=True)
class Lift:
    """One test's result: incremental over attributed value, its standard error, and years since the test ended.

    ratio may be negative (a test can find less than nothing); error is above 0.
    """

    path: Place
    ratio: float
    error: float
    years: float = 0.0


@dataclass(frozen=True, slots=True)
class Factors:
    """Per arm, the normal posterior of its log factor, and in `tests` how many cover it.

    settled: the approximation converged; where it did not, the figures are of its last sweep and rougher than told.
    told: the tests say enough. It holds for all arms or none, so that like is compared with like: of an arm far from
    every test the factor is uncertain, yet what was found elsewhere lowers it too, and no money flees to the untested.
    """

    mean: Array
    variance: Array
    tests: IntArray
    told: bool
    settled: bool = True


def incremental_factors(paths: Sequence[Place], lifts: Sequence[Lift]) -> Factors:
    """The log factor of every arm of `paths` (each of full length) given all tests; the order of tests is nothing.

    The likelihood of a test is normal in the ratio itself, so that a result at or below zero counts for what it is;
    expectation propagation makes it normal in the log (Minka 2001). Heterogeneity between tests is averaged over its
    grid by evidence, so that tests that contradict each other widen the answer.
    """
    spread = np.asarray(PRIOR_SDS) ** 2
    prior = float(spread.sum())
    count = len(paths)
    if not lifts or not count:
        nothing = np.zeros(count)
        return Factors(nothing, nothing.copy(), np.zeros(count, np.int64), told=False)
    ordered = sorted(lifts, key=lambda lift: (lift.path, lift.ratio, lift.error, lift.years))
    of_tests, of_arms = _codes([lift.path for lift in ordered], paths)
    shared, covering = _covariance(of_arms, of_tests, spread)
    between, _ = _covariance(of_tests, of_tests, spread)
    own = np.array([spread[: len(lift.path) + 1].sum() for lift in ordered])
    years = np.array([max(lift.years, 0.0) for lift in ordered])
    ratio = np.array([lift.ratio for lift in ordered])
    error = np.maximum([lift.error for lift in ordered], LEAST_ERROR * np.maximum(np.abs(ratio), 1.0))
    fits = [
        _fit(between, own, tau**2 + years * DRIFT_SD**2, ratio, error, shared, prior_mean=-prior / 2, prior=prior)
        for tau in BETWEEN_TESTS
    ]
    log_weight = np.array([fit[2] for fit in fits]) + _log_prior(np.asarray(BETWEEN_TESTS))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = sum((w * fit[0] for w, fit in zip(weight, fits, strict=True)), np.zeros(count))
    square = sum((w * (fit[1] + fit[0] ** 2) for w, fit in zip(weight, fits, strict=True)), np.zeros(count))
    variance = np.maximum(square - mean**2, 0.0)
    told = bool(variance.min() <= (1.0 - TOLD_SHARE) * prior)
    settled = all(fit[3] for w, fit in zip(weight, fits, strict=True) if w > _COUNTS)
    return Factors(mean, variance, covering.sum(axis=1).astype(np.int64), told, settled)


def _log_prior(tau: Array) -> Array:
    """Half-normal, on a grid that is even in the log."""
    return np.asarray(-0.5 * (tau / _BETWEEN_SCALE) ** 2 + np.log(tau), dtype=np.float64)


def _codes(tests: Sequence[Place], arms: Sequence[Place]) -> tuple[IntArray, IntArray]:
    """For every level a number of each path's prefix of that length; -1 - row where the path ends before."""
    numbers: dict[Place, int] = {}

    def coded(paths: Sequence[Place], ends: int) -> IntArray:
        table = np.empty((len(paths), len(PRIOR_SDS)), dtype=np.int64)
        for row, path in enumerate(paths):
            for level in range(len(PRIOR_SDS)):
                known = level <= len(path)
                table[row, level] = numbers.setdefault(path[:level], len(numbers)) if known else ends - row
        return table

    return coded(tests, -1), coded(arms, -1 - len(tests))


def _covariance(one: IntArray, other: IntArray, spread: Array) -> tuple[Array, BoolArray]:
    """Prior covariance of log factors: the spread of every level that two paths share; and where `other` covers."""
    shared = np.zeros((len(one), len(other)))
    covers = np.ones((len(one), len(other)), dtype=np.bool_)
    for level, variance in enumerate(spread):
        same = one[:, level][:, None] == other[:, level][None, :]
        shared += variance * same
        covers &= same | (other[:, level] < 0)[None, :]
    return shared, covers


def _fit(
    between: Array,
    own: Array,
    apart: Array,
    ratio: Array,
    error: Array,
    shared: Array,
    *,
    prior_mean: float,
    prior: float,
) -> tuple[Array, Array, float, bool]:
    """Mean and variance of every arm's log factor, the log evidence, and whether the sites settled.

    apart: variances of single tests.
    """
    tests = len(ratio)
    covariance = np.where(np.eye(tests, dtype=np.bool_), own, between) + np.diag(apart)
    centre = -(own + apart) / 2
    precision, weighted = np.full(tests, _LEAST_PRECISION), _LEAST_PRECISION * centre
    log_likelihood = -0.5 * ((ratio[:, None] - np.exp(_GRID)) / error[:, None]) ** 2
    log_likelihood -= log_likelihood.max(axis=1, keepdims=True)
    log_norm = np.zeros(tests)
    for _ in range(_SWEEPS):
        mean, variance = _moments(covariance, centre, precision, weighted)
        rest = np.maximum(1.0 / variance - precision, _LEAST_PRECISION)
        rest_mean = (mean / variance - weighted) / rest
        log_density = log_likelihood - 0.5 * rest[:, None] * (_GRID - rest_mean[:, None]) ** 2
        top = log_density.max(axis=1, keepdims=True)
        density = np.exp(log_density - top)
        mass = density.sum(axis=1)
        found = density @ _GRID / mass
        scatter = np.maximum(density @ _GRID**2 / mass - found**2, 1e-8)
        step = _GRID[1] - _GRID[0]
        log_norm = top[:, 0] + np.log(mass * step) + 0.5 * np.log(rest / (2 * np.pi))
        new = np.maximum(1.0 / scatter - rest, _LEAST_PRECISION)
        new_weighted = found * (rest + new) - rest_mean * rest
        moved = float(np.max(np.abs(new - precision) / (1.0 + precision)))  # infinite or undefined never settles
        precision = precision + _DAMPING * (new - precision)
        weighted = weighted + _DAMPING * (new_weighted - weighted)
        if moved < _SETTLED:
            break
    noise = 1.0 / precision
    factor = cho_factor(covariance + np.diag(noise), lower=True)
    surprise = weighted / precision - centre
    solved = cho_solve(factor, surprise)
    arm_mean = prior_mean + shared @ solved
    arm_variance = prior - np.einsum("at,ta->a", shared, cho_solve(factor, shared.T))
    # Evidence of the sites, and what each true likelihood has over its site (Rasmussen & Williams 2006, 3.65).
    evidence = -0.5 * float(surprise @ solved) - float(np.log(np.diag(factor[0])).sum())
    gap = weighted / precision - rest_mean
    spread = noise + 1.0 / rest
    evidence += float(np.sum(log_norm + 0.5 * np.log(spread) + 0.5 * gap**2 / spread))
    return arm_mean, np.clip(arm_variance, 1e-9, prior), evidence, moved < _SETTLED


def _moments(covariance: Array, centre: Array, precision: Array, weighted: Array) -> tuple[Array, Array]:
    """Posterior means and variances of the tests' log factors under Gaussian sites."""
    factor = cho_factor(covariance + np.diag(1.0 / precision), lower=True)
    mean = centre + covariance @ cho_solve(factor, weighted / precision - centre)
    reduced = np.einsum("ij,ji->i", covariance, cho_solve(factor, covariance))
    return mean, np.maximum(np.diag(covariance) - reduced, 1e-9)
