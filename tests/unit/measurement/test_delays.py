"""Delay in a tree of groups: what each learns from the others, whether intervals hold, and whom estimates follow."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.measurement.late_value import value_powers
from stakazo_pipelines.measurement.maturity import (
    DEFAULT_MATURITY,
    MATURE_AGE,
    MaturityCurve,
    group_name,
    learn_maturity,
    maturity_of,
)
from stakazo_pipelines.measurement.panel import build_panel

AGES = np.arange(MATURE_AGE + 1)
READ_AT = (1, 2, 3, 4, 5, 6, 7, 14, 28)
QUICK = np.interp(AGES, [0, 1, 3, 7, 14, 28], [0.5, 0.75, 0.9, 0.96, 0.99, 1.0])
SLOW = np.interp(AGES, [0, 1, 3, 7, 14, 28], [0.15, 0.3, 0.5, 0.75, 0.93, 1.0])
FIRST = date(2026, 6, 1)


def vintages(shares: np.ndarray, *, seed: int = 1, days: int = 42, daily: float = 60.0, **keys: Any) -> pl.DataFrame:
    """One account read at READ_AT every day. Scatter beyond chance: day totals, and how each day's orders arrive."""
    rng = np.random.default_rng(seed)
    rows = []
    mass = np.diff(shares, prepend=0.0)
    for back in range(1, days + 1):
        arrivals = rng.multinomial(rng.poisson(daily * rng.gamma(10, 0.1)), rng.dirichlet(np.maximum(mass * 40, 1e-6)))
        values = np.array([rng.lognormal(4.0, 0.8, count).sum() for count in arrivals])
        rows += [
            (FIRST - timedelta(days=back), age, float(arrivals[: age + 1].sum()), float(values[: age + 1].sum()))
            for age in READ_AT
            if age <= back
        ]
    frame = pl.DataFrame(rows, schema=["date_day", "age_days", "conversions", "conversions_value"], orient="row")
    named = {"platform": "meta", "account_id": "a1"} | keys
    return frame.with_columns(pl.lit(value).alias(name) for name, value in named.items())


def bent(shares: np.ndarray, deviation: float, tilt: float = 0.0) -> np.ndarray:
    """The curve with its log rates moved by `deviation`, and by `tilt` from the first ages to the last."""
    ages = np.arange(1, MATURE_AGE + 1)
    moved = np.diff(np.log(shares)) * np.exp(deviation + tilt * (np.log(ages) / np.log(MATURE_AGE) - 0.4))
    return np.exp(-np.append(np.cumsum(moved[::-1])[::-1], 0.0))


def test_objectives_and_windows_that_differ_have_curves_of_their_own() -> None:
    seen = pl.concat(
        [
            vintages(QUICK, seed=1, objective="sales", attribution_window="1d_click"),
            vintages(SLOW, seed=2, objective="leads", attribution_window="7d_click"),
        ]
    )
    curves = learn_maturity(seen)
    at = np.array([1, 3, 7])
    quick = maturity_of(curves, "meta", "1d_click", "sales", "a1").fraction(at)
    slow = maturity_of(curves, "meta", "7d_click", "leads", "a1").fraction(at)
    assert np.abs(quick - QUICK[at]).max() < 0.05
    assert np.abs(slow - SLOW[at]).max() < 0.05
    assert np.all(curves["meta"].fraction(at) < quick)
    assert np.all(curves["meta"].fraction(at) > slow)


def test_a_group_with_little_data_follows_the_one_above_rather_than_the_prior() -> None:
    seen = [vintages(SLOW, seed=place, objective="sales", account_id=f"a{place}") for place in range(4)]
    few = vintages(SLOW, seed=9, objective="leads", daily=0.3, account_id="a0")
    curves = learn_maturity(pl.concat([*seen, few]))
    own = curves["meta · * · leads"]
    assert abs(float(own.fraction(3)) - SLOW[3]) < 0.5 * abs(float(DEFAULT_MATURITY.fraction(3)) - SLOW[3])
    assert own.log_sd(3) > curves["meta · * · sales"].log_sd(3)


def test_what_is_unknown_falls_back_a_level_up() -> None:
    curves = {
        name: MaturityCurve((share,) * MATURE_AGE + (1.0,))
        for name, share in (
            ("meta", 0.1),
            ("meta · 7d", 0.2),
            ("meta · 7d · sales", 0.3),
            ("meta · 7d · sales · a1", 0.4),
            ("tiktok · * · sales", 0.5),
        )
    }
    asked = (
        (("meta", "7d", "sales", "a1"), 0.4),
        (("meta", "7d", "sales", "a2"), 0.3),
        (("meta", "7d", "leads", "a2"), 0.2),
        (("meta", "1d", "leads", "a2"), 0.1),
        (("meta",), 0.1),
        (("tiktok", "7d", "sales", "a1"), 0.5),  # learned without windows: it serves them all
        (("tiktok", "7d", "leads", "a1"), DEFAULT_MATURITY.fraction(1)),
        (("", "", "", ""), DEFAULT_MATURITY.fraction(1)),
    )
    for key, share in asked:
        assert maturity_of(curves, *key).fraction(1) == pytest.approx(share), key


def test_names_of_groups_leave_out_what_is_not_known() -> None:
    assert group_name("meta") == "meta"
    assert group_name("meta", "7d_click", "", "a1") == "meta · 7d_click · * · a1"


