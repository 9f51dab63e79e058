"""What late conversions do to estimates: 40 % of the value comes after day 1, and the data is that of day 3.

OPENBLAS_NUM_THREADS=1 python benchmarks/delay.py [--seeds 20] [--first-seed 0] [--arms 100] [--tails short,mixed]

Worlds of common/worlds.py whose conversions arrive in one of four ways, all with 60 % of the value by day 1: a short,
a usual and a long tail, and a mixed world whose two objectives differ. `day 3`: every one of the last 28 days as it
stood on day 3 and never later, the strictest reading. `morning`: the days up to yesterday as they stand this morning,
aged 1, 2, 3 and so on. Truth is the world's own expected value of the next 7 days at today's budgets, by money. Told
is the mean of estimate / truth - 1 over seeds with its standard error, pooled by money and as the mean over ad groups
in state ok: by curves learned from 42 days of vintages, by the documented default alone, by the same days fully
mature, and the naive ratio of the reported value of these days (of the last 7 in the morning) to their spend. What
the world brings in the next days scatters all of them alike; `delay alone` is the estimate over that of mature data.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from common.worlds import AGES, START, ArmWorld

from stakazo_pipelines.allocation.posterior import expected_curve
from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.maturity import MaturityCurve, learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import MeasurementPolicy

DAYS, READ_AT, NAIVE_DAYS, AHEAD = 28, 3, 7, 7
# Share of conversions reported by the end of each age.
TAILS: Mapping[str, tuple[list[int], list[float]]] = {
    "short": ([0, 1, 2, 3, 4, 7, 14, 28], [0.35, 0.6, 0.78, 0.88, 0.94, 0.98, 1.0, 1.0]),
    "usual": ([0, 1, 2, 3, 4, 7, 14, 28], [0.4, 0.6, 0.7, 0.77, 0.81, 0.89, 0.97, 1.0]),
    "long": ([0, 1, 2, 3, 4, 7, 14, 28], [0.42, 0.6, 0.64, 0.67, 0.7, 0.76, 0.88, 1.0]),
}


class LateWorld(ArmWorld):
    """A world of the delayed kind with another tail; "mixed" is that kind's own."""

    def __init__(self, tail: str, seed: int, *, arms: int) -> None:
        self._tail_of = tail
        super().__init__("delayed", seed, arms=arms, history=70)

    def _delay(self) -> np.ndarray:
        if self._tail_of == "mixed":
            return super()._delay()
        reported = np.interp(np.arange(AGES), *TAILS[self._tail_of])
        return np.tile(np.diff(reported, prepend=0.0), (self.arms, 1))

    def late_share(self) -> float:
        """Share of all value that came after day 1, in the days that are mature."""
        values = self._values[: self.day - AGES].sum(axis=(0, 1))
        return float(values[2:].sum() / values.sum())

    def read_at(self, age: int) -> pl.DataFrame:
        """The last DAYS days, each as it stood (or will stand) at `age`."""
        keys = self._keys()
        days = (
            keys.with_columns(
                pl.lit(START + timedelta(days=day)).alias("date_day"),
                pl.Series("spend", self.spend[day]),
                pl.Series("conversions", self._counts[day, :, : age + 1].sum(axis=1)),
                pl.Series("conversions_value", self._values[day, :, : age + 1].sum(axis=1)),
                pl.lit(age, dtype=pl.Int64).alias("age_days"),
            )
            for day in range(self.day - DAYS, self.day)
        )
        return pl.concat(days).filter(pl.col("spend") > 0)

    def whole(self, days: pl.DataFrame) -> pl.DataFrame:
        """The same days with everything that will ever be reported of them."""
        counts, values = self._counts.sum(axis=2), self._values.sum(axis=2)
        day = (days["date_day"] - START).dt.total_days().to_numpy()
        arm = days["arm_id"].str.slice(3).cast(pl.Int64).to_numpy()
        return days.with_columns(
            pl.Series("conversions", counts[day, arm]),
            pl.Series("conversions_value", values[day, arm]),
            pl.lit(AGES - 1, dtype=pl.Int64).alias("age_days"),
        )

    def truth(self) -> pl.DataFrame:
        """Expected value a day of each running ad group over the next days at today's budget."""
        value = np.mean([self.expected_value(self.budget, self.day + ahead) for ahead in range(AHEAD)], axis=0)
        return self._keys().select("arm_id", pl.Series("true", value), pl.Series("now", self.budget))


