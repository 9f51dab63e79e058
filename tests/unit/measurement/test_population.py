import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.population import Population, fit_population, subsample

AS_OF = date(2026, 6, 29)


def follow_the_model(truth: Population, *, arms: int, days: int, seed: int) -> pl.DataFrame:
    """Days drawn from the model itself: parameters must come back."""
    rng = np.random.default_rng(seed)
    elasticity = truth.elasticity_mean + truth.elasticity_sds[0] * rng.standard_normal(arms)
    level = truth.level_sds[0] * rng.standard_normal(arms)
    shock, season, rows = np.zeros(1), 0.0, []
    for day in range(days):
        level = level + truth.trend + truth.drift_sd * rng.standard_normal(arms)
        fresh = truth.shock_sd * np.sqrt(1 - truth.shock_persistence**2) * rng.standard_normal(1)
        shock = truth.shock_persistence * shock + fresh
        season += truth.account_drift_sd * rng.standard_normal()
        ratio = 0.4 * rng.standard_normal(arms)
        mean = 8.0 * np.exp(level + elasticity * ratio + shock + season)
        count = rng.poisson(mean * rng.gamma(1 / truth.dispersion, truth.dispersion, arms))
        value = [rng.gamma(n / truth.value_cv**2, 40.0 * truth.value_cv**2) if n else 0.0 for n in count]
        when = AS_OF - timedelta(days=days - 1 - day)
        rows.append(
            pl.DataFrame(
                {
                    "arm_id": [f"a{i:03d}" for i in range(arms)],
                    "account_id": "acc",
                    "campaign_id": [f"c{i % 10}" for i in range(arms)],
                    "platform": "meta",
                    "objective": "sales",
                    "currency": "USD",
                    "date_day": when,
                    "spend": 100.0 * np.exp(ratio),
                    "conversions": count.astype(float),
                    "conversions_value": value,
                    "age_days": 100 + days - day,
                }
            )
        )
    return pl.concat(rows)


def test_parameters_come_back_from_data_that_follow_the_model() -> None:
    truth = Population(
        elasticity_mean=0.55,
        elasticity_sds=(0.1, 0.01, 0.01, 0.01, 0.01),
        drift_sd=0.05,
        trend=-0.006,
        dispersion=0.15,
        shock_sd=0.2,
        shock_persistence=0.5,
        account_drift_sd=0.002,
        value_cv=0.6,
    )
    found = fit_population(follow_the_model(truth, arms=100, days=60, seed=4), {}, as_of=AS_OF, window_days=60)
    assert found.elasticity_mean == pytest.approx(0.55, abs=0.08)
    assert found.drift_sd == pytest.approx(0.05, rel=0.3)
    assert found.trend == pytest.approx(-0.006, abs=0.004)
    assert found.dispersion == pytest.approx(0.15, rel=0.25)
    assert found.shock_sd == pytest.approx(0.2, rel=0.35)
    assert found.value_cv == pytest.approx(0.6, rel=0.1)
    spread_today = np.sqrt(0.35**2 + 60 * 0.05**2)  # the tree pools levels as they are after all drift
    assert found.level_sds[0] == pytest.approx(spread_today, rel=0.25)


def monthly(population: Population) -> float:
    """Deviation of what all arms of an account change by together in 28 days, jumps aside."""
    shock = 2 * population.shock_sd**2 * (1 - population.shock_persistence**28)
    return float(np.sqrt(shock + 28 * population.account_drift_sd**2))


def test_an_account_that_wanders_as_a_whole_is_told_from_arms_that_do() -> None:
    steady, restless = (
        fit_population(
            follow_the_model(Population(account_drift_sd=drift, shock_sd=0.03), arms=60, days=60, seed=6),
            {},
            as_of=AS_OF,
        )
        for drift in (0.002, 0.08)
    )
    # Of one account's 60 days a slow shock, a walk and jumps look alike: told is how far they take it in four weeks.
    assert monthly(restless) > 2 * monthly(steady)
    assert steady.drift_sd == pytest.approx(0.03, rel=0.35)
    assert restless.drift_sd == pytest.approx(0.03, rel=0.35)


def test_one_arm_stays_near_the_prior() -> None:
    days = follow_the_model(Population(), arms=1, days=30, seed=1)
    found, prior = fit_population(days, {}, as_of=AS_OF), Population()
    assert found.elasticity_mean == pytest.approx(prior.elasticity_mean, abs=0.15)
    assert found.elasticity_mean_sd > 0.5 * prior.elasticity_mean_sd
    assert found.level_sds[0] == pytest.approx(prior.level_sds[0], rel=0.5)


def test_nothing_delivered_returns_the_prior() -> None:
    days = follow_the_model(Population(), arms=2, days=3, seed=1)
    assert fit_population(days.clear(), {}) == Population()
    assert fit_population(days.with_columns(spend=pl.lit(0.0)), {}, as_of=AS_OF) == Population()


def test_an_account_without_any_conversion_can_be_fitted() -> None:
    days = follow_the_model(Population(), arms=3, days=20, seed=1)
    zero = days.with_columns(conversions=pl.lit(0.0), conversions_value=pl.lit(0.0))
    assert fit_population(zero, {}, as_of=AS_OF).source == "empirical_bayes"


def test_same_seed_same_population(small_world: Callable[..., Any]) -> None:
    world = small_world(1, 40, 40)
    first = fit_population(world.arm_days, {}, as_of=AS_OF, max_arms=20, seed=5)
    again = fit_population(world.arm_days.reverse(), {}, as_of=AS_OF, max_arms=20, seed=5)
    assert first == again


def test_the_subsample_spans_small_and_large_arms(small_world: Callable[..., Any]) -> None:
    days = small_world().arm_days
    chosen = subsample(days, 12, seed=1)
    assert len(chosen) == chosen.n_unique() == 12
    ranked = days.group_by("arm_id").agg(pl.col("conversions").sum()).sort("conversions", "arm_id")["arm_id"].to_list()
    positions = sorted(ranked.index(arm) for arm in chosen)
    assert positions[0] < len(ranked) // 10
    assert positions[-1] >= len(ranked) * 9 // 10


def test_a_population_survives_json() -> None:
    population = Population(trend=-0.004, source="empirical_bayes", arms=7)
    assert Population.from_json(json.loads(json.dumps(population.to_json()))) == population


def test_a_population_of_an_older_version_takes_the_prior_for_what_it_lacks() -> None:
    stored = Population(trend=-0.004).to_json()
    del stored["account_drift_sd"]
    assert Population.from_json(stored) == Population(trend=-0.004)


def test_an_unknown_or_impossible_hyperparameter_is_refused() -> None:
    with pytest.raises(MeasurementError, match="surprise"):
        Population.from_json(Population().to_json() | {"surprise": 1})
    with pytest.raises(MeasurementError):
        Population(drift_sd=0.0)
    with pytest.raises(MeasurementError):
        Population(trend=float("nan"))
