"""The posterior of incremental over attributed returns: what tests must and must not do to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.measurement import incrementality
from stakazo_pipelines.measurement.incrementality import PRIOR_SDS, Factors, Lift, incremental_factors

ARMS = [
    ("meta", "a", "c1", "g1"), ("meta", "a", "c1", "g2"), ("meta", "a", "c2", "g3"), ("meta", "b", "c3", "g4"),
    ("tiktok", "t", "c4", "g5"),
]  # fmt: skip
PRIOR_SD = float(np.sqrt(np.square(PRIOR_SDS).sum()))
PLACES = sorted({arm[:depth] for arm in ARMS for depth in range(5)})

ratios = st.floats(0.2, 1.6)
lifts = st.builds(Lift, st.sampled_from(PLACES), st.floats(-0.3, 2.0), st.floats(0.05, 0.5), st.floats(0.0, 2.0))


def factors(*given_lifts: Lift) -> Factors:
    return incremental_factors(ARMS, given_lifts)


def expected(found: Factors) -> np.ndarray:
    return np.exp(found.mean + found.variance / 2)


def test_without_tests_attributed_returns_stand_exactly():
    found = factors()
    assert not found.told
    assert (found.mean == 0).all()
    assert (found.variance == 0).all()


@settings(max_examples=15, deadline=None)
@given(ratio=ratios, others=st.lists(st.builds(Lift, st.just(ARMS[0]), ratios, st.just(5.0)), max_size=3))
def test_an_exact_test_dominates_vague_ones_and_the_prior(ratio, others):
    alone, found = factors(Lift(ARMS[0], ratio, 1e-6)), factors(Lift(ARMS[0], ratio, 1e-6), *others)
    assert abs(found.mean[0] - np.log(ratio)) < 0.15 * abs(np.log(ratio)) + 0.05
    assert abs(found.mean[0] - alone.mean[0]) < 0.03
    assert np.sqrt(found.variance[0]) < 0.5 * PRIOR_SD
    assert found.told


@settings(max_examples=15, deadline=None)
@given(place=st.sampled_from(PLACES), ratio=ratios, known=st.lists(lifts, max_size=3))
def test_a_vague_test_changes_nothing(place, ratio, known):
    vague = Lift(place, ratio, 50.0)
    before, after = factors(*known), factors(*known, vague)
    if known:
        np.testing.assert_allclose(after.mean, before.mean, atol=5e-3)
        np.testing.assert_allclose(after.variance, before.variance, atol=5e-3)
    else:
        assert not after.told
        np.testing.assert_allclose(expected(after), 1.0, atol=0.01)


@settings(max_examples=10, deadline=None)
@given(known=st.lists(lifts, min_size=2, max_size=5), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_tests_is_nothing(known, shuffle):
    turned = list(known)
    shuffle.shuffle(turned)
    one, other = factors(*known), factors(*turned)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.variance, other.variance)


@settings(max_examples=15, deadline=None)
@given(place=st.sampled_from([place for place in PLACES if place[:1] == ("meta",)]), ratio=st.floats(0.4, 0.9))
def test_contradictory_tests_leave_more_doubt_than_ones_that_agree(place, ratio):
    agree = factors(Lift(place, ratio, 0.03), Lift(place, ratio * 1.02, 0.03))
    apart = factors(Lift(place, ratio * 0.4, 0.03), Lift(place, ratio * 1.8, 0.03))
    inside = [index for index, arm in enumerate(ARMS) if arm[: len(place)] == place]
    assert (apart.variance[inside] > agree.variance[inside] * 1.05).all()


@settings(max_examples=10, deadline=None)
@given(known=st.lists(lifts, min_size=1, max_size=5))
def test_factors_are_finite_and_doubt_never_far_above_that_without_tests(known):
    found = factors(*known)
    assert np.isfinite(found.mean).all()
    assert (found.variance > 0).all()
    assert (found.variance <= PRIOR_SD**2 * 1.5).all()


def test_what_a_test_tells_fades_with_the_distance_in_the_tree():
    found = factors(Lift(ARMS[0], 0.4, 0.02))
    own, sibling, cousin, other_account, other_platform = found.mean + PRIOR_SD**2 / 2
    assert own < sibling < cousin < other_account < other_platform < 0
    assert (np.diff(found.variance) > 0).all()
    assert found.tests.tolist() == [1, 0, 0, 0, 0]


def test_a_test_that_found_less_than_nothing_is_heard():
    found = factors(Lift(("meta",), -0.1, 0.1))
    assert expected(found)[0] < 0.4
    assert found.told


def test_an_old_test_tells_less():
    new, old = (factors(Lift(("meta",), 0.5, 0.02, years)) for years in (0.0, 4.0))
    assert old.variance[0] > new.variance[0] * 1.2
    assert old.mean[0] > new.mean[0]


def test_a_fit_that_did_not_settle_says_so(monkeypatch):
    tests = [Lift(("meta",), 0.2, 0.02), Lift(("meta",), 1.6, 0.02), Lift(("meta", "a"), 0.9, 0.1)]
    assert factors(*tests).settled
    assert factors().settled
    monkeypatch.setattr(incrementality, "_SWEEPS", 3)
    assert not factors(*tests).settled


def test_the_posterior_is_that_of_plain_sampling():
    """One platform test, one arm: importance sampling from the prior, heterogeneity included."""
    rng, draws = np.random.default_rng(5), 400_000
    tau = rng.choice([0.05, 0.1, 0.2, 0.4, 0.8], draws, p=_weights())
    parts = np.asarray(PRIOR_SDS) * rng.standard_normal((draws, 5)) - np.square(PRIOR_SDS) / 2
    own = tau * rng.standard_normal(draws) - tau**2 / 2
    likelihood = np.exp(-0.5 * ((0.5 - np.exp(parts[:, :2].sum(axis=1) + own)) / 0.15) ** 2)
    arm = parts.sum(axis=1)
    mean = np.average(arm, weights=likelihood)
    sd = np.sqrt(np.average((arm - mean) ** 2, weights=likelihood))
    found = incremental_factors(ARMS[:1], [Lift(("meta",), 0.5, 0.15)])
    assert found.mean[0] == pytest.approx(mean, abs=0.02)
    assert np.sqrt(found.variance[0]) == pytest.approx(sd, abs=0.02)


def _weights() -> np.ndarray:
    tau = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
    weights = np.exp(-0.5 * (tau / 0.2) ** 2) * tau
    return weights / weights.sum()
