import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from stakazo_pipelines.measurement.counts import absorb, tally


def by_brute_force(count: int, mean: float, variance: float, dispersion: float) -> tuple[float, float, float]:
    eta = np.linspace(mean - 12 * np.sqrt(variance) - 3, mean + 12 * np.sqrt(variance) + 3, 200_001)
    prior = np.exp(-0.5 * (eta - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
    size = 1 / dispersion
    like = nbinom.pmf(count, size, size / (size + np.exp(eta)))
    weight = prior * like
    total = weight.sum()
    centre = (weight * eta).sum() / total
    return centre, (weight * (eta - centre) ** 2).sum() / total, float(np.log(total * (eta[1] - eta[0])))


@pytest.mark.parametrize("count", [0, 1, 7, 150])
@pytest.mark.parametrize("variance", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("dispersion", [0.02, 0.5])
def test_posterior_agrees_with_numerical_integration(count: int, variance: float, dispersion: float) -> None:
    mean, spread, evidence = by_brute_force(count, 1.5, variance, dispersion)
    got = absorb(
        np.array([float(count)]),
        mean=np.array([1.5]),
        variance=np.array([variance]),
        dispersion=np.array([dispersion]),
        normalised=True,
    )
    assert got.mean[0] == pytest.approx(mean, abs=0.06 * np.sqrt(spread))
    assert got.variance[0] == pytest.approx(spread, rel=0.08)
    assert got.log_predictive[0] == pytest.approx(evidence, abs=0.03)


@settings(max_examples=200)
@given(st.floats(0, 1e6), st.floats(-25, 25), st.floats(1e-8, 9.0), st.floats(1e-4, 20.0))
def test_no_count_makes_the_belief_infinite_or_wider(
    count: float, mean: float, variance: float, dispersion: float
) -> None:
    got = absorb(
        np.array([count]), mean=np.array([mean]), variance=np.array([variance]), dispersion=np.array([dispersion])
    )
    assert np.isfinite(got.mean[0])
    assert 0 < got.variance[0] <= variance
    assert np.isfinite(got.log_predictive[0])


@pytest.mark.parametrize("count", [0.0, 0.5, 1.0, 10.0, 50.0])
@pytest.mark.parametrize("exposure", [0.01, 2.0, 30.0])
@pytest.mark.parametrize("variance", [0.1, 1.5, 3.0])
def test_a_tally_has_the_shape_of_numerical_integration(count: float, exposure: float, variance: float) -> None:
    eta = np.linspace(0.3 - 14 * np.sqrt(variance) - 4, 0.3 + 10 * np.sqrt(variance) + 3, 100_001)
    log_target = count * eta - exposure * np.exp(eta) - 0.5 * (eta - 0.3) ** 2 / variance
    weight = np.exp(log_target - log_target.max())
    weight /= weight.sum()
    mean = (weight * eta).sum()
    spread = (weight * (eta - mean) ** 2).sum()
    got = tally(np.array([count]), np.array([exposure]), mean=np.array([0.3]), variance=np.array([variance]))
    assert got.mean[0] == pytest.approx(mean, abs=0.01 * np.sqrt(spread))
    assert got.variance[0] == pytest.approx(spread, rel=0.02)
    assert got.skewness[0] == pytest.approx((weight * (eta - mean) ** 3).sum() / spread**1.5, abs=0.05)
