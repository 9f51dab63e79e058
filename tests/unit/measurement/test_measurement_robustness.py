"""Whatever a table holds that is not refused, every estimate is NULL or finite and every state is stated."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.population import Population, fit_population
from stakazo_pipelines.policy import MeasurementPolicy
from stakazo_pipelines.vocabulary import ArmState

AS_OF = date(2026, 6, 29)
KEYS = ("arm_id", "account_id", "campaign_id", "platform", "objective", "currency")

amounts = st.one_of(st.just(0.0), st.floats(1e-6, 1e12))
counts = st.one_of(st.none(), st.just(0.0), st.floats(0, 1e7))
days = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 120), amounts, counts, st.one_of(st.none(), amounts), st.integers(-2, 400)
    ),
    max_size=60,
    unique_by=lambda row: row[:2],
)


def table(rows: list[tuple[int, int, float, float | None, float | None, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "arm_id": f"a{arm}",
                "account_id": f"acc{arm % 2}",
                "campaign_id": None if arm == 3 else f"c{arm}",
                "platform": "tiktok" if arm == 4 else "meta",
                "objective": None if arm % 2 else "sales",
                "currency": None if arm == 2 else ["USD", "JPY"][arm % 2],
                "date_day": AS_OF - timedelta(days=back),
                "spend": spend,
                "conversions": count,
                "conversions_value": value,
                "age_days": age,
            }
            for arm, back, spend, count, value, age in rows
        ],
        schema=dict.fromkeys(KEYS, pl.String)
        | {"date_day": pl.Date, "spend": pl.Float64, "conversions": pl.Float64, "conversions_value": pl.Float64}
        | {"age_days": pl.Int64},
    )


def check(result: Estimates) -> None:
    frame = result.frame
    assert set(frame["state"]) <= {state.value for state in ArmState}
    for name in frame.select(pl.selectors.float()).columns:
        assert frame[name].is_finite().fill_null(True).all(), name
    assert (frame["roas_low"] <= frame["roas_high"]).fill_null(True).all()
    assert frame.filter(pl.col("state") == "ok")["roas"].null_count() == 0
    log_value, elasticity = result.draws(5, seed=1)
    assert np.isfinite(log_value).all()
    assert np.isfinite(elasticity).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=days, budget=st.one_of(st.none(), st.just(0.0), st.floats(0.01, 1e9)), learn=st.booleans())
def test_no_table_of_numbers_breaks_an_estimate(
    rows: list[tuple[int, int, float, float | None, float | None, int]], budget: float | None, learn: bool
) -> None:
    arm_days = table(rows)
    fresh = table([(9, 0, 1.0, 1.0, 1.0, 1)])
    arms = pl.concat([arm_days, fresh]).select(KEYS).unique("arm_id", maintain_order=True)
    arms = arms.with_columns(budget=pl.lit(budget, dtype=pl.Float64))
    population = fit_population(arm_days, {}, as_of=AS_OF, window_days=90) if learn else Population()
    result = estimate(
        arm_days=arm_days, arms=arms, as_of=AS_OF, maturity={}, population=population, settings=MeasurementPolicy()
    )
    assert len(result.frame) == len(arms)
    check(result)


def test_ten_years_of_days_cost_only_the_window() -> None:
    arm_days = table([(0, back, 100.0, 5.0, 250.0, back + 1) for back in range(3650)])
    arms = arm_days.select(KEYS).unique().with_columns(budget=pl.lit(100.0))
    result = estimate(
        arm_days=arm_days, arms=arms, as_of=AS_OF, maturity={}, population=Population(), settings=MeasurementPolicy()
    )
    check(result)
    assert result.frame["days"][0] == 90
