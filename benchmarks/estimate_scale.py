"""From Parquet to estimates with intervals at 1,000, 10,000 and 100,000 arms of 60 days: time, memory, growth.

Each size runs in a process of its own, so that memory is its own peak.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/estimate_scale.py [--arms 1000 10000]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import MeasurementPolicy

DAYS = 60
AS_OF = date(2026, 6, 30)


def write(folder: Path, arms: int) -> None:
    """Random arms of 20 accounts on three platforms, a file a day as the lake has them."""
    rng = np.random.default_rng(5)
    account = rng.integers(0, 20, arms)
    campaign = account * 1000 + rng.integers(0, max(arms // 200, 2), arms)
    budget, rate = np.exp(rng.normal(4, 0.8, arms)), np.exp(rng.normal(0.3, 1.0, arms))
    keys = pl.DataFrame(
        {
            "arm_id": [f"arm{i:06d}" for i in range(arms)],
            "account_id": [f"acc{a}" for a in account],
            "campaign_id": [f"c{c}" for c in campaign],
            "platform": [("meta", "tiktok", "linkedin")[a % 3] for a in account],
            "objective": [("sales", "leads")[c % 2] for c in campaign],
            "currency": "USD",
        }
    )
    keys.with_columns(pl.Series("budget", budget)).write_parquet(folder / "arms.parquet")
    for back in range(1, DAYS + 1):
        spend = budget * np.exp(rng.normal(0, 0.2, arms))
        count = rng.poisson(rate * (spend / budget) ** 0.6 * rng.gamma(10, 0.1, arms)).astype(float)
        keys.with_columns(
            pl.lit(AS_OF - timedelta(days=back)).alias("date_day"),
            pl.Series("spend", spend),
            pl.Series("conversions", count),
            pl.Series("conversions_value", count * 50.0),
            pl.lit(back, dtype=pl.Int64).alias("age_days"),
        ).write_parquet(folder / f"day{back:02d}.parquet")


def measure(folder: Path) -> None:
    """Read, learn the population, estimate; print seconds of each and the peak memory."""
    before, clock, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    days = pl.read_parquet(folder / "day*.parquet")
    arms = pl.read_parquet(folder / "arms.parquet")
    read = time.process_time()
    population = fit_population(days, {}, as_of=AS_OF, window_days=DAYS, seed=1)
    learned = time.process_time()
    settings = MeasurementPolicy(window_days=DAYS)
    found = estimate(arm_days=days, arms=arms, as_of=AS_OF, maturity={}, population=population, settings=settings)
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(found.frame):7,d} {time.perf_counter() - clock:8.1f} {done - cpu:8.1f} {read - cpu:8.2f} "
        f"{learned - read:8.1f} {done - learned:9.2f} {peak / 2**20:9.2f} {before / 2**20:9.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", nargs="*", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder:
        measure(asked.folder)
        return
    print("   arms   wall s    CPU s     read  population  estimate  peak GiB  at start", flush=True)
    for arms in asked.arms:
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), arms)
            subprocess.run([sys.executable, __file__, "--folder", name], check=True)  # noqa: S603  # this very file


if __name__ == "__main__":
    main()
