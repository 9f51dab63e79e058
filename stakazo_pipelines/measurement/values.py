"""What a conversion is worth on each arm: a mean per arm, partially pooled, log-normal around its account's mean."""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.measurement.arrays import Array, sum_by
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.panel import LEAST_CONVERSIONS, Panel
from stakazo_pipelines.measurement.pooling import leave_one_out

_HALF_LIVES = (7.0, 14.0, 28.0, 56.0, 112.0, 182.0)
_RICH = 5.0  # conversions, so that a mean of values has a logarithm near normal
_LEAST_WORTH = 1e-100  # less, in a whole sum, is nothing
_SMOOTHING = 0.1  # conversions of the account's mean value, so that a value of zero has a logarithm


VALUE_ROOT = (0.0, 0.3**2)


@dataclass(frozen=True, slots=True)
class ValueEvidence:
    """Per arm: log of its mean value per conversion over its account's, and the conversions behind it (discounted)."""

    log_ratio: Array
    conversions: Array

    def variance(self, value_cv: float) -> Array:
        """Of `log_ratio`: the log of a mean of n log-normal values of variation cv has about log(1 + cv^2 / n)."""
        told = self.conversions > 0
        return np.where(told, np.log1p(value_cv**2 / np.where(told, self.conversions, 1.0)), np.inf)

    def precision(self, value_cv: float) -> Array:
        """The inverse of `variance`; 0 where nothing was sold."""
        return np.asarray(1.0 / self.variance(value_cv), dtype=np.float64)

    def log_mean(self, value_cv: float) -> Array:
        """`log_ratio` without its bias: few values usually miss a heavy tail (log-normal: by half the variance)."""
        variance = self.variance(value_cv)
        return self.log_ratio + np.where(np.isfinite(variance), 0.5 * variance, 0.0)


def value_evidence(panel: Panel, *, memory_days: float) -> ValueEvidence:
    """Discounted sums of value and conversions; the effective number of conversions is (sum w y)^2 / sum w^2 y."""
    rows = panel.rows
    arm, count = rows["arm"].to_numpy(), len(panel.arms)
    reported = (rows["value"].is_not_null() & rows["conversions"].is_not_null()).to_numpy()
    conversions = rows["conversions"].fill_null(0.0).to_numpy() * reported
    worth = np.where(conversions > 0, rows["value"].fill_null(0.0).to_numpy(), 0.0)
    weight = 0.5 ** ((panel.days - 1 - rows["day"].to_numpy()) / memory_days)
    total = np.bincount(arm, weight * conversions, count)
    square = np.bincount(arm, weight * weight * conversions, count)
    unit_value = np.where(np.isnan(panel.unit_value), 1.0, panel.unit_value)
    relative = np.bincount(arm, weight * worth, count) / unit_value
    return ValueEvidence(
        log_ratio=np.log((relative + _SMOOTHING) / (total + _SMOOTHING)),
        conversions=np.where(square > 0, total * total / np.where(square > 0, square, 1.0), 0.0),
    )


def value_variation(panel: Panel) -> float | None:
    """Coefficient of variation of one conversion's value, by moments within arms; None when nothing can be said."""
    rows = panel.rows
    arm, count = rows["arm"].to_numpy(), len(panel.arms)
    conversions = rows["conversions"].fill_null(0.0).to_numpy()
    worth = rows["value"].fill_null(0.0).to_numpy()
    use = (conversions > 0) & rows["value"].is_not_null().to_numpy()
    total = np.bincount(arm[use], conversions[use], count)
    value = np.bincount(arm[use], worth[use], count)
    days = np.bincount(arm[use], minlength=count)
    rich = (days >= 5) & (value > 0) & (total > LEAST_CONVERSIONS)
    if not np.any(rich):
        return None
    mean = np.where(rich, value / np.where(total > 0, total, 1.0), 1.0)
    kept = use & rich[arm]
    # E (V - n m)^2 = n (cv m)^2 for a day of n conversions; one mean per arm costs one day of each.
    scaled = (worth[kept] / mean[arm[kept]] - conversions[kept]) ** 2 / np.maximum(conversions[kept], 1e-9)
    freedom = kept.sum() - rich.sum()
    return float(np.sqrt(max(scaled.sum() / max(freedom, 1), 1e-4)))


