"""Budgets for curves that are not concave: on/off minimum budgets and S-shaped curves known by points.

Each curve is replaced by its concave envelope: the smallest concave curve above it. The optimum over envelopes is an
upper bound, and lies off the true curve for at most one arm in each group that binds (and among exact ties). Those
arms' ranges are split in two until bound and best found agree, or the work allowed is done: the gap left is reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count

import numpy as np

from stakazo_pipelines.allocation.problem import AllocationProblem, Floats, Groups, Ints
from stakazo_pipelines.allocation.sampled import Sampled
from stakazo_pipelines.allocation.solver import Allocation, solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError

_EXACT = 1e-9  # relative gap at which the answer counts as exact
_WORK = 100_000  # arms x splits
_OFF = 1e-9  # relative distance from the true curve that is rounding


@dataclass(frozen=True, slots=True)
class Nonconcave:
    """A problem some of whose arms are not concave.

    minimum: float[n], each arm's smallest budget when it is on; such an arm may also be off, at 0 (its lower bound
    must then be 0). 0: no such minimum. sampled: curves by points, by arm index, instead of the arm's power curve.
    The problem's total, bounds and groups hold as they are; a cap on moved money is not supported.
    """

    problem: AllocationProblem
    minimum: Floats
    sampled: Mapping[int, Sampled] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = self.problem
        if problem.max_moved is not None:
            raise AllocationError("a cap on moved money cannot be combined with curves that are not concave")
        if self.minimum.shape != (problem.size,) or not np.isfinite(self.minimum).all() or (self.minimum < 0).any():
            raise AllocationError("minimum budgets must be one finite amount of at least zero for each arm")
        switched = self.minimum > 0
        if (switched & (problem.lower > 0)).any():
            raise AllocationError("an arm with an on/off minimum needs a lower bound of 0: off must be allowed")
        for index, curve in self.sampled.items():
            if not 0 <= index < problem.size or switched[index]:
                raise AllocationError("a curve by points belongs to one arm, and gives its minimum by its shape")
            if problem.upper[index] > curve.spend[-1]:
                raise AllocationError(f"the curve of {problem.arm_ids[index]} ends below the arm's upper bound")

    def value(self, spend: Floats) -> Floats:
        """float[n]: the true value at these spends; nothing below an arm's minimum."""
        worth = np.where(spend >= self.minimum * (1 - _OFF), self.problem.value(spend), 0.0)
        for index, curve in self.sampled.items():
            worth[index] = curve.at(float(spend[index]))
        return worth


@dataclass(frozen=True, slots=True)
class EnvelopeAllocation:
    """proposed: float[n], feasible. bound: no allocation earns more. gap: (bound - value) / value, proved.

    shadow_price: value of one more unit of money, on the envelopes. splits: ranges that were halved to close the gap.
    """

    proposed: Floats
    value: float
    bound: float
    gap: float
    shadow_price: float
    splits: int

    @property
    def exact(self) -> bool:
        return self.gap <= _EXACT


@dataclass(frozen=True, slots=True)
class _Ranges:
    """What is still open to each arm: its bounds, and whether it must be on (1), off (0) or either (-1)."""

    lower: Floats
    upper: Floats
    switch: Ints


