"""Small random steps on decided budgets, so that what money does can be told from what demand does.

Spend follows demand, and whoever raises winners makes it follow them more. A step whose direction was drawn does
neither. Steps add up to nothing in an account and in each of its groups, and leave every bound, cap and hold as it is.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

import numpy as np

from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.problem import Flags, Floats, Ints
from stakazo_pipelines.allocation.rounding import round_to_total
from stakazo_pipelines.policy import ExperimentPolicy

_LEAST_SHARE = 0.5  # of the size asked for; a smaller step is none, since it would teach little


def experiment_steps(
    *,
    account: str,
    arm_ids: Sequence[str],
    limits: Limits,
    proposed: Ints,
    day: date,
    settings: ExperimentPolicy,
    min_change: float,
) -> Ints:
    """What to add to the decided budgets of one account, int64[n] minor units, 0 for most.

    Who takes part, and whether up or down, is drawn by account, arm and block of `settings.block_days`, so that a
    direction lasts long enough for late and carried-over conversions; the same day gives the same steps. Steps never
    pile up: a budget that the decision leaves alone is stepped on the first day of the block only, one that it moves
    is stepped from where it was moved to. An arm is left out on a day when it is on its way (its decided budget is at a
    bound), or when bounds, or the smallest change worth publishing, do not let it have at least half of its step.
    """
    chosen, up = _drawn(account, arm_ids, day, settings)
    size = settings.size * proposed
    room = np.where(up, limits.upper - proposed, proposed - limits.lower)
    wanted = np.floor(np.minimum(size, room))
    first = day.toordinal() % settings.block_days == 0
    settled = (limits.lower < proposed) & (proposed < limits.upper) & ((proposed != limits.current) | first)
    taking = chosen & settled & (wanted >= np.maximum(_LEAST_SHARE * size, 1.0))
    labels = np.zeros(len(proposed), dtype=np.int64) if limits.groups is None else limits.groups.member
    while taking.any():
        steps = np.zeros(len(proposed), dtype=np.int64)
        for group in np.unique(labels):
            own = labels == group
            steps[own] = _balanced(np.where(taking, wanted, 0.0)[own], up[own])
        moved = np.abs(proposed + steps - limits.current)
        least = min_change * limits.current * (1 - 1e-9)
        unfit = taking & ((np.abs(steps) < _LEAST_SHARE * size) | ((moved > 0) & (moved < least)))
        if not unfit.any():
            if int(moved.sum()) <= max(limits.max_moved, int(np.abs(proposed - limits.current).sum())):
                return steps
            # Too much moved in all: the half that moves most goes without.
            busy = np.flatnonzero(taking)
            unfit = np.zeros(len(proposed), dtype=np.bool_)
            unfit[busy[np.argsort(-moved[busy], kind="stable")][: (len(busy) + 1) // 2]] = True
        taking &= ~unfit
    return np.zeros(len(proposed), dtype=np.int64)


def _drawn(account: str, arm_ids: Sequence[str], day: date, settings: ExperimentPolicy) -> tuple[Flags, Flags]:
    """Who takes part in the block of days that holds `day`, and who of them goes up."""
    block = day.toordinal() // settings.block_days
    draws = np.array(
        [int.from_bytes(hashlib.sha256(f"{account}\n{arm}\n{block}".encode()).digest()[:8], "big") for arm in arm_ids],
        dtype=np.uint64,
    )
    up = (draws & np.uint64(1)) == 1
    return (draws >> np.uint64(11)) / 2.0**53 < settings.share, up


def _balanced(wanted: Floats, up: Flags) -> Ints:
    """Whole signed steps of at most `wanted` that add up to 0: the larger side gives way in proportion."""
    rises, cuts = float(wanted[up].sum()), float(wanted[~up].sum())
    total = int(min(rises, cuts))
    steps = np.zeros(len(wanted), dtype=np.int64)
    for side, sum_of_side, sign in ((up, rises, 1), (~up, cuts, -1)):
        if total and sum_of_side:
            part = wanted[side]
            steps[side] = sign * round_to_total(
                part * (total / sum_of_side), np.zeros(len(part), dtype=np.int64), part.astype(np.int64), total
            )
    return steps
