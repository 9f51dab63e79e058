"""What the rules that marketers use would earn in our place: 60 days of the closed loop, same total, many worlds.

OPENBLAS_NUM_THREADS=1 python benchmarks/rules.py [--world sandbox | kinds] [--seeds 3] [--days 60] [--after 14]

Every rule starts from the same worlds and sees what a marketer sees each morning: the reports so far, immature as they
are. `sandbox` is the sandbox's own world of three Meta accounts, each of which keeps its total; `kinds` are the six
kinds of worlds of common/worlds.py, where all arms share one total. Told is the share of the best possible gain
over leaving budgets alone that each captured after `--after` days, in the worlds' own expected values. The best are the
static budgets with the same total that earn most in these days. No HTTP: entities, reports and budgets directly.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl
from common.fields import Field, KindField, Outcome, SandboxField
from common.worlds import KINDS

from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import Policy

WINDOW = 7  # days that a rule looks back on
REFIT = 7  # days between fits of the population
SLICES, PRIOR_VALUE = 200, 2.0  # of Thompson sampling: parts of the total; conversions that the pooled value is worth

# The rules


@dataclass(frozen=True)
class View:
    """What a rule sees of one pool, per arm: sums of the last 7 reported days, today's budgets, and the day number."""

    spend: np.ndarray
    conversions: np.ndarray
    value: np.ndarray
    budget: np.ndarray
    day: int
    rng: np.random.Generator

    @property
    def roas(self) -> np.ndarray:
        """Reported ROAS; the pool's where an arm has not spent."""
        pooled = self.value.sum() / max(self.spend.sum(), 1e-9)
        return np.where(self.spend > 0, self.value / np.where(self.spend > 0, self.spend, 1.0), pooled)


Rule = Callable[[View], np.ndarray]  # budgets in any proportion: the loop brings them to the total


def left_alone(view: View) -> np.ndarray:
    return view.budget


def equal_split(view: View) -> np.ndarray:
    return np.ones_like(view.budget)


def proportional_to_roas(view: View) -> np.ndarray:
    """Budget follows reported ROAS; an arm that sold nothing keeps a tenth of a mean share, and may come back."""
    return np.maximum(view.roas, 0.1 * view.roas.mean())


def thresholds(view: View) -> np.ndarray:
    """+20 % for an arm above the pool's ROAS, -30 % for one below, once a week: the rule of many ad managers."""
    if view.day % WINDOW:
        return view.budget
    target = view.value.sum() / max(view.spend.sum(), 1e-9)
    return view.budget * np.where(view.roas >= target, 1.2, 0.7)


def thresholds_daily(view: View) -> np.ndarray:
    """The same rule looked at every morning."""
    target = view.value.sum() / max(view.spend.sum(), 1e-9)
    return view.budget * np.where(view.roas >= target, 1.2, 0.7)


def thompson(view: View) -> np.ndarray:
    """Each slice of the total goes to the arm whose sampled ROAS is highest; a tenth of each budget stays.

    Conversions per money are gamma; value per conversion is the arm's own mean, shrunk to the pool's.
    """
    pooled = view.value.sum() / max(view.conversions.sum(), 1e-9)
    worth = (view.value + PRIOR_VALUE * pooled) / (view.conversions + PRIOR_VALUE)
    draws = view.rng.gamma(view.conversions + 0.5, size=(SLICES, len(view.budget)))
    best = np.argmax(draws / np.maximum(view.spend, 1e-9) * worth, axis=1)
    share = np.bincount(best, minlength=len(view.budget)) / SLICES
    return 0.9 * share * view.budget.sum() + 0.1 * view.budget


RULES: dict[str, Rule] = {
    "equal split": equal_split,
    "proportional to ROAS": proportional_to_roas,
    "+20 %/-30 % weekly": thresholds,
    "+20 %/-30 % daily": thresholds_daily,
    "Thompson sampling": thompson,
}

# The loop


