"""What arms have in common, learned from the arms: empirical Bayes around the filter and the pooling tree.

Weakly informative priors (the defaults of `Population`) keep one arm, or few, from being over-confident.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.movements import fit_movements
from stakazo_pipelines.measurement.panel import ARM_COLUMNS, Panel, build_panel
from stakazo_pipelines.measurement.posterior import LEVEL_ROOT, run_passes
from stakazo_pipelines.measurement.tree_fit import TreePrior, fit_tree
from stakazo_pipelines.measurement.values import VALUE_ROOT, value_evidence, value_memory, value_variation

__all__ = ["Population", "fit_population", "subsample"]

_ROUNDS = 2
SDS_SPREAD = 0.6  # of log standard deviations in the trees
ELASTICITY_SDS_SPREAD = 0.5


def fit_population(
    arm_days: pl.DataFrame,
    maturity: Mapping[str, MaturityCurve],
    *,
    as_of: date | None = None,
    window_days: int = 90,
    prior: Population | None = None,
    max_arms: int = 600,
    max_pooled_arms: int = 5000,
    seed: int = 0,
) -> Population:
    """Maximise the marginal likelihood times the prior: movements by the filter, spreads by the tree, in turn.

    The movements are learned from at most `max_arms` arms, the spreads from `max_pooled_arms` (both drawn with `seed`,
    stratified by conversions). No delivery at all returns the prior. Raises MeasurementError on impossible input.
    """
    population = prior or Population()
    if not len(arm_days):
        return population
    until = as_of or arm_days.select(pl.col("date_day").max()).item()
    known = arm_days.filter(pl.col("date_day").is_between(until - timedelta(days=window_days - 1), until))
    if not bool((known["spend"] > 0).any()):
        return population

    def panel_of(most: int) -> Panel:
        chosen = known.filter(pl.col("arm_id").is_in(subsample(known, most, seed).implode()))
        return build_panel(
            arm_days=chosen,
            arms=arms_of(chosen),
            as_of=until,
            window_days=window_days,
            maturity=maturity,
        )

    defaults = prior or Population()
    wide = panel_of(max_pooled_arms)
    narrow = wide if len(wide.arms) <= max_arms else panel_of(max_arms)
    population = fit_value(wide, population, defaults)
    for _ in range(_ROUNDS):
        population = _fit_spreads(wide, population, defaults)
        population = fit_movements(narrow, population, defaults)
    population = _fit_spreads(wide, population, defaults)
    return replace(population, arms=known["arm_id"].n_unique(), source="empirical_bayes")


def subsample(arm_days: pl.DataFrame, most: int, seed: int) -> pl.Series:
    """At most `most` arm ids, spread evenly over the ranking by conversions (a random start, no order within ties)."""
    totals = arm_days.group_by("arm_id").agg(pl.col("conversions").sum()).sort("conversions", "arm_id")
    if len(totals) <= most:
        return totals["arm_id"]
    step = len(totals) / most
    start = np.random.default_rng(seed).uniform(0.0, step)
    return totals["arm_id"][np.minimum((start + step * np.arange(most)).astype(np.int64), len(totals) - 1)]


def arms_of(arm_days: pl.DataFrame) -> pl.DataFrame:
    latest = arm_days.sort("date_day").group_by("arm_id").agg(pl.col(ARM_COLUMNS[1:]).last()).sort("arm_id")
    return latest.with_columns(budget=pl.lit(None, dtype=pl.Float64))


def fit_value(panel: Panel, population: Population, defaults: Population) -> Population:
    """How values of conversions vary, how long they are remembered, and how far they lie apart in the tree."""
    variation = value_variation(panel)
    cv = defaults.value_cv if variation is None else float(np.clip(variation, 0.05, 5.0))
    memory = value_memory(panel, value_cv=cv, default=defaults.value_memory_days)
    evidence = value_evidence(panel, memory_days=memory)
    found = fit_tree(
        panel.tree,
        evidence.log_mean(cv),
        evidence.precision(cv),
        TreePrior(defaults.value_sds, SDS_SPREAD, VALUE_ROOT),
    )
    return replace(population, value_cv=cv, value_memory_days=memory, value_sds=found.sds)


def _fit_spreads(panel: Panel, population: Population, defaults: Population) -> Population:
    """Spreads and slopes of level and elasticity, and the mean elasticity, from the arms' sites."""
    fit = run_passes(panel, population)
    level = fit_tree(
        panel.tree,
        fit.sites.level,
        fit.sites.level_precision,
        TreePrior(defaults.level_sds, SDS_SPREAD, LEVEL_ROOT, defaults.level_slopes, defaults.level_slopes_sd),
        fit.level_covariates,
    )
    root = (defaults.elasticity_mean, defaults.elasticity_mean_sd**2)
    slopes, slopes_sd = defaults.elasticity_slopes, defaults.elasticity_slopes_sd
    elasticity = fit_tree(
        panel.tree,
        fit.sites.elasticity,
        fit.sites.elasticity_precision,
        TreePrior(defaults.elasticity_sds, ELASTICITY_SDS_SPREAD, root, slopes, slopes_sd),
        fit.elasticity_covariates,
    )
    return replace(
        population,
        level_sds=level.sds,
        level_slopes=level.slopes,
        level_slopes_sd=level.slopes_sd,
        elasticity_sds=elasticity.sds,
        elasticity_slopes=elasticity.slopes,
        elasticity_slopes_sd=elasticity.slopes_sd,
        elasticity_mean=float(np.clip(elasticity.root_mean, 0.1, 0.95)),
        elasticity_mean_sd=float(np.sqrt(elasticity.root_variance)),
    )
