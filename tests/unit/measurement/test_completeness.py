"""A table that was finished long ago is told from one whose last days still lack conversions."""

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.measurement.completeness import seems_complete
from stakazo_pipelines.measurement.maturity import DEFAULT_MATURITY

AGES = np.arange(1, 41)


def table(seed, *, rate, delayed, arms=6):
    rng = np.random.default_rng(seed)
    share = DEFAULT_MATURITY.fraction(AGES) if delayed else np.ones(len(AGES))
    demand = np.exp(0.1 * rng.standard_normal(len(AGES)))
    return pl.concat(
        pl.DataFrame(
            {
                "arm_id": f"g{arm}",
                "age_days": AGES,
                "spend": rng.uniform(50, 150, len(AGES)),
                "conversions": rng.poisson(rate * demand * share).astype(float),
            }
        )
        for arm in range(arms)
    )


@pytest.mark.parametrize("rate", [30, 300])
def test_finished_tables_are_told_from_those_still_filling(rate):
    finished = [seems_complete(table(seed, rate=rate, delayed=False)) for seed in range(40)]
    filling = [seems_complete(table(seed, rate=rate, delayed=True)) for seed in range(40)]
    assert np.mean(finished) >= 0.7
    assert np.mean(filling) <= 0.05


def test_few_conversions_or_days_tell_nothing():
    assert not seems_complete(table(1, rate=0.02, delayed=False, arms=1))
    assert not seems_complete(table(1, rate=30, delayed=False).filter(pl.col("age_days") < 12))
    assert not seems_complete(table(1, rate=30, delayed=False).filter(pl.col("age_days") > 6))
