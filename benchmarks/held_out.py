"""`stakazo plan`'s engine on a real file whose last 14 days are held out: coverage and CRPS beside three usual methods.

OPENBLAS_NUM_THREADS=1 python benchmarks/held_out.py [FILE] [--mapping examples/mappings/….yaml] [--days 14]

Every method sees the days before the held-out ones and is asked for each ad group's ROAS, over the held-out days as a
whole and day by day, at the spend that these days had (what an ad group earns is asked, not what somebody will spend).
The peers: the ratio of the last 28 days, a rolling mean of the last 7 daily ratios, and an exponentially weighted ratio
(half-life 7 days). A ratio has no interval, so each peer gets its own empirical predictive: the errors that the same
method made from every earlier day of the file over as many days ahead, as multiples of its forecast pooled over ad
groups of like size, or, by day, the ad group's own scatter; of those two the one that scores better.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from stakazo_pipelines.commands.importing import chosen_mapping
from stakazo_pipelines.commands.plan import table_of
from stakazo_pipelines.measurement.curves import bent_value
from stakazo_pipelines.planning import arms_of, estimated, maturity_of_table
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.scoring.noise import learn_noise
from stakazo_pipelines.scoring.predictive import Noise, with_noise
from stakazo_pipelines.scoring.rules import covered, crps, ranks
from stakazo_pipelines.value_counts import counted

DRAWS = 1000
HISTORY = 28
SIZES = 3  # classes of ad groups by spend, in which a peer's errors are pooled
ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT.parent / "shared/data/online_advertising_performance/online_advertising_performance_data.csv"
MAPPING = ROOT / "examples/mappings/online_advertising_performance.yaml"


@dataclass(frozen=True, slots=True)
class Grid:
    """Spend and value, days x arms; NaN where an arm had no row."""

    first: date
    spend: np.ndarray
    value: np.ndarray
    arm_ids: list[str]


def grid_of(days: pl.DataFrame, arm_ids: list[str]) -> Grid:
    first, last = days["date_day"].min(), days["date_day"].max()
    shape = ((last - first).days + 1, len(arm_ids))
    row = (days["date_day"] - first).dt.total_days().to_numpy()
    place = {arm: index for index, arm in enumerate(arm_ids)}
    column = np.array([place[arm] for arm in days["arm_id"]])
    spend, value = np.zeros(shape), np.zeros(shape)
    spend[row, column], value[row, column] = days["spend"].to_numpy(), days["conversions_value"].to_numpy()
    return Grid(first, spend, value, arm_ids)


def ratio_28(spend: np.ndarray, value: np.ndarray) -> np.ndarray:
    return _ratio(value[-28:].sum(axis=0), spend[-28:].sum(axis=0))


def rolling_mean(spend: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Mean of the daily ratios of the last 7 days that had spend."""
    daily = np.where(spend[-7:] > 0, value[-7:] / np.where(spend[-7:] > 0, spend[-7:], 1.0), 0.0)
    return _ratio(daily.sum(axis=0), (spend[-7:] > 0).sum(axis=0))


def exponential(spend: np.ndarray, value: np.ndarray) -> np.ndarray:
    weight = 0.5 ** (np.arange(len(spend))[::-1, None] / 7.0)
    return _ratio((weight * value).sum(axis=0), (weight * spend).sum(axis=0))


def _ratio(value: np.ndarray, spend: np.ndarray) -> np.ndarray:
    """Where nothing was spent, what all ad groups together make."""
    together = value.sum() / max(spend.sum(), 1e-12)
    return np.where(spend > 0, value / np.where(spend > 0, spend, 1.0), together)


PEERS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "28-day ratio": ratio_28,
    "rolling mean, 7 days": rolling_mean,
    "exponentially weighted": exponential,
}


