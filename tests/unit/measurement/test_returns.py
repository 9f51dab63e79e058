import numpy as np
import pytest
from scipy.stats import skew

from stakazo_pipelines.measurement.curves import MEASURED_MAX
from stakazo_pipelines.measurement.posterior import ArmPosterior
from stakazo_pipelines.measurement.returns import returns_at, skewed, truncated_elasticity


@pytest.mark.parametrize("skewness", [0.0, -0.3, -1.0, -1.4])
def test_a_bent_normal_keeps_its_mean_and_deviation(skewness: float) -> None:
    standard = np.random.default_rng(1).standard_normal(1_000_000)
    bent = skewed(standard, np.array(skewness))
    assert bent.mean() == pytest.approx(0.0, abs=0.01)
    assert bent.std() == pytest.approx(1.0, abs=0.01)
    assert skew(bent) == pytest.approx(skewness, abs=0.1)


@pytest.mark.parametrize("third", [0.0, -0.05, -0.2])
@pytest.mark.parametrize("covariance", [-0.03, 0.0, 0.04])
@pytest.mark.parametrize("mean", [0.5, 0.95])
def test_published_quantiles_are_those_of_the_draws(third: float, covariance: float, mean: float) -> None:
    one = ArmPosterior(*(np.array([number]) for number in (3.0, mean, 0.25, covariance, 0.04)), np.array([third]))
    found = returns_at(np.array([10.0]), posterior=one, target=1.5)
    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((2, 400_000))
    corr = covariance / np.sqrt(0.25 * 0.04)
    deviate = corr * first + np.sqrt(1 - corr**2) * second
    elasticity = truncated_elasticity(deviate, np.array([mean]), np.array([0.2]), MEASURED_MAX)
    roas = np.exp(3.0 + 0.5 * skewed(first, found.skewness)) / 10.0
    for got, draws in ((found.roas, roas), (found.marginal, roas * elasticity)):
        expected = np.quantile(draws, [0.05, 0.5, 0.95])
        assert np.concatenate(got) == pytest.approx(expected, rel=0.02)
    assert found.p_above[0] == pytest.approx((roas > 1.5).mean(), abs=0.005)
