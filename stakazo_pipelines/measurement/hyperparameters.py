"""What arms have in common: the population's hyper-parameters, their weakly informative defaults, their JSON form.

Everything is scale-free (logs of ratios to the account's own mean), so one population serves all currencies.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.pooling import TREE_LEVELS

Sds = tuple[float, float, float, float, float]
Slopes = tuple[float, float]
_ADDED = ("account_drift_sd", "account_jump_hazard", "elasticity_slopes_sd", "level_slopes_sd")


@dataclass(frozen=True, slots=True)
class Population:
    """Standard deviations are of logs. `*_sds` go arm, campaign, objective, account, platform (each around its parent).

    The defaults are the priors: what is assumed before any data, and what few arms are shrunk to.
    """

    elasticity_mean: float = 0.7
    elasticity_mean_sd: float = 0.1  # how well the mean itself is known
    # Change of elasticity per log of an arm's return, and of its size, over its account's: on a saturating curve, who
    # earns more per money, and who spends less, has more room left.
    elasticity_slopes: Slopes = (0.1, -0.05)
    elasticity_slopes_sd: Slopes = (0.1, 0.1)  # how well they are known
    elasticity_sds: Sds = (0.15, 0.07, 0.05, 0.05, 0.05)
    # Change of log rate per log of an arm's value per conversion (dear goods sell less often), and of its size.
    level_slopes: Slopes = (-0.5, -0.1)
    level_slopes_sd: Slopes = (0.5, 0.2)
    level_sds: Sds = (0.35, 0.2, 0.15, 0.3, 0.2)
    value_sds: Sds = (0.15, 0.1, 0.1, 0.3, 0.2)
    drift_sd: float = 0.03  # of an arm's log rate, per square root of a day
    jump_hazard: float = 0.01  # chance a day that an arm's level jumps (edits, outages)
    jump_sd: float = 0.5  # of a jump's log
    trend: float = 0.0  # mean change of log rate per day
    trend_sd: float = 0.004  # how well the trend is known
    dispersion: float = 0.1  # negative-binomial: variance = mu + dispersion x mu^2
    shock_sd: float = 0.1  # stationary sd of an account's shared day shock
    shock_persistence: float = 0.5  # of the shock, from one day to the next
    weekday_sd: float = 0.15
    account_drift_sd: float = 0.01  # of all arms of an account together (season, site), per square root of a day
    account_jump_hazard: float = 0.002  # chance a day that all of them jump together
    value_cv: float = 0.8  # coefficient of variation of the value of one conversion
    value_memory_days: float = 28.0  # half-life of what past values per conversion say of the coming ones
    memory_days: float = 28.0  # half-life of what counts as evidence
    arms: int = 0  # that it was learned from
    source: str = "prior"  # prior | empirical_bayes | nuts

    def __post_init__(self) -> None:
        numbers = [getattr(self, field.name) for field in fields(self) if field.type in (float, "float")]
        sds = [*self.elasticity_sds, *self.level_sds, *self.value_sds]
        slopes = [*self.elasticity_slopes, *self.level_slopes]
        slopes_sd = [*self.elasticity_slopes_sd, *self.level_slopes_sd]
        complete = len(sds) == 3 * len(TREE_LEVELS) and len(slopes) == len(slopes_sd) == 4
        if not complete or not all(isfinite(number) for number in (*numbers, *sds, *slopes, *slopes_sd)):
            raise MeasurementError("a population needs finite numbers, five deviations a tree and two slopes each")
        positive = (
            self.drift_sd,
            self.jump_sd,
            self.trend_sd,
            self.dispersion,
            self.shock_sd,
            self.weekday_sd,
            self.account_drift_sd,
            self.value_cv,
            self.memory_days,
            self.value_memory_days,
            *sds,
            *slopes_sd,
        )
        chances = (self.shock_persistence, self.jump_hazard, self.account_jump_hazard)
        if min(positive) <= 0 or min(chances) < 0 or max(chances) >= 1:
            raise MeasurementError("a population's deviations are above 0, its persistence and jump hazards in [0, 1)")

    def to_json(self) -> dict[str, object]:
        """Plain numbers, lists and strings."""
        return {name: list(item) if isinstance(item, tuple) else item for name, item in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "Population":
        """The inverse of `to_json`; an unknown or missing name is a MeasurementError. Older ones lack what is newer."""
        known = {field.name for field in fields(cls)}
        values = {name: getattr(cls(), name) for name in _ADDED} | dict(values)
        if set(values) != known:
            raise MeasurementError(
                f"a population has {', '.join(sorted(known))}; differs in {sorted(known ^ set(values))}"
            )
        read = {name: tuple(item) if isinstance(item, list) else item for name, item in values.items()}
        return cls(**read)  # type: ignore[arg-type]  # checked by __post_init__