def past_errors(
    method: Callable[[np.ndarray, np.ndarray], np.ndarray], known: Grid, ahead: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(log spend, forecast, realised ROAS) of the method from every earlier day over `ahead` days, flat over arms."""
    found = []
    for origin in range(HISTORY, len(known.spend) - ahead + 1):
        forecast = method(known.spend[:origin], known.value[:origin])
        spend = known.spend[origin : origin + ahead].sum(axis=0)
        value = known.value[origin : origin + ahead].sum(axis=0)
        use = spend > 0
        found.append(np.stack([np.log(spend[use] / ahead), forecast[use], value[use] / spend[use]]))
    return tuple(np.concatenate(found, axis=1))


def scaled_errors(
    method: Callable[[np.ndarray, np.ndarray], np.ndarray], known: Grid, ahead: int, spend: np.ndarray
) -> np.ndarray:
    """DRAWS x arms of ROAS: the method's forecast times what it was off by before, in ad groups of like size."""
    forecast = method(known.spend, known.value)
    size, said, real = past_errors(method, known, ahead)
    edges = np.quantile(size, np.linspace(0, 1, SIZES + 1)[1:-1])
    kept = said > 0
    of_error, multiple = np.digitize(size[kept], edges), real[kept] / said[kept]
    mine = np.digitize(np.log(np.maximum(spend, 1e-12)), edges)
    levels = (np.arange(DRAWS) + 0.5) / DRAWS
    multiples = np.stack([np.quantile(multiple[of_error == group], levels) for group in range(SIZES)], axis=1)
    return forecast * multiples[:, mine]


def own_scatter(method: Callable[[np.ndarray, np.ndarray], np.ndarray], known: Grid) -> np.ndarray:
    """DRAWS x arms of a day's ROAS: the ad group's last 28 daily ratios, shifted to the method's forecast."""
    forecast = method(known.spend, known.value)
    spend, value = known.spend[-HISTORY:], known.value[-HISTORY:]
    levels = (np.arange(DRAWS) + 0.5) / DRAWS
    answer = np.repeat(forecast[None, :], DRAWS, axis=0)
    for arm in np.flatnonzero((spend > 0).sum(axis=0) >= 3):
        seen = spend[:, arm] > 0
        daily = value[seen, arm] / spend[seen, arm]
        answer[:, arm] = np.quantile(daily, levels) + forecast[arm] - daily.mean()
    return np.maximum(answer, 0.0)


@dataclass(frozen=True, slots=True)
class Score:
    crps: float  # of ROAS, weighted by spend
    plain: float  # mean over ad groups, each counting the same
    coverage: tuple[float, float, float]  # of the 50, 80 and 90 % intervals
    bias: float  # mean forecast over what came, both summed as money


def scored(draws: np.ndarray, real: np.ndarray, weight: np.ndarray) -> Score:
    """Draws of ROAS x cases, what came true, and the cases' spend."""
    points = crps(draws, real)
    low, high = ranks(draws, real)
    share = weight / weight.sum()
    return Score(
        crps=float((points * share).sum()),
        plain=float(points.mean()),
        coverage=tuple(float(covered(low, high, level).mean()) for level in (0.5, 0.8, 0.9)),
        bias=float((draws.mean(axis=0) * share).sum() / (real * share).sum() - 1),
    )


def our_draws(
    days: pl.DataFrame, arms: pl.DataFrame, truth_days: pl.DataFrame, *, as_of: date, reported: date, seed: int
) -> tuple[np.ndarray, np.ndarray, Grid, np.ndarray]:
    """DRAWS x days x arms of value, with and without the days' own noise summed: what `stakazo plan` believes."""
    maturity = maturity_of_table(days, reported)
    estimates, population = estimated(
        days, arms, policy=Policy(), as_of=as_of, reported=reported, maturity=maturity, seed=seed
    )
    arm_ids = estimates.frame["arm_id"].to_list()
    truth = grid_of(truth_days, arm_ids)
    log_value, elasticity = estimates.draws(DRAWS, seed)
    recent = days.filter(pl.col("date_day") >= as_of - timedelta(days=HISTORY))
    unit = learn_noise(recent, estimates.frame.select("platform", "account_id", "arm_id")).unit_value
    noise = Noise(population.dispersion, population.value_cv, unit)
    rng = np.random.default_rng(seed)
    ref_spend = estimates.frame["ref_spend"].to_numpy()
    curve = {"log_value": log_value, "elasticity": elasticity, "ref_spend": ref_spend}
    expected = [bent_value(day, **curve) for day in truth.spend]
    # A day's own shock, which the mean of the next days has averaged out.
    shock = rng.normal(-(population.shock_sd**2) / 2, population.shock_sd, (len(expected), DRAWS, 1))
    one = np.ones(len(arm_ids))
    daily = np.stack([with_noise(day * np.exp(shock[index]), one, noise, rng) for index, day in enumerate(expected)])
    whole = with_noise(np.sum(expected, axis=0), (truth.spend > 0).sum(axis=0), noise, rng)
    return whole, daily, truth, estimates.frame["state"].to_numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=FILE)
    parser.add_argument("--mapping", type=Path, default=MAPPING)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument(
        "--earlier", type=int, default=3, help="also hold out earlier stretches, so many days apart x 7"
    )
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    if options.file == FILE and not FILE.is_file():
        print("skipped: the file to hold days out of is not in ../shared/data; name another one, with its --mapping")
        return
    table, _ = table_of(options.file, chosen_mapping(options.mapping, None))
    last = table.select(pl.col("date").max()).item()
    for back in range(options.earlier + 1):
        compare(table.filter(pl.col("date") <= last - timedelta(days=7 * back)), options.days, last, options.seed)


