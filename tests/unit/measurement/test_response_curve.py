import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.measurement.curves import marginal, spend_at_marginal, value

positive = st.floats(1e-3, 1e6)


@given(spend=positive, log_value=st.floats(-10, 15), elasticity=st.floats(0.02, 0.98), ref=positive)
def test_inverse_marginal_gives_back_the_spend(spend: float, log_value: float, elasticity: float, ref: float) -> None:
    curve = {"log_value": np.array([log_value]), "elasticity": np.array([elasticity]), "ref_spend": np.array([ref])}
    again = spend_at_marginal(marginal(np.array([spend]), **curve), **curve)
    assert np.allclose(again, spend, rtol=1e-6)


@given(spend=positive, elasticity=st.floats(0.02, 0.98))
def test_marginal_is_elasticity_times_the_average_return(spend: float, elasticity: float) -> None:
    curve = {"log_value": np.array([3.0]), "elasticity": np.array([elasticity]), "ref_spend": np.array([50.0])}
    average = value(np.array([spend]), **curve) / spend
    assert np.allclose(marginal(np.array([spend]), **curve), elasticity * average, rtol=1e-9)


def test_nothing_is_earned_without_spend() -> None:
    curve = {"log_value": np.array([3.0]), "elasticity": np.array([0.5]), "ref_spend": np.array([50.0])}
    assert value(np.array([0.0]), **curve)[0] == 0.0


def test_curves_broadcast_over_draws_and_arms() -> None:
    draws = value(
        np.array([10.0, 20.0]),
        log_value=np.zeros((5, 2)),
        elasticity=np.full((5, 2), 0.5),
        ref_spend=np.array([10.0, 10.0]),
    )
    assert draws.shape == (5, 2)
