"""From exact budgets to whole minor units: the total to the unit, no bound and no cap broken. Integers throughout."""

import numpy as np

from stakazo_pipelines.allocation.problem import Floats, Groups, Ints
from stakazo_pipelines.allocation.tree import Tree


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


def round_in_groups(exact: Floats, lower: Ints, upper: Ints, total: int, groups: Groups) -> Ints:
    """`round_to_total` with every group's sum within the group's bounds (whole numbers) as well.

    From the outside in: what lies in a group shares out the group's sum once that is a whole number. `exact` must keep
    the bounds; then whole sums beside it do so at every depth.
    """
    root, above = len(groups.names), np.where(groups.above < 0, len(groups.names), groups.above)
    member = np.where(groups.member < 0, root, groups.member)
    least, most = groups.reach(lower.astype(np.float64), upper.astype(np.float64))
    low = np.maximum(least[:-1], groups.lower).astype(np.int64)
    high = np.minimum(most[:-1], groups.upper).astype(np.int64)
    sums = Tree.of(groups, len(exact)).whole(exact)[:-1]
    units, goal = np.zeros(len(exact), dtype=np.int64), np.full(root + 1, total, dtype=np.int64)
    for node in (root, *(int(index) for level in reversed(groups.levels) for index in level)):
        arms, inner = np.flatnonzero(member == node), np.flatnonzero(above == node)
        parts = [
            np.concatenate([own[arms], nested[inner]]) for own, nested in ((exact, sums), (lower, low), (upper, high))
        ]
        shared = round_to_total(parts[0], parts[1], parts[2], int(goal[node]))
        units[arms], goal[inner] = shared[: len(arms)], shared[len(arms) :]
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
