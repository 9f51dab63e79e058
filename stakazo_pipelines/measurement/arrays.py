"""The array types that the numeric modules share, the one sum over groups and the quantile that they all need."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

TAIL_90 = 1.6448536269514722  # a normal's deviations from its middle to either end of its 90 % interval


def sum_by(group: IntArray, values: Array, size: int) -> Array:
    """Sum of `values` per group 0..size-1."""
    return np.asarray(np.bincount(group, values, size), dtype=np.float64)