@dataclass
class Ours:
    """The engine with its default policy: fit weekly, estimate and allocate daily, steps and guardrails as always."""

    policy: Policy = field(default_factory=Policy)
    fitted: tuple[date, Population] | None = None

    def budgets(self, world: Field, one_pool: bool, seed: int) -> pl.DataFrame:
        days, arms, as_of = world.arm_days(), world.arms(), world.as_of
        maturity = learn_maturity(world.vintages())
        if self.fitted is None or (as_of - self.fitted[0]).days >= REFIT:
            self.fitted = as_of, fit_population(days, maturity, as_of=as_of, seed=seed)
        estimates = estimate(
            arm_days=days, arms=arms, as_of=as_of, maturity=maturity, population=self.fitted[1],
            settings=self.policy.measurement,
        )  # fmt: skip
        pooled = arms.with_columns(account_id=pl.lit("all")) if one_pool else arms
        found = allocate(
            estimates=estimates, arms=pooled, policy=self.policy, ledger=ChangeLedger(),
            minor_units=dict.fromkeys(pooled["account_id"].unique(), 100), seed=seed,
        )  # fmt: skip
        return found.frame.select("arm_id", budget="proposed_budget")


def by_rule(world: Field, rule: Rule, one_pool: bool, day: int, rng: np.random.Generator) -> pl.DataFrame:
    """The rule's budgets, pool by pool, brought to today's total."""
    days, arms = world.arm_days(), world.arms()
    recent = days.filter(pl.col("date_day") >= world.as_of - timedelta(days=WINDOW))
    sums = recent.group_by("arm_id").agg(pl.col("spend", "conversions", "conversions_value").sum())
    joined = arms.join(sums, on="arm_id", how="left", maintain_order="left").fill_null(0.0)
    frames = []
    for part in [joined] if one_pool else joined.partition_by("account_id", maintain_order=True):
        spend, conversions, value, budget = (
            part[name].to_numpy() for name in ("spend", "conversions", "conversions_value", "budget")
        )
        wanted = rule(View(spend, conversions, value, budget, day, rng))
        scaled = wanted * budget.sum() / wanted.sum()
        frames.append(part.select("arm_id", pl.Series("budget", scaled)))
    return pl.concat(frames)


def play(world: Field, rule: Rule | None, *, one_pool: bool, days: int, seed: int) -> list[Outcome]:
    """`rule` None is ours."""
    ours, rng = Ours(), np.random.default_rng(seed)
    for day in range(days):
        if rule is None:
            world.play(ours.budgets(world, one_pool, seed))
        else:
            world.play(by_rule(world, rule, one_pool, day, rng))
    return world.outcomes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=("sandbox", "kinds"), default="sandbox")
    parser.add_argument("--kinds", nargs="*", help="of --world kinds; all of them by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--after", type=int, default=14)
    options = parser.parse_args()
    kinds: list[str | None] = [None]
    if options.world == "kinds":
        kinds = list(options.kinds or KINDS)
    contestants: dict[str, Rule | None] = {"stakazo": None, **RULES}
    print(f"{options.days} days, counted from day {options.after}: share of the best possible gain captured (lowest "
          f"world), gain over leaving budgets alone, spend beside it; {options.seeds} seeds")  # fmt: skip
    for kind in kinds:
        print(f"\n{kind or 'sandbox, three accounts'}")
        for name, rule in contestants.items():
            started, found = time.perf_counter(), list[list[Outcome]]()
            for seed in range(1, options.seeds + 1):
                world: Field = (
                    SandboxField(seed, options.days, options.after)
                    if kind is None
                    else KindField(kind, seed, options.days, options.after)
                )
                found.append(play(world, rule, one_pool=kind is not None, days=options.days, seed=seed))
            flat = [one for outcomes in found for one in outcomes]
            captured = [one.captured for one in flat]
            gain = statistics.mean(one.value / one.alone - 1 for one in flat)
            possible = statistics.mean(one.best / one.alone - 1 for one in flat)
            moved = statistics.mean(one.spend / one.alone_spend - 1 for one in flat)
            print(
                f"  {name:22} captured {statistics.mean(captured):>7.1%} (lowest {min(captured):>7.1%}) "
                f" gain {gain:>+7.1%} of {possible:+.1%}  spend {moved:+.1%}  {time.perf_counter() - started:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
