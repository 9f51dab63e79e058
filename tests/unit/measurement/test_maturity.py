from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.maturity import DEFAULT_MATURITY, MATURE_AGE, MaturityCurve, learn_maturity

TRUE = np.interp(np.arange(29), [0, 1, 2, 4, 7, 14, 28], [0.2, 0.35, 0.5, 0.7, 0.85, 0.98, 1.0])


def triangle(*, days: int, ages: list[int], total: float = 400.0, seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for back in range(1, days + 1):
        arrivals = rng.multinomial(rng.poisson(total), np.diff(TRUE, prepend=0.0)).cumsum()
        seen = [age for age in ages if age <= back]
        rows += [("meta", date(2026, 6, 1) - timedelta(days=back), age, float(arrivals[min(age, 28)])) for age in seen]
    return pl.DataFrame(rows, schema=["platform", "date_day", "age_days", "conversions"], orient="row")


def test_delay_is_recovered_from_vintages() -> None:
    curve = learn_maturity(triangle(days=60, ages=[1, 2, 3, 4, 5, 6, 7, 14, 28]))["meta"]
    ages = np.array([1, 2, 3, 5, 7, 14, 28])
    assert np.abs(curve.fraction(ages) - TRUE[ages]).max() < 0.03


def test_days_not_yet_mature_still_teach_their_early_ages() -> None:
    curve = learn_maturity(triangle(days=10, ages=[1, 2, 3, 4, 5, 6, 7]))["meta"]
    true_ratio, prior_ratio = TRUE[1] / TRUE[7], DEFAULT_MATURITY.fraction(1) / DEFAULT_MATURITY.fraction(7)
    ratio = curve.fraction(1) / curve.fraction(7)
    assert abs(ratio - true_ratio) < 0.3 * abs(prior_ratio - true_ratio)


def test_a_single_backfill_leaves_the_prior_standing() -> None:
    whole = triangle(days=120, ages=list(range(1, 121)))
    once = whole.filter(pl.col("age_days") == pl.col("age_days").max().over("date_day"))
    curve = learn_maturity(once)["meta"]
    assert np.abs(np.array(curve.shares) - np.array(DEFAULT_MATURITY.shares)).max() < 0.02
    assert curve.log_sds == pytest.approx(DEFAULT_MATURITY.log_sds)
    assert curve.conversions == 0


def test_few_conversions_stay_near_the_prior() -> None:
    few, many = (learn_maturity(triangle(days=20, ages=[1, 3, 7], total=total))["meta"] for total in (0.3, 400.0))
    prior = np.array(DEFAULT_MATURITY.shares)
    assert np.abs(np.array(few.shares) - prior).max() < 0.3 * np.abs(np.array(many.shares) - prior).max()
    assert few.sd(np.array(1)) > 0.8 * DEFAULT_MATURITY.sd(np.array(1))


def test_no_vintages_give_no_curve() -> None:
    assert learn_maturity(triangle(days=1, ages=[1]).clear()) == {}


def test_restatements_downwards_do_not_break_the_curve() -> None:
    rows = triangle(days=30, ages=[1, 2, 3, 7, 14, 28]).with_columns(
        pl.when(pl.col("age_days") == 14)
        .then(pl.col("conversions") * 0.5)
        .otherwise("conversions")
        .alias("conversions")
    )
    curve = learn_maturity(rows)["meta"]
    assert np.all(np.diff(curve.shares) >= 0)


def test_uncertainty_shrinks_with_vintages() -> None:
    curve = learn_maturity(triangle(days=60, ages=[1, 2, 3, 7, 14, 28]))["meta"]
    assert curve.sd(np.array(3)) < DEFAULT_MATURITY.sd(np.array(3))
    assert curve.sd(np.array(MATURE_AGE)) == 0.0


def test_a_falling_curve_is_refused() -> None:
    with pytest.raises(MeasurementError):
        MaturityCurve(shares=(0.5,) * 20 + (0.4,) * 8 + (1.0,))


def test_every_group_tells_the_conversions_of_the_groups_within_it() -> None:
    rows = [
        ("meta", "7d", objective, account, date(2026, 1, day), age, 10.0 * age)
        for objective, account in (("sales", "a"), ("sales", "b"), ("leads", "a"))
        for day in (1, 2)
        for age in (1, 2)
    ]
    names = ["platform", "attribution_window", "objective", "account_id", "date_day", "age_days", "conversions"]
    curves = learn_maturity(pl.DataFrame(rows, schema=names, orient="row"))
    told = {name: curve.conversions for name, curve in curves.items()}
    assert told["meta · 7d · sales · a"] > 0
    assert told["meta · 7d · sales"] == told["meta · 7d · sales · a"] + told["meta · 7d · sales · b"]
    assert told["meta"] == told["meta · 7d"] == told["meta · 7d · sales"] + told["meta · 7d · leads"]


def test_missing_columns_are_named() -> None:
    with pytest.raises(MeasurementError, match="age_days"):
        learn_maturity(pl.DataFrame({"platform": ["meta"], "date_day": [date(2026, 1, 1)], "conversions": [1.0]}))


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 40), st.floats(0, 1e7)),
        min_size=1,
        max_size=40,
        unique_by=lambda r: r[:2],
    )
)
def test_any_vintages_give_a_rising_curve_that_ends_at_one(rows: list[tuple[int, int, float]]) -> None:
    frame = pl.DataFrame(
        {
            "platform": "meta",
            "date_day": [date(2026, 1, 1) + timedelta(days=day) for day, _, _ in rows],
            "age_days": [age for _, age, _ in rows],
            "conversions": [count for _, _, count in rows],
        }
    )
    shares = np.array(learn_maturity(frame)["meta"].shares)
    assert np.all(np.diff(shares) >= 0)
    assert shares[0] > 0
    assert shares[-1] == 1.0