def test_nine_of_ten_intervals_hold_the_share_of_scattered_accounts() -> None:
    """Platforms unlike the default, accounts unlike their platform, days unlike their account; 40 triangles."""
    rng = np.random.default_rng(5)
    at = np.array([1, 3, 7])
    own, platform = [], []
    for seed in range(40):
        true = bent(np.array(DEFAULT_MATURITY.shares), *rng.normal(0, 0.45, 2))
        accounts = {f"a{place}": bent(true, *rng.normal(0, 0.18, 2)) for place in range(4)}
        daily = np.exp(rng.uniform(np.log(10), np.log(100), 4))
        seen = [
            vintages(shares, seed=10 * seed + place, daily=float(daily[place]), days=30, account_id=name)
            for place, (name, shares) in enumerate(accounts.items())
        ]
        curves = learn_maturity(pl.concat(seen))
        for name, shares in {"": true, **accounts}.items():
            low, high = curves[group_name("meta", "", "", name)].band(at)
            (own if name else platform).append((low <= shares[at]) & (shares[at] <= high))
    assert 0.83 <= np.mean(own) <= 0.96
    assert 0.78 <= np.mean(platform) <= 0.98


def test_scatter_beyond_chance_widens_the_interval() -> None:
    calm = vintages(QUICK, seed=3)
    lost = pl.Series(np.random.default_rng(4).uniform(0.5, 1.0, len(calm)))
    shaken = calm.with_columns(pl.col("conversions") * pl.when(pl.col("age_days") < 3).then(lost).otherwise(1.0))
    wide, narrow = (learn_maturity(seen)["meta · * · * · a1"].log_sd(1) for seen in (shaken, calm))
    assert wide > 1.5 * narrow


def test_refunds_of_later_weeks_leave_a_rising_curve_near_the_truth() -> None:
    refunded = vintages(QUICK, seed=6).with_columns(
        pl.col("conversions") * pl.when(pl.col("age_days") >= 14).then(0.97).otherwise(1.0)
    )
    for curve in learn_maturity(refunded).values():
        assert np.all(np.diff(curve.shares) >= 0)
    assert abs(float(learn_maturity(refunded)["meta · * · * · a1"].fraction(3)) - QUICK[3]) < 0.03


def test_value_follows_conversions_where_late_orders_are_like_early_ones() -> None:
    power, error = value_powers(vintages(SLOW, seed=7, daily=150.0))["meta"]
    assert abs(np.log(power)) < 2.5 * error < 0.25
    assert "conversions_value" in vintages(SLOW).columns
    assert value_powers(vintages(SLOW).drop("conversions_value")) == {}


@pytest.mark.parametrize("worth", [0.7, 1.4])
def test_late_orders_worth_more_make_value_mature_later(worth: float) -> None:
    seen = vintages(SLOW, seed=8, daily=150.0)
    # Orders that come after day 1 are worth `worth` times the others.
    first = pl.col("conversions_value").first().over("date_day")
    dear = seen.with_columns(conversions_value=first + worth * (pl.col("conversions_value") - first))
    curve = learn_maturity(dear)["meta"]
    value = (SLOW[1] + worth * (SLOW - SLOW[1])) / (SLOW[1] + worth * (1 - SLOW[1]))
    at = 3
    told = value[at] * float(curve.value_factor(at)) / SLOW[at]  # reported value over what its conversions stand for
    assert abs(told - 1) < 0.5 * abs(value[at] / SLOW[at] - 1)
    assert (curve.value_power > 1) == (worth > 1)


def test_estimates_take_the_curve_of_their_own_window_and_objective() -> None:
    keys = {"account_id": "a1", "campaign_id": "c", "platform": "meta", "currency": "USD"}
    objectives, windows = ["sales", "sales", "leads", "leads"], ["7d", "1d", "7d", None]
    arms = pl.DataFrame({"arm_id": list("wxyz"), "objective": objectives, "budget": [9.0] * 4}).with_columns(
        pl.lit(value).alias(name) for name, value in keys.items()
    )
    days = arms.drop("budget").with_columns(
        pl.Series("attribution_window", windows),
        *(pl.lit(10.0).alias(name) for name in ("spend", "conversions", "conversions_value")),
        date_day=pl.lit(FIRST),
        age_days=pl.lit(2, dtype=pl.Int64),
    )
    curves = {
        "meta": MaturityCurve((0.2,) * MATURE_AGE + (1.0,), value_power=2.0),
        "meta · 7d · sales": MaturityCurve((0.4,) * MATURE_AGE + (1.0,), (0.3,) * MATURE_AGE + (0.0,)),
        "meta · 7d": MaturityCurve((0.6,) * MATURE_AGE + (1.0,)),
    }
    panel = build_panel(arm_days=days, arms=arms, as_of=FIRST, window_days=7, maturity=curves)
    told = panel.rows.sort("arm")
    assert told["share"].to_list() == [0.4, 0.2, 0.6, 0.2]
    assert told["share_variance"].to_list() == pytest.approx([0.09, 0.0, 0.0, 0.0])
    assert told["value"].to_list() == pytest.approx([10.0, 50.0, 10.0, 50.0])
    without = build_panel(
        arm_days=days.drop("attribution_window"), arms=arms, as_of=FIRST, window_days=7, maturity=curves
    )
    assert without.rows.sort("arm")["share"].to_list() == [0.2] * 4
