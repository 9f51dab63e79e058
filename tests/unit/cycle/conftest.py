"""Arms of two accounts with a month of days, estimated under the default population."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from resources import ClockResource, LakeResource, OperationsResource, PolicyResource
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.policy import MeasurementPolicy

DAY = date(2026, 6, 29)
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)  # of the day after
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


class FixedClock(ClockResource):
    def now(self) -> datetime:
        return NOON


@pytest.fixture
def resources_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Lake, str], dict[str, object]]:
    """What the assets ask for, around a lake and the text of a policy, at NOON."""

    def made(lake: Lake, policy: str) -> dict[str, object]:
        (tmp_path / "policy.yaml").write_text(policy)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'operations.db'}")
        return {
            "clock": FixedClock(),
            "lake": LakeResource(root=str(lake.root)),
            "policy": PolicyResource(path=str(tmp_path / "policy.yaml")),
            "operations": OperationsResource(),
        }

    return made


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
