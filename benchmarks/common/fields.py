"""Worlds to play a closed loop in directly, without HTTP: the sandbox's own, and the kinds of worlds.py.

Each tells what a marketer sees in the morning, takes budgets, lives a day, and tells in the end what it was worth.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from common.worlds import ArmWorld
from stakazo_pipelines.sandbox.world.entities import WorldConfig
from stakazo_pipelines.sandbox.world.optimum import best_split
from stakazo_pipelines.sandbox.world.world import World


@dataclass(frozen=True)
class Outcome:
    """Expected value of the counted days of one pool, and what leaving alone and the best budgets would have made."""

    spend: float
    value: float
    alone_spend: float
    alone: float
    best: float

    @property
    def captured(self) -> float:
        return (self.value - self.alone) / (self.best - self.alone)


class Field(Protocol):
    """A world to play in. `arms` has the keys, today's budget and the account, which is a pool of money."""

    @property
    def as_of(self) -> date: ...
    def arms(self) -> pl.DataFrame: ...
    def arm_days(self) -> pl.DataFrame: ...
    def vintages(self) -> pl.DataFrame: ...
    def play(self, budgets: pl.DataFrame) -> None: ...
    def outcomes(self) -> list[Outcome]: ...


class SandboxField:
    """The sandbox's world with its entities, reports and budgets, of accounts that hold daily budgets."""

    def __init__(self, seed: int, days: int, after: int) -> None:
        self._world = World(WorldConfig(seed=seed))
        self._alone = World(WorldConfig(seed=seed))
        self._last = self.as_of + timedelta(days=days - 1)
        self._counted = self.as_of + timedelta(days=after)
        self._vintages: list[pl.DataFrame] = []
        self._watch()

    @property
    def as_of(self) -> date:
        """All accounts' days before it are complete."""
        zones = {account.timezone for account in self._world.accounts.values()}
        return min(self._world.now.astimezone(ZoneInfo(zone)).date() for zone in zones)

    def arms(self) -> pl.DataFrame:
        world, rows = self._world, []
        for level, entities in (("campaign", world.campaigns), ("ad_group", world.ad_groups)):
            for entity in entities.values():
                if entity.daily_budget is None or world.delivery_status(level, entity.id) != "ACTIVE":
                    continue
                parent = world.campaigns[entity.id if level == "campaign" else entity.campaign_id]
                account = world.accounts[entity.account_id]
                budget = entity.daily_budget / account.minor_units
                rows.append(
                    (entity.id, account.id, parent.id, "meta", parent.objective, account.currency, budget, level)
                )
        names = ["arm_id", "account_id", "campaign_id", "platform", "objective", "currency", "budget", "level"]
        return pl.DataFrame(rows, schema=names, orient="row")

    def arm_days(self) -> pl.DataFrame:
        since, until, frames = self.as_of - timedelta(days=90), self.as_of - timedelta(days=1), []
        keys = self.arms()
        for account in self._world.accounts:
            for level in ("campaign", "ad_group"):
                found = self._world.report(account, level, since, until)
                frames.append(self._frame(found.columns, f"{level}_id"))
        days = pl.concat(frames).join(keys.drop("budget", "level"), on="arm_id")
        return days.with_columns(age_days=(pl.lit(self.as_of) - pl.col("date_day")).dt.total_days())

    def vintages(self) -> pl.DataFrame:
        return pl.concat(self._vintages)

    def play(self, budgets: pl.DataFrame) -> None:
        now = self.arms().join(budgets.rename({"budget": "next"}), on="arm_id")
        for row in now.filter(pl.col("next") != pl.col("budget")).iter_rows(named=True):
            units = self._world.accounts[row["account_id"]].minor_units
            self._world.update(row["level"], row["arm_id"], daily_budget=max(round(row["next"] * units), 1))
        for world in (self._world, self._alone):
            world.advance(world.now + timedelta(days=1))
        self._watch()

    def outcomes(self) -> list[Outcome]:
        run = self._world.outcome(self._counted, self._last)
        alone = self._alone.outcome(self._counted, self._last)
        return [
            Outcome(
                run[account]["actual"]["spend"], run[account]["actual"]["value"],
                one["actual"]["spend"], one["actual"]["value"], one["best"]["value"],
            )
            for account, one in alone.items()
        ]  # fmt: skip

    def _watch(self) -> None:
        """Keep what the accounts say today of their last days: how conversions arrive is learned from that."""
        until = self.as_of - timedelta(days=1)
        for account in self._world.accounts:
            found = self._world.report(account, "account", until - timedelta(days=28), until)
            frame = self._frame(found.columns, "account_id").rename({"arm_id": "account_id"})
            ages = (pl.lit(self.as_of) - pl.col("date_day")).dt.total_days()
            self._vintages.append(frame.with_columns(platform=pl.lit("meta"), age_days=ages))

    @staticmethod
    def _frame(columns: object, key: str) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "arm_id": columns[key],
                "date_day": pl.Series(columns["day"]).cast(pl.Date),
                "spend": columns["spend"].astype(float),
                "conversions": columns["purchases"].astype(float),
                "conversions_value": columns["purchase_value"].astype(float),
            }
        )


class KindField:
    """One world of a kind of worlds.py; all its arms are one pool."""

    def __init__(self, kind: str, seed: int, days: int, after: int) -> None:
        self._world = ArmWorld(kind, seed, arms=100, future=days)
        self._first, self._after, self._days = self._world.day, after, days
        self._all = self._world.budget.copy()
        self._earned: list[tuple[float, float]] = []

    @property
    def as_of(self) -> date:
        return self._world.as_of

    def arms(self) -> pl.DataFrame:
        return self._world.arms_frame()

    def arm_days(self) -> pl.DataFrame:
        return self._world.arm_days()

    def vintages(self) -> pl.DataFrame:
        return self._world.vintages()

    def play(self, budgets: pl.DataFrame) -> None:
        known = self.arms().select("arm_id").with_row_index("place")
        chosen = self._world.budget.copy()
        names = {f"arm{index:04d}": index for index in range(len(chosen))}
        for arm, budget in budgets.join(known, on="arm_id").select("arm_id", "budget").iter_rows():
            chosen[names[arm]] = budget
        self._earned.append((float(chosen.sum()), float(self._world.expected_value(chosen, self._world.day).sum())))
        self._world.advance(chosen)

    def outcomes(self) -> list[Outcome]:
        counted = range(self._first + self._after, self._first + self._days)
        alone = sum(float(self._world.expected_value(self._all, day).sum()) for day in counted)
        total = float(self._all.sum())
        grid = np.concatenate([[0.0], np.geomspace(total * 1e-5, total * 0.3, 500)])
        values = np.stack(
            [sum(self._world.expected_value(np.full(len(self._all), g), d) for d in counted) for g in grid]
        )
        values[0] = 0.0
        best = best_split(grid, values.T, total).value
        spend, value = (sum(x) for x in zip(*self._earned[self._after :], strict=True))
        return [Outcome(spend, value, total * len(counted), alone, max(best, alone))]
