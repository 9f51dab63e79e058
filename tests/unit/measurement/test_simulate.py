"""Worlds drawn from the model: they follow it, and the engines that know it find their truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.panel import check_days
from stakazo_pipelines.measurement.simulate import Design, draw_population, simulate
from stakazo_pipelines.policy import MeasurementPolicy


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), arms=st.integers(1, 9), days=st.integers(1, 12), accounts=st.integers(1, 3))
def test_every_draw_from_the_prior_gives_a_world_that_can_be_estimated(seed, arms, days, accounts):
    design = Design(arms, days, accounts=accounts)
    made = simulate(draw_population(seed), design, seed)
    check_days(made.arm_days)
    assert made.arm_days.height == arms * days
    assert made.arm_days["conversions"].is_finite().all()
    assert made.truth["elasticity"].is_between(ELASTICITY_MIN, ELASTICITY_MAX).all()
    assert made.truth["log_roas"].is_finite().all()


def test_the_same_seed_makes_the_same_world_and_another_makes_another():
    design = Design(4, 10)
    first, again, other = (simulate(Population(), design, seed).arm_days for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_an_engine_that_knows_the_population_covers_the_truth():
    design, inside, errors = Design(12, 28), [], []
    for seed in range(2000, 2030):  # arms of one world share their shocks: it takes many worlds
        population = replace(draw_population(seed), elasticity_mean_sd=1e-3, trend_sd=1e-6)
        made = simulate(population, design, seed + 10_000)
        frame = estimate(
            arm_days=made.arm_days,
            arms=made.arms,
            as_of=design.as_of,
            maturity={},
            population=population,
            settings=MeasurementPolicy(window_days=28),
        ).frame
        roas = np.exp(made.truth["log_roas"].to_numpy())
        inside.append((roas > frame["roas_low"].to_numpy()) & (roas < frame["roas_high"].to_numpy()))
        errors.append(((made.truth["elasticity"] - frame["elasticity_mean"]) / frame["elasticity_sd"]).to_numpy())
    assert 0.8 < np.mean(inside) < 0.97
    assert abs(np.mean(errors)) < 0.4
    assert 0.7 < np.std(errors) < 1.2


def test_a_simulation_of_nothing_is_refused():
    with pytest.raises(MeasurementError, match="at least one arm"):
        Design(0, 10)
