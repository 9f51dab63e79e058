"""Coverage of the intervals of ROAS over the next 7 days and of marginal ROAS, on worlds that do not follow the model.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/calibration.py [--seeds 20] [--kinds log delayed] [--arms 100]
"""

import argparse
import time

import numpy as np
import polars as pl
from common.worlds import KINDS, ArmWorld

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.maturity import learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import MeasurementPolicy

LEVELS = (50, 80, 90)
DRAWS = 4000
FEW = 10  # conversions


def judge(world: ArmWorld) -> pl.DataFrame:
    """Per arm: place of the truth among the posterior draws, and inside the published interval or not."""
    days, maturity = world.arm_days(), learn_maturity(world.vintages())
    population = fit_population(days, maturity, as_of=world.as_of, seed=1)
    found = estimate(
        arm_days=days,
        arms=world.arms_frame(),
        as_of=world.as_of,
        maturity=maturity,
        population=population,
        settings=MeasurementPolicy(),
    )
    truth, frame = world.truth(), found.frame
    log_value, elasticity = found.draws(DRAWS, seed=1)
    log_roas = log_value - np.log(frame["ref_spend"].to_numpy())
    log_marginal = log_roas + np.log(elasticity)
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
        drift=pl.lit(population.drift_sd),
    )


def share(judged: pl.DataFrame, place: str, inside: str) -> list[float]:
    """Covered share at each level, in percent: the inner ones by the draws, the last as published."""
    at = judged[place].to_numpy()
    inner = [float(np.mean(np.abs(at - 0.5) <= level / 200) * 100) for level in LEVELS[:-1]]
    return [*inner, float(judged[inside].to_numpy().mean() * 100)]


def table(judged: pl.DataFrame, kinds: list[str]) -> None:
    """One row a kind and one for all: arms, coverage at 50/80/90 %, median error."""
    groups = [(kind, judged.filter(pl.col("kind") == kind)) for kind in kinds] + [("all", judged)]
    head = f"{'ROAS 50/80/90':>18s} {'error':>7s}"
    print(f"{'kind':22s} {'arms':>6s} {head} {'few: arms':>9s} {head} {'marginal 50/80/90':>18s} {'error':>7s}")
    for kind, all_ in groups:
        few = all_.filter(pl.col("conversions") < FEW)
        told = [f"{'/'.join(f'{x:5.1f}' for x in share(part, 'place', 'inside'))}" for part in (all_, few)]
        marginal = "/".join(f"{x:5.1f}" for x in share(all_, "marginal_place", "marginal_inside"))
        errors = [float(part["error"].median() * 100) for part in (all_, few)]
        print(
            f"{kind:22s} {len(all_):6,d} {told[0]:>18s} {errors[0]:+6.1f}% "
            f"{len(few):9,d} {told[1]:>18s} {errors[1]:+6.1f}% "
            f"{marginal:>18s} {float(all_['marginal_error'].median() * 100):+6.1f}%"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--arms", type=int, default=100)
    parser.add_argument("--history", type=int, default=70)
    parser.add_argument("--save", help="parquet file for the judged arms")
    asked = parser.parse_args()
    start, frames = time.perf_counter(), []
    for kind in asked.kinds:
        frames += [
            judge(ArmWorld(kind, seed, arms=asked.arms, history=asked.history)) for seed in range(1, asked.seeds + 1)
        ]
    judged = pl.concat(frames)
    table(judged, asked.kinds)
    if asked.save:
        judged.write_parquet(asked.save)
    print(f"{asked.seeds} seeds a kind, {asked.arms} arms each, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
