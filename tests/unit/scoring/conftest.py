"""Arms whose days are drawn from known curves, and the estimates that a true or a wrong believer would publish."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.measurement.estimate import SCHEMA, Estimates

DAY = date(2026, 3, 2)
DISPERSION, VALUE_CV, WORTH = 0.15, 0.7, 40.0


@dataclass(frozen=True)
class Published:
    """Estimates of report day `day`, and the reports of the days before and after it."""

    estimates: Estimates
    reports: pl.DataFrame
    day: date = DAY


def _make(
    *, arms: int = 300, rate: float = 4.0, sd: float = 0.2, believed_sd: float | None = None, error: float = 0.0,
    moved: float = 1.0, age: int = 30, seed: int = 0, day: date = DAY, platform: str = "meta", accounts: int = 3,
) -> Published:  # fmt: skip
    """Truth of each arm is drawn from the posterior, so a `believed_sd` that is `sd` is right, and a smaller one not.

    rate: conversions a day; error: added to the published log value; moved: spend after `day` over spend before.
    """
    rng = np.random.default_rng(seed)
    names = [f"a{index}" for index in range(arms)]
    budget = 100 * np.exp(rng.normal(0, 0.3, arms))
    elasticity, log_value = rng.uniform(0.4, 0.8, arms), np.log(rate * WORTH) + rng.normal(0, 0.3, arms)
    true = log_value + rng.normal(0, sd, arms)
    columns: dict[str, object] = dict.fromkeys(SCHEMA)
    columns |= {
        "arm_id": names, "account_id": [f"acc{index % accounts}" for index in range(arms)], "campaign_id": "c",
        "platform": platform, "currency": "USD", "as_of": day + timedelta(days=1), "state": "ok", "budget": budget,
        "days": 60, "conversions": rate * 60, "spend": budget * 60, "last_day": day, "maturity": 0.9,
        "roas": np.exp(log_value + error) / budget, "ref_spend": budget, "log_value_mean": log_value + error,
        "log_value_sd": sd if believed_sd is None else believed_sd, "elasticity_mean": elasticity,
        "elasticity_sd": 0.01, "curve_corr": 0.0,
    }  # fmt: skip
    estimates = Estimates.from_frame(pl.DataFrame(columns))
    days = []
    for offset in range(-27, 8):
        spend = budget * (moved if offset > 0 else 1.0) * np.exp(rng.normal(0, 0.05, arms))
        ratio = np.log(spend / budget)
        mean = np.exp(true + (elasticity - 0.1 * ratio) * ratio) / WORTH
        count = rng.poisson(rng.gamma(1 / DISPERSION, DISPERSION, arms) * mean)
        value = np.array([rng.gamma(1 / VALUE_CV**2, VALUE_CV**2 * WORTH, n).sum() for n in count])
        keys = estimates.frame.select("arm_id", "account_id", "campaign_id", "platform", "currency")
        days.append(
            keys.with_columns(
                objective=pl.lit("sales"),
                date_day=pl.lit(day + timedelta(days=offset)),
                spend=pl.Series(spend),
                conversions=pl.Series(count.astype(float)),
                conversions_value=pl.Series(value),
                age_days=pl.lit(age),
            )
        )
    return Published(estimates, pl.concat(days), day)


@pytest.fixture(scope="session")
def published() -> Callable[..., Published]:
    return _make
