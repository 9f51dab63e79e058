"""A site that breaks takes every ad group of its account along: estimates follow it, and only there."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.measurement.simulate import Design, simulate
from stakazo_pipelines.policy import MeasurementPolicy

DESIGN = Design(arms=80, days=60, accounts=2, conversions=6.0)
BROKEN, LEFT, SINCE = "account1", 0.55, 12  # of its conversions, for so many days


def broken_days(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A simulation whose second account sells only so much since some days; truth has log_roas after that."""
    made = simulate(Population(), DESIGN, seed)
    hit = (pl.col("account_id") == BROKEN) & (pl.col("date_day") > DESIGN.as_of - timedelta(days=SINCE))
    rng = np.random.default_rng(seed)
    kept = rng.binomial(made.arm_days["conversions"].cast(pl.Int64).to_numpy(), LEFT).astype(float)
    share = pl.Series("share", kept) / pl.col("conversions")
    days = made.arm_days.with_columns(
        conversions=pl.when(hit).then(pl.Series(kept)).otherwise("conversions"),
        conversions_value=pl.when(hit & (pl.col("conversions") > 0))
        .then(pl.col("conversions_value") * share)
        .otherwise("conversions_value"),
    )
    fallen = pl.when(pl.col("account_id") == BROKEN).then(np.log(LEFT)).otherwise(0.0)
    keys = made.arms.select("arm_id", "account_id")
    return days, made.arms, made.truth.join(keys, on="arm_id").with_columns(pl.col("log_roas") + fallen)


def estimated(days: pl.DataFrame, arms: pl.DataFrame, as_of: date) -> Estimates:
    return estimate(
        arm_days=days,
        arms=arms,
        as_of=as_of,
        maturity={},
        population=fit_population(days, {}, as_of=as_of, window_days=DESIGN.days),
        settings=MeasurementPolicy(window_days=DESIGN.days),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_fall_of_a_whole_account_is_followed_there_and_not_in_the_other(seed: int) -> None:
    days, arms, truth = broken_days(seed)
    found = estimated(days, arms, DESIGN.as_of).frame.select("arm_id", "roas", "roas_low", "roas_high")
    judged = truth.join(found, on="arm_id").with_columns(
        error=pl.col("roas").log() - pl.col("log_roas"),
        inside=pl.col("log_roas").is_between(pl.col("roas_low").log(), pl.col("roas_high").log()),
    )
    for account in ("account0", BROKEN):
        own = judged.filter(pl.col("account_id") == account)
        assert abs(own["error"].median()) < 0.15, account
        assert own["inside"].mean() > 0.8, account
