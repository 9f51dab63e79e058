"""A level that jumps: what came before counts less, and only then."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.jumps import jump_chances
from stakazo_pipelines.policy import MeasurementPolicy

AS_OF = date(2026, 6, 30)
DAYS, ARMS, JUMPING, SINCE, VALUE = 60, 30, 5, 10, 40.0
PER_DAY = 12.0
POPULATION = Population(drift_sd=0.02, dispersion=0.03, value_cv=0.3)


def arms_that_jump(
    factor: float, *, per_day: float = PER_DAY, seed: int = 3, edited: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Arms that keep their return; the first few became `factor` times as good `SINCE` days ago."""
    rng = np.random.default_rng(seed)
    keys = pl.DataFrame({"arm_id": [f"a{i:02d}" for i in range(ARMS)]}).with_columns(
        account_id=pl.lit("acc"),
        campaign_id=pl.lit("c"),
        platform=pl.lit("meta"),
        objective=pl.lit("sales"),
        currency=pl.lit("EUR"),
    )
    per_day = per_day * level_of(seed)
    frames = []
    for back in range(DAYS, 0, -1):
        spend = 100.0 * np.exp(rng.normal(0, 0.1, ARMS))
        good = np.where((np.arange(ARMS) < JUMPING) & (back <= SINCE), factor, 1.0)
        count = rng.poisson(per_day * good * (spend / 100.0) ** 0.7).astype(float)
        frames.append(
            keys.with_columns(
                date_day=pl.lit(AS_OF - timedelta(days=back)),
                spend=pl.Series(spend),
                conversions=pl.Series(count),
                conversions_value=pl.Series(VALUE * count),
                age_days=pl.lit(28),
            )
        )
    changed = AS_OF - timedelta(days=SINCE) if edited else None
    jumped = pl.Series(np.arange(ARMS) < JUMPING)
    arms = keys.with_columns(
        budget=pl.lit(100.0), changed_on=pl.when(jumped).then(pl.lit(changed, dtype=pl.Date)).otherwise(None)
    )
    return pl.concat(frames), arms


def level_of(seed: int) -> np.ndarray:
    """How good each arm is."""
    return np.exp(np.random.default_rng([seed, 1]).normal(0, 0.4, ARMS))


def estimated(arm_days: pl.DataFrame, arms: pl.DataFrame, population: Population = POPULATION) -> pl.DataFrame:
    return estimate(
        arm_days=arm_days, arms=arms, as_of=AS_OF, maturity={}, population=population, settings=MeasurementPolicy()
    ).frame


def errors(frame: pl.DataFrame, factor: float, *, seed: int = 3) -> np.ndarray:
    """Log of estimate over truth of the arms that jumped."""
    truth = factor * PER_DAY * level_of(seed) * VALUE / 100.0
    return np.log(frame["roas"].to_numpy() / truth)[:JUMPING]


def inside(frame: pl.DataFrame, factor: float, *, seed: int = 3) -> float:
    truth = pl.Series(factor * PER_DAY * level_of(seed) * VALUE / 100.0)
    return float(truth.is_between(frame["roas_low"], frame["roas_high"])[:JUMPING].mean())


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_jump_is_followed(factor: float) -> None:
    days, arms = arms_that_jump(factor)
    found, blind = estimated(days, arms), estimated(days, arms, replace(POPULATION, jump_hazard=0.0))
    assert inside(found, factor) >= 0.8 > inside(blind, factor)
    assert np.abs(errors(found, factor)).mean() < 0.5 * np.abs(errors(blind, factor)).mean()


def test_a_known_edit_is_followed_where_the_counts_alone_would_not_do() -> None:
    days, arms = arms_that_jump(2.0, per_day=3.0)
    _, edited = arms_that_jump(2.0, per_day=3.0, edited=True)
    truth = 2.0 * 3.0 * level_of(3) * VALUE / 100.0
    told, untold = (np.log(estimated(days, each)["roas"].to_numpy() / truth)[:JUMPING] for each in (edited, arms))
    assert np.abs(told).mean() < 0.8 * np.abs(untold).mean()


def test_edits_that_counts_say_nothing_of_are_believed_as_before_looking_however_many_there_are() -> None:
    nothing, hardly_any = np.zeros((60, 1)), np.full((60, 1), 1e-7)
    for days in ([30], range(22, 38, 2)):
        hazard = np.full((60, 1), 1e-6)
        hazard[list(days)] = 0.6
        chances = jump_chances(nothing, hardly_any, hazard=hazard, jump_sd=0.05, drift_sd=0.0)
        assert chances[list(days), 0] == pytest.approx(0.6, abs=0.01)


def test_days_before_a_jump_are_no_evidence_of_the_days_after() -> None:
    # 12 a day for 60 days are enough for any minimum; since the jump there were far fewer.
    days, arms = arms_that_jump(2.0)
    strict = MeasurementPolicy(min_conversions=300)
    states = estimate(
        arm_days=days,
        arms=arms,
        as_of=AS_OF,
        maturity={},
        population=replace(POPULATION, jump_hazard=0.01),
        settings=strict,
    ).frame
    blind = estimate(
        arm_days=days,
        arms=arms,
        as_of=AS_OF,
        maturity={},
        population=replace(POPULATION, jump_hazard=0.0),
        settings=strict,
    ).frame
    rich = np.flatnonzero((level_of(3) > 0.7) & (level_of(3) < 1.1) & (np.arange(ARMS) < JUMPING))
    assert len(rich)
    assert set(blind["state"].gather(rich)) == {"ok"}
    assert set(states["state"].gather(rich)) == {"insufficient"}


def test_steady_counts_have_no_jump() -> None:
    rng = np.random.default_rng(8)
    counts = rng.poisson(4.0, (60, 300)).astype(float)
    chances = jump_chances(counts, np.full((60, 300), 4.0), hazard=0.01, jump_sd=0.5, drift_sd=0.02)
    assert chances.sum(axis=0).mean() < 0.03


@given(
    count=arrays(np.float64, (20, 3), elements=st.floats(0, 1e6)),
    exposure=arrays(np.float64, (20, 3), elements=st.floats(0, 1e6)),
    hazard=st.floats(0, 0.5),
)
@settings(max_examples=50, deadline=None)
def test_chances_are_chances_and_the_first_day_has_none(count: np.ndarray, exposure: np.ndarray, hazard: float) -> None:
    chances = jump_chances(count, exposure, hazard=hazard, jump_sd=0.5, drift_sd=0.02)
    assert np.all((chances >= 0) & (chances <= 1))
    assert np.all(chances[0] == 0)
