"""One account's bounds in whole minor units: of its arms, of groups of them, and of the money that may move."""

from dataclasses import dataclass, replace

import numpy as np

from stakazo_pipelines.allocation.guardrails import Bounds, Reasons
from stakazo_pipelines.allocation.problem import Flags, Groups, Ints
from stakazo_pipelines.allocation.tree import Tree


@dataclass(frozen=True, slots=True)
class Limits:
    """int64[n] arrays that contain `current`, the cap on moved units, and groups whose bounds contain today's sums."""

    current: Ints
    lower: Ints
    upper: Ints
    why_lower: Reasons
    why_upper: Reasons
    max_moved: int
    groups: Groups | None = None

    @staticmethod
    def of(bounds: Bounds, current: Ints, units: int, groups: Groups | None = None) -> "Limits":
        """Bounds rounded inwards; `units` minor units make one major. Groups' bounds in major units."""
        lower = np.ceil(np.round(bounds.lower * units, 6)).astype(np.int64)
        upper = np.floor(np.round(bounds.upper * units, 6)).astype(np.int64)
        return Limits(
            current=current,
            lower=np.minimum(lower, current),
            upper=np.maximum(upper, current),
            why_lower=bounds.why_lower,
            why_upper=bounds.why_upper,
            max_moved=int(np.floor(round(bounds.max_moved * units, 6))),
            groups=None if groups is None else _whole(groups, current, units),
        )

    @property
    def fixed(self) -> bool:
        return bool((self.lower >= self.upper).all())

    def pinned(self, chosen: Flags) -> "Limits":
        """The same with the chosen arms kept at their current budgets."""
        return self.within(
            np.where(chosen, self.current, self.lower),
            np.where(chosen, self.current, self.upper),
        )

    def within(self, lower: Ints, upper: Ints) -> "Limits":
        return replace(self, lower=lower, upper=upper)

    def sums(self) -> tuple[int, int]:
        """The smallest and largest total that arms and groups allow, whatever the cap on moved money."""
        if self.groups is None:
            return int(self.lower.sum()), int(self.upper.sum())
        least, most = self.groups.reach(self.lower.astype(np.float64), self.upper.astype(np.float64))
        return int(least[-1]), int(most[-1])

    def hold(self, total: int) -> bool:
        """Whether some budgets of this total keep every bound of arms and groups."""
        low, high = self.sums()
        if self.groups is None:
            return low <= total <= high
        least, most = self.groups.reach(self.lower.astype(np.float64), self.upper.astype(np.float64))
        apart = (self.groups.lower > most[:-1]) | (self.groups.upper < least[:-1])
        return low <= total <= high and not bool(apart.any())


def _whole(groups: Groups, current: Ints, units: int) -> Groups:
    """Bounds in minor units, rounded inwards, but never past today's sums: a bound stops moves and forces none."""
    now = Tree.of(groups, len(current)).whole(current.astype(np.float64))[:-1]
    return replace(
        groups,
        lower=np.minimum(np.ceil(np.round(groups.lower * units, 6)), now),
        upper=np.maximum(np.floor(np.round(groups.upper * units, 6)), now),
    )
