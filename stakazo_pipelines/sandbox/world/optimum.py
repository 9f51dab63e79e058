"""The best split of a total over arms whose values are known on a grid: exact, with a certificate.

Lagrangian relaxation (Everett 1963) inside branch and bound. For concave curves the first relaxation is exact to a
grid step already; S-shaped curves leave a gap at the one arm that jumps, which branching closes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.world.noise import Floats, Ints

_TOLERANCE = 1e-4  # relative gap between value and bound at which the search stops
_MOST_NODES = 200
_BISECTIONS = 60

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Optimum:
    """`pick[i]` is the grid point of arm i; no allocation on the grid within the total is worth more than `bound`."""

    pick: Ints
    value: float
    bound: float


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A feasible pick and a bound of all within `allowed`; `arm` jumps past grid point `low` at the critical price."""

    allowed: Mask
    pick: Ints
    value: float
    bound: float
    arm: int
    low: int


def best_split(grid: Floats, values: Floats, total: float) -> Optimum:
    """Maximise the sum of `values[i, pick[i]]` subject to the sum of `grid[pick[i]]` <= total.

    `grid` is ascending from 0, `(m,)`; `values` is `(arms, m)`, curves of any shape.
    """
    best = _relax(grid, values, total, np.ones(values.shape, dtype=np.bool_))
    frontier, visited = [best], 1
    while visited < _MOST_NODES:
        node = max(frontier, key=lambda n: n.bound)
        if node.bound <= best.value * (1 + _TOLERANCE):
            break
        frontier.remove(node)
        for child in _branch(grid, values, total, node):
            visited += 1
            frontier.append(child)
            best = max(best, child, key=lambda n: n.value)
        if not frontier:
            break
    return Optimum(best.pick, best.value, max([best.value, *(n.bound for n in frontier)]))


def _branch(grid: Floats, values: Floats, total: float, node: _Node) -> list[_Node]:
    """The node's jumping arm held at or below its low point, and held above it, where that is affordable."""
    children = []
    for outside in (slice(node.low + 1, None), slice(None, node.low + 1)):
        part = node.allowed.copy()
        part[node.arm, outside] = False
        if part[node.arm].any() and grid[part.argmax(axis=1)].sum() <= total:
            children.append(_relax(grid, values, total, part))
    return children


def _relax(grid: Floats, values: Floats, total: float, allowed: Mask) -> _Node:
    worth, rows = np.where(allowed, values, -np.inf), np.arange(values.shape[0])
    generous = _choose(grid, worth, 0.0)
    if grid[generous].sum() <= total:
        value = float(worth[rows, generous].sum())
        return _Node(allowed, generous, value, value, 0, 0)
    cheap, dear = 0.0, 1.0
    while grid[_choose(grid, worth, dear)].sum() > total:
        cheap, dear = dear, 2.0 * dear
    for _ in range(_BISECTIONS):
        price = (cheap + dear) / 2
        cheap, dear = (price, dear) if grid[_choose(grid, worth, price)].sum() > total else (cheap, price)
    frugal, generous = _choose(grid, worth, dear), _choose(grid, worth, cheap)
    bound = float(worth[rows, frugal].sum() + dear * (total - grid[frugal].sum()))
    arm = int(np.argmax(grid[generous] - grid[frugal]))
    pick = _fill(grid, worth, frugal, total)
    return _Node(allowed, pick, float(worth[rows, pick].sum()), bound, arm, int(frugal[arm]))


def _choose(grid: Floats, worth: Floats, price: float) -> Ints:
    """Every arm's best point when money costs `price`."""
    return np.asarray(np.argmax(worth - price * grid, axis=1), dtype=np.int64)


def _fill(grid: Floats, worth: Floats, pick: Ints, total: float) -> Ints:
    """Spend what is left on the moves that earn most per unit and fit."""
    pick, rows = pick.copy(), np.arange(pick.size)
    left = total - grid[pick].sum()
    while True:
        cost = grid[None, :] - grid[pick][:, None]
        gain = worth - worth[rows, pick][:, None]
        fits = (cost > 0) & (cost <= left) & (gain > 0)
        rate = np.where(fits, gain / np.where(fits, cost, 1.0), 0.0)
        arm, point = np.unravel_index(int(np.argmax(rate)), rate.shape)
        if rate[arm, point] <= 0:
            return pick
        left -= cost[arm, point]
        pick[arm] = point
