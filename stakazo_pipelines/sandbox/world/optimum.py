"""The best split of a total over arms whose values are known on a grid: exact, with a certificate.

Lagrangian relaxation (Everett 1963) inside branch and bound. For concave curves the first relaxation is already exact to
a grid step; S-shaped curves leave a gap at the one arm that jumps, which branching closes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.world.noise import Floats, Ints

_TOLERANCE = 1e-4  # relative gap between value and bound at which the search stops
_MOST_NODES = 40


@dataclass(frozen=True, slots=True)
class Optimum:
    """`pick[i]` is the grid point of arm i; no allocation on the grid within the total is worth more than `bound`."""

    pick: Ints
    value: float
    bound: float


@dataclass(frozen=True, slots=True)
class _Relaxed:
    pick: Ints  # feasible
    value: float
    bound: float
    arm: int  # the arm that jumps at the critical price
    low: int
    high: int


def best_split(grid: Floats, values: Floats, total: float) -> Optimum:
    """Maximise the sum of `values[i, pick[i]]` subject to the sum of `grid[pick[i]]` <= total.

    `grid` is ascending from 0, `(m,)`; `values` is `(arms, m)`, any shape of curve.
    """
    allowed = np.ones(values.shape, dtype=np.bool_)
    first = _relax(grid, values, total, allowed)
    best, open_nodes, visited = first, [(first, allowed)], 1
    while open_nodes and visited < _MOST_NODES:
        at = max(range(len(open_nodes)), key=lambda i: open_nodes[i][0].bound)
        node, mask = open_nodes.pop(at)
        if node.bound <= best.value * (1 + _TOLERANCE):
            break
        for low, high in ((0, node.low + 1), (node.low + 1, grid.size)):
            part = mask.copy()
            part[node.arm, :low] = part[node.arm, high:] = False
            if not part.any(axis=1).all() or grid[part.argmax(axis=1)].sum() > total:
                continue
            child = _relax(grid, values, total, part)
            visited += 1
            open_nodes.append((child, part))
            if child.value > best.value:
                best = child
    bound = max([best.value] + [node.bound for node, _ in open_nodes]) if open_nodes else best.value
    return Optimum(best.pick, best.value, min(max(bound, best.value), max(first.bound, best.value)))


def _relax(grid: Floats, values: Floats, total: float, allowed: npt.NDArray[np.bool_]) -> _Relaxed:
    worth = np.where(allowed, values, -np.inf)
    cheap, dear = 0.0, 1.0
    rows = np.arange(values.shape[0])
    while grid[_choose(grid, worth, dear)].sum() > total:
        dear *= 2.0
        if dear > 1e12:  # only the cheapest points fit
            break
    generous = _choose(grid, worth, cheap)
    if grid[generous].sum() <= total:
        value = float(worth[rows, generous].sum())
        return _Relaxed(generous, value, value, 0, 0, 0)
    for _ in range(60):
        price = (cheap + dear) / 2
        cheap, dear = (price, dear) if grid[_choose(grid, worth, price)].sum() > total else (cheap, price)
    frugal, generous = _choose(grid, worth, dear), _choose(grid, worth, cheap)
    bound = float(worth[rows, frugal].sum() + dear * (total - grid[frugal].sum()))
    arm = int(np.argmax(grid[generous] - grid[frugal]))
    low, high = int(frugal[arm]), int(generous[arm])
    pick = _fill(grid, worth, frugal, total)
    return _Relaxed(pick, float(worth[rows, pick].sum()), bound, arm, low, high)


def _choose(grid: Floats, worth: Floats, price: float) -> Ints:
    """Every arm's best point when money costs `price`."""
    return np.argmax(worth - price * grid, axis=1)


def _fill(grid: Floats, worth: Floats, pick: Ints, total: float) -> Ints:
    """Spend what is left on the moves that earn most per unit and fit."""
    pick, rows = pick.copy(), np.arange(pick.size)
    left = total - grid[pick].sum()
    while True:
        cost = grid[None, :] - grid[pick][:, None]
        gain = worth - worth[rows, pick][:, None]
        rate = np.where((cost > 0) & (cost <= left) & (gain > 0), gain / np.where(cost > 0, cost, 1.0), 0.0)
        arm, point = np.unravel_index(int(np.argmax(rate)), rate.shape)
        if rate[arm, point] <= 0:
            return pick
        left -= cost[arm, point]
        pick[arm] = point
