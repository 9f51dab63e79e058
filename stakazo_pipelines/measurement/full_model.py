"""The daily engine's hierarchy written out in PyMC, nothing approximated but the length of a step, for NUTS.

Three things differ: levels never jump, elasticities are not truncated, and means of values are gamma, not log-normal.

PyMC is imported at call time only: loading definitions must not pay for it.
"""

from typing import Any

import numpy as np

from stakazo_pipelines.measurement.arrays import Array
from stakazo_pipelines.measurement.hyperparameters import Population, Slopes
from stakazo_pipelines.measurement.movements import DYNAMICS_SPREAD
from stakazo_pipelines.measurement.panel import Panel
from stakazo_pipelines.measurement.pooling import TREE_LEVELS, Tree
from stakazo_pipelines.measurement.population import ELASTICITY_SDS_SPREAD, SDS_SPREAD
from stakazo_pipelines.measurement.posterior import LEVEL_ROOT, covariates_of
from stakazo_pipelines.measurement.values import VALUE_ROOT, value_evidence, value_posterior

HYPER = (
    "drift_sd",
    "trend",
    "dispersion",
    "shock_sd",
    "shock_persistence",
    "weekday_sd",
    "account_drift_sd",
    "elasticity_mean",
    "elasticity_slopes",
    "elasticity_sds",
    "level_slopes",
    "level_sds",
    "value_sds",
)
ARMS = ("level", "elasticity", "value")
SHARED = ("shock_last", "weekday")
CHECKED = "log_mean"  # of the cells asked for
_TYPICAL_SHOCK, _TYPICAL_DISPERSION = 0.1, 0.1
_CENTRED_FROM = 4.0  # of a day's information on its shock over the prior's
_MANY, _MANY_SLOPES = 12, 150  # arms in a group that tell its level, its elasticity


def full_model(panel: Panel, valued: Population, defaults: Population, *, step_days: int, checked_arms: int = 0) -> Any:
    """The model with `defaults` as priors. Arms' levels move every `step_days`; `valued` gives the variation of values.

    The log mean of every observed cell (day, arm) of the first `checked_arms` arms is kept as CHECKED.
    """
    import pymc as pm

    series = panel.series
    day, arm = np.nonzero(series.observed)
    arms, spread = len(panel.arms), DYNAMICS_SPREAD
    covariates = covariates_of(panel, value_posterior(panel, valued)[0])
    with pm.Model() as model:
        drift = pm.LogNormal("drift_sd", np.log(defaults.drift_sd), spread[0])
        trend = pm.Normal("trend", defaults.trend, spread[1])
        dispersion = pm.LogNormal("dispersion", np.log(defaults.dispersion), spread[2])
        shock_sd = pm.LogNormal("shock_sd", np.log(defaults.shock_sd), spread[3])
        persistence = pm.LogitNormal("shock_persistence", _logit(defaults.shock_persistence), spread[4])
        weekday_sd = pm.LogNormal("weekday_sd", np.log(defaults.weekday_sd), spread[5])
        account_drift = pm.LogNormal("account_drift_sd", np.log(defaults.account_drift_sd), spread[6])
        mean = pm.Normal("elasticity_mean", defaults.elasticity_mean, defaults.elasticity_mean_sd)
        level_slopes = _slopes("level_slopes", defaults.level_slopes, defaults.level_slopes_sd)
        slopes = _slopes("elasticity_slopes", defaults.elasticity_slopes, defaults.elasticity_slopes_sd)
        level_sds = _spreads("level_sds", defaults.level_sds, SDS_SPREAD)
        expected = (
            _above(panel.tree, "level", level_sds, _root("level", LEVEL_ROOT), many=_MANY) + covariates @ level_slopes
        )
        common = _common(shock_sd, persistence, account_drift, panel)
        # The account's walk ends at zero: what is left on the last day is its shock.
        pm.Deterministic("shock_last", common[:, -1])
        # Centred for single arms: their own counts say more about them than their groups do. What they say is the level
        # with the account's mean effect; levels and effects apart would all have to move at once.
        usual = common.mean(axis=1)
        seen = pm.Normal("level_seen", expected + usual[series.account], level_sds[0])
        level = pm.Deterministic("level", seen - usual[series.account])
        spreads = _spreads("elasticity_sds", defaults.elasticity_sds, ELASTICITY_SDS_SPREAD)
        own = pm.Normal("elasticity_own", 0.0, 1.0, shape=arms)
        shift = slopes[0] * (level + covariates[:, 0]) + slopes[1] * covariates[:, 1]
        grouped = _above(panel.tree, "elasticity", spreads, mean[None], many=_MANY_SLOPES) + shift
        elasticity = pm.Deterministic("elasticity", grouped + spreads[0] * own)
        _values(panel, valued, defaults)
        # Backwards from the last step, whose levels the tree pools.
        step = (panel.days - 1 - day) // step_days
        walk = _walk(drift, int(step.max(initial=0)), arms, step_days)[step, arm] - trend * (panel.days - 1 - day)
        if _well_told(panel):
            weekday = pm.ZeroSumNormal("weekday", sigma=weekday_sd, shape=(series.accounts, 7))
        else:
            unit = pm.ZeroSumNormal("weekday_unit", sigma=1.0, shape=(series.accounts, 7))
            weekday = pm.Deterministic("weekday", weekday_sd * unit)
        account = series.account[arm]
        eta = (
            seen[arm]
            + walk
            + elasticity[arm] * series.log_ratio[day, arm]
            + series.offset[day, arm]
            + (common - usual[:, None])[account, day]
            + weekday[account, series.weekday[day]]
        )
        if checked_arms:
            pm.Deterministic(CHECKED, eta[np.flatnonzero(arm < checked_arms)])
        pm.Potential("counts", _negative_binomial(series.count[day, arm], eta, dispersion))
    return model


