"""Worlds that follow the response model exactly: hyper-parameters and arms drawn from its own prior, with the truth.

Jumps alone are left out: no level has any. For simulation-based calibration and for comparing one engine with another;
worlds that do not follow the model are elsewhere.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.special import expit, logit, ndtr, ndtri

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import Array, IntArray, sum_by
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN
from stakazo_pipelines.measurement.hyperparameters import Population, Sds, Slopes
from stakazo_pipelines.measurement.maturity import MATURE_AGE
from stakazo_pipelines.measurement.movements import DYNAMICS_SPREAD
from stakazo_pipelines.measurement.panel import Panel, build_panel
from stakazo_pipelines.measurement.pooling import Tree
from stakazo_pipelines.measurement.population import ELASTICITY_SDS_SPREAD, SDS_SPREAD
from stakazo_pipelines.measurement.posterior import HORIZON_DAYS, LEVEL_ROOT, covariates_of
from stakazo_pipelines.measurement.values import VALUE_ROOT

_WORTH = 50.0  # money per conversion
_BUDGET = 100.0  # money per day of a typical arm
_SIZE_SD = 0.8  # of log budgets
_STEP_EVERY, _STEP_SD = 7, 0.2  # budgets move by so much (sd of logs) once in so many days
_SPEND_NOISE = 0.15  # sd of log spend around the budget
_MAX_LOG_COUNT = 8.0


@dataclass(frozen=True, slots=True)
class Design:
    """What is given and not drawn: how many arms and days, their grouping, and how often a typical arm converts."""

    arms: int
    days: int
    accounts: int = 2
    campaigns: int = 2  # per account
    conversions: float = 4.0  # per day, of an arm without effects
    as_of: date = date(2026, 6, 28)

    def __post_init__(self) -> None:
        if min(self.arms, self.days, self.accounts, self.campaigns) < 1 or not self.conversions > 0:
            raise MeasurementError("a simulation has at least one arm, day, account and campaign, and conversions")


@dataclass(frozen=True, slots=True)
class Simulation:
    """Frames as `estimate` takes them, and per arm (in the order of `arms`) what no report shows.

    truth: arm_id, log_roas (of the mean of the next `HORIZON_DAYS`), elasticity and log_marginal (of marginal ROAS),
    at the arm's budget, which is its reference spend.
    """

    arm_days: pl.DataFrame
    arms: pl.DataFrame
    truth: pl.DataFrame


def draw_population(seed: int) -> Population:
    """Hyper-parameters from the prior that every engine starts from, centred on the defaults.

    Fixed, though the engines learn them: how values of single conversions vary and how long they are remembered, and
    how often levels jump (in `simulate` never).
    """
    rng = np.random.default_rng(seed)
    centre = Population()

    def around(value: float, spread: float) -> float:
        return float(value * np.exp(spread * rng.standard_normal()))

    def spreads(values: Sds, spread: float) -> Sds:
        arm, campaign, objective, account, platform = (around(value, spread) for value in values)
        return arm, campaign, objective, account, platform

    def slopes(values: Slopes, sds: Slopes) -> Slopes:
        first, second = (np.asarray(values) + np.asarray(sds) * rng.standard_normal(2)).tolist()
        return first, second

    drift, trend, dispersion, shock, persistence, weekday, account_drift = DYNAMICS_SPREAD.tolist()
    return replace(
        centre,
        elasticity_mean=float(rng.normal(centre.elasticity_mean, centre.elasticity_mean_sd)),
        elasticity_slopes=slopes(centre.elasticity_slopes, centre.elasticity_slopes_sd),
        elasticity_sds=spreads(centre.elasticity_sds, ELASTICITY_SDS_SPREAD),
        level_slopes=slopes(centre.level_slopes, centre.level_slopes_sd),
        level_sds=spreads(centre.level_sds, SDS_SPREAD),
        value_sds=spreads(centre.value_sds, SDS_SPREAD),
        drift_sd=around(centre.drift_sd, drift),
        trend=float(rng.normal(centre.trend, trend)),
        dispersion=around(centre.dispersion, dispersion),
        shock_sd=around(centre.shock_sd, shock),
        shock_persistence=float(expit(logit(centre.shock_persistence) + persistence * rng.standard_normal())),
        weekday_sd=around(centre.weekday_sd, weekday),
        account_drift_sd=around(centre.account_drift_sd, account_drift),
    )


def simulate(population: Population, design: Design, seed: int) -> Simulation:
    """Arms and their mature reports drawn under `population`; spend is given to the model, hence exogenous.

    Levels and values are relative to their account's mean, as in the panel. Elasticities are drawn within the range
    that returns allow. Values per conversion are log-normal and keep their mean.
    """
    rng = np.random.default_rng(seed)
    listed, days = _spend(design, rng)
    panel = build_panel(arm_days=days, arms=listed, as_of=design.as_of, window_days=design.days, maturity={})
    account, ref = panel.series.account, panel.ref_spend
    value = _centred(_over_tree(panel.tree, population.value_sds, VALUE_ROOT, rng), account, ref)
    shifts = covariates_of(panel, value)
    raw = _over_tree(panel.tree, population.level_sds, LEVEL_ROOT, rng) + shifts @ np.asarray(population.level_slopes)
    level = _centred(raw, account, ref)
    elasticity = _elasticity(panel, population, level + shifts[:, 0], rng)
    walk, shared = _movements(panel, population, rng)
    base = np.log(design.conversions) - np.log(ref).mean()
    # Rows: days of the panel, then the days ahead; spend ahead is the reference.
    path = base + level + walk + shared[:, account]
    # The panel's own log rate is a mere reference here (there were no counts yet): out with it.
    known = panel.series.offset - panel.log_rate + elasticity * panel.series.log_ratio
    counts = _counts(np.minimum(path[: panel.days] + known, _MAX_LOG_COUNT), population.dispersion, rng)
    worth = _values(counts, _WORTH * np.exp(value), population.value_cv, rng)
    log_roas = np.log(np.exp(path[panel.days :]).mean(axis=0)) + np.log(_WORTH) + value
    grid = panel.rows.select("arm", "day")
    where = (grid["day"].to_numpy(), grid["arm"].to_numpy())
    reported = grid.select(
        panel.arms["arm_id"].gather(grid["arm"]).alias("arm_id"),
        (pl.lit(design.as_of - timedelta(days=design.days - 1)) + pl.duration(days="day")).alias("date_day"),
        pl.Series("conversions", counts[where].astype(np.float64)),
        pl.Series("conversions_value", worth[where]),
    )
    frame = days.drop("conversions", "conversions_value").join(reported, on=["arm_id", "date_day"])
    truth = listed.select("arm_id").with_columns(
        log_roas=log_roas, elasticity=elasticity, log_marginal=log_roas + np.log(elasticity)
    )
    return Simulation(frame, listed.with_columns(budget=pl.Series(ref)), truth)


def _spend(design: Design, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The arms, and their days with spend and no counts yet."""
    place = np.arange(design.arms)
    account = place % design.accounts
    campaign = (place // design.accounts) % design.campaigns
    listed = pl.DataFrame(
        {
            "arm_id": [f"arm{i:05d}" for i in place],
            "account_id": [f"account{a}" for a in account],
            "campaign_id": [f"campaign{a}-{c}" for a, c in zip(account, campaign, strict=True)],
            "platform": "simulated",
            "objective": ["sales" if c % 2 == 0 else "leads" for c in campaign],
            "currency": "USD",
            "budget": pl.Series([None] * design.arms, dtype=pl.Float64),
        }
    )
    moves = np.where(
        np.arange(design.days)[:, None] % _STEP_EVERY == 0, rng.normal(0.0, _STEP_SD, (design.days, design.arms)), 0.0
    )
    size = rng.normal(np.log(_BUDGET), _SIZE_SD, design.arms)
    log_spend = size + moves.cumsum(axis=0) + rng.normal(0.0, _SPEND_NOISE, (design.days, design.arms))
    day, arm = (index.ravel() for index in np.indices(log_spend.shape))
    dates = pl.Series([design.as_of - timedelta(days=design.days - 1 - step) for step in range(design.days)])
    days = listed.drop("budget")[arm].with_columns(
        date_day=dates.gather(day),
        spend=pl.Series(np.exp(log_spend).ravel()),
        conversions=pl.lit(0.0),
        conversions_value=pl.lit(0.0),
        age_days=pl.lit(MATURE_AGE, dtype=pl.Int64),
    )
    return listed, days


def _over_tree(tree: Tree, sds: Sds, root: tuple[float, float], rng: np.random.Generator) -> Array:
    """One draw of the arms' effects, from the root (mean, variance) down."""
    effect = np.array([root[0] + np.sqrt(root[1]) * rng.standard_normal()])
    for level in reversed(range(len(tree.parents))):
        effect = effect[tree.parents[level]] + sds[level] * rng.standard_normal(tree.sizes[level])
    return effect


def _centred(logs: Array, account: IntArray, weight: Array) -> Array:
    """Over the weighted mean of the account (its log), as `build_panel` divides it out."""
    size = int(account.max()) + 1
    mean = sum_by(account, weight * np.exp(logs), size) / sum_by(account, weight, size)
    return np.asarray(logs - np.log(mean)[account], dtype=np.float64)


def _elasticity(panel: Panel, population: Population, log_return: Array, rng: np.random.Generator) -> Array:
    """Group effects and covariates set the mean; the arm's own deviation keeps within the range of elasticities."""
    own, *above = population.elasticity_sds
    groups = Tree(panel.tree.parents[1:], panel.tree.sizes[1:])
    effect = np.array([population.elasticity_mean])
    for level in reversed(range(len(groups.parents))):
        effect = effect[groups.parents[level]] + above[level] * rng.standard_normal(groups.sizes[level])
    shifts = np.column_stack([log_return, panel.log_size]) @ np.asarray(population.elasticity_slopes)
    mean = effect[panel.tree.parents[0]] + shifts
    low, high = ndtr((ELASTICITY_MIN - mean) / own), ndtr((ELASTICITY_MAX - mean) / own)
    drawn = mean + own * ndtri(np.clip(rng.uniform(low, high), 1e-12, 1.0 - 1e-12))
    return np.asarray(np.clip(drawn, ELASTICITY_MIN, ELASTICITY_MAX), dtype=np.float64)


def _movements(panel: Panel, population: Population, rng: np.random.Generator) -> tuple[Array, Array]:
    """Walks of the arms around their level of the last day, and the accounts' shared effects; days and horizon.

    The accounts' own walks, too, are relative to the last day.
    """
    days, accounts, arms = panel.days, panel.series.accounts, len(panel.arms)
    steps = population.trend + population.drift_sd * rng.standard_normal((days + HORIZON_DAYS - 1, arms))
    walk = _from_last(steps, days)
    shock = np.empty((days + HORIZON_DAYS, accounts))
    keep = population.shock_persistence
    shock[0] = rng.standard_normal(accounts)
    for day in range(1, len(shock)):
        shock[day] = keep * shock[day - 1] + np.sqrt(1.0 - keep**2) * rng.standard_normal(accounts)
    weekday = rng.standard_normal((7, accounts))
    weekday -= weekday.mean(axis=0)
    of_day = (int(panel.series.weekday[0]) + np.arange(len(shock))) % 7
    season = _from_last(population.account_drift_sd * rng.standard_normal((len(shock) - 1, accounts)), days)
    return walk, season + population.shock_sd * shock + population.weekday_sd * weekday[of_day]


def _from_last(steps: Array, days: int) -> Array:
    """A walk with these steps, zero on the last of the first `days`."""
    walk = np.vstack([np.zeros(steps.shape[1]), steps.cumsum(axis=0)])
    return np.asarray(walk - walk[days - 1], dtype=np.float64)


def _counts(log_mean: Array, dispersion: float, rng: np.random.Generator) -> IntArray:
    """Negative-binomial counts: Poisson with a gamma-distributed mean of squared variation `dispersion`."""
    rate = rng.gamma(1.0 / dispersion, dispersion, log_mean.shape)
    return np.asarray(rng.poisson(rate * np.exp(log_mean)), dtype=np.int64)


def _values(counts: IntArray, mean: Array, variation: float, rng: np.random.Generator) -> Array:
    """Sum of the values of each cell's conversions, days x arms; log-normal with the arm's mean."""
    variance = np.log1p(variation**2)
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    single = rng.lognormal(-variance / 2, np.sqrt(variance), len(cell))
    return np.asarray(np.bincount(cell, single, counts.size).reshape(counts.shape) * mean, dtype=np.float64)
