"""Coverage of the intervals of ROAS over the next 7 days and of marginal ROAS, on worlds that do not follow the model.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/calibration.py [--seeds 20] [--first-seed 0]
"""

import argparse
import sys
import time
from datetime import timedelta

import numpy as np
import polars as pl
from common.worlds import KINDS, ArmWorld

from stakazo_pipelines.measurement.curves import MEASURED_MAX
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import MeasurementPolicy

LEVELS = (50, 80, 90)
DRAWS = 4000
FEW = 10  # conversions
NAIVE_DAYS = 3


def judge(world: ArmWorld, *, edits: bool = False) -> pl.DataFrame:
    """Per arm: place of the truth among the posterior draws, and inside the published interval or not.

    `edits` tells the estimator when an arm was last edited, in the worlds where that makes its level jump.
    """
    days, maturity = world.arm_days(), learn_maturity(world.vintages())
    arms = world.arms_frame()
    population = fit_population(days, maturity, as_of=world.as_of, seed=1)
    found = estimate(
        arm_days=days,
        arms=arms if edits else arms.drop("changed_on"),
        as_of=world.as_of,
        maturity=maturity,
        population=population,
        settings=MeasurementPolicy(),
    )
    truth, frame = world.truth(), found.frame
    log_value, elasticity = found.draws(DRAWS, seed=1, most=MEASURED_MAX)
    log_roas = log_value - np.log(frame["ref_spend"].to_numpy())
    log_marginal = log_roas + np.log(elasticity)
    since = world.as_of - timedelta(days=NAIVE_DAYS)
    recent = days.filter(pl.col("date_day") >= since).group_by("arm_id").agg(pl.col("spend", "conversions_value").sum())
    reported = frame.select("arm_id").join(recent, on="arm_id", how="left", maintain_order="left").fill_null(0.0)
    return frame.select("arm_id", "state", "conversions", "days", "elasticity_mean", "elasticity_sd").with_columns(
        kind=pl.lit(world.kind),
        seed=pl.lit(world.seed),
        place=pl.Series((log_roas < np.log(truth.roas)).mean(axis=0)),
        marginal_place=pl.Series((log_marginal < np.log(truth.marginal)).mean(axis=0)),
        inside=pl.Series(truth.roas).is_between(frame["roas_low"], frame["roas_high"]),
        marginal_inside=pl.Series(truth.marginal).is_between(frame["marginal_roas_low"], frame["marginal_roas_high"]),
        error=np.log(frame["roas"].to_numpy() / truth.roas),
        marginal_error=np.log(frame["marginal_roas"].to_numpy() / truth.marginal),
        true_elasticity=pl.Series(truth.marginal / truth.roas),
        width=np.log(frame["roas_high"].to_numpy() / frame["roas_low"].to_numpy()),
        spend=reported["spend"],
        told=frame["roas"] * reported["spend"],
        naive=reported["conversions_value"],
        true=pl.Series(truth.roas) * reported["spend"],
        drift=pl.lit(population.drift_sd),
        hazard=pl.lit(population.jump_hazard),
    )


def share(judged: pl.DataFrame, place: str, inside: str) -> list[float]:
    """Covered share at each level, in percent: the inner ones by the draws, the last as published."""
    at = judged[place].to_numpy()
    inner = [float(np.mean(np.abs(at - 0.5) <= level / 200) * 100) for level in LEVELS[:-1]]
    return [*inner, float(judged[inside].to_numpy().mean() * 100)]


def table(judged: pl.DataFrame, kinds: list[str]) -> None:
    """A Markdown row a kind and one for all: arms, coverage at 50/80/90 %, median error."""
    groups = [(kind, judged.filter(pl.col("kind") == kind)) for kind in kinds] + [("all", judged)]
    print(f"| kind | arms | ROAS | error | under {FEW} conversions | ROAS | error | marginal ROAS | error |")
    print("|" + "---|" * 9)
    for kind, all_ in groups:
        few = all_.filter(pl.col("conversions") < FEW)
        told = [covered(part, "place", "inside") for part in (all_, few)]
        errors = [float(part["error"].median() or 0.0) for part in (all_, few)]
        print(
            f"| {kind} | {len(all_):,d} | {told[0]} | {errors[0]:+.1%} | {len(few):,d} | {told[1]} | {errors[1]:+.1%} "
            f"| {covered(all_, 'marginal_place', 'marginal_inside')} | {float(all_['marginal_error'].median()):+.1%} |"
        )


def pooled(judged: pl.DataFrame, kinds: list[str]) -> None:
    """A Markdown row a kind: value told of the last days' spend, over the truth, all arms of a world together."""
    print(f"| kind | our bias | bias of the reported ratio of the last {NAIVE_DAYS} days |\n|---|---|---|")
    for kind in kinds:
        worlds = judged.filter(pl.col("kind") == kind).group_by("seed").agg(pl.col("told", "naive", "true").sum())
        ours, naive = (float((worlds[name] / worlds["true"]).log().mean()) for name in ("told", "naive"))
        print(f"| {kind} | {np.expm1(ours):+.1%} | {np.expm1(naive):+.1%} |")


def covered(judged: pl.DataFrame, place: str, inside: str) -> str:
    return " / ".join(f"{level:.1f}" for level in share(judged, place, inside)) if len(judged) else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--arms", type=int, default=100)
    parser.add_argument("--history", type=int, default=70)
    parser.add_argument("--edits", action="store_true", help="tell the days of edits where levels jump")
    parser.add_argument("--save", help="parquet file for the judged arms")
    asked = parser.parse_args()
    start, frames = time.process_time(), []
    for kind in asked.kinds:
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            frames.append(judge(ArmWorld(kind, seed, arms=asked.arms, history=asked.history), edits=asked.edits))
            print(f"{kind}, seed {seed}: {time.process_time() - start:.0f} s", file=sys.stderr)
    judged = pl.concat(frames)
    table(judged, asked.kinds)
    pooled(judged, asked.kinds)
    if asked.save:
        judged.write_parquet(asked.save)
    spent = time.process_time() - start
    print(f"{asked.seeds} seeds a kind from {asked.first_seed}, {asked.arms} arms each, {spent:.0f} CPU s")


if __name__ == "__main__":
    main()
