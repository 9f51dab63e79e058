"""What a conversion is worth: old values count for as long as they foretell the coming ones."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.measurement.panel import Panel, build_panel
from stakazo_pipelines.measurement.values import value_memory

AS_OF, DAYS, ARMS, VARIATION = date(2026, 6, 30), 90, 20, 0.6


def panel_of(worth: np.ndarray, seed: int, half_life: float = np.inf) -> Panel:
    """Arms of one account with 3 conversions a day, whose mean value on each day is `worth` (times the arm's own)."""
    rng = np.random.default_rng(seed)
    keys = pl.DataFrame({"arm_id": [f"a{i:02d}" for i in range(ARMS)]}).with_columns(
        account_id=pl.lit("acc"),
        campaign_id=pl.lit("c"),
        platform=pl.lit("meta"),
        objective=pl.lit("sales"),
        currency=pl.lit("EUR"),
    )
    own = np.exp(rng.normal(0, 0.3, ARMS))
    frames = []
    for day in range(DAYS):
        count = rng.poisson(3.0, ARMS)
        each = np.maximum(count, 1) / VARIATION**2
        value = np.where(count > 0, rng.gamma(each, VARIATION**2), 0.0) * own * worth[day]
        frames.append(
            keys.with_columns(
                date_day=pl.lit(AS_OF - timedelta(days=DAYS - 1 - day)),
                spend=pl.lit(50.0),
                conversions=pl.Series(count.astype(float)),
                conversions_value=pl.Series(value),
                age_days=pl.lit(28),
            )
        )
    return build_panel(
        arm_days=pl.concat(frames),
        arms=keys.with_columns(budget=pl.lit(50.0)),
        as_of=AS_OF,
        window_days=DAYS,
        maturity={},
        value_memory_days=half_life,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steady_values_are_remembered_long_and_drifting_ones_briefly(seed: int) -> None:
    steady = panel_of(np.full(DAYS, 40.0), seed)
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 0.05, DAYS))
    drifting = panel_of(40.0 * np.exp(walk), seed)
    long, short = (value_memory(panel, value_cv=VARIATION, default=28.0) for panel in (steady, drifting))
    assert long > 28.0
    assert short < 14.0


def test_nothing_sold_leaves_the_memory_where_it_was() -> None:
    panel = panel_of(np.zeros(DAYS), 1)
    assert value_memory(panel, value_cv=VARIATION, default=28.0) == pytest.approx(28.0, rel=0.3)


def test_a_short_memory_follows_a_fallen_price() -> None:
    fell = np.where(np.arange(DAYS) < DAYS - 21, 60.0, 30.0)
    assert panel_of(fell, 4, 7.0).unit_value[0] < 1.35 * 30.0 < panel_of(fell, 4).unit_value[0]