@dataclass(frozen=True)
class Bias:
    """Estimate over truth - 1: of the expected value of all ad groups' money, and the mean of medians in state ok."""

    pooled: float
    mean: float


def judged(world: LateWorld, days: pl.DataFrame, curves: Mapping[str, MaturityCurve], seed: int) -> tuple[Bias, Bias]:
    """Of the engine on `days`, and of the naive ratio on the same days (the same ad groups)."""
    as_of = world.as_of - timedelta(days=1)
    population = fit_population(days, curves, as_of=as_of, seed=seed)
    found = estimate(
        arm_days=days,
        arms=world.arms_frame(),
        as_of=as_of,
        maturity=curves,
        population=population,
        settings=MeasurementPolicy(),
    ).frame
    recent = days if days["age_days"].n_unique() == 1 else days.filter(pl.col("age_days") <= NAIVE_DAYS)
    ratio = recent.group_by("arm_id").agg(naive=pl.col("conversions_value").sum() / pl.col("spend").sum())
    both = found.join(world.truth(), on="arm_id").join(ratio, on="arm_id").filter(pl.col("roas").is_not_null())
    now, true, good = both["now"].to_numpy(), both["true"].to_numpy(), (both["state"] == "ok").to_numpy()
    # Sums are of means, as allocation counts money; medians are what an ad group's ROAS is told by.
    naive = now * both["naive"].to_numpy()
    return tuple(
        Bias(float(summed.sum() / true.sum()) - 1.0, float((told / true)[good].mean()) - 1.0)
        for summed, told in ((expected_curve(both, now).scale, now * both["roas"].to_numpy()), (naive, naive))
    )


def played(tail: str, seed: int, arms: int) -> tuple[float, dict[tuple[str, str], Bias]]:
    """The share that came late, and the biases by (data, method)."""
    world = LateWorld(tail, seed, arms=arms)
    # As a daily run has read them until this morning.
    learned = learn_maturity(world.vintages())
    told: dict[tuple[str, str], Bias] = {}
    morning = world.arm_days().with_columns(age_days=pl.col("age_days").clip(upper_bound=AGES - 1))
    for data, days in (("day 3", world.read_at(READ_AT)), ("morning", morning)):
        told[data, "learned"], told[data, "naive"] = judged(world, days, learned, seed)
        told[data, "default"], _ = judged(world, days, {}, seed)
    told["day 3", "mature"], _ = judged(world, world.read_at(AGES - 1), {}, seed)
    grown = world.whole(morning)
    told["morning", "mature"], _ = judged(world, grown, {}, seed)
    return world.late_share(), told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--arms", type=int, default=100)
    parser.add_argument("--tails", default="short,usual,long,mixed")
    asked = parser.parse_args()
    methods = ("learned", "default", "mature", "naive")
    heads = [f"{method}: by money | {method}: mean of ok" for method in methods]
    print("| tail | data | late | " + " | ".join(heads) + " | learned, delay alone | default, delay alone |")
    print("|---|---|---|" + "---|---|" * (len(methods) + 1))
    for tail in asked.tails.split(","):
        runs = []
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            runs.append(played(tail, seed, asked.arms))
            figures = {" ".join(key): f"{bias.pooled:+.1%}" for key, bias in runs[-1][1].items()}
            print(tail, seed, figures, file=sys.stderr)
        late = np.mean([share for share, _ in runs])
        for data in ("day 3", "morning"):
            cells = []
            for method in methods:
                for kind in ("pooled", "mean"):
                    values = [getattr(told[data, method], kind) for _, told in runs if (data, method) in told]
                    cells.append(_told(values))
            for method in ("learned", "default"):
                pairs = [(told[data, method].pooled, told[data, "mature"].pooled) for _, told in runs]
                cells.append(_told([(1 + own) / (1 + mature) - 1 for own, mature in pairs]))
            print(f"| {tail} | {data} | {late:.0%} | " + " | ".join(cells) + " |", flush=True)


def _told(values: list[float]) -> str:
    if not values:
        return ""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):+.1%} ± {error:.1%}"


if __name__ == "__main__":
    main()
