"""The array types that the numeric modules share, and the one sum over groups that they all need."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


def sum_by(group: IntArray, values: Array, size: int) -> Array:
    """Sum of `values` per group 0..size-1."""
    return np.asarray(np.bincount(group, values, size), dtype=np.float64)
