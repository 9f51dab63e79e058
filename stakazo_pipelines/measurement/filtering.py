"""One pass over the days for all arms at once: arms' drifting levels and elasticities, accounts' shared days.

State space. Arm: level (random walk with trend) and elasticity. Account: shock (AR(1)), a random walk from zero of all
its arms, and day-of-week effects that sum to zero. Counts are negative-binomial; an arm learns from a day given the
shared effect as the *other* arms show it.
Day by day a normal belief loses the long left tail of an arm with few conversions: those are told again, all at once.
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.measurement.arrays import Array, BoolArray, IntArray, sum_by
from stakazo_pipelines.measurement.counts import absorb, tally
from stakazo_pipelines.measurement.jumps import Trace

_MAX_ETA = 30.0
_SHOCK, _WALK, _SHARED = 0, 8, 9  # places in the shared state; Monday..Sunday between
_FEW = (10.0, 40.0)  # discounted conversions: below, an arm's level is told at once; above, day by day; between, mixed


@dataclass(frozen=True, slots=True)
class Series:
    """Dense days x arms: counts, log spend ratio, known log offset, variance of that offset, where observed."""

    count: Array
    log_ratio: Array
    offset: Array
    offset_variance: Array
    observed: BoolArray
    weekday: IntArray  # per day, Monday 0
    account: IntArray  # per arm
    accounts: int
    jump_variance: Array | None = None  # days x arms: what a jump just before the day may have added to the level
    walk_jump_variance: Array | None = None  # days x accounts: the same of an account's walk


@dataclass(frozen=True, slots=True)
class Dynamics:
    """How things move. Per arm: drift variance a day, trend a day, dispersion. Per account: shock, weekday, walk."""

    drift_variance: Array
    trend: Array
    dispersion: Array
    shock_variance: Array  # stationary
    shock_persistence: Array
    weekday_variance: Array
    walk_variance: Array  # a day


@dataclass(frozen=True, slots=True)
class Belief:
    """Gaussian belief on (level, elasticity) of every arm."""

    level: Array
    elasticity: Array
    level_variance: Array
    covariance: Array
    elasticity_variance: Array


@dataclass(frozen=True, slots=True)
class Filtered:
    """Belief after the last day, what moved since each arm's first, the accounts' shared state, log predictives."""

    arms: Belief
    elapsed: Array  # days
    wandered: Array  # variance of the level's drift and jumps
    shared: Array  # accounts x 9: shock, Monday to Sunday, walk
    shared_covariance: Array  # accounts x 9 x 9
    arm_log_predictive: Array
    account_log_predictive: Array
    level_skewness: Array
    mean_shock: Array  # per account: over its days with delivery
    trace: Trace | None = None

    @property
    def walk(self) -> Array:
        """Per account: how far all its arms have moved together since the first day."""
        return self.shared[:, _WALK]


def backwards(series: Series, walk_jump_variance: Array) -> Series:
    """The same days, the last one first. What jumped before a day jumps after it then, that is before the next."""
    return Series(
        count=series.count[::-1],
        log_ratio=series.log_ratio[::-1],
        offset=series.offset[::-1],
        offset_variance=series.offset_variance[::-1],
        observed=series.observed[::-1],
        weekday=series.weekday[::-1],
        account=series.account,
        accounts=series.accounts,
        walk_jump_variance=np.roll(walk_jump_variance[::-1], 1, axis=0),
    )


def start_shared(dynamics: Dynamics, accounts: int) -> tuple[Array, Array]:
    """Shared state before the first day: weekday effects sum to zero by their covariance."""
    covariance = np.zeros((accounts, _SHARED, _SHARED))
    covariance[:, _SHOCK, _SHOCK] = dynamics.shock_variance
    covariance[:, 1:_WALK, 1:_WALK] = dynamics.weekday_variance[:, None, None] * (np.eye(7) - 1.0 / 7.0)
    return np.zeros((accounts, _SHARED)), covariance


def run_filter(
    series: Series, dynamics: Dynamics, prior: Belief, *, normalised: bool = False, traced: bool = False
) -> Filtered:
    """Filter forward over all days. Cost is days x arms; memory beyond the input is a few vectors of arms.

    `traced` also keeps what every day told (`Filtered.trace`, days x arms).
    """
    level, elasticity = prior.level.copy(), prior.elasticity.copy()
    p_level, p_cross, p_elasticity = (
        prior.level_variance.copy(),
        prior.covariance.copy(),
        prior.elasticity_variance.copy(),
    )
    shared, shared_cov = start_shared(dynamics, series.accounts)
    innovation = dynamics.shock_variance * (1.0 - dynamics.shock_persistence**2)
    started = np.zeros(len(level), dtype=np.bool_)
    elapsed = np.zeros(len(level))
    arm_log = np.zeros(len(level))
    account_log = np.zeros(series.accounts)
    shocks, days = np.zeros(series.accounts), np.zeros(series.accounts)
    told, exposure, wandered = np.zeros(len(level)), np.zeros(len(level)), np.zeros(len(level))
    trace = Trace(*(np.zeros_like(series.count) for _ in range(3))) if traced else None
    for day in range(len(series.weekday)):
        elapsed += started
        level += dynamics.trend * started
        moved = dynamics.drift_variance * started
        if series.jump_variance is not None:
            moved = moved + series.jump_variance[day] * started
        p_level += moved
        wandered += moved
        # What n events told of a level that moves: 1 / n grows by the move's variance.
        discount = 1.0 / (1.0 + moved * told)
        told *= discount
        exposure *= discount * np.exp(-dynamics.trend * started)
        shared[:, _SHOCK] *= dynamics.shock_persistence
        shared_cov[:, _SHOCK, :] *= dynamics.shock_persistence[:, None]
        shared_cov[:, :, _SHOCK] *= dynamics.shock_persistence[:, None]
        shared_cov[:, _SHOCK, _SHOCK] += innovation
        wander = dynamics.walk_variance
        if series.walk_jump_variance is not None:
            wander = wander + series.walk_jump_variance[day]
        shared_cov[:, _WALK, _WALK] += wander * (days > 0)
        seen = np.flatnonzero(series.observed[day])
        if not len(seen):
            continue
        started[seen] = True
        x = series.log_ratio[day, seen]
        cov_level = p_level[seen] + x * p_cross[seen]
        cov_elasticity = p_cross[seen] + x * p_elasticity[seen]
        own_variance = np.maximum(cov_level + x * cov_elasticity, 1e-9) + series.offset_variance[day, seen]
        own_mean = level[seen] + x * elasticity[seen] + series.offset[day, seen]
        common = _shared_day(
            count=series.count[day, seen],
            mean=own_mean,
            variance=own_variance,
            dispersion=dynamics.dispersion[seen],
            account=series.account[seen],
            column=1 + int(series.weekday[day]),
            shared=shared,
            shared_cov=shared_cov,
        )
        account_log += common.log_predictive
        running = np.bincount(series.account[seen], minlength=series.accounts) > 0
        shocks += shared[:, _SHOCK] * running
        days += running
        total_variance = own_variance + common.variance_without
        total_mean = own_mean + common.mean_without
        moments = absorb(
            series.count[day, seen],
            mean=np.clip(total_mean, -_MAX_ETA, _MAX_ETA),
            variance=total_variance,
            dispersion=dynamics.dispersion[seen],
            normalised=normalised,
        )
        arm_log[seen] += moments.log_predictive
        rate = np.exp(np.clip(total_mean - level[seen], -_MAX_ETA, _MAX_ETA))
        noise = dynamics.dispersion[seen] + common.variance_without + series.offset_variance[day, seen]
        weight = 1.0 / (1.0 + noise * np.exp(np.clip(total_mean, -_MAX_ETA, _MAX_ETA)))
        told[seen] += weight * series.count[day, seen]
        exposure[seen] += weight * rate
        if trace is not None:
            trace.count[day, seen], trace.exposure[day, seen] = weight * series.count[day, seen], weight * rate
            usual = shared[series.account[seen], 1 + int(series.weekday[day])]
            alone = np.clip(own_mean - level[seen] + usual, -_MAX_ETA, _MAX_ETA)
            trace.exposure_apart[day, seen] = weight * np.exp(alone)
        move = (moments.mean - total_mean) / total_variance
        shrink = (1.0 - moments.variance / total_variance) / total_variance
        level[seen] += cov_level * move
        elasticity[seen] += cov_elasticity * move
        p_level[seen] -= cov_level * cov_level * shrink
        p_cross[seen] -= cov_level * cov_elasticity * shrink
        p_elasticity[seen] -= cov_elasticity * cov_elasticity * shrink
    filtered = Belief(level, elasticity, p_level, p_cross, p_elasticity)
    belief, skewness = _retold(
        filtered,
        mean=prior.level + dynamics.trend * elapsed,
        variance=prior.level_variance + wandered,
        told=told,
        exposure=exposure,
    )
    mean_shock = shocks / np.maximum(days, 1.0)
    return Filtered(belief, elapsed, wandered, shared, shared_cov, arm_log, account_log, skewness, mean_shock, trace)


def _retold(filtered: Belief, *, mean: Array, variance: Array, told: Array, exposure: Array) -> tuple[Belief, Array]:
    """The belief with the levels of arms of few conversions as all their (discounted) days give them at once.

    `mean` and `variance` are the prior's, moved on to the last day.
    """
    shape = tally(told, exposure, mean=mean, variance=variance)
    few, many = np.log(_FEW)
    share = np.clip((many - np.log(np.maximum(told, 1e-9))) / (many - few), 0.0, 1.0)
    mixed = np.exp(share * np.log(shape.variance) + (1.0 - share) * np.log(filtered.level_variance))
    belief = Belief(
        level=share * shape.mean + (1.0 - share) * filtered.level,
        elasticity=filtered.elasticity,
        level_variance=mixed,
        # The correlation stays: with the old covariance a smaller variance would make the two no joint normal.
        covariance=filtered.covariance * np.sqrt(mixed / filtered.level_variance),
        elasticity_variance=filtered.elasticity_variance,
    )
    return belief, shape.skewness


@dataclass(frozen=True, slots=True)
class _Common:
    mean_without: Array  # per arm: the shared effect as the account's other arms show it
    variance_without: Array
    log_predictive: Array  # per account


def _shared_day(
    *,
    count: Array,
    mean: Array,
    variance: Array,
    dispersion: Array,
    account: IntArray,
    column: int,
    shared: Array,
    shared_cov: Array,
) -> _Common:
    """Learn one day's shared effect per account (two scoring steps); update `shared`, `shared_cov` in place."""
    accounts = len(shared)
    gain = shared_cov[:, :, _SHOCK] + shared_cov[:, :, column] + shared_cov[:, :, _WALK]
    prior_variance = np.maximum(gain[:, _SHOCK] + gain[:, column] + gain[:, _WALK], 1e-9)
    prior_mean = shared[:, _SHOCK] + shared[:, column] + shared[:, _WALK]
    effect = prior_mean.copy()
    capped = np.minimum(variance, 2.0)
    # Mean and squared variation of the rate under a log-gamma belief of this variance (rational fits to its digamma and
    # trigamma): counts leave beliefs skewed to the left, and a log-normal's mean would make every day look poor.
    expected = np.exp(np.clip(mean + capped / (2.0 + capped / 1.5), -_MAX_ETA, _MAX_ETA))
    relative = dispersion + capped / (1.0 + 0.4 * capped)
    for _ in range(2):
        at = effect
        mu = expected * np.exp(at)[account]
        information = mu / (1.0 + relative * mu)
        score = (count - mu) / (1.0 + relative * mu)
        information_sum = sum_by(account, information, accounts)
        score_sum = sum_by(account, score, accounts)
        precision = 1.0 / prior_variance + information_sum
        change = (score_sum - (effect - prior_mean) / prior_variance) / precision
        effect = at + np.clip(change, -1.0, 1.0)
    rest = np.maximum(precision[account] - information, 1.0 / prior_variance[account])
    # At the mode all scores and the prior's pull cancel; without its own score an arm's cavity moves the other way.
    mean_without = effect[account] - np.clip(score / rest, -1.0, 1.0)
    # The day's probability is that of the arms at one effect, averaged over it. Every arm's own log predictive is
    # averaged over the effect as the others show it: take that out, arm by arm, before averaging over all at once.
    apart = _log_average(score, information, mean_without - at[account], 1.0 / rest)
    together = _log_average(score_sum, information_sum, prior_mean - at, prior_variance)
    log_predictive = together - sum_by(account, apart, accounts)
    shrink = (1.0 - 1.0 / (precision * prior_variance)) / prior_variance
    shared += gain * ((effect - prior_mean) / prior_variance)[:, None]
    shared_cov -= gain[:, :, None] * gain[:, None, :] * shrink[:, None, None]
    return _Common(mean_without, 1.0 / rest, log_predictive)


def _log_average(score: Array, information: Array, mean: Array, variance: Array) -> Array:
    """Log of the average of exp(score t - information t^2 / 2) over t ~ N(mean, variance)."""
    spread = 1.0 + information * variance
    inside = 0.5 * score * score * variance + score * mean - 0.5 * information * mean * mean
    return np.asarray(inside / spread - 0.5 * np.log(spread), dtype=np.float64)
