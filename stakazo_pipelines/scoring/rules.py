"""Proper scores of predictive draws: CRPS, and the coverage of central intervals, exact for counts and ties too."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


def crps(draws: Floats, observed: Floats) -> Floats:
    """Continuous ranked probability score of each column of `draws` (draws x cases), in the unit of `observed`.

    E|X - y| - E|X - X'| / 2, the second term over pairs of different draws (Gneiting & Raftery 2007, eq. 21): 0 is
    best, and a point forecast scores its absolute error.
    """
    count = len(draws)
    ordered = np.sort(draws, axis=0)
    error = np.abs(ordered - observed).mean(axis=0)
    if count == 1:
        return np.asarray(error, dtype=np.float64)
    weight = 2.0 * np.arange(count) - count + 1.0
    spread = 2.0 * (weight[:, None] * ordered).sum(axis=0) / (count * (count - 1))
    return np.asarray(error - spread / 2.0, dtype=np.float64)


def ranks(draws: Floats, observed: Floats) -> tuple[Floats, Floats]:
    """Where `observed` falls among its draws: the ends (low, high) of its slot in [0, 1], wide where draws tie with it.

    A point drawn evenly from the slot is uniform when draws and observation come from one distribution (the
    randomised PIT; Czado, Gneiting & Held 2009), zeros and few conversions included.
    """
    slots = len(draws) + 1
    below = (draws < observed).sum(axis=0)
    tied = (draws == observed).sum(axis=0)
    return below / slots, (below + tied + 1) / slots


def covered(low: Floats, high: Floats, level: float) -> Floats:
    """Share of each slot within the central `level` interval: 0 or 1 but at its edge; its mean should be `level`."""
    tail = (1.0 - level) / 2.0
    inside = np.minimum(high, 1.0 - tail) - np.maximum(low, tail)
    return np.asarray(np.clip(inside, 0.0, None) / (high - low), dtype=np.float64)
