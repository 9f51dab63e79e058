"""CRPS and coverage of draws: the textbook values, and right on average whatever the distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from stakazo_pipelines.scoring.rules import covered, crps, ranks


def test_the_crps_of_many_draws_is_that_of_their_distribution():
    draws = np.random.default_rng(1).normal(2.0, 3.0, (20_000, 1))
    z = (5.0 - 2.0) / 3.0
    closed = 3.0 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert crps(draws, np.array([5.0]))[0] == pytest.approx(closed, rel=0.02)


def test_a_point_forecast_scores_its_absolute_error():
    assert crps(np.array([[3.0]]), np.array([5.0])).tolist() == [2.0]
    assert crps(np.full((50, 1), 3.0), np.array([5.0])).tolist() == [2.0]


def test_the_truth_scores_better_than_too_narrow_or_too_wide():
    rng = np.random.default_rng(2)
    real = rng.normal(0, 1, 4000)
    scores = {sd: crps(rng.normal(0, sd, (200, 4000)), real).mean() for sd in (0.3, 1.0, 3.0)}
    assert min(scores, key=lambda sd: scores[sd]) == 1.0


@pytest.mark.parametrize("mean", [0.05, 0.7, 5.0, 300.0])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_coverage_is_exact_on_average_for_counts_too(mean, level):
    rng = np.random.default_rng(3)
    cases = 20_000
    low, high = ranks(rng.poisson(mean, (99, cases)).astype(float), rng.poisson(mean, cases).astype(float))
    assert covered(low, high, level).mean() == pytest.approx(level, abs=0.012)


def test_an_observation_beyond_all_draws_is_covered_by_no_interval():
    low, high = ranks(np.arange(100.0)[:, None], np.array([1e9]))
    assert covered(low, high, 0.9).tolist() == [0.0]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=30), st.sampled_from([-1.0, 0.0, 1.0, 5.0]))
def test_a_slot_is_within_0_and_1_and_never_empty(draws, observed):
    low, high = ranks(np.array(draws)[:, None], np.array([observed]))
    assert 0 <= low[0] < high[0] <= 1
    wider = [float(covered(low, high, level)[0]) for level in (0.2, 0.5, 0.9)]
    assert wider == sorted(wider)
    assert 0 <= wider[0] <= wider[-1] <= 1
