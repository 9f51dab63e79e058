"""Arms of two accounts with a month of days, estimated under the default population."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.policy import MeasurementPolicy

DAY = date(2026, 6, 29)
# account -> (currency, daily budget of each arm, conversions a day of each arm)
ACCOUNTS = {"1": ("EUR", 100.0, (2, 4, 12)), "2": ("JPY", 10_000.0, (2, 4, 12))}
NO_VINTAGES = {
    "platform": pl.String,
    "account_id": pl.String,
    "date_day": pl.Date,
    "age_days": pl.Int64,
    "conversions": pl.Float64,
    "conversions_value": pl.Float64,
}


@pytest.fixture(scope="session")
def arms() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "arm_id": f"{account}-g{number}",
                "account_id": account,
                "campaign_id": f"{account}-c",
                "platform": "meta",
                "objective": "sales",
                "currency": currency,
                "budget": budget,
            }
            for account, (currency, budget, rates) in ACCOUNTS.items()
            for number in range(len(rates))
        ]
    )


@pytest.fixture(scope="session")
def estimates(arms: pl.DataFrame) -> Estimates:
    rng = np.random.default_rng(3)
    rates = {f"{account}-g{n}": rate for account, (_, _, rates) in ACCOUNTS.items() for n, rate in enumerate(rates)}
    rows = []
    for age in range(1, 41):
        for arm in arms.iter_rows(named=True):
            sold = float(rng.poisson(rates[arm["arm_id"]]))
            spend = arm["budget"] * rng.uniform(0.8, 1.2)
            worth = arm["budget"] / 4
            own = {name: arm[name] for name in arm if name != "budget"}
            day = {"date_day": DAY - timedelta(days=age - 1), "age_days": age}
            rows.append({**own, **day, "spend": spend, "conversions": sold, "conversions_value": sold * worth})
    return estimate(
        arm_days=pl.DataFrame(rows),
        arms=arms,
        as_of=DAY + timedelta(days=1),
        maturity=learn_maturity(pl.DataFrame(schema=NO_VINTAGES)),
        population=Population(),
        settings=MeasurementPolicy(),
    )
