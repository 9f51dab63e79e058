"""The filter's probabilities against brute force: they decide what the population learns."""

import numpy as np
import pytest
from scipy.stats import nbinom, norm

from stakazo_pipelines.measurement.filtering import Belief, Dynamics, Filtered, Series, run_filter

DISPERSION, SHOCK_VARIANCE, WEEKDAY_VARIANCE = 0.1, 0.04, 0.02


def dynamics_of(arms: int) -> Dynamics:
    return Dynamics(
        drift_variance=np.full(arms, 1e-4),
        trend=np.zeros(arms),
        dispersion=np.full(arms, DISPERSION),
        shock_variance=np.array([SHOCK_VARIANCE]),
        shock_persistence=np.array([0.5]),
        weekday_variance=np.array([WEEKDAY_VARIANCE]),
        walk_variance=np.array([1e-4]),
    )


def one_day(count: np.ndarray, offset: np.ndarray, *, spread: float) -> Filtered:
    """Arms of one account seen on one day, levels known up to `spread`."""
    arms = len(count)
    series = Series(
        count=count[None, :],
        log_ratio=np.zeros((1, arms)),
        offset=offset[None, :],
        offset_variance=np.zeros((1, arms)),
        observed=np.ones((1, arms), dtype=np.bool_),
        weekday=np.zeros(1, dtype=np.int64),
        account=np.zeros(arms, dtype=np.int64),
        accounts=1,
    )
    dynamics = dynamics_of(arms)
    zero = np.zeros(arms)
    prior = Belief(zero, np.full(arms, 0.7), np.full(arms, spread**2), zero.copy(), np.full(arms, 1e-6))
    return run_filter(series, dynamics, prior, normalised=True)


def by_quadrature(count: np.ndarray, offset: np.ndarray, *, spread: float) -> float:
    """Log probability of the day: sums over the shared effect and, inside, over every arm's own level."""
    effect = np.linspace(-1.5, 1.5, 301)
    own = np.linspace(-4.0, 4.0, 161) * spread
    weight = norm.pdf(own / spread)
    size = 1.0 / DISPERSION
    mean = np.exp(offset[:, None, None] + effect[None, :, None] + own[None, None, :])
    each = (nbinom.pmf(count[:, None, None], size, size / (size + mean)) * weight).sum(axis=2) / weight.sum()
    prior = norm.pdf(effect, scale=np.sqrt(SHOCK_VARIANCE + WEEKDAY_VARIANCE * 6 / 7))
    return float(np.log((np.prod(each, axis=0) * prior).sum() / prior.sum()))


@pytest.mark.parametrize("size", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("factor", [0.5, 1.0, 1.8])
def test_a_days_probability_is_that_of_all_arms_at_one_shared_effect(size: float, factor: float) -> None:
    rng = np.random.default_rng(4)
    offset = np.log(size) + rng.normal(0, 0.4, 12)
    count = rng.poisson(np.exp(offset) * factor).astype(float)
    found = one_day(count, offset, spread=0.25)
    total = float(found.arm_log_predictive.sum() + found.account_log_predictive.sum())
    assert total == pytest.approx(by_quadrature(count, offset, spread=0.25), abs=0.25)


def test_an_arm_alone_in_its_account_has_no_probability_to_share() -> None:
    found = one_day(np.array([3.0]), np.array([0.4]), spread=0.3)
    assert found.account_log_predictive[0] == pytest.approx(0.0, abs=1e-3)


def test_level_and_elasticity_stay_a_joint_normal_where_conversions_are_few() -> None:
    rng = np.random.default_rng(3)
    days, arms = 40, 200
    ratio = rng.normal(1.5, 0.5, (days, arms))  # spend far above the reference ties level and elasticity together
    mean = rng.uniform(-4.0, 0.5, arms)
    series = Series(
        count=rng.poisson(np.exp(mean + 0.3 * ratio)).astype(float),
        log_ratio=ratio,
        offset=np.zeros((days, arms)) + mean,
        offset_variance=np.zeros((days, arms)),
        observed=np.ones((days, arms), dtype=np.bool_),
        weekday=np.arange(days) % 7,
        account=np.zeros(arms, dtype=np.int64),
        accounts=1,
    )
    dynamics = dynamics_of(arms)
    zero = np.zeros(arms)
    found = run_filter(series, dynamics, Belief(zero, zero + 0.7, zero + 1.0, zero.copy(), zero + 0.1)).arms
    assert (found.covariance**2 < found.level_variance * found.elasticity_variance).all()
