"""What lift tests are worth: coverage of incremental factors, and true value of budgets decided with and without them.

OPENBLAS_NUM_THREADS=1 python benchmarks/lift.py [--replications 400] [--portfolios 60]

Factors and tests are drawn from the prior of `measurement/incrementality.py`. Coverage: one arm a replication, 1 to 6
tests of any entity and error. Value: 48 arms of three platforms in one pool, response curves known, attributed ROAS
drawn; one step of at most 50 %. Told is the gain in true incremental value over leaving budgets alone, and its share of
what knowing every factor would have gained. `tested only` discounts nothing but the tested platforms.
"""

import argparse
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from scipy.special import ndtri

from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.measurement.calibrated import calibrated
from stakazo_pipelines.measurement.estimate import SCHEMA, Estimates
from stakazo_pipelines.measurement.incrementality import (
    BETWEEN_TESTS,
    DRIFT_SD,
    PRIOR_SDS,
    Factors,
    Lift,
    Place,
    incremental_factors,
)
from stakazo_pipelines.policy import AllocationPolicy, GuardrailPolicy, Policy

PLATFORMS = ("meta", "tiktok", "linkedin")
ARMS: list[Place] = [
    (platform, f"{platform}-{account}", f"{platform}-{account}-{campaign}", f"{platform}-{account}-{campaign}-{number}")
    for platform in PLATFORMS
    for account in "ab"
    for campaign in "xy"
    for number in range(4)
]
PLACES = sorted({arm[:depth] for arm in ARMS for depth in range(5)})
POLICY = Policy(allocation=AllocationPolicy(step_cap=0.5), guardrails=GuardrailPolicy(entity_24h=0.5, account_day=10.0))
ELASTICITY, TEST_ERROR = 0.6, 0.15


@dataclass(frozen=True)
class Truth:
    """Log factors of every place, drawn from the prior."""

    parts: dict[Place, float]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Truth":
        sds = {place: PRIOR_SDS[len(place)] for place in PLACES}
        return cls({place: float(sd * rng.standard_normal() - sd**2 / 2) for place, sd in sds.items()})

    def of(self, place: Place) -> float:
        return sum(self.parts[place[:depth]] for depth in range(len(place) + 1))


def coverage(replications: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    weight = np.exp(-0.5 * (np.array(BETWEEN_TESTS) / 0.2) ** 2) * np.array(BETWEEN_TESTS)
    deviates = []
    for _ in range(replications):
        truth, between, lifts = Truth.drawn(rng), rng.choice(BETWEEN_TESTS, p=weight / weight.sum()), []
        for _ in range(rng.integers(1, 7)):
            place, years, error = PLACES[rng.integers(len(PLACES))], rng.uniform(0, 2), rng.choice([0.05, 0.15, 0.4])
            apart = between**2 + years * DRIFT_SD**2
            factor = np.exp(truth.of(place) + np.sqrt(apart) * rng.standard_normal() - apart / 2)
            lifts.append(Lift(place, float(factor + error * rng.standard_normal()), float(error), float(years)))
        found, arm = incremental_factors(ARMS, lifts), rng.integers(len(ARMS))
        deviates.append((truth.of(ARMS[arm]) - found.mean[arm]) / np.sqrt(found.variance[arm]))
    inside = [np.mean(np.abs(deviates) < ndtri(0.5 + level / 2)) for level in (0.5, 0.8, 0.9)]
    return " / ".join(f"{share:.1%}" for share in inside)


def estimates(log_roas: np.ndarray, budget: np.ndarray) -> pl.DataFrame:
    roas = np.exp(log_roas)
    known = {
        **{name: [arm[depth] for arm in ARMS] for depth, name in enumerate(("platform", "account_id", "campaign_id"))},
        "arm_id": [arm[3] for arm in ARMS], "currency": "USD", "state": "ok", "budget": budget, "ref_spend": budget,
        "days": 60, "conversions": 300.0, "spend": 6000.0, "as_of": date(2026, 1, 1), "roas": roas,
        "roas_low": roas * 0.85, "roas_high": roas / 0.85, "log_value_mean": np.log(budget) + log_roas,
        "log_value_sd": 0.1, "elasticity_mean": ELASTICITY, "elasticity_sd": 0.1, "curve_corr": 0.0,
    }  # fmt: skip
    return pl.DataFrame(dict.fromkeys(SCHEMA) | known).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def decided(frame: pl.DataFrame, budget: np.ndarray) -> np.ndarray:
    arms = pl.DataFrame({"arm_id": [arm[3] for arm in ARMS], "budget": budget}).with_columns(
        account_id=pl.lit("all"), platform=pl.lit("all"), currency=pl.lit("USD")
    )
    found = allocate(
        estimates=Estimates.from_frame(frame), arms=arms, policy=POLICY, ledger=ChangeLedger(),
        minor_units={"all": 100}, seed=1,
    )  # fmt: skip
    return arms.join(found.frame, on="arm_id", maintain_order="left")["proposed_budget"].to_numpy()


def value(tested: int, portfolios: int, seed: int) -> np.ndarray:
    """Mean gains: attributed, tested only, calibrated, known."""
    rng, gains = np.random.default_rng(seed), []
    for _ in range(portfolios):
        truth = Truth.drawn(rng)
        factor = np.exp([truth.of(arm) for arm in ARMS])
        log_roas = rng.normal(0.6, 0.4, len(ARMS))
        budget = np.exp(rng.normal(4.0, 0.7, len(ARMS))).round(2)
        lifts = [
            Lift((name,), float(np.exp(truth.of((name,))) + TEST_ERROR * rng.standard_normal()), TEST_ERROR)
            for name in PLATFORMS[:tested]
        ]
        found, plain = incremental_factors(ARMS, lifts), estimates(log_roas, budget)
        near = found.tests > 0
        only = Factors(
            np.where(near, found.mean, 0.0), np.where(near, found.variance, 1e-6), found.tests, told=found.told
        )

        worth = factor * np.exp(log_roas) * budget
        frames = (
            plain, calibrated(plain, only, target=1.0), calibrated(plain, found, target=1.0),
            estimates(log_roas + np.log(factor), budget),
        )  # fmt: skip
        earned = [float((worth * (decided(frame, budget) / budget) ** ELASTICITY).sum()) for frame in frames]
        gains.append([one / float(worth.sum()) - 1 for one in earned])
    return np.array(gains).mean(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--portfolios", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"50 / 80 / 90 % intervals of the factor cover {coverage(options.replications, options.seed)}\n")
    print("| platform tests | attributed | tested only | calibrated | every factor known |")
    print("|---|---|---|---|---|")
    for tested in (3, 2, 1):
        gains = value(tested, options.portfolios, options.seed)
        cells = " | ".join(f"{gain:+.1%} ({gain / gains[-1]:.0%})" for gain in gains[:-1])
        print(f"| {tested} of 3 | {cells} | {gains[-1]:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
