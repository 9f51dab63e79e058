"""One allocation problem: arms with concave power curves, their bounds, a total, nested groups and a turnover cap.

`AllocationProblem` is validated when it is made, so that the solver meets only problems that have a solution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stakazo_pipelines.errors import AllocationError, InfeasibleError
from stakazo_pipelines.measurement import curves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SLACK = 1e-9  # relative: sums that agree this far are equal, so that rounding noise is not infeasible
_NAMED = 5  # arms named in an error


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of arms with bounds on their sums, in money: side by side or nested, but never overlapping in part.

    member: int[n], the innermost group of each arm, -1 for none. lower, upper: float[g]. names: g names, for messages.
    parent: int[g], the group around each group, -1 for none; left out: all are side by side.
    """

    member: Ints
    lower: Floats
    upper: Floats
    names: tuple[str, ...]
    parent: Ints | None = None

    @property
    def above(self) -> Ints:
        return np.full(len(self.names), -1, dtype=np.int64) if self.parent is None else self.parent

    @property
    def levels(self) -> tuple[Ints, ...]:
        """Groups by depth, deepest first. Raises AllocationError for groups that lie within themselves."""
        above, depth = self.above, np.zeros(len(self.names), dtype=np.int64)
        outer = above.copy()
        while (outer >= 0).any():
            depth += outer >= 0
            if depth.max() >= len(self.names):
                raise AllocationError("groups lie within each other in a circle")
            outer = np.where(outer >= 0, above[outer], -1)
        return tuple(np.flatnonzero(depth == at) for at in range(int(depth.max(initial=-1)), -1, -1))

    def reach(self, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """float[g + 1] each: the smallest and largest sums that arms and inner groups leave every group.

        A group's own bounds are not in its own sums, but in those of what lies around it. The last is the portfolio.
        """
        count = len(self.names)
        member, outer = np.where(self.member < 0, count, self.member), np.where(self.above < 0, count, self.above)
        least, most = (np.bincount(member, bound, count + 1).astype(np.float64) for bound in (lower, upper))
        for level in self.levels:
            least += np.bincount(outer[level], np.maximum(least[level], self.lower[level]), count + 1)
            most += np.bincount(outer[level], np.minimum(most[level], self.upper[level]), count + 1)
        return least, most


@dataclass(frozen=True, slots=True)
class AllocationProblem:
    """Maximise sum(scale * (s / ref_spend) ** elasticity) over lower <= s <= upper with sum(s) = total.

    Arrays are float64 of one length n, money in one currency's major units per day; `scale` is the value per day at
    `ref_spend`, `0 <= elasticity <= 1`; an arm with scale or elasticity 0 earns nothing more at any spend, one with
    elasticity 1 as much from every unit. spend_all: False turns the total into an upper limit. groups: bounds on sums
    of arms. max_moved: the largest sum(|s - current|), exact, together with groups too.

    Raises AllocationError for numbers that are no problem at all, InfeasibleError for bounds that contradict each
    other, naming them and the smallest relaxation.
    """

    arm_ids: Sequence[str]
    current: Floats
    lower: Floats
    upper: Floats
    scale: Floats
    elasticity: Floats
    ref_spend: Floats
    total: float
    spend_all: bool = True
    groups: Groups | None = None
    max_moved: float | None = None

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_arms()
        if self.groups is not None:
            self._check_groups(self.groups)
        else:
            self._check_total(float(self.lower.sum()), float(self.upper.sum()), "arms")
        if self.max_moved is not None:
            self._check_turnover(self.max_moved)

    @property
    def size(self) -> int:
        return len(self.arm_ids)

    def value(self, spend: Floats) -> Floats:
        """float[n]: value per day of each arm at that spend."""
        with np.errstate(divide="ignore"):
            log_value = np.log(self.scale)
        return curves.value(spend, log_value=log_value, elasticity=self.elasticity, ref_spend=self.ref_spend)

    def _check_numbers(self) -> None:
        n = len(self.arm_ids)
        if n == 0:
            raise AllocationError("there are no arms to allocate to")
        for name in ("current", "lower", "upper", "scale", "elasticity", "ref_spend"):
            values = getattr(self, name)
            if values.shape != (n,):
                raise AllocationError(f"{name} has shape {values.shape} for {n} arms")
            if name != "upper" and not np.isfinite(values).all():
                raise AllocationError(f"{name} is not finite for {self._name(~np.isfinite(values))}")
        for name, bad in (
            ("current budget below zero", self.current < 0),
            ("lower bound below zero", self.lower < 0),
            ("upper bound missing", np.isnan(self.upper)),
            ("scale below zero", self.scale < 0),
            ("elasticity outside [0, 1]", (self.elasticity < 0) | (self.elasticity > 1)),
            ("ref_spend not above zero", self.ref_spend <= 0),
        ):
            if bad.any():
                raise AllocationError(f"{name}: {self._name(bad)}")
        if not np.isfinite(self.total) or self.total < 0:
            raise AllocationError(f"the total must be a finite amount of at least zero, not {self.total}")

    def _check_arms(self) -> None:
        gap = self.lower - self.upper
        if (gap > 0).any():
            worst = float(gap.max())
            raise InfeasibleError(
                f"the lower bound is above the upper bound for {self._name(gap > 0)}; "
                f"lower the one or raise the other by at least {worst:.6g}",
                worst,
            )

    def _check_groups(self, groups: Groups) -> None:
        count = len(groups.names)
        above = groups.above
        if groups.member.shape != (self.size,) or groups.lower.shape != (count,) or groups.upper.shape != (count,):
            raise AllocationError("groups need one member index per arm and one lower and upper bound per name")
        indices = np.concatenate([groups.member, above])
        if above.shape != (count,) or indices.min(initial=-1) < -1 or indices.max(initial=-1) >= count:
            raise AllocationError(f"group indices must lie between -1 and {count - 1}")
        if np.isnan(groups.lower).any() or np.isnan(groups.upper).any():
            raise AllocationError("group bounds must be numbers")
        least, most = groups.reach(self.lower, self.upper)
        for level in groups.levels:
            for index in level:
                self._check_group(groups, int(index), float(least[index]), float(most[index]))
        self._check_total(float(least[-1]), float(most[-1]), "arms and groups")

    def _check_group(self, groups: Groups, index: int, least: float, most: float) -> None:
        low, high = float(groups.lower[index]), float(groups.upper[index])
        bounds = (
            (low - high, f"its lower bound {low:.6g} is above its upper bound {high:.6g}"),
            (least - high, f"its arms' lower bounds add up to {least:.6g}, above {high:.6g}"),
            (low - most, f"its arms' upper bounds add up to {most:.6g}, below {low:.6g}"),
        )
        for gap, text in bounds:
            if gap > SLACK * max(abs(low), abs(high) if np.isfinite(high) else 0.0, self.total):
                name = groups.names[index]
                raise InfeasibleError(f"group {name}: {text}; move one of them by at least {gap:.6g}", gap)

    def _check_total(self, least: float, most: float, of: str) -> None:
        tolerance = SLACK * max(self.total, least)
        if least - self.total > tolerance:
            gap = least - self.total
            raise InfeasibleError(
                f"the lower bounds of the {of} add up to {least:.6g}, above the total of {self.total:.6g}; "
                f"raise the total or cut the lower bounds by at least {gap:.6g}",
                gap,
            )
        if self.spend_all and self.total - most > tolerance:
            gap = self.total - most
            raise InfeasibleError(
                f"the upper bounds of the {of} add up to {most:.6g}, below the total of {self.total:.6g}; "
                f"cut the total or raise the upper bounds by at least {gap:.6g}",
                gap,
            )

    def _check_turnover(self, cap: float) -> None:
        if not self.spend_all:
            raise AllocationError("a turnover cap needs the whole total to be spent")
        if (self.current < self.lower).any() or (self.current > self.upper).any():
            raise AllocationError("a turnover cap needs bounds that contain the current budgets")
        needed = self.least_moved()
        if not cap >= 0 or needed - cap > SLACK * max(self.total, needed):
            gap = needed - cap
            within = " within the groups' bounds" if self.groups is not None else ""
            raise InfeasibleError(
                f"reaching the total of {self.total:.6g}{within} moves {needed:.6g}, above the cap of {cap:.6g} on "
                f"moved money; raise the cap{' or a bound' if within else ''} or bring the total nearer by at least "
                f"{gap:.6g}",
                gap,
            )

    def least_moved(self) -> float:
        """The smallest sum(|s - current|) that meets the groups' bounds and the total.

        As a function of its sum a group's least moved money is `base + |sum - centre|`: so are an arm's and any sum
        of such functions, and bounds that leave the centre out only shift it. From the innermost groups outwards.
        """
        groups = self.groups
        if groups is None:
            return abs(self.total - float(self.current.sum()))
        count = len(groups.names)
        outer = np.where(groups.above < 0, count, groups.above)
        centre = np.bincount(np.where(groups.member < 0, count, groups.member), self.current, count + 1)
        centre, base = centre.astype(np.float64), 0.0
        for level in groups.levels:
            moved = np.clip(centre[level], groups.lower[level], groups.upper[level])
            base += float(np.abs(moved - centre[level]).sum())
            centre += np.bincount(outer[level], moved, count + 1)
        return base + abs(self.total - float(centre[-1]))

    def _name(self, bad: Flags) -> str:
        found = np.flatnonzero(bad)
        names = ", ".join(str(self.arm_ids[index]) for index in found[:_NAMED])
        return names + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
