"""What measurement counts: conversions where they tell the value, value itself where they do not."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.planning import plan_table
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.value_counts import counted

START = date(2026, 1, 1)


def arm_days(make, *, arms=10, days=50, seed=0):
    """Days of arms with (conversions, value) as `make(rng, spend)` draws them."""
    rng = np.random.default_rng(seed)
    rows = []
    for arm in range(arms):
        for day in range(days):
            spend = float(100 * np.exp(rng.normal(0, 0.2)))
            conversions, value = make(rng, spend)
            rows.append((f"a{arm}", START + timedelta(days=day), "USD", spend, float(conversions), float(value)))
    names = ["arm_id", "date_day", "currency", "spend", "conversions", "conversions_value"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.mark.parametrize("conversions", [1.0, 5.0, 100.0])
@pytest.mark.parametrize("variation", [0.0, 0.8, 2.0])
def test_conversions_are_counted_where_they_bring_the_value(conversions, variation):
    sd = np.sqrt(np.log1p(variation**2))

    def make(rng, spend):
        count = rng.poisson(conversions * spend / 100)
        return count, 40 * np.exp(rng.normal(-(sd**2) / 2, sd, count)).sum()

    days = arm_days(make)
    same, why = counted(days)
    assert same.equals(days)
    assert why == ""


def test_value_is_counted_where_conversions_scatter_beside_it():
    days = arm_days(lambda rng, spend: (rng.poisson(30 * np.exp(rng.normal(0, 0.5))), rng.poisson(2 * spend) * 0.5))
    told, why = counted(days)
    assert "value itself is measured" in why
    unit = (told["conversions_value"] / told["conversions"]).mean()
    assert unit == pytest.approx(0.5, rel=0.3)  # what one event of that value is worth


def test_value_without_any_conversion_is_counted_by_itself():
    days = arm_days(lambda rng, spend: (0.0, rng.poisson(spend / 5) * 9.0))
    told, why = counted(days)
    assert "no conversion stands beside any value" in why
    assert (told["conversions"] > 0).any()
    table = days.rename({"date_day": "date", "arm_id": "ad_group"})
    result = plan_table(table, policy=Policy())
    assert set(result.frame["state"]) == {"ok"}
    assert why in result.notes


def test_nothing_earned_leaves_the_conversions_as_they_are():
    days = arm_days(lambda rng, spend: (rng.poisson(3), 0.0))
    same, why = counted(days)
    assert same.equals(days)
    assert why == ""
