"""From exact budgets to whole minor units: the total to the unit, no bound and no cap broken. Integers throughout."""

import numpy as np

from stakazo_pipelines.allocation.problem import Floats, Ints


def round_to_total(exact: Floats, lower: Ints, upper: Ints, total: int) -> Ints:
    """Whole units nearest to `exact` (int64[n]) within the bounds that add up to `total`: largest remainders first.

    When the bounds cannot hold the total (it lies above sum(upper) or below sum(lower)) the sum ends at that bound.
    Arms with equal remainders go in array order.
    """
    units = np.clip(np.floor(exact + 1e-9).astype(np.int64), lower, upper)
    remainder = exact - units
    gap = total - int(units.sum())
    while gap != 0:
        step = 1 if gap > 0 else -1
        room = upper - units if step > 0 else units - lower
        order = np.flatnonzero(room > 0)
        if not order.size:
            break
        order = order[np.argsort(-step * remainder[order], kind="stable")][: abs(gap)]
        # Bounds may leave more to close than one unit each: then as much at once as everyone can take alike.
        moved = step * np.minimum(room[order], abs(gap) // len(order))
        units[order] += moved
        remainder[order] -= moved
        gap -= int(moved.sum())
    return units


def trim_moves(units: Ints, current: Ints, max_moved: int) -> Ints:
    """Take back whole units, in pairs of one raise and one cut, until sum(|units - current|) <= max_moved.

    The sum of units stays. Pairs come from the largest moves, so that directions never turn round.
    """
    units = units.copy()
    while True:
        move = units - current
        excess = int(np.abs(move).sum()) - max_moved
        raised, cut = np.flatnonzero(move > 0), np.flatnonzero(move < 0)
        pairs = min((excess + 1) // 2, len(raised), len(cut))
        if excess <= 0 or pairs == 0:
            return units
        units[raised[np.argsort(-move[raised], kind="stable")][:pairs]] -= 1
        units[cut[np.argsort(move[cut], kind="stable")][:pairs]] += 1
