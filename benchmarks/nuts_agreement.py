"""The daily engine against NUTS (nutpie) on the full model: arms simulated from the model, same data, same run.

Both estimate every arm's log value at its reference spend over the next 7 days, and its elasticity. NUTS samples the
levels in steps of `--step-days`; 1 is the daily engine's own model.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.audit import QUANTITIES, agreement, arm_draws, compare
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.full_model import ARMS, HYPER, SHARED, full_model
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.nuts import Sampling, compile_model, diagnose, sample
from stakazo_pipelines.measurement.panel import build_panel
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.measurement.population_pymc import population_of
from stakazo_pipelines.measurement.simulate import Design, simulate
from stakazo_pipelines.policy import MeasurementPolicy

T = TypeVar("T")


def timed(name: str, work: Callable[[], T], costs: dict[str, tuple[float, float]]) -> T:
    cpu, wall = time.process_time(), time.perf_counter()
    answer = work()
    costs[name] = (time.process_time() - cpu, time.perf_counter() - wall)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name}: {costs[name][0]:.1f} CPU s, {costs[name][1]:.1f} s, peak {peak:.2f} GiB", file=sys.stderr)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--accounts", type=int, default=4)
    parser.add_argument("--campaigns", type=int, default=10, help="per account")
    parser.add_argument("--conversions", type=float, default=4.0, help="a day, of a typical arm")
    parser.add_argument("--step-days", type=int, default=1)
    parser.add_argument("--draws", type=int, default=2500)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    design = Design(
        args.arms, args.days, accounts=args.accounts, campaigns=args.campaigns, conversions=args.conversions
    )
    made = simulate(Population(), design, args.seed)
    arms = made.arms.with_columns(budget=None)  # estimates are then at the reference spend
    steady = Population(jump_hazard=0.0, account_jump_hazard=0.0)  # the full model has no jumps
    settings = MeasurementPolicy(window_days=args.days)
    costs: dict[str, tuple[float, float]] = {}

    def daily(population: Population) -> pl.DataFrame:
        return estimate(
            arm_days=made.arm_days,
            arms=arms,
            as_of=design.as_of,
            maturity={},
            population=population,
            settings=settings,
        ).frame

    fitted = timed(
        "population, empirical Bayes",
        lambda: fit_population(made.arm_days, {}, as_of=design.as_of, window_days=args.days, prior=steady),
        costs,
    )
    own = timed("estimate", lambda: daily(fitted), costs)
    panel = build_panel(
        arm_days=made.arm_days,
        arms=arms,
        as_of=design.as_of,
        window_days=args.days,
        maturity={},
        value_memory_days=fitted.value_memory_days,
    )
    model = full_model(panel, fitted, steady, step_days=args.step_days)
    compiled = timed("NUTS, compile", lambda: compile_model(model, keep=(*HYPER, *ARMS, *SHARED)), costs)
    trace = timed(
        "NUTS, sample",
        lambda: sample(compiled, Sampling(args.draws, args.tune, target_accept=0.9), seed=args.seed),
        costs,
    )
    print(f"steps a draw {float(trace.sample_stats['n_steps'].mean()):.0f}", file=sys.stderr)
    hyper, single = diagnose(trace, HYPER), diagnose(trace, ("level", "elasticity"))
    draws = arm_draws(trace, panel, step_days=args.step_days, seed=args.seed)
    sampled = population_of(trace, fitted)
    columns = {"empirical Bayes": own, "sampled by NUTS": daily(sampled)}
    print(f"{vars(args)}\nhyper-parameters: {hyper}\nlevels, elasticities: {single}\n")
    print(f"fitted  {fitted}\nsampled {sampled}\n")
    print(
        "| population of the daily engine | quantity | mean abs difference, sd | bias, sd | width ratio | worst, sd |"
    )
    print("|---|---|---|---|---|---|")
    for title, frame in columns.items():
        compared = compare(draws, frame)
        for name in QUANTITIES:
            found = agreement(compared, name)
            print(
                f"| {title} | {name} | {found.difference:.3f} | {found.bias:+.3f} | {found.width_ratio:.3f} "
                f"| {found.worst:.2f} |"
            )
    nuts = np.sum([costs["NUTS, compile"], costs["NUTS, sample"]], axis=0)
    whole = np.sum([costs["population, empirical Bayes"], costs["estimate"]], axis=0)
    print("\n| | CPU s | wall s | NUTS takes, CPU | NUTS takes, wall |\n|---|---|---|---|---|")
    print(f"| NUTS, compiled and sampled | {nuts[0]:.1f} | {nuts[1]:.1f} | | |")
    for title, cost in (("estimates", costs["estimate"]), ("estimates and population (empirical Bayes)", whole)):
        print(f"| {title} | {cost[0]:.2f} | {cost[1]:.2f} | {nuts[0] / cost[0]:.0f}x | {nuts[1] / cost[1]:.0f}x |")


if __name__ == "__main__":
    main()
