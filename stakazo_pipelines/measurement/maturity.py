"""How much of what a day will have earned is already reported at a given age, and how sure that is.

Learned from raw vintages (a reporting triangle), group within group, each shrunk towards the one above and the widest
towards a documented prior: one backfill, in which every day is seen once, harmlessly leaves the prior standing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.arrays import TAIL_90, Array, IntArray
from stakazo_pipelines.measurement.delays import Delay, Node, default_delay, fit_delays, rates_of
from stakazo_pipelines.measurement.late_value import value_powers
from stakazo_pipelines.measurement.triangles import MATURE_AGE as MATURE_AGE
from stakazo_pipelines.measurement.triangles import Group, triangle_cells

# Share of eventual conversions reported by the end of an age in days, as advertisers commonly see it on 7-day click
# attribution with restatements up to four weeks; interpolated linearly in log(1 + age).
_PRIOR_KNOTS = {0: 0.35, 1: 0.55, 3: 0.75, 7: 0.88, 14: 0.97, MATURE_AGE: 1.0}
_LEAST_SHARE = 1e-3  # less than that says nothing of what a day will have earned
BETWEEN = " · "  # parts of a group's name
_ANY = "*"  # a part that is not known


@dataclass(frozen=True, slots=True)
class MaturityCurve:
    """Reported share by age 0..28 (non-decreasing, 1 at 28 and after).

    log_sds: standard error of the log of each share, () for a curve that is known. conversions: those of its group in
    days first read at the group's smallest age, and then again; 0 where all comes from the group above. value_power:
    see `late_value`.
    """

    shares: tuple[float, ...]
    log_sds: tuple[float, ...] = ()
    conversions: float = 0.0
    value_power: float = 1.0

    def __post_init__(self) -> None:
        values = np.asarray(self.shares)
        if len(values) != MATURE_AGE + 1 or values[-1] != 1.0 or np.any(np.diff(values) < 0) or values[0] <= 0:
            raise MeasurementError(f"a maturity curve rises from above 0 at age 0 to 1 at age {MATURE_AGE}")
        if self.log_sds and (len(self.log_sds) != len(values) or min(self.log_sds) < 0):
            raise MeasurementError("a maturity curve has one standard error of at least 0 for each age")

    def fraction(self, age_days: Array | IntArray | int) -> Array:
        """Share of eventual conversions reported at `age_days` (clipped to 0..28): in (0, 1], never falling."""
        return np.asarray(np.asarray(self.shares)[_clipped(age_days)], dtype=np.float64)

    def log_sd(self, age_days: Array | IntArray | int) -> Array:
        """Standard error of log `fraction`."""
        sds = np.asarray(self.log_sds or (0.0,) * (MATURE_AGE + 1))
        return np.asarray(sds[_clipped(age_days)], dtype=np.float64)

    def sd(self, age_days: Array | IntArray | int) -> Array:
        """Standard error of `fraction`."""
        return np.asarray(self.fraction(age_days) * self.log_sd(age_days), dtype=np.float64)

    def value_factor(self, age_days: Array | IntArray | int) -> Array:
        """What makes reported value as mature as the conversions are: 1 unless late orders are worth more or less."""
        return np.asarray(self.fraction(age_days) ** (1.0 - self.value_power), dtype=np.float64)

    def band(self, age_days: Array | IntArray | int) -> tuple[Array, Array]:
        """90 % interval of `fraction`: -log share is positive, so its log is taken as normal."""
        left = np.maximum(-np.log(self.fraction(age_days)), 1e-12)
        wide = np.exp(TAIL_90 * np.minimum(self.log_sd(age_days) / left, 5.0))
        return np.exp(-left * wide), np.exp(-left / wide)

    def mature_age(self, threshold: float) -> int:
        """The first age at which at least `threshold` of the conversions is reported."""
        return int(np.argmax(np.asarray(self.shares) >= threshold))


def _clipped(age_days: Array | IntArray | int) -> IntArray:
    return np.clip(np.asarray(age_days, dtype=np.int64), 0, MATURE_AGE)


def _curve(delay: Delay, conversions: float = 0.0, value_power: float = 1.0) -> MaturityCurve:
    shares, log_sds = np.maximum(delay.shares(), _LEAST_SHARE), delay.log_sds()
    return MaturityCurve(
        shares=tuple(float(share) for share in shares),
        log_sds=tuple(float(sd) for sd in log_sds),
        conversions=conversions,
        value_power=value_power,
    )


def _default() -> MaturityCurve:
    ages = np.arange(MATURE_AGE + 1)
    shares = np.interp(np.log1p(ages), np.log1p(list(_PRIOR_KNOTS)), list(_PRIOR_KNOTS.values()))
    return _curve(default_delay(shares))


DEFAULT_MATURITY = _default()


def group_name(platform: str, window: str = "", objective: str = "", account: str = "") -> str:
    """The key of a group's curve, which people can read: "meta", "meta · 7d_click", "meta · * · sales"."""
    parts = [platform, window, objective, account]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return BETWEEN.join(part or _ANY for part in parts)


def maturity_of(
    curves: Mapping[str, MaturityCurve], platform: str, window: str = "", objective: str = "", account: str = ""
) -> MaturityCurve:
    """The curve of the narrowest group that is known, up to the platform's, else the prior.

    What vintages did not tell is passed over: learned without attribution windows, an objective's curve serves all.
    """
    windows, objectives = dict.fromkeys((window, "")), dict.fromkeys((objective, ""))
    for one in objectives:
        for two in windows:
            for three in dict.fromkeys((account, "")):
                if (one or two or three) and (found := curves.get(group_name(platform, two, one, three))) is not None:
                    return found
    return curves.get(platform, DEFAULT_MATURITY)


def learn_maturity(vintages: pl.DataFrame) -> dict[str, MaturityCurve]:
    """Curves by `group_name` from `platform, date_day, age_days, conversions` (several rows a day: one a vintage).

    Give `attribution_window`, `objective` and `account_id` too where they are known: every group has a curve then, the
    platform's own being what is expected of a further account. With `conversions_value` it is also learned whether
    late orders are worth more. A day last seen at age 3 says nothing of what arrives later. See `delays` for the model.
    Raises MeasurementError when a column is missing.
    """
    cells = triangle_cells(vintages)
    nodes: list[Node] = []
    place: dict[Group, int] = {}
    conversions: dict[Group, float] = {}
    for group, own in cells.items():
        parent: int | None = None
        for path in _paths(group):
            if path not in place:
                place[path] = len(nodes)
                nodes.append(Node(parent, _level(path)))
            parent = place[path]
            conversions[path] = conversions.get(path, 0.0) + own.conversions
        if parent is not None:
            nodes[parent] = Node(nodes[parent].parent, nodes[parent].level, own)
    delays = fit_delays(nodes, rates_of(np.asarray(DEFAULT_MATURITY.shares)))
    powers = value_powers(vintages)
    return {
        group_name(*path): _curve(delays[at], conversions[path], powers.get(path[0], (1.0, 0.0))[0])
        for path, at in place.items()
    }


def _paths(group: Group) -> list[Group]:
    """The group and those above it, the widest first; a level that is not known is none."""
    platform, window, objective, _account = group
    paths: list[Group] = [(platform, "", "", "")]
    for path in ((platform, window, "", ""), (platform, window, objective, ""), group):
        if path != paths[-1]:
            paths.append(path)
    return paths


def _level(path: Group) -> int:
    return max((at for at, part in enumerate(path) if part), default=0)