def solve_nonconcave(task: Nonconcave, *, max_splits: int | None = None) -> EnvelopeAllocation:
    """The best allocation found, with a proved bound on what any could earn. Best bound first.

    max_splits: the work allowed to close the gap; left out, as much as takes a second or two at any size.
    Raises InfeasibleError when no choice of arms that are on meets the bounds (or none was found within max_splits).
    """
    problem = task.problem
    if max_splits is None:
        max_splits = int(np.clip(_WORK // problem.size, 8, 400))
    usable = np.where(task.minimum > problem.upper, 0, np.where(task.minimum > 0, -1, 1))
    start = _Ranges(problem.lower, np.where(usable == 0, 0.0, problem.upper), usable)
    root = _relaxed(task, start)
    if root is None:
        raise InfeasibleError("no choice of arms that are on meets the total and the groups' bounds")
    order = count()
    best, best_value = None, -np.inf
    queue = [(-root.value, next(order), start, root)]
    splits, bound = 0, root.value
    while queue:
        bound = -queue[0][0]
        if (best is not None and bound <= best_value * (1 + _EXACT)) or splits > max_splits:
            break
        _, _, ranges, relaxed = heappop(queue)
        for candidate in _repaired(task, ranges, relaxed.spend):
            worth = float(task.value(candidate).sum())
            if worth > best_value:
                best, best_value = candidate, worth
        branches = _branches(task, ranges, relaxed.spend)
        if not branches:
            continue
        splits += 1
        for branch in branches:
            child = _relaxed(task, branch)
            if child is not None and child.value > best_value:
                heappush(queue, (-child.value, next(order), branch, child))
    if best is None:
        raise InfeasibleError(f"no allocation was found that meets every bound and minimum within {max_splits} splits")
    bound = max(best_value, -queue[0][0] if queue else best_value)
    gap = (bound - best_value) / max(best_value, np.finfo(np.float64).tiny)
    return EnvelopeAllocation(best, best_value, bound, gap, root.price, splits)


@dataclass(frozen=True, slots=True)
class _Relaxed:
    spend: Floats
    value: float
    price: float


def _relaxed(task: Nonconcave, ranges: _Ranges) -> _Relaxed | None:
    """The optimum over the envelopes within these ranges, or None if there is none.

    A curve's envelope is a sum of pieces, steepest first: its straight parts, and for a power curve what follows the
    minimum, counted from there. Concavity makes the optimum fill them in that order by itself.
    """
    problem = task.problem
    maybe, on = ranges.switch < 0, ranges.switch > 0
    base = np.where(on, np.maximum(ranges.lower, task.minimum), ranges.lower)
    base = np.where(ranges.switch == 0, 0.0, base)
    power = np.ones(problem.size, dtype=np.bool_)
    power[list(task.sampled)] = False
    smooth = np.flatnonzero(power)
    # (arm, lower, upper, scale, elasticity, ref): power pieces run from their start on, straight ones from 0.
    first = np.where(maybe, task.minimum, base)[smooth]
    start_value = problem.value(np.where(maybe, task.minimum, base))
    rises = np.flatnonzero(maybe)
    arm = [smooth, rises]
    lower = [first, np.zeros(len(rises))]
    upper = [np.where(ranges.switch[smooth] == 0, 0.0, np.maximum(ranges.upper[smooth], first)), task.minimum[rises]]
    scale = [np.where(ranges.switch[smooth] == 0, 0.0, problem.scale[smooth]), start_value[rises]]
    elasticity = [problem.elasticity[smooth], np.ones(len(rises))]
    ref = [problem.ref_spend[smooth], task.minimum[rises]]
    offset = np.zeros(problem.size)  # money that pieces count and arms do not spend
    offset[rises] = task.minimum[rises]
    constant = -float(start_value[rises].sum())
    for index, curve in task.sampled.items():
        x, y = curve.hull(float(ranges.lower[index]), float(ranges.upper[index]))
        steps = np.diff(x)
        constant += float(y[0])
        offset[index] -= x[0]
        arm.append(np.full(len(steps), index))
        lower.append(np.zeros(len(steps)))
        upper.append(steps)
        scale.append(np.diff(y))
        elasticity.append(np.ones(len(steps)))
        ref.append(steps)
    whole = np.concatenate(arm)
    shift = float(offset.sum())
    bounds = (np.concatenate(lower), np.concatenate(upper))
    total = problem.total + shift
    if total < -_OFF * problem.total:
        return None
    try:
        answer: Allocation = solve(
            AllocationProblem(
                arm_ids=[problem.arm_ids[at] for at in whole.tolist()],
                current=bounds[0],
                lower=bounds[0],
                upper=bounds[1],
                scale=np.concatenate(scale),
                elasticity=np.concatenate(elasticity),
                ref_spend=np.concatenate(ref),
                total=max(total, 0.0),
                spend_all=problem.spend_all,
                groups=_shifted(problem.groups, whole, offset),
            )
        )
    except InfeasibleError:
        return None
    spend = np.bincount(whole, answer.proposed, problem.size) - offset
    return _Relaxed(np.maximum(spend, 0.0), answer.value + constant, answer.shadow_price)


def _shifted(groups: Groups | None, arm: Ints, offset: Floats) -> Groups | None:
    """The groups over pieces, their bounds moved by what the pieces count too much."""
    if groups is None:
        return None
    inside = groups.member >= 0
    extra = np.bincount(groups.member[inside], offset[inside], len(groups.names)).astype(np.float64)
    for level in groups.levels:
        inner = level[groups.above[level] >= 0]
        extra += np.bincount(groups.above[inner], extra[inner], len(groups.names))
    lower = np.where(groups.lower > 0, groups.lower + extra, 0.0)
    return replace(groups, member=groups.member[arm], lower=lower, upper=groups.upper + extra)


def _off_curve(task: Nonconcave, ranges: _Ranges, spend: Floats) -> Ints:
    """Arms whose relaxed spend earns less on the true curve than on the envelope, the worst first."""
    maybe = ranges.switch < 0
    between = maybe & (spend > task.minimum * _OFF) & (spend < task.minimum * (1 - _OFF))
    part = np.divide(spend, task.minimum, out=np.zeros(len(spend)), where=between)
    lost = np.where(between, task.problem.value(task.minimum) * part, 0.0)
    for index, curve in task.sampled.items():
        x, y = curve.hull(float(ranges.lower[index]), float(ranges.upper[index]))
        upper = float(np.interp(spend[index], x, y))
        lost[index] = max(upper - curve.at(float(spend[index])), 0.0) if len(x) > 1 else 0.0
    lost = np.where(between & (lost == 0.0), np.finfo(np.float64).tiny, lost)  # half on, if of no worth
    found = np.flatnonzero(np.where(between, lost > 0, lost > _OFF * 1e-3 * float(task.problem.value(spend).sum())))
    return found[np.argsort(-lost[found], kind="stable")]


def _branches(task: Nonconcave, ranges: _Ranges, spend: Floats) -> list[_Ranges]:
    """The two halves of the range of the arm that is furthest off its curve; none if all are on theirs."""
    off = _off_curve(task, ranges, spend)
    if not off.size:
        return []
    index = int(off[0])
    if index in task.sampled:
        at = float(spend[index])
        lower, upper = ranges.lower.copy(), ranges.upper.copy()
        lower[index], upper[index] = at, at
        return [replace(ranges, upper=upper), replace(ranges, lower=lower)]
    return [replace(ranges, switch=_set(ranges.switch, index, to)) for to in (1, 0)]


def _set(values: Ints, index: int, to: int) -> Ints:
    changed = values.copy()
    changed[index] = to
    return changed


def _repaired(task: Nonconcave, ranges: _Ranges, spend: Floats) -> list[Floats]:
    """Allocations on the true curves near a relaxed one: the half-on arms switched, the rest solved again."""
    off = _off_curve(task, ranges, spend)
    half = off[ranges.switch[off] < 0]
    decided = np.where(ranges.switch < 0, (spend >= task.minimum * (1 - _OFF)).astype(np.int64), ranges.switch)
    # As many of the half-on arms as their money pays for, those nearest to on first: all but the last, and with it.
    share = np.divide(spend[half], task.minimum[half])
    half = half[np.argsort(-share, kind="stable")]
    money = float(spend[half].sum())
    fits = int((np.cumsum(task.minimum[half]) <= money * (1 + _OFF)).sum())
    near, found = _near(task, ranges, spend), []
    for on in dict.fromkeys((fits, min(fits + 1, len(half)))):
        chosen = decided.copy()
        chosen[half[:on]] = 1
        relaxed = _relaxed(task, replace(near, switch=chosen))
        if relaxed is not None:
            found.append(relaxed.spend)
    return found


def _near(task: Nonconcave, ranges: _Ranges, spend: Floats) -> _Ranges:
    """Ranges in which curves by points are concave around a spend, so that their envelope is the curve itself."""
    if not task.sampled:
        return ranges
    lower, upper = ranges.lower.copy(), ranges.upper.copy()
    for index, curve in task.sampled.items():
        at = float(spend[index])
        slopes = np.diff(curve.value) / np.diff(curve.spend)
        piece = int(np.clip(np.searchsorted(curve.spend, at, side="right") - 1, 0, len(slopes) - 1))
        left = right = piece
        while left > 0 and slopes[left - 1] >= slopes[left]:
            left -= 1
        while right < len(slopes) - 1 and slopes[right + 1] <= slopes[right]:
            right += 1
        lower[index] = max(lower[index], min(float(curve.spend[left]), at))
        upper[index] = min(upper[index], max(float(curve.spend[right + 1]), at))
    return replace(ranges, lower=lower, upper=upper)