def compare(table: pl.DataFrame, ahead: int, reported: date, seed: int) -> None:
    """Hold out the table's last `ahead` days and print every method's scores."""
    as_of = table.select(pl.col("date").max()).item() - timedelta(days=ahead - 1)
    own, arms = arms_of(table.filter(pl.col("date") < as_of))
    every, _ = arms_of(table)
    held = every.filter(pl.col("date_day") >= as_of, pl.col("arm_id").is_in(own["arm_id"].implode()))
    days, why = counted(own)
    started = time.perf_counter()
    whole, daily, truth, states = our_draws(
        days, arms, held, as_of=as_of, reported=reported + timedelta(days=1), seed=seed
    )
    seconds = time.perf_counter() - started
    known = grid_of(own, truth.arm_ids)
    spend, value = truth.spend.sum(axis=0), truth.value.sum(axis=0)
    use = spend > 0
    forecasts = {"stakazo": whole[:, use] / spend[use]}
    by_day = {"stakazo": daily.transpose(1, 0, 2)[:, truth.spend > 0] / truth.spend[truth.spend > 0]}
    for name, method in PEERS.items():
        forecasts[name] = scaled_errors(method, known, ahead, spend / ahead)[:, use]
        by_day[name] = daily_of(method, known, truth)
    day_real = truth.value[truth.spend > 0] / truth.spend[truth.spend > 0]
    print(
        f"\n{ahead} days held out from {as_of}, {len(known.spend)} known; {int(use.sum())} ad groups with spend in "
        f"both, {int((states[use] == 'ok').sum())} of them ok; estimated in {seconds:.1f} s"
    )
    print(f"  {why or 'conversions are counted, and their value apart'}")
    tell("the stretch as a whole", forecasts, value[use] / spend[use], spend[use])
    ok = states[use] == "ok"
    if ok.any():
        kept = {name: draws[:, ok] for name, draws in forecasts.items()}
        tell("of them those in state ok", kept, (value[use] / spend[use])[ok], spend[use][ok])
    tell("day by day", by_day, day_real, truth.spend[truth.spend > 0])


def daily_of(method: Callable[[np.ndarray, np.ndarray], np.ndarray], known: Grid, truth: Grid) -> np.ndarray:
    """The better of the peer's two daily predictives, by CRPS on what came: a favour to the peer."""
    delivered = truth.spend > 0
    real = truth.value[delivered] / truth.spend[delivered]
    typical = truth.spend.sum(axis=0) / np.maximum(delivered.sum(axis=0), 1)
    arm = np.nonzero(delivered)[1]
    both = (scaled_errors(method, known, 1, typical)[:, arm], own_scatter(method, known)[:, arm])
    weight = truth.spend[delivered]
    return min(both, key=lambda draws: scored(draws, real, weight).crps)


def tell(title: str, forecasts: dict[str, np.ndarray], real: np.ndarray, weight: np.ndarray) -> None:
    print(f"  {title} ({len(real):,} cases)")
    print(f"    {'':24} {'CRPS by spend':>14} {'plain CRPS':>11} {'50 %':>7} {'80 %':>7} {'90 %':>7} {'bias':>8}")
    for name, draws in forecasts.items():
        score = scored(draws, real, weight)
        shares = " ".join(f"{share:>7.1%}" for share in score.coverage)
        print(f"    {name:24} {score.crps:>14.4f} {score.plain:>11.4f} {shares} {score.bias:>+8.1%}")


if __name__ == "__main__":
    main()
