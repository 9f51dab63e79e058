"""Populations kept in the lake, and the curves that people look at."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from stakazo_pipelines.cycle import returns
from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.policy import Policy

DAY = date(2026, 6, 29)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def keep(lake: Lake, day: date, population: Population) -> None:
    lake.write_asset(returns.POPULATION, day, pl.DataFrame([population.to_json()]))


def test_without_a_sampled_population_there_is_none(lake):
    assert returns.newest_population(lake, DAY) is None


def test_a_population_comes_back_from_the_lake_as_it_went(lake):
    learned = replace(Population(), elasticity_mean=0.61, arms=40, source="nuts")
    keep(lake, DAY, learned)
    assert returns.newest_population(lake, DAY) == learned


def test_the_newest_population_of_the_past_counts_and_none_of_the_future(lake):
    for back, mean in ((9, 0.5), (2, 0.6), (-1, 0.7)):
        keep(lake, DAY - timedelta(days=back), replace(Population(), elasticity_mean=mean))
    found = returns.newest_population(lake, DAY)
    assert found is not None
    assert found.elasticity_mean == 0.6


def test_nothing_to_sample_from_is_said_with_what_to_do(lake):
    with pytest.raises(LakeError, match="materialize the marts first"):
        returns.refit_population(lake, Policy(), DAY)


def test_without_vintages_the_default_delay_is_assumed(lake):
    assert all(curve.fraction(60) == 1.0 for curve in returns.learned_maturity(lake, DAY).values())


def test_more_budget_is_expected_to_earn_more_and_less_for_each_unit(estimates):
    points = returns.curve_points(estimates, seed=1)
    for (_arm,), curve in points.group_by("arm_id"):
        rising = curve.sort("spend")
        assert rising["value"].is_sorted()
        per_unit = rising["value"] / rising["spend"]
        assert per_unit.is_sorted(descending=True)


def test_every_point_of_a_curve_lies_within_its_band(estimates):
    points = returns.curve_points(estimates, seed=1)
    assert points.filter(~pl.col("value").is_between("value_low", "value_high")).is_empty()
    assert points["share"].n_unique() == 8


def test_an_arm_without_an_estimate_has_no_curve(estimates):
    frame = estimates.frame.with_columns(roas=pl.when(pl.col("arm_id") == "1-g0").then(None).otherwise("roas"))
    points = returns.curve_points(type(estimates)(frame), seed=1)
    assert "1-g0" not in set(points["arm_id"])


def test_the_lift_tests_that_policy_names_reach_the_days_estimates(lake, estimates, monkeypatch, tmp_path):
    """The days of a test are read from the marts; a file with one wrong row still counts for the others."""
    asked = []

    def arm_days(_lake, as_of, window_days, **_snapshots):
        asked.append((as_of, window_days))
        days = [as_of - timedelta(days=back + 1) for back in range(window_days)]
        keys = estimates.frame.select("arm_id", "account_id", "campaign_id", "platform", "currency")
        keys = keys.with_columns(objective=pl.lit(""))
        reported = keys.join(pl.DataFrame({"date_day": days}), how="cross")
        figures = {"spend": 10.0, "conversions": 5.0, "conversions_value": 20.0, "age_days": 40}
        return reported.with_columns(**figures), keys.with_columns(budget=pl.lit(10.0))

    monkeypatch.setattr(returns, "estimate_day", lambda *_: estimates)
    monkeypatch.setattr(returns.marts, "arm_days", arm_days)
    file = tmp_path / "lift.csv"
    file.write_text(
        "account_id,start,end,metric,estimate,standard_error\n1,2026-05-01,2026-05-14,roas,1.0,0.1\n"
        "1,2026-05-01,2026-05-14,roas,1.0,none\n"
    )
    found = returns.calibrated_day(lake, Policy(lift_tests=file), DAY)
    assert asked == [(date(2026, 5, 15), 14)]
    assert found.tests["state"].to_list() == ["used", "set aside"]
    own = found.frame.filter(pl.col("account_id") == "1")
    assert own["incremental_factor"].to_numpy() == pytest.approx(0.5, abs=0.1)
