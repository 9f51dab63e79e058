from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.curves import MEASURED_MAX
from stakazo_pipelines.measurement.estimate import SCHEMA, Estimates, estimate
from stakazo_pipelines.measurement.population import Population
from stakazo_pipelines.policy import MeasurementPolicy

AS_OF = date(2026, 6, 29)


def days_of(
    arm: str = "a1",
    *,
    days: int = 40,
    spend: float = 100.0,
    conversions: float = 5.0,
    value: float = 50.0,
    account: str = "acc",
    campaign: str = "c1",
    currency: str = "USD",
    last: date = AS_OF,
    age_offset: int = 1,
) -> pl.DataFrame:
    when = [last - timedelta(days=back) for back in reversed(range(days))]
    return pl.DataFrame(
        {
            "arm_id": arm,
            "account_id": account,
            "campaign_id": campaign,
            "platform": "meta",
            "objective": "sales",
            "currency": currency,
            "date_day": when,
            "spend": [spend * (1.1 if i % 2 else 0.9) for i in range(days)],
            "conversions": [float(conversions)] * days,
            "conversions_value": [conversions * value] * days,
            "age_days": [(AS_OF - day).days + age_offset for day in when],
        }
    )


def arms_of(*frames: pl.DataFrame, budget: float | None = 100.0) -> pl.DataFrame:
    keys = ["arm_id", "account_id", "campaign_id", "platform", "objective", "currency"]
    table = pl.concat(frames).select(keys).unique(maintain_order=True)
    return table.with_columns(pl.lit(budget, dtype=pl.Float64).alias("budget"))


def run(arm_days: pl.DataFrame, arms: pl.DataFrame, **settings: Any) -> Estimates:
    result = estimate(
        arm_days=arm_days,
        arms=arms,
        as_of=AS_OF,
        maturity={},
        population=Population(),
        settings=MeasurementPolicy(**settings),
    )
    check_sane(result)
    return result


def check_sane(result: Estimates) -> None:
    """NULL or finite everywhere, intervals in order, and draws that a solver can take."""
    frame = result.frame
    assert dict(frame.schema) == dict(SCHEMA)
    for name in frame.select(pl.selectors.float()).columns:
        assert frame[name].is_finite().fill_null(True).all(), name
    for name in ("roas", "marginal_roas"):
        assert (frame[f"{name}_low"] <= frame[name]).fill_null(True).all()
        assert (frame[name] <= frame[f"{name}_high"]).fill_null(True).all()
    assert (frame["ref_spend"] > 0).all()
    log_value, elasticity = result.draws(20, seed=1)
    assert log_value.shape == elasticity.shape == (20, len(frame))
    assert np.isfinite(log_value).all()
    assert ((elasticity >= 0.02) & (elasticity <= 0.98)).all()


def only(result: Estimates) -> dict[str, Any]:
    return result.frame.row(0, named=True)


def test_a_steady_arm_is_ok_and_its_interval_holds_its_ratio() -> None:
    days = days_of()
    row = only(run(days, arms_of(days)))
    assert row["state"] == "ok"
    assert row["roas_low"] < 2.5 < row["roas_high"]
    assert row["marginal_roas"] < row["roas"]


def test_recent_days_are_corrected_for_conversions_still_to_come() -> None:
    early = days_of(days=10, age_offset=1)
    share = np.interp(early["age_days"].to_numpy(), [1, 3, 7, 14], [0.55, 0.75, 0.88, 0.97])
    early = early.with_columns(pl.Series("conversions", 5.0 * share), pl.Series("conversions_value", 250.0 * share))
    row = only(run(early, arms_of(early)))
    naive = early["conversions_value"].sum() / early["spend"].sum()
    assert abs(row["roas"] - 2.5) < abs(naive - 2.5)
    assert row["roas"] == pytest.approx(2.5, rel=0.1)


def test_zero_conversions_never_look_healthy() -> None:
    good, bad = days_of("good"), days_of("bad", conversions=0.0)
    frame = run(pl.concat([good, bad]), arms_of(good, bad)).frame
    row = frame.row(1, named=True)
    assert row["state"] == "insufficient"
    assert row["roas"] < 0.25 * frame["roas"][0]
    assert row["roas_high"] / row["roas_low"] > 1.5 * frame["roas_high"][0] / frame["roas_low"][0]


def test_an_account_that_never_earned_has_no_roas_instead_of_a_smoothed_one() -> None:
    days = days_of(conversions=0.0)
    row = only(run(days, arms_of(days)))
    assert row["state"] == "insufficient"
    assert row["roas"] is None
    assert row["p_above_target"] is None


