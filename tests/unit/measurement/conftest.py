"""A small advertising world for measurement: Hill curves, carry-over, fatigue, seasons and delay, unlike the model."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

AS_OF = date(2026, 6, 29)
CURRENCIES = {"acc0": ("USD", 1.0), "acc1": ("EUR", 0.9), "acc2": ("JPY", 150.0)}
ARRIVAL = np.interp(np.arange(60), [0, 1, 2, 3, 5, 7, 10, 14, 28], [0.3, 0.5, 0.62, 0.7, 0.8, 0.87, 0.93, 0.98, 1.0])
HORIZON = 7


@dataclass(frozen=True)
class SmallWorld:
    arm_days: pl.DataFrame
    arms: pl.DataFrame
    truth: pl.DataFrame  # arm_id, true_roas, true_marginal: expected, mean of the next 7 days at today's budget
    as_of: date = AS_OF


def _make(seed: int, arms: int = 120, days: int = 100) -> SmallWorld:
    rng = np.random.default_rng(seed)
    account = rng.integers(0, len(CURRENCIES), arms)
    campaign = account * 20 + rng.integers(0, 20, arms)
    currency = np.array([list(CURRENCIES.values())[a][0] for a in account])
    scale = np.array([list(CURRENCIES.values())[a][1] for a in account])
    budget = np.exp(rng.normal(4.5, 0.8, arms))
    hill = rng.uniform(0.8, 1.05, arms)
    half = budget * np.exp(rng.normal(0.5, 0.6, arms))
    worth = 60.0 * np.exp(rng.normal(0, 0.2, arms))
    roas = 2.0 * np.exp(rng.normal(0, 0.4, arms)) * np.exp(rng.normal(0, 0.25, 60))[campaign]
    top = roas * budget * (half**hill + budget**hill) / budget**hill / worth
    fatigue, born = rng.gamma(2, 0.003, arms), rng.integers(0, days // 2, arms)
    weekday = np.exp(rng.normal(0, 0.12, (3, 7)))
    shock = np.exp(rng.normal(0, 0.08, (3, days)))
    level = np.cumsum(rng.normal(0, 0.02, (days + HORIZON, arms)), axis=0)
    steps = np.where(np.arange(days)[:, None] % 14 == 0, rng.normal(0, 0.15, (days, arms)), 0.0)
    planned = budget * np.exp(np.cumsum(steps, axis=0))

    def conversions(spend: np.ndarray) -> np.ndarray:
        return top * spend**hill / (half**hill + spend**hill)

    frames, stock = [], planned[0]
    for day in range(days):
        when = AS_OF - timedelta(days=days - 1 - day)
        spend = planned[day] * np.exp(rng.normal(0, 0.12, arms))
        stock = 0.25 * stock + 0.75 * spend
        tired = np.exp(level[day] - fatigue * np.maximum(day - born, 0))
        mean = conversions(stock) * tired * weekday[account, when.weekday()] * shock[account, day]
        age = days - day
        count = rng.poisson(rng.gamma(12.0, 1 / 12.0, arms) * mean * ARRIVAL[min(age, 59)])
        value = worth * np.array([rng.lognormal(-0.18, 0.6, n).sum() for n in count])
        on = np.flatnonzero(day >= born)
        if not len(on):
            continue
        frames.append(
            pl.DataFrame(
                {
                    "arm_id": [f"arm{i:03d}" for i in on],
                    "account_id": [f"acc{a}" for a in account[on]],
                    "campaign_id": [f"c{c}" for c in campaign[on]],
                    "platform": "meta",
                    "objective": ["sales" if c % 2 else "leads" for c in campaign[on]],
                    "currency": currency[on],
                    "date_day": when,
                    "spend": (spend * scale)[on],
                    "conversions": count[on].astype(float),
                    "conversions_value": (value * scale)[on],
                    "age_days": age,
                }
            )
        )
    now = planned[-1]
    ahead = np.exp(level[days:] - fatigue * np.maximum(days + np.arange(HORIZON)[:, None] - born, 0))
    week = [(AS_OF + timedelta(days=step + 1)).weekday() for step in range(HORIZON)]
    factor = (ahead * weekday[account][:, week].T).mean(axis=0) * worth
    slope = (conversions(now * 1.01) - conversions(now * 0.99)) / (0.02 * now)
    names = [f"arm{i:03d}" for i in range(arms)]
    listed = pl.DataFrame(
        {
            "arm_id": names,
            "account_id": [f"acc{a}" for a in account],
            "campaign_id": [f"c{c}" for c in campaign],
            "platform": "meta",
            "objective": ["sales" if c % 2 else "leads" for c in campaign],
            "currency": currency,
            "budget": now * scale,
        }
    )
    truth = pl.DataFrame(
        {"arm_id": names, "true_roas": conversions(now) / now * factor, "true_marginal": slope * factor}
    )
    return SmallWorld(pl.concat(frames), listed, truth)


@pytest.fixture(scope="session")
def small_world() -> Callable[..., SmallWorld]:
    made: dict[tuple[int, int, int], SmallWorld] = {}

    def get(seed: int = 1, arms: int = 120, days: int = 100) -> SmallWorld:
        key = (seed, arms, days)
        if key not in made:
            made[key] = _make(*key)
        return made[key]

    return get
