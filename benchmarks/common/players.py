"""Who may decide in our place: the engine with its policy, a marketer's rule, or a peer that is asked once a week."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from common.fields import Field
from common.rules import WINDOW, Rule, View, brought_to_total
from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import AllocationPolicy, GuardrailPolicy, Policy

REFIT = 7  # days between fits of the population
# The engine with the guardrails' steps out of its way: what they cost it, and what a rule without any must be held to.
WITHOUT_STEPS = Policy(
    allocation=AllocationPolicy(step_cap=1.0),
    guardrails=GuardrailPolicy(entity_24h=1.0, account_day=2.0, account_month=100.0),
)


class Player(Protocol):
    def budgets(self, world: Field, day: int) -> pl.DataFrame:
        """Next budgets, `arm_id, budget`, on day `day` of the game."""
        ...


@dataclass
class Engine:
    """Ours: the population fitted weekly, estimated and allocated daily; the policy's steps and guardrails hold."""

    one_pool: bool
    seed: int
    policy: Policy = field(default_factory=Policy)
    fitted: tuple[date, Population] | None = None

    def budgets(self, world: Field, day: int) -> pl.DataFrame:
        days, arms, as_of = world.arm_days(), world.arms(), world.as_of
        maturity = learn_maturity(world.vintages())
        if self.fitted is None or (as_of - self.fitted[0]).days >= REFIT:
            self.fitted = as_of, fit_population(days, maturity, as_of=as_of, seed=self.seed)
        estimates = estimate(
            arm_days=days, arms=arms, as_of=as_of, maturity=maturity, population=self.fitted[1],
            settings=self.policy.measurement,
        )  # fmt: skip
        pooled = arms.with_columns(account_id=pl.lit("all")) if self.one_pool else arms
        found = allocate(
            estimates=estimates, arms=pooled, policy=self.policy, ledger=ChangeLedger(),
            minor_units=dict.fromkeys(pooled["account_id"].unique(), 100), seed=self.seed,
        )  # fmt: skip
        return found.frame.select("arm_id", budget="proposed_budget")


@dataclass
class ByRule:
    """A rule, pool by pool, brought to today's total; `step` is the largest change of a budget, as a fraction."""

    rule: Rule
    one_pool: bool
    seed: int
    step: float | None = None

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def budgets(self, world: Field, day: int) -> pl.DataFrame:
        days, arms = world.arm_days(), world.arms()
        recent = days.filter(pl.col("date_day") >= world.as_of - timedelta(days=WINDOW))
        sums = recent.group_by("arm_id").agg(pl.col("spend", "conversions", "conversions_value").sum())
        joined = arms.join(sums, on="arm_id", how="left", maintain_order="left").fill_null(0.0)
        frames = []
        for part in [joined] if self.one_pool else joined.partition_by("account_id", maintain_order=True):
            spend, conversions, value, budget = (
                part[name].to_numpy() for name in ("spend", "conversions", "conversions_value", "budget")
            )
            wanted = self.rule(View(spend, conversions, value, budget, day, self._rng))
            next_budgets = brought_to_total(wanted, budget, self.step)
            frames.append(part.select("arm_id", pl.Series("budget", next_budgets)))
        return pl.concat(frames)