def value_memory(panel: Panel, *, value_cv: float, default: float) -> float:
    """Half-life, in days, of what past values per conversion say of the coming week's, as the panel's weeks show it.

    Each account's weeks are forecast from those before, by half-lives from one week to half a year, arm by arm at its
    own mean value so that another mix of arms is no drift. Returned is the posterior mean of its logarithm, under a
    prior of two doublings either way around `default`.
    """
    counts, expected, earned = _weeks(panel)
    half_lives = np.asarray(_HALF_LIVES)
    scores = np.array([_forecast_score(counts, expected, earned, life, value_cv) for life in _HALF_LIVES])
    scores -= 0.5 * (np.log2(half_lives / default) / 2.0) ** 2
    weight = np.exp(scores - scores.max())
    return float(np.exp(weight @ np.log(half_lives) / weight.sum()))


def _weeks(panel: Panel) -> tuple[Array, Array, Array]:
    """Accounts x weeks, the last week first: conversions, their value at the arms' own means, and their value."""
    rows = panel.rows
    arm = rows["arm"].to_numpy()
    conversions, worth = rows["conversions"].fill_null(0.0).to_numpy(), rows["value"].fill_null(0.0).to_numpy()
    use = (conversions > 0) & rows["value"].is_not_null().to_numpy()
    total = sum_by(arm[use], conversions[use], len(panel.arms))
    value = sum_by(arm[use], worth[use], len(panel.arms))
    rich = (total >= _RICH) & (value > _LEAST_WORTH)
    use &= rich[arm]
    mean = value / np.where(rich, total, 1.0)
    accounts, weeks = panel.series.accounts, -(-panel.days // 7)
    cell = panel.series.account[arm[use]] * weeks + (panel.days - 1 - rows["day"].to_numpy()[use]) // 7
    counts, expected, earned = (
        sum_by(cell, each, accounts * weeks).reshape(accounts, weeks)
        for each in (conversions[use], conversions[use] * mean[arm[use]], worth[use])
    )
    return counts, expected, earned


def _forecast_score(counts: Array, expected: Array, earned: Array, half_life: float, value_cv: float) -> float:
    """Log probability of every week's mean value given the weeks before, discounted by the half-life."""
    score, weeks = 0.0, counts.shape[1]
    for week in range(weeks - 1):
        weight = 0.5 ** (7.0 * np.arange(weeks - 1 - week) / half_life)
        past = counts[:, week + 1 :]
        known, square = past @ weight, past @ weight**2
        before, due = earned[:, week + 1 :] @ weight, expected[:, week + 1 :] @ weight
        told = (counts[:, week] >= _RICH) & (known >= _RICH)
        told &= np.minimum(earned[:, week], before) > _LEAST_WORTH
        if not np.any(told):
            continue
        surprise = np.log(earned[told, week]) - np.log(expected[told, week]) - np.log(before[told]) + np.log(due[told])
        variance = np.log1p(value_cv**2 / counts[told, week]) + np.log1p(value_cv**2 * square[told] / known[told] ** 2)
        score -= 0.5 * float(np.sum(surprise**2 / variance + np.log(variance)))
    return score


def value_posterior(panel: Panel, population: Population) -> tuple[Array, Array]:
    """Mean and variance, per arm, of its log value per conversion over its account's, pooled over the tree."""
    evidence = value_evidence(panel, memory_days=population.value_memory_days)
    precision, mean = evidence.precision(population.value_cv), evidence.log_mean(population.value_cv)
    prior, prior_variance = leave_one_out(
        panel.tree, mean=mean, precision=precision, sds=population.value_sds, root=VALUE_ROOT
    )
    total = precision + 1.0 / prior_variance
    return (precision * mean + prior / prior_variance) / total, 1.0 / total
