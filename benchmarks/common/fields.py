"""Worlds to play a closed loop in directly, without HTTP: the sandbox's own, and the kinds of worlds.py.

Each tells what a marketer sees in the morning, takes budgets, lives a day, and tells in the end what it was worth.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
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
    """Expected value of the counted days of one pool, and what leaving alone and the best budgets would have made.

    `best` is of the static budgets that earn most in these days together; `clairvoyant` of the best ones of each day by
    itself, which nothing beats (NaN where it is not known).
    """

    spend: float
    value: float
    alone_spend: float
    alone: float
    best: float
    clairvoyant: float = float("nan")

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
    """One world of a kind of worlds.py; all its arms are one pool.

    What budgets earn is told without the noise of delivery and counting, with the carry-over of the days before.
    """

    def __init__(self, kind: str, seed: int, days: int, after: int, arms: int = 100) -> None:
        self._world = ArmWorld(kind, seed, arms=arms, future=days)
        self._after = after
        self._oracle = _oracle(kind, seed, days, after, arms)
        self._stock = self._world.budget.copy()
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
        chosen = self._world.budget.copy()
        places = {f"arm{index:04d}": index for index in range(len(chosen))}
        for arm, budget in budgets.select("arm_id", "budget").iter_rows():
            chosen[places[arm]] = budget
        self._stock = self._world.keep * self._stock + (1 - self._world.keep) * chosen
        value = float(self._world.expected_value(self._stock, self._world.day).sum())
        self._earned.append((float(chosen.sum()), value))
        self._world.advance(chosen)

    def outcomes(self) -> list[Outcome]:
        spend, value = (sum(x) for x in zip(*self._earned[self._after :], strict=True))
        alone_spend, alone, best, clairvoyant = self._oracle
        return [Outcome(spend, value, alone_spend, alone, best, clairvoyant)]


@lru_cache(maxsize=4)
def _oracle(kind: str, seed: int, days: int, after: int, arms: int) -> tuple[float, float, float, float]:
    """Spend and value of today's budgets over the counted days, then of the best static ones and the best of each day.

    Both are exact on a grid of amounts that are 2.3 % apart. Static budgets keep their carry-over's level, and a day's
    carried-over spend is a mean of splits of the total, hence itself one: `clairvoyant` bounds every rule from above.
    """
    world = ArmWorld(kind, seed, arms=arms, future=days)
    total, counted = float(world.budget.sum()), range(world.day + after, world.day + days)
    alone = sum(float(world.expected_value(world.budget, day).sum()) for day in counted)
    grid = np.concatenate([[0.0], np.geomspace(total * 1e-5, total, 500)])
    by_day = [
        np.stack([world.expected_value(np.full(arms, amount), day) for amount in grid], axis=1) for day in counted
    ]
    best = best_split(grid, np.sum(by_day, axis=0), total).value
    clairvoyant = sum(best_split(grid, values, total).bound for values in by_day)
    return total * len(counted), alone, best, clairvoyant
