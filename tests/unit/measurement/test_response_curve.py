import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.measurement.curves import CURVATURE, bent_value, marginal, value
from stakazo_pipelines.measurement.posterior import ArmPosterior, at_spend

positive = st.floats(1e-3, 1e6)


@given(spend=positive, elasticity=st.floats(0.02, 0.98))
def test_marginal_is_elasticity_times_the_average_return(spend: float, elasticity: float) -> None:
    curve = {"log_value": np.array([3.0]), "elasticity": np.array([elasticity]), "ref_spend": np.array([50.0])}
    average = value(np.array([spend]), **curve) / spend
    assert np.allclose(marginal(np.array([spend]), **curve), elasticity * average, rtol=1e-9)


def test_nothing_is_earned_without_spend() -> None:
    curve = {"log_value": np.array([3.0]), "elasticity": np.array([0.5]), "ref_spend": np.array([50.0])}
    assert value(np.array([0.0]), **curve)[0] == 0.0


def test_a_bent_curve_earns_nothing_without_spend_and_less_far_out_than_a_straight_one() -> None:
    curve = {"log_value": np.array([3.0]), "elasticity": np.array([0.5]), "ref_spend": np.array([50.0])}
    assert bent_value(np.array([0.0]), **curve)[0] == 0.0
    assert bent_value(np.array([50.0]), **curve) == pytest.approx(value(np.array([50.0]), **curve))
    for share in (0.2, 4.0):
        assert bent_value(np.array([50.0 * share]), **curve)[0] < value(np.array([50.0 * share]), **curve)[0]


def test_curves_broadcast_over_draws_and_arms() -> None:
    draws = value(
        np.array([10.0, 20.0]),
        log_value=np.zeros((5, 2)),
        elasticity=np.full((5, 2), 0.5),
        ref_spend=np.array([10.0, 10.0]),
    )
    assert draws.shape == (5, 2)


def test_a_posterior_seen_from_elsewhere_and_back_is_the_same():
    here = ArmPosterior(*(np.array([number]) for number in (3.0, 0.5, 0.04, -0.005, 0.01)))
    ref, there = np.array([10.0]), np.array([14.0])
    moved = at_spend(here, ref_spend=ref, spend=there)
    assert moved.elasticity[0] < here.elasticity[0]  # returns diminish faster further out
    back = at_spend(moved, ref_spend=there, spend=ref)
    for name in ("log_value", "elasticity", "log_value_variance", "covariance", "elasticity_variance"):
        assert getattr(back, name)[0] == pytest.approx(getattr(here, name)[0])


def test_the_curvature_is_that_of_a_saturating_curve():
    spend = np.array([0.5, 1.0, 2.0])  # in units of the half-saturation
    elasticity = 1.0 / (1.0 + spend)  # of spend / (spend + 1)
    falls = -np.diff(elasticity) / np.diff(np.log(spend))
    assert np.all(np.abs(falls - CURVATURE) < 0.05)