def _spreads(name: str, centre: tuple[float, ...], spread: float) -> Any:
    import pymc as pm

    return pm.LogNormal(name, np.log(np.asarray(centre)), spread, shape=len(centre))


def _slopes(name: str, centre: Slopes, sd: Slopes) -> Any:
    import pymc as pm

    return pm.Normal(name, np.asarray(centre), np.asarray(sd))


def _above(tree: Tree, name: str, sds: Any, root: Any, *, many: float) -> Any:
    """What an arm's groups, campaign and wider, expect of it, with the root's mean; (arms,).

    Groups of at least `many` arms are well known and sampled as they are (centred); smaller ones by their deviation
    from above in units of its spread, or the spread and what it scales would hold each other fast.
    """
    import pymc as pm

    total = root
    for level in reversed(range(1, len(tree.parents))):
        above, label = total[tree.parents[level]], f"{name}_{TREE_LEVELS[level]}"
        if tree.sizes[0] >= many * tree.sizes[level]:
            total = pm.Normal(label, above, sds[level])
        else:
            total = above + sds[level] * pm.Normal(label, 0.0, 1.0, shape=tree.sizes[level])
    return total[tree.parents[0]]


def _root(name: str, prior: tuple[float, float]) -> Any:
    """The root of a tree with prior (mean, variance); (1,)."""
    import pymc as pm

    return pm.Normal(f"{name}_root", prior[0], np.sqrt(prior[1]), shape=1)


def _values(panel: Panel, valued: Population, defaults: Population) -> None:
    """Log value per conversion of every arm: a mean of n values of variation cv as a gamma variate, shape n / cv^2."""
    import pymc as pm

    evidence = value_evidence(panel, memory_days=valued.value_memory_days)
    shape = evidence.conversions / valued.value_cv**2
    sds = _spreads("value_sds", defaults.value_sds, SDS_SPREAD)
    value = pm.Normal("value", _above(panel.tree, "value", sds, _root("value", VALUE_ROOT), many=_MANY), sds[0])
    pm.Potential("worth", -(shape * (value + np.exp(evidence.log_ratio) * pm.math.exp(-value))).sum())


def _walk(drift: Any, steps: int, arms: int, step_days: int) -> Any:
    """Level relative to the last step's, steps back x arms.

    Means over n days of a random walk differ from one step to the next by (2 n^2 + 1) / (3 n) daily variances.
    """
    import pymc as pm

    scale = np.sqrt((2 * step_days**2 + 1) / (3 * step_days))
    moves = pm.Normal("steps", 0.0, 1.0, shape=(steps, arms))
    return pm.math.concatenate([np.zeros((1, arms)), drift * scale * moves.cumsum(axis=0)], axis=0)


def _common(shock_sd: Any, persistence: Any, drift: Any, panel: Panel) -> Any:
    """What the arms of an account share, weekdays aside: a shock, a stationary AR(1), and a walk that ends at zero.

    Accounts x days. The sum is sampled where the counts of a day tell it better than its prior does, else its parts.
    """
    import pymc as pm

    days, accounts = panel.days, panel.series.accounts
    moves = drift * pm.Normal("account_steps", 0.0, 1.0, shape=(accounts, days - 1))
    walk = pm.math.concatenate([-moves[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((accounts, 1))], axis=1)
    scale = pm.math.sqrt(1.0 - persistence**2)
    if not _well_told(panel):
        lag = np.subtract.outer(np.arange(days), np.arange(days))
        powers = pm.math.where(lag >= 0, persistence ** np.maximum(lag, 0), 0.0)
        reach = powers * pm.math.where(np.arange(days) == 0, 1.0, scale)[None, :]
        return walk + shock_sd * pm.Normal("innovation", 0.0, 1.0, shape=(accounts, days)) @ reach.T
    common = pm.Flat("common", shape=(accounts, days), initval=np.zeros((accounts, days)))
    shock = common - walk
    fresh = (shock[:, 1:] - persistence * shock[:, :-1]) / (shock_sd * scale)
    first = shock[:, 0] / shock_sd
    log_density = -0.5 * (first**2).sum() - 0.5 * (fresh**2).sum()
    log_density -= accounts * days * pm.math.log(shock_sd) + accounts * (days - 1) * pm.math.log(scale)
    pm.Potential("shock_prior", log_density)
    return common


def _well_told(panel: Panel) -> bool:
    """Whether an account's counts of a day tell its shared effects much better than their prior does."""
    seen = panel.series.count[panel.series.observed]
    information = float((seen / (1.0 + _TYPICAL_DISPERSION * seen)).sum()) / (panel.days * panel.series.accounts)
    return information * _TYPICAL_SHOCK**2 >= _CENTRED_FROM


def _negative_binomial(count: Array, eta: Any, dispersion: Any) -> Any:
    """Log probability of all counts; log gammas once per distinct count, which is most of the time saved."""
    import pymc as pm
    import pytensor.tensor as pt

    size = 1.0 / dispersion
    values, times = np.unique(np.round(count, 6), return_counts=True)
    log_dispersion = pm.math.log(dispersion)
    each = count * (eta + log_dispersion) - (count + size) * pt.softplus(eta + log_dispersion)
    return each.sum() + (times * (pt.gammaln(values + size) - pt.gammaln(size))).sum()


def _logit(share: float) -> float:
    return float(np.log(share / (1.0 - share)))
