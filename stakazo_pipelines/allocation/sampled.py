"""A curve known by points, such as an S-shaped one, and the smallest concave curve above any part of it."""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.allocation.problem import Floats
from stakazo_pipelines.errors import AllocationError


@dataclass(frozen=True, slots=True)
class Sampled:
    """A curve by points, straight between them: rising spends from 0 on, and the value per day at each."""

    spend: Floats
    value: Floats

    def __post_init__(self) -> None:
        if self.spend.ndim != 1 or self.spend.shape != self.value.shape or len(self.spend) < 2:
            raise AllocationError("a curve by points needs two points or more, with a value for each spend")
        if not (np.isfinite(self.spend).all() and np.isfinite(self.value).all()):
            raise AllocationError("a curve by points must have finite spends and values")
        if self.spend[0] != 0 or (np.diff(self.spend) <= 0).any():
            raise AllocationError("a curve by points starts at a spend of 0, and its spends rise")
        if (np.diff(self.value) < 0).any() or self.value[0] < 0:
            raise AllocationError("the values of a curve by points never fall and are not below 0")

    def at(self, spend: float) -> float:
        return float(np.interp(spend, self.spend, self.value))

    def hull(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Corners of the smallest concave curve above this one between two spends."""
        inside = (self.spend > low) & (self.spend < high)
        x = np.concatenate([[low], self.spend[inside], [high]]) if high > low else np.array([low])
        y = np.interp(x, self.spend, self.value)
        kept: list[int] = []
        for index in range(len(x)):
            while len(kept) > 1 and _below(x, y, kept[-2], kept[-1], index):
                kept.pop()
            kept.append(index)
        return x[kept], y[kept]


def _below(x: Floats, y: Floats, left: int, middle: int, right: int) -> bool:
    return bool((y[middle] - y[left]) * (x[right] - x[left]) <= (y[right] - y[left]) * (x[middle] - x[left]))
