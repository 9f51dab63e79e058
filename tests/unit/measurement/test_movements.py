"""How things move is learned without bias, in either direction of time, and what few arms tell is doubted."""

from dataclasses import replace

import numpy as np
import pytest

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.filtering import Belief, Dynamics, Series, backwards, run_filter
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.measurement.simulate import Design, simulate
from stakazo_pipelines.policy import MeasurementPolicy

STEADY = Population(jump_hazard=0.0, account_jump_hazard=0.0)  # simulations have no jumps
DAYS = 30


def test_movements_come_back_without_bias() -> None:
    design = Design(arms=400, days=DAYS, accounts=4, campaigns=5)
    found = [
        fit_population(
            simulate(STEADY, design, seed).arm_days, {}, as_of=design.as_of, window_days=DAYS, prior=STEADY, seed=seed
        )
        for seed in range(4)
    ]
    drift, account_drift, trend = (
        np.array([getattr(one, name) for one in found]) for name in ("drift_sd", "account_drift_sd", "trend")
    )
    # Errors of single fits are up to 0.006, 0.004 and 0.001.
    assert drift.mean() == pytest.approx(STEADY.drift_sd, abs=0.004)
    assert account_drift.mean() == pytest.approx(STEADY.account_drift_sd, abs=0.003)
    assert trend.mean() == pytest.approx(0.0, abs=0.0008)


def broken_account(arms: int, day: int, by: float) -> Series:
    """One account, a steady level but for one jump of all its arms just before `day`; many conversions."""
    rng = np.random.default_rng(8)
    level = np.where(np.arange(DAYS) >= day, by, 0.0)
    shape = (DAYS, arms)
    return Series(
        count=rng.poisson(200.0 * np.exp(level)[:, None], shape).astype(np.float64),
        log_ratio=np.zeros(shape),
        offset=np.full(shape, np.log(200.0)),
        offset_variance=np.zeros(shape),
        observed=np.ones(shape, dtype=np.bool_),
        weekday=np.arange(DAYS, dtype=np.int64) % 7,
        account=np.zeros(arms, dtype=np.int64),
        accounts=1,
    )


def log_predictive(series: Series, *, level: float) -> float:
    arms = series.count.shape[1]
    dynamics = Dynamics(
        drift_variance=np.full(arms, 1e-6),
        trend=np.zeros(arms),
        dispersion=np.full(arms, 1e-3),
        shock_variance=np.array([1e-4]),
        shock_persistence=np.array([0.5]),
        weekday_variance=np.array([1e-6]),
        walk_variance=np.array([1e-6]),
    )
    prior = Belief(np.full(arms, level), np.full(arms, 0.7), np.full(arms, 1e-2), np.zeros(arms), np.full(arms, 1e-6))
    found = run_filter(series, dynamics, prior, normalised=True)
    return float(found.arm_log_predictive.sum() + found.account_log_predictive.sum())


@pytest.mark.parametrize("day", [5, 15, 26])
def test_backwards_a_jump_lies_between_the_same_two_days(day: int) -> None:
    series, by = broken_account(6, day, -0.8), -0.8
    at = np.zeros((DAYS, 1))
    at[day] = 0.5**2
    forward = log_predictive(replace(series, walk_jump_variance=at), level=0.0)
    assert log_predictive(backwards(series, at), level=by) == pytest.approx(forward, abs=2.0)
    for elsewhere in (day - 1, day + 1):
        assert log_predictive(backwards(series, np.roll(at, elsewhere - day, axis=0)), level=by) < forward - 20.0


def test_where_few_arms_tell_the_slopes_the_odd_one_out_is_doubted_most() -> None:
    design = Design(arms=8, days=DAYS, accounts=1, campaigns=1)
    made = simulate(STEADY, design, 3)

    def elasticity_sd(population: Population) -> np.ndarray:
        return (
            estimate(
                arm_days=made.arm_days,
                arms=made.arms,
                as_of=design.as_of,
                maturity={},
                population=population,
                settings=MeasurementPolicy(window_days=DAYS),
            )
            .frame["elasticity_sd"]
            .to_numpy()
        )

    known = replace(STEADY, elasticity_slopes_sd=(1e-6, 1e-6), level_slopes_sd=(1e-6, 1e-6))
    wider = elasticity_sd(STEADY) / elasticity_sd(known)
    size = np.log(made.arms["budget"].to_numpy())
    far = np.abs(size - size.mean())
    assert wider.min() > 0.999
    assert wider[far.argmax()] > wider[far.argmin()] + 0.05
    few = fit_population(made.arm_days, {}, as_of=design.as_of, window_days=DAYS)
    many = simulate(STEADY, replace(design, arms=200, campaigns=4), 3)
    learned = fit_population(many.arm_days, {}, as_of=design.as_of, window_days=DAYS)
    assert few.elasticity_slopes_sd[0] > 1.3 * learned.elasticity_slopes_sd[0]