def test_a_brand_new_arm_leans_on_its_campaign_with_a_wide_interval() -> None:
    old = [days_of(f"a{i}") for i in range(4)]
    arms = arms_of(*old, days_of("new", campaign="c1"))
    frame = run(pl.concat(old), arms).frame
    new = frame.row(4, named=True)
    assert (new["state"], new["days"], new["last_day"], new["maturity"]) == ("insufficient", 0, None, None)
    assert new["roas"] == pytest.approx(frame["roas"][0], rel=0.25)
    assert new["roas_high"] / new["roas_low"] > 1.5 * frame["roas_high"][0] / frame["roas_low"][0]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (days_of(last=AS_OF - timedelta(days=10)), "stale"),
        (days_of(last=AS_OF - timedelta(days=200)), "stale"),  # stopped before the window began
        (days_of(days=3), "insufficient"),
        (days_of(days=40, conversions=0.05), "insufficient"),
        (days_of(days=40), "ok"),
    ],
)
def test_the_state_says_what_is_missing(days: pl.DataFrame, expected: str) -> None:
    assert only(run(days, arms_of(days)))["state"] == expected


def test_an_arm_mostly_unreported_is_immature() -> None:
    days = days_of(days=8)
    assert only(run(days, arms_of(days), min_maturity=0.95))["state"] == "immature"


def test_scaling_a_currency_changes_money_and_nothing_else() -> None:
    days = pl.concat([days_of("a", conversions=3.0), days_of("b", conversions=8.0)])
    money = ["spend", "conversions_value"]
    yen = days.with_columns(pl.col(money) * 1e5)
    small = run(days, arms_of(days)).frame
    large = run(yen, arms_of(days, budget=1e7)).frame
    for name in ("roas", "roas_high", "marginal_roas_low", "elasticity_mean", "log_value_sd"):
        assert np.allclose(small[name].to_numpy(), large[name].to_numpy(), rtol=1e-6)


def test_one_arm_on_one_day_is_a_stated_state() -> None:
    days = days_of(days=1)
    assert only(run(days, arms_of(days)))["state"] == "insufficient"


def test_days_without_spend_and_missing_objectives_are_harmless() -> None:
    days = days_of().with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(0.0).otherwise("spend").alias("spend"),
        objective=pl.lit(None, dtype=pl.String),
    )
    row = only(run(days, arms_of(days)))
    assert row["state"] == "ok"
    assert row["days"] < 40


def test_an_arm_without_budget_is_judged_at_its_usual_spend() -> None:
    days = days_of()
    row = only(run(days, arms_of(days, budget=None)))
    assert row["budget"] is None
    assert row["roas_low"] < 2.5 < row["roas_high"]


def test_unreported_conversions_are_missing_and_not_zero() -> None:
    days = days_of()
    holes = days.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0)
        .then(None)
        .otherwise(pl.col("conversions", "conversions_value"))
        .name.keep()
    )
    assert only(run(holes, arms_of(days)))["roas"] == pytest.approx(only(run(days, arms_of(days)))["roas"], rel=0.1)


def test_doubled_arm_days_are_refused_by_name() -> None:
    days = days_of()
    with pytest.raises(MeasurementError, match="a1 on 2026-05-21 more than once"):
        run(pl.concat([days, days]), arms_of(days))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_impossible_spend_is_refused(bad: float) -> None:
    days = days_of().with_columns(spend=pl.lit(bad))
    with pytest.raises(MeasurementError, match="spend"):
        run(days, arms_of(days))


def test_estimates_survive_the_lake() -> None:
    days = days_of()
    result = run(days, arms_of(days))
    again = Estimates.from_frame(result.frame.with_columns(extra=pl.lit(1)))
    assert again.frame.equals(result.frame)
    assert np.array_equal(again.draws(5, 3)[0], result.draws(5, 3)[0])
    assert not np.array_equal(again.draws(5, 3)[0], again.draws(5, 4)[0])


def test_draws_agree_with_the_reported_interval(small_world: Callable[..., Any]) -> None:
    world = small_world()
    result = run(world.arm_days, world.arms)
    frame = result.frame
    log_value, elasticity = result.draws(4000, seed=5, most=MEASURED_MAX)
    distance = np.log(frame["budget"].to_numpy() / frame["ref_spend"].to_numpy())
    marginal = elasticity * np.exp(log_value + elasticity * distance) / frame["budget"].to_numpy()
    for level, name in ((0.05, "marginal_roas_low"), (0.5, "marginal_roas"), (0.95, "marginal_roas_high")):
        assert np.abs(np.log(np.quantile(marginal, level, axis=0) / frame[name].to_numpy())).max() < 0.15


def test_input_order_does_not_matter(small_world: Callable[..., Any]) -> None:
    world = small_world()
    straight = run(world.arm_days, world.arms).frame
    shuffled = run(world.arm_days.sample(fraction=1.0, shuffle=True, seed=3), world.arms).frame
    assert np.allclose(straight["roas"].to_numpy(), shuffled["roas"].to_numpy(), rtol=1e-9)
