"""What small random budget steps cost and what they teach: the closed loop of rules.py with and without them.

OPENBLAS_NUM_THREADS=1 python benchmarks/experiments.py [--kinds seasonal log] [--budgets ours still] [--seeds 3]

Each kind of world of common/worlds.py is played with our engine alone, and with steps of given shares and sizes
(`allocation/experiments.py`, directions kept for a week). Told are the share of the best possible gain captured and how
far the estimates of the last day are from the truth: elasticity and marginal ROAS at the budgets of that day, the
coverage of marginal ROAS's 90 % intervals. `still` is the same where nothing but random steps ever moves a budget.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from common.fields import KindField
from common.worlds import KINDS
from rules import Ours

from stakazo_pipelines.allocation.allocate import AllocationResult, allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.cycle.budgets import AccountInputs
from stakazo_pipelines.cycle.experiments import with_experiments
from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import ExperimentPolicy, Policy
from stakazo_pipelines.vocabulary import ArmState

STEPS = ("0:0.05", "0.5:0.1")  # share and size of the steps
POOL = ("meta", "all")
STEP = 1e-3  # of the numerical derivative


class TruthField(KindField):
    """A field that tells its truth: ROAS and marginal ROAS of every arm over the next 7 days at today's budgets."""

    def truth(self) -> pl.DataFrame:
        world = self._world
        budget, days = world.budget, range(world.day, world.day + 7)

        def value(factor: float) -> np.ndarray:
            return sum(world.expected_value(budget * factor, day) for day in days) / len(days)

        return pl.DataFrame(
            {
                "arm_id": [f"arm{index:04d}" for index in range(len(budget))],
                "true_roas": value(1.0) / budget,
                "true_marginal": (value(1 + STEP) - value(1 - STEP)) / (2 * STEP * budget),
            }
        )


@dataclass(frozen=True)
class Learned:
    """Means over the arms that are ok on the last day."""

    captured: float
    elasticity_bias: float
    elasticity_rmse: float
    marginal_bias: float
    coverage: float


def estimated(world: TruthField, policy: Policy, ours: Ours, seed: int) -> Estimates:
    days, arms, as_of = world.arm_days(), world.arms(), world.as_of
    maturity = learn_maturity(world.vintages())
    if ours.fitted is None or (as_of - ours.fitted[0]) >= timedelta(days=7):
        ours.fitted = as_of, fit_population(days, maturity, as_of=as_of, seed=seed)
    return estimate(
        arm_days=days, arms=arms, as_of=as_of, maturity=maturity, population=ours.fitted[1],
        settings=policy.measurement,
    )  # fmt: skip


def play(kind: str, seed: int, experiments: ExperimentPolicy, *, days: int, after: int, moving: bool) -> Learned:
    world, ours = TruthField(kind, seed, days, after), Ours()
    policy = Policy(experiments=experiments)
    for _ in range(days):
        found = estimated(world, policy, ours, seed)
        arms = world.arms().with_columns(account_id=pl.lit(POOL[1]))
        result = allocate(
            estimates=found, arms=arms, policy=policy, ledger=ChangeLedger(), minor_units={POOL[1]: 100}, seed=seed,
        )  # fmt: skip
        if not moving:
            kept = result.frame.with_columns(proposed_budget=pl.col("current_budget"))
            result = AllocationResult(kept, result.accounts)
        one = AccountInputs(POOL, "USD", arms, found, frozenset(), 100, None)
        stepped = with_experiments(result, [one], policy, world.as_of, ledgers={})
        world.play(stepped.frame.select("arm_id", budget="proposed_budget"))
    return _learned(world, estimated(world, policy, ours, seed))


def _learned(world: TruthField, found: Estimates) -> Learned:
    rows = found.frame.filter(pl.col("state") == ArmState.OK.value).join(world.truth(), on="arm_id")
    true = (rows["true_marginal"] / rows["true_roas"]).to_numpy()
    off = rows["elasticity_mean"].to_numpy() - true
    inside = rows["true_marginal"].is_between(rows["marginal_roas_low"], rows["marginal_roas_high"])
    return Learned(
        captured=statistics.mean(one.captured for one in world.outcomes()),
        elasticity_bias=float(off.mean()),
        elasticity_rmse=float(np.sqrt((off**2).mean())),
        marginal_bias=float(np.log(rows["marginal_roas"] / rows["true_marginal"]).mean()),
        coverage=float(inside.mean()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="*", default=["seasonal"], choices=KINDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--after", type=int, default=14)
    parser.add_argument("--steps", nargs="*", default=STEPS, help="share:size")
    parser.add_argument("--budgets", nargs="*", default=["ours", "still"], choices=["ours", "still"])
    options = parser.parse_args()
    print(f"{options.days} days, {options.seeds} seeds from {options.first}\n")
    print("| kind | budgets | share x size | captured | elasticity off | its rmse | marginal ROAS off | 90 % covers |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in options.kinds:
        for budgets in options.budgets:
            for share, size in (map(float, one.split(":")) for one in options.steps):
                rows = []
                for seed in range(options.first, options.first + options.seeds):
                    steps = ExperimentPolicy(share=share, size=size)
                    rows.append(
                        play(kind, seed, steps, days=options.days, after=options.after, moving=budgets == "ours")
                    )
                    print(f"{kind} {budgets} {share} {size} seed {seed}: {rows[-1]}", file=sys.stderr, flush=True)

                def mean(name: str, rows: list[Learned] = rows) -> float:
                    return statistics.mean(getattr(row, name) for row in rows)

                print(
                    f"| {kind} | {budgets} | {share:.0%} x {size:.0%} | "
                    f"{mean('captured'):.1%} | {mean('elasticity_bias'):+.3f} | {mean('elasticity_rmse'):.3f} | "
                    f"{mean('marginal_bias'):+.1%} | {mean('coverage'):.1%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
