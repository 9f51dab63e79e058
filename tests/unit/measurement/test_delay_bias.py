"""40 % of the value comes after day 1, each day is seen on day 3 only: estimates are right, the naive ratio is not."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MATURE_AGE, MaturityCurve, learn_maturity
from stakazo_pipelines.policy import MeasurementPolicy

AS_OF = date(2026, 6, 29)
ARMS, DAYS, READ_AT = 60, 28, 3
REPORTED = np.interp(np.arange(MATURE_AGE + 1), [0, 1, 2, 3, 7, 14, 28], [0.4, 0.6, 0.64, 0.67, 0.76, 0.88, 1.0])
KEYS = {"account_id": "acc", "campaign_id": "c1", "platform": "meta", "objective": "sales", "currency": "USD"}


def world(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, float, Mapping[str, MaturityCurve]]:
    """Days as they stood at READ_AT, arms, the value that a day's budgets truly earn, and curves from six weeks."""
    rng = np.random.default_rng(seed)
    budget, rate = np.exp(rng.normal(4, 0.5, ARMS)), np.exp(rng.normal(-2.8, 0.3, ARMS))
    arrived = rng.poisson((budget * rate)[None, :, None] * np.diff(REPORTED, prepend=0.0), (DAYS, ARMS, MATURE_AGE + 1))
    counts = arrived[:, :, : READ_AT + 1].sum(axis=2).astype(float)
    keys = pl.DataFrame({"arm_id": [f"a{arm}" for arm in range(ARMS)], "budget": budget}).with_columns(
        pl.lit(value).alias(name) for name, value in KEYS.items()
    )
    days = pl.concat(
        keys.drop("budget").with_columns(
            pl.Series("spend", budget * rng.uniform(0.9, 1.1, ARMS)),
            pl.Series("conversions", counts[day]),
            pl.Series("conversions_value", 50.0 * counts[day]),
            date_day=pl.lit(AS_OF - timedelta(days=DAYS - 1 - day)),
            age_days=pl.lit(READ_AT, dtype=pl.Int64),
        )
        for day in range(DAYS)
    )
    history = rng.poisson((budget * rate).sum() * np.diff(REPORTED, prepend=0.0), (42, MATURE_AGE + 1)).cumsum(axis=1)
    rows = [
        ("meta", "acc", "sales", AS_OF - timedelta(days=back), age, float(history[back - 1, age]))
        for back in range(1, 43)
        for age in (1, 2, 3, 4, 5, 6, 7, 14, 28)
        if age <= back
    ]
    names = ["platform", "account_id", "objective", "date_day", "age_days", "conversions"]
    return days, keys, float((budget * rate).sum() * 50), learn_maturity(pl.DataFrame(rows, schema=names, orient="row"))


def test_estimates_from_day_three_are_unbiased_and_the_naive_ratio_is_a_third_too_low() -> None:
    told, naive, blind = [], [], []
    for seed in range(4):
        days, arms, true, curves = world(seed)
        for curve, into in ((curves, told), ({}, blind)):
            found = estimate(
                arm_days=days, arms=arms, as_of=AS_OF, maturity=curve, population=Population(),
                settings=MeasurementPolicy(),
            ).frame  # fmt: skip
            into.append(float((found["roas"] * found["budget"]).sum()) / true)
        naive.append(float(days["conversions_value"].sum() / days["spend"].sum() * arms["budget"].sum()) / true)
    assert abs(np.mean(told) - 1) < 0.03
    assert np.mean(naive) < 0.75
    assert np.mean(naive) < np.mean(blind) < np.mean(told)  # vintages make the difference
