"""Seven kinds of simulated advertising worlds that do not follow the estimator's model, small and fast, in pure numpy.

Everything that budgets cannot change (drift, seasons, shocks, fatigue) is drawn beforehand, so that the truth of the
coming days, and of any other budgets, is known exactly. `ArmWorld.advance` plays a day at given budgets.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

KINDS = ("hill with carry-over", "log", "s-shaped", "seasonal", "fatiguing", "delayed", "jumping")
START = date(2026, 1, 5)  # a Monday
HORIZON = 7
AGES = 29  # days of age after which nothing arrives any more
VINTAGE_AGES = (1, 2, 3, 4, 5, 6, 7, 14, 28)
# Share of conversions reported by the end of each age: most kinds, and the two objectives of the delayed kind (together
# 40 % arrive after day 1).
_QUICK = ([0, 1, 2, 4, 7, 14, 28], [0.45, 0.72, 0.82, 0.9, 0.95, 0.99, 1.0])
_SLOW = {
    "sales": ([0, 1, 2, 4, 7, 14, 28], [0.4, 0.68, 0.77, 0.86, 0.92, 0.98, 1.0]),
    "leads": ([0, 1, 2, 4, 7, 14, 28], [0.22, 0.52, 0.62, 0.74, 0.85, 0.95, 1.0]),
}


@dataclass(frozen=True)
class Truth:
    """Expected returns of the coming days at given budgets, per arm: no counting noise, the days as they will be."""

    roas: np.ndarray
    marginal: np.ndarray  # of budgets kept at that level for good: carry-over that falls into later days counts


class ArmWorld:
    """`arms` ad groups in two accounts of one platform, with `history` days played at wandering budgets."""

    def __init__(self, kind: str, seed: int, *, arms: int = 100, history: int = 70, future: int = 70) -> None:
        if kind not in KINDS:
            raise ValueError(f"{kind} is none of {', '.join(KINDS)}")
        self.kind, self.seed, self.arms, self.day = kind, seed, arms, 0
        self._days = history + future + HORIZON
        rng = self._rng = np.random.default_rng([seed, KINDS.index(kind)])
        self.account = np.sort(rng.integers(0, 2, arms))
        self.campaign = self.account * 8 + rng.integers(0, 8, arms)
        self.objective = np.where(self.campaign % 2 == 0, "sales", "leads")
        self.budget = np.exp(rng.normal(4.0, 0.9, arms))
        self.worth = 50.0 * np.exp(rng.normal(0, 0.25, arms) + rng.normal(0, 0.15, 16)[self.campaign])
        self._tail = rng.uniform(0.6, 1.2, arms)  # sigma of the log-normal value of one conversion
        rate = np.exp(rng.normal(np.log(0.8), 1.4, arms) + rng.normal(0, 0.25, 16)[self.campaign])
        self._rate = rate * (self.budget / np.exp(4.0)) ** 0.8
        self.born = np.where(rng.random(arms) < 0.2, history - rng.integers(2, 15, arms), rng.integers(0, 20, arms))
        self._shape(rng)
        self.environment = self._environment(rng)
        self._arrival = self._delay()
        self._stock = np.zeros(arms)
        self._started = np.zeros(arms, dtype=bool)
        self.spend = np.zeros((self._days, arms))
        self._counts = np.zeros((self._days, arms, AGES))
        self._values = np.zeros((self._days, arms, AGES))
        for day in range(history):
            # Budgets are reviewed every two weeks, each arm on its own day.
            due = (day + np.arange(arms)) % 14 == 0
            self.budget = self.budget * np.exp(np.where(due, rng.normal(0, 0.18, arms), 0.0))
            self.advance(self.budget)

    # What the world is

    def _shape(self, rng: np.random.Generator) -> None:
        arms = self.arms
        self._keep = np.zeros(arms)
        self._power = rng.uniform(0.8, 1.05, arms)
        self._half = self.budget * np.exp(rng.normal(0.4, 0.6, arms))
        if self.kind == "hill with carry-over":
            self._keep = rng.uniform(0.3, 0.6, arms)
        if self.kind == "s-shaped":
            self._power = rng.uniform(1.2, 2.2, arms)
            self._half = self.budget * np.exp(rng.normal(-0.3, 0.35, arms))
        self._unit = self._rate / self._response(self.budget, 1.0)

    def _response(self, stock: np.ndarray, unit: np.ndarray | float | None = None) -> np.ndarray:
        """Conversions a day of a lasting spend, in an environment of 1."""
        scale = self._unit if unit is None else unit
        if self.kind == "log":
            return np.asarray(scale * np.log1p(stock / self._half * 2.0))
        power = stock**self._power
        return np.asarray(scale * power / (self._half**self._power + power))

    def _environment(self, rng: np.random.Generator) -> np.ndarray:
        """Days x arms: what multiplies every arm's response, whatever is spent."""
        days, arms = self._days, self.arms
        step = np.arange(days)
        self._edited = np.zeros((days, arms), dtype=bool)
        level = np.cumsum(rng.normal(0, 0.02, (days, arms)), axis=0)
        shock = np.zeros((days, 2))
        for day in range(1, days):
            shock[day] = 0.5 * shock[day - 1] + rng.normal(0, 0.07, 2)
        weekday = rng.normal(0, 0.12, (7, 2))
        self._shock = shock
        log = level + (shock + weekday[step % 7])[:, self.account]
        if self.kind == "seasonal":
            # A season of weeks that accounts share in part, and weekly rhythms of each arm's own.
            phase, period = rng.uniform(0, 2 * np.pi, 2), rng.uniform(60, 120, 2)
            swing = 0.3 * np.sin(2 * np.pi * step[:, None] / period + phase)
            own = rng.normal(0, 0.15, (7, arms))
            log = log + swing[:, self.account] * rng.uniform(0.5, 1.5, arms) + own[step % 7]
        if self.kind == "fatiguing":
            log = log + self._fatigue(rng)
        if self.kind == "jumping":
            # Edits and outages: once in six weeks an arm's level becomes another one.
            self._edited = rng.random((days, arms)) < 1 / 42
            log = log + np.cumsum(np.where(self._edited, rng.normal(0, 0.5, (days, arms)), 0.0), axis=0)
        return np.asarray(np.exp(log))

    def _fatigue(self, rng: np.random.Generator) -> np.ndarray:
        """Returns decay from the day of a creative; a new creative brings them back, to a level of its own."""
        days, arms = self._days, self.arms
        decay = rng.gamma(2.0, 0.006, arms)
        log, worn, base = np.zeros((days, arms)), np.zeros(arms), np.zeros(arms)
        for day in range(days):
            swapped = (rng.random(arms) < 1 / 45) & (day > self.born)
            worn = np.where(swapped | (day <= self.born), 0.0, worn + decay)
            base = np.where(swapped, rng.normal(0, 0.25, arms), base)
            log[day] = base - worn
        return log

    def _delay(self) -> np.ndarray:
        """Arms x ages: share of the conversions of a day that arrive at each age."""
        ages = np.arange(AGES)
        if self.kind == "delayed":
            by = {name: np.interp(ages, *knots) for name, knots in _SLOW.items()}
            reported = np.array([by[str(name)] for name in self.objective])
        else:
            reported = np.tile(np.interp(ages, *_QUICK), (self.arms, 1))
        return np.diff(reported, axis=1, prepend=0.0)

    @property
    def keep(self) -> np.ndarray:
        """Share of an arm's stock of spend that is carried into the next day; 0 without carry-over."""
        return self._keep

    # What happens

    def advance(self, budget: np.ndarray) -> None:
        """One day at these budgets: delivery wobbles and follows demand a little, conversions are drawn."""
        rng, day = self._rng, self.day
        live = self.born <= day
        follow = 0.3 * self._shock[day, self.account] if self.kind == "seasonal" else 0.0
        spend = np.where(live, budget * np.exp(rng.normal(0, 0.12, self.arms) + follow), 0.0)
        fresh = live & ~self._started
        self._stock = np.where(fresh, spend, self._keep * self._stock + (1 - self._keep) * spend)
        self._started |= live
        mean = np.where(live, self._response(self._stock) * self.environment[day], 0.0)
        count = rng.poisson(mean * rng.gamma(12.0, 1 / 12.0, self.arms))
        arm = np.repeat(np.arange(self.arms), count)
        late = rng.random(len(arm))
        age = (late[:, None] > np.cumsum(self._arrival, axis=1)[arm]).sum(axis=1).clip(0, AGES - 1)
        sigma = self._tail[arm]
        value = self.worth[arm] * np.exp(sigma * rng.standard_normal(len(arm)) - sigma**2 / 2)
        np.add.at(self._counts[day], (arm, age), 1.0)
        np.add.at(self._values[day], (arm, age), value)
        self.spend[day], self.budget, self.day = spend, budget, day + 1

    # What is known

    @property
    def as_of(self) -> date:
        """The day after the last one played; the days before it are reported."""
        return START + timedelta(days=self.day)

    def arm_days(self, window: int = 120) -> pl.DataFrame:
        """What measurement reads: every arm and day as reported by now."""
        days = np.arange(max(self.day - window, 0), self.day)
        seen = np.arange(AGES)[None, :] <= (self.day - days)[:, None]
        counts = np.einsum("dak,dk->da", self._counts[days], seen)
        values = np.einsum("dak,dk->da", self._values[days], seen)
        spent = self.spend[days]
        at, arm = np.nonzero(spent > 0)
        keys = self._keys()[arm]
        return keys.with_columns(
            pl.Series("date_day", [START + timedelta(days=int(days[i])) for i in at], dtype=pl.Date),
            pl.Series("spend", spent[at, arm]),
            pl.Series("conversions", counts[at, arm]),
            pl.Series("conversions_value", values[at, arm]),
            pl.Series("age_days", self.day - days[at], dtype=pl.Int64),
        )

    def arms_frame(self) -> pl.DataFrame:
        """Keys, today's budget and, where levels jump, the day of the last edit."""
        back = np.argmax(self._edited[self.day - 1 :: -1], axis=0)
        edited = self._edited[: self.day].any(axis=0)
        changed = [
            self.as_of - timedelta(days=int(n) + 1) if any_ else None for n, any_ in zip(back, edited, strict=True)
        ]
        return (
            self._keys()
            .with_columns(pl.Series("budget", self.budget), pl.Series("changed_on", changed, dtype=pl.Date))
            .filter(pl.Series(self._started))
        )

    def vintages(self, watched: int = 42) -> pl.DataFrame:
        """What a daily run that re-reads `VINTAGE_AGES` has seen for `watched` days: by account, objective, age."""
        rows = []
        group = self.account * 2 + (self.objective == "leads")
        for day in range(max(self.day - watched - AGES, 0), self.day):
            for age in VINTAGE_AGES:
                if not self.day - watched <= day + age <= self.day:
                    continue
                seen = self._counts[day, :, : age + 1].sum(axis=1)
                sums = np.bincount(group, seen, 4)
                rows += [
                    (
                        "meta",
                        f"acc{g // 2}",
                        ("sales", "leads")[g % 2],
                        START + timedelta(days=day),
                        age,
                        float(sums[g]),
                    )
                    for g in range(4)
                ]
        names = ("platform", "account_id", "objective", "date_day", "age_days", "conversions")
        return pl.DataFrame(rows, schema=names, orient="row")

    def truth(self, budget: np.ndarray | None = None, horizon: int = HORIZON) -> Truth:
        """Of the arms in `arms_frame`, at today's budgets or others, over the next days."""
        at = self.budget if budget is None else budget
        coming = self.environment[self.day : self.day + horizon]
        stock, total = self._stock, np.zeros(self.arms)
        for factor in coming:
            stock = self._keep * stock + (1 - self._keep) * at
            total += self._response(stock) * factor
        slope = (self._response(at * 1.005) - self._response(at * 0.995)) / (0.01 * at)
        roas = self.worth * total / horizon / at
        marginal = self.worth * slope * coming.mean(axis=0)
        return Truth(roas[self._started], marginal[self._started])

    def expected_value(self, budget: np.ndarray, day: int) -> np.ndarray:
        """Value per arm of one day at lasting budgets, without noise: what an oracle maximises."""
        return np.asarray(self.worth * self._response(budget) * self.environment[day])

    def _keys(self) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "arm_id": [f"arm{i:04d}" for i in range(self.arms)],
                "account_id": [f"acc{a}" for a in self.account],
                "campaign_id": [f"c{c}" for c in self.campaign],
                "platform": "meta",
                "objective": self.objective.astype(str),
                "currency": "USD",
            }
        )
