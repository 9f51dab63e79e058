"""How much of what a day will have earned is already reported at a given age.

Learned from raw vintages (a reporting triangle) and shrunk towards a documented prior, so that one backfill, in which
every day is seen once, harmlessly leaves the prior standing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array, IntArray

MATURE_AGE = 28
PRIOR_STRENGTH = 100.0  # conversions that the prior is worth
# Counts of whole accounts scatter more than multinomial draws: each counts for this share of itself.
COUNT_WEIGHT = 0.25
# Share of eventual conversions reported by the end of an age in days, as advertisers commonly see it on 7-day click
# attribution with restatements up to four weeks; interpolated linearly in log(1 + age).
_PRIOR_KNOTS = {0: 0.35, 1: 0.55, 3: 0.75, 7: 0.88, 14: 0.97, MATURE_AGE: 1.0}


@dataclass(frozen=True, slots=True)
class MaturityCurve:
    """Reported share by age 0..28 (non-decreasing, 1 at 28 and after) and the conversions that it rests on."""

    shares: tuple[float, ...]
    pseudo_count: float = PRIOR_STRENGTH

    def __post_init__(self) -> None:
        values = np.asarray(self.shares)
        if len(values) != MATURE_AGE + 1 or values[-1] != 1.0 or np.any(np.diff(values) < 0) or values[0] <= 0:
            raise MeasurementError(f"a maturity curve rises from above 0 at age 0 to 1 at age {MATURE_AGE}")

    def fraction(self, age_days: Array | IntArray | int) -> Array:
        """Share of eventual conversions reported at `age_days` (clipped to 0..28): in (0, 1], never falling."""
        age = np.clip(np.asarray(age_days, dtype=np.int64), 0, MATURE_AGE)
        return np.asarray(np.asarray(self.shares)[age], dtype=np.float64)

    def log_sd(self, age_days: Array | IntArray | int) -> Array:
        """Standard error of log `fraction`: of a share estimated from `pseudo_count` conversions."""
        share = self.fraction(age_days)
        return np.asarray(np.sqrt((1.0 - share) / (share * self.pseudo_count)), dtype=np.float64)

    def sd(self, age_days: Array | IntArray | int) -> Array:
        """Standard error of `fraction`."""
        return np.asarray(self.fraction(age_days) * self.log_sd(age_days), dtype=np.float64)


def _default() -> MaturityCurve:
    ages = np.arange(MATURE_AGE + 1)
    shares = np.interp(np.log1p(ages), np.log1p(list(_PRIOR_KNOTS)), list(_PRIOR_KNOTS.values()))
    return MaturityCurve(shares=tuple(float(share) for share in shares))


DEFAULT_MATURITY = _default()


def maturity_of(curves: Mapping[str, MaturityCurve], platform: str) -> MaturityCurve:
    """The platform's curve, else the prior."""
    return curves.get(platform, DEFAULT_MATURITY)


def learn_maturity(vintages: pl.DataFrame, prior: MaturityCurve = DEFAULT_MATURITY) -> dict[str, MaturityCurve]:
    """One curve a platform from `platform, date_day, age_days, conversions` (several rows a day: one a vintage).

    Several accounts may share a platform: give `account_id` too, and each account's day is followed by itself.
    The delay distribution is the posterior mode under a Dirichlet prior, by EM for interval-censored and
    right-truncated counts (Turnbull 1976): a day last seen at age 3 says nothing of what arrives later.
    """
    needed = {"platform", "date_day", "age_days", "conversions"}
    if missing := needed - set(vintages.columns):
        raise MeasurementError(f"vintages lack {', '.join(sorted(missing))}")
    keys = [name for name in ("platform", "account_id", "date_day") if name in vintages.columns]
    rows = (
        vintages.select(*keys, pl.col("age_days").clip(0, MATURE_AGE), pl.col("conversions").cast(pl.Float64))
        .filter(pl.col("conversions").is_finite() & (pl.col("conversions") >= 0) & pl.col("age_days").is_not_null())
        .group_by(*keys, "age_days")
        .agg(pl.col("conversions").max())
        .sort(*keys, "age_days")
    )
    increments = rows.select(
        "platform",
        pl.col("age_days").shift(1).over(keys).fill_null(-1).alias("after"),
        pl.col("age_days").alias("until"),
        pl.col("age_days").max().over(keys).alias("seen"),
        (pl.col("conversions") - pl.col("conversions").shift(1).over(keys).fill_null(0.0)).alias("count"),
    )
    cells = (
        increments.group_by("platform", "after", "until", "seen")
        .agg(pl.col("count").sum().clip(lower_bound=0.0))
        .sort("platform", "after", "until", "seen")
    )
    return {
        str(platform): _learn_one(
            group["after"].to_numpy(),
            group["until"].to_numpy(),
            group["seen"].to_numpy(),
            group["count"].to_numpy(),
            prior,
        )
        for (platform,), group in cells.group_by("platform", maintain_order=True)
        if platform is not None
    }


def _learn_one(after: IntArray, until: IntArray, seen: IntArray, count: Array, prior: MaturityCurve) -> MaturityCurve:
    """EM for the arrival shares of ages 0..28; a cell is `count` arrivals in (after, until] of days seen to `seen`."""
    counts = count * COUNT_WEIGHT
    bins = np.arange(MATURE_AGE + 1)
    inside = (bins[None, :] > after[:, None]) & (bins[None, :] <= until[:, None])
    beyond = bins[None, :] > seen[:, None]
    prior_mass = np.diff(np.asarray(prior.shares), prepend=0.0)
    mass = prior_mass.copy()
    for _ in range(300):
        in_cell = inside * mass
        expected = (counts / np.maximum(in_cell.sum(axis=1), 1e-300)) @ in_cell
        hidden = beyond * mass
        reported = np.maximum(1.0 - hidden.sum(axis=1), 1e-12)
        expected += (counts / reported) @ hidden
        updated = PRIOR_STRENGTH * prior_mass + expected
        updated /= updated.sum()
        converged = bool(np.max(np.abs(updated - mass)) < 1e-7)
        mass = updated
        if converged:
            break
    shares = np.minimum(np.cumsum(mass), 1.0)
    shares[-1] = 1.0
    # Only days seen at two ages or more say something about delay.
    told = float(counts[(after >= 0)].sum() + counts[(after < 0) & (until < seen)].sum())
    return MaturityCurve(shares=tuple(float(share) for share in shares), pseudo_count=float(prior.pseudo_count + told))
