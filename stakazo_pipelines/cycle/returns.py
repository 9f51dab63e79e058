"""What each arm earns on a day: estimates, curves and the population model, from the marts of the lake.

Days are report days: the estimate of day D uses reports of days up to D, and proposes budgets from then on.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from stakazo_pipelines import marts
from stakazo_pipelines.cycle.lift import Calibration, calibrate
from stakazo_pipelines.cycle.soundness import Sound, sound_days
from stakazo_pipelines.errors import LakeError, MeasurementError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lift_tests import load_lift_tests
from stakazo_pipelines.measurement.curves import bent_value
from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MaturityCurve, learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.measurement.population_pymc import sample_population
from stakazo_pipelines.policy import Policy

POPULATION = "response_population"
ESTIMATES = "roas_estimates"
CURVES = "response_curves"
_CURVE_GRID = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # of today's budget
_CURVE_DRAWS = 400
_VINTAGE_DAYS = 120


@dataclass(frozen=True, slots=True)
class PopulationFit:
    """A sampled population, the sampler's figures, why it may not be used, and which one is in use from now on."""

    population: Population
    diagnostics: Mapping[str, float]
    problems: tuple[str, ...]
    in_use: date | None  # the day that the population in use was sampled on; None when none was ever good

    @property
    def told(self) -> str:
        """The outcome in one sentence."""
        if not self.problems:
            return "the chains agree: this population is used from now on"
        instead = "estimates go on fitting their own (empirical Bayes), as none was good before"
        if self.in_use is not None:
            instead = f"the one of {self.in_use} stays in use"
        return f"not kept: {', '.join(self.problems)}; {instead}"


def learned_maturity(lake: Lake, day: date) -> dict[str, MaturityCurve]:
    """Conversion delay by `maturity.group_name`, from the vintages of the last months up to `day`."""
    return learn_maturity(marts.maturity_vintages(lake, day - timedelta(days=_VINTAGE_DAYS), day))


def estimate_day(lake: Lake, policy: Policy, day: date, maturity: Mapping[str, MaturityCurve]) -> Estimates:
    """Estimates of every running arm from what is known of the days up to `day`.

    The population is the newest good one sampled on or before the day after `day`, else an empirical-Bayes fit.
    """
    as_of = day + timedelta(days=1)
    given = sound_days(lake, as_of, policy.measurement.window_days)
    estimates, _ = estimates_of(policy, day, given, newest_population(lake, as_of), maturity)
    return estimates


def calibrated_day(lake: Lake, policy: Policy, day: date) -> Calibration:
    """`estimate_day`, made incremental as far as the lift tests that policy names tell (see `cycle.lift`)."""

    def reports(since: date, until: date) -> pl.DataFrame:
        return sound_days(lake, until + timedelta(days=1), (until - since).days + 1).arm_days

    maturity = learned_maturity(lake, day)
    return calibrate(
        estimate_day(lake, policy, day, maturity),
        load_lift_tests(policy.lift_tests),
        day=day,
        target=policy.measurement.target_roas,
        reports=reports,
        maturity=maturity,
    )


def estimates_of(
    policy: Policy,
    day: date,
    given: Sound,
    population: Population | None,
    maturity: Mapping[str, MaturityCurve],
) -> tuple[Estimates, Population]:
    """`estimate_day` from arms and days already read; without a population one is fitted to them (empirical Bayes).

    Accounts that were set aside teach nothing (see `soundness`): their arms' state says that there is too little.
    Raises MeasurementError where nothing is left to estimate.
    """
    as_of, window = day + timedelta(days=1), policy.measurement.window_days
    arm_days, arms = given.arm_days, given.arms
    population = population or fit_population(arm_days, maturity, as_of=as_of, window_days=window, seed=day.toordinal())
    estimates = estimate(
        arm_days=arm_days,
        arms=arms,
        as_of=as_of,
        maturity=maturity,
        population=population,
        settings=policy.measurement,
    )
    return estimates, population


def newest_population(lake: Lake, as_of: date) -> Population | None:
    """The last good population on or before `as_of`; None when none was sampled yet, or an older version's."""
    days = lake.asset_days(POPULATION, until=as_of)
    if not days:
        return None
    try:
        return Population.from_json(lake.read_asset(POPULATION, days[-1]).row(0, named=True))
    except MeasurementError:
        return None  # other hyper-parameters: it is sampled anew with the next refit


def refit_population(lake: Lake, policy: Policy, as_of: date) -> PopulationFit:
    """Sample the population from the days before `as_of`; kept in the lake only when the sampler converged."""
    arm_days = sound_days(lake, as_of, policy.measurement.window_days).arm_days
    if arm_days.is_empty():
        raise LakeError(f"no report days before {as_of}: materialize the marts first")
    maturity = learned_maturity(lake, as_of - timedelta(days=1))
    population, diagnostics = sample_population(arm_days, maturity, as_of=as_of, seed=as_of.toordinal())
    if diagnostics.passed:
        lake.write_asset(POPULATION, as_of, pl.DataFrame([population.to_json()]))
    in_use = None if newest_population(lake, as_of) is None else lake.asset_days(POPULATION, until=as_of)[-1]
    return PopulationFit(population, asdict(diagnostics), diagnostics.problems, in_use)


def curve_points(estimates: Estimates, *, seed: int) -> pl.DataFrame:
    """Expected value a day on a grid of budgets, one row per arm and `share` of its budget: spend, value, low, high."""
    frame = estimates.frame.filter(pl.col("roas").is_not_null(), pl.col("budget") > 0)
    log_value, elasticity = Estimates(frame).draws(_CURVE_DRAWS, seed)
    budget, ref_spend = frame["budget"].to_numpy(), frame["ref_spend"].to_numpy()
    points = []
    for share in _CURVE_GRID:
        spend = budget * share
        values = bent_value(spend, log_value=log_value, elasticity=elasticity, ref_spend=ref_spend)
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
        points.append(
            frame.select("arm_id", "account_id", "platform", "currency").with_columns(
                share=pl.lit(share), spend=spend, value=middle, value_low=low, value_high=high
            )
        )
    return pl.concat(points).sort("platform", "account_id", "arm_id", "share")
