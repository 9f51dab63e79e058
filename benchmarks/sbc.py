"""Simulation-based calibration of the daily engine: does the truth fall anywhere in its posterior with equal chance?

Hyper-parameters and arms are drawn from the model's own prior, the population is fitted to each small problem by
empirical Bayes as in production, and the rank of the truth among posterior draws is recorded (Talts et al. 2018).
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.stats import chisquare, norm

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.measurement.simulate import Design, draw_population, simulate
from stakazo_pipelines.policy import MeasurementPolicy

DRAWS = 199  # ranks 0..199
LEVELS = (0.5, 0.8, 0.9)
BINS = 20
QUANTITIES = {"log_roas": "log ROAS, next 7 days", "elasticity": "elasticity", "log_marginal": "log marginal ROAS"}
FEW = 10  # conversions


@dataclass(frozen=True)
class Options:
    replications: int
    first: int
    arms: int
    days: int
    accounts: int
    conversions: float
    known: bool


def ranks_of(options: Options, number: int) -> pl.DataFrame:
    """One replication: per arm and quantity the rank of the truth, and the arm's conversions."""
    design = Design(options.arms, options.days, accounts=options.accounts, conversions=options.conversions)
    drawn = draw_population(2 * number)
    made = simulate(drawn, design, 2 * number + 1)
    if options.known:
        population = replace(
            drawn,
            elasticity_mean_sd=1e-3,
            elasticity_slopes_sd=(1e-6, 1e-6),
            level_slopes_sd=(1e-6, 1e-6),
            trend_sd=1e-6,
            jump_hazard=0.0,
            account_jump_hazard=0.0,
        )
    else:
        population = fit_population(
            made.arm_days,
            {},
            as_of=design.as_of,
            window_days=options.days,
            prior=Population(jump_hazard=0.0, account_jump_hazard=0.0),
            max_arms=150,
            seed=number,
        )
    found = estimate(
        arm_days=made.arm_days,
        arms=made.arms,
        as_of=design.as_of,
        maturity={},
        population=population,
        settings=MeasurementPolicy(window_days=options.days),
    )
    log_value, elasticity = found.draws(DRAWS, seed=number)
    log_roas = log_value - np.log(found.frame["ref_spend"].to_numpy())
    draws = {"log_roas": log_roas, "elasticity": elasticity, "log_marginal": log_roas + np.log(elasticity)}
    ranks = {name: (values < made.truth[name].to_numpy()).sum(axis=0) for name, values in draws.items()}
    return found.frame.select(
        pl.lit(number).alias("replication"), "conversions", pl.col("log_value_mean").is_not_null().alias("valued")
    ).with_columns(**{name: pl.Series(rank) for name, rank in ranks.items()})


def coverage(part: pl.DataFrame, name: str, level: float) -> tuple[float, float]:
    """Share of truths in the central interval and its standard error; arms of one replication are not independent."""
    low = (1.0 - level) / 2 * (DRAWS + 1)
    inside = part.with_columns(inside=pl.col(name).is_between(low, DRAWS - low))
    share = float(inside["inside"].mean() or 0.0)
    sums = inside.group_by("replication").agg((pl.col("inside") - share).sum())["inside"].to_numpy()
    return share, float(np.sqrt((sums**2).sum()) / len(inside))


def one_each(ranks: pl.DataFrame) -> pl.DataFrame:
    """One arm of each replication, by chance: independent ranks, as the chi-square test needs."""
    return ranks.filter(pl.int_range(pl.len()).shuffle(seed=1).over("replication") == 0)


def report(ranks: pl.DataFrame, told: int) -> Iterator[str]:
    """Markdown: a table of coverages and tests, then a histogram of ranks for each quantity."""
    # A band that all cells of the table keep with 95 % (Bonferroni).
    width = float(norm.ppf(1.0 - 0.05 / (2 * len(LEVELS) * len(QUANTITIES))))
    yield "| quantity | arms | 50 % | 80 % | 90 % | chi-square p (one arm each) | uniform? |"
    yield "|---|---|---|---|---|---|---|"
    single = one_each(ranks)
    for name, title in QUANTITIES.items():
        histogram = np.bincount(single[name].to_numpy() * BINS // (DRAWS + 1), minlength=BINS)
        p = float(chisquare(histogram).pvalue)
        for label, part in (
            ("all", ranks),
            (f"under {FEW} conversions", ranks.filter(pl.col("conversions") < FEW)),
        ):
            if part.is_empty():
                continue
            cells, kept = [], True
            for level in LEVELS:
                share, error = coverage(part, name, level)
                kept &= abs(share - level) <= width * error
                cells.append(f"{share:.1%} ± {width * error:.1%}")
            whole = label == "all"
            verdict = (
                ("yes" if kept and p > 0.01 else "NO") if whole else ("in the band" if kept else "out of the band")
            )
            yield f"| {title} | {label} | {' | '.join(cells)} | {f'{p:.2g}' if whole else ''} | {verdict} |"
    yield ""
    yield f"{told} arms without any reported value carry no claim and are left out."
    for name, title in QUANTITIES.items():
        histogram = np.bincount(ranks[name].to_numpy() * BINS // (DRAWS + 1), minlength=BINS) / len(ranks) * BINS
        yield f"\n{title}: ranks of the truth, all arms, share of the even one per bin (below the posterior to above)"
        yield "```"
        yield from (
            f"{place / BINS:4.2f} {value:5.2f} {'#' * round(20 * value)}" for place, value in enumerate(histogram)
        )
        yield "```"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first replication, which seeds it")
    parser.add_argument("--arms", type=int, default=12)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--accounts", type=int, default=2)
    parser.add_argument("--conversions", type=float, default=4.0, help="a day, of a typical arm")
    parser.add_argument("--known", action="store_true", help="give the true hyper-parameters to the engine")
    options = Options(**vars(parser.parse_args()))
    frames, started = [], time.process_time()
    for step in range(options.replications):
        frames.append(ranks_of(options, options.first + step))
        if (step + 1) % 100 == 0:
            print(f"{step + 1} replications, {time.process_time() - started:.0f} CPU s", file=sys.stderr)
    ranks = pl.concat(frames)
    print(f"{options}\n")
    kept = ranks.filter("valued")
    print("\n".join(report(kept, len(ranks) - len(kept))))


if __name__ == "__main__":
    main()
