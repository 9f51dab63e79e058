"""Partial pooling over the tree arm < campaign < account's objective < account < platform < all.

Exact Gaussian message passing: every arm gets the prior that all the others give it (its own data left out), so that
few siblings give a wide prior and many a narrow one, with no point estimate of a group mean in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.measurement.arrays import Array, IntArray, sum_by

TREE_LEVELS = ("arm", "campaign", "objective", "account", "platform")


@dataclass(frozen=True, slots=True)
class Tree:
    """`parents[k][node]` is the parent, one level up, of a node of level k; the last level's parent is the root (0)."""

    parents: tuple[IntArray, ...]
    sizes: tuple[int, ...]

    @classmethod
    def build(cls, labels: Sequence[IntArray]) -> "Tree":
        """From nested group codes per arm, narrow to wide (campaign, objective within account, account, platform)."""
        count = len(labels[0])
        parents: list[IntArray] = []
        sizes = [count]
        below = np.arange(count, dtype=np.int64)
        for codes in labels:
            values, dense = np.unique(codes, return_inverse=True)
            parent = np.zeros(sizes[-1], dtype=np.int64)
            parent[below] = dense
            parents.append(parent)
            sizes.append(len(values))
            below = dense.astype(np.int64)
        parents.append(np.zeros(sizes[-1], dtype=np.int64))
        return cls(parents=tuple(parents), sizes=(*sizes, 1))


@dataclass(frozen=True, slots=True)
class Upward:
    """Messages from the leaves to the root: per level the precision and precision-weighted mean sent to the parent."""

    precision: tuple[Array, ...]
    weighted: tuple[Array, ...]
    log_evidence: float


def send_up(tree: Tree, *, mean: Array, precision: Array, sds: Sequence[float], root: tuple[float, float]) -> Upward:
    """Collect `N(mean, 1/precision)` per arm towards a root with prior (mean, variance); precision 0 says nothing."""
    sent_precision: list[Array] = []
    sent_weighted: list[Array] = []
    evidence = 0.0
    own_precision: Array = precision
    own_mean: Array = mean
    for level, parent in enumerate(tree.parents):
        message = own_precision / (1.0 + own_precision * sds[level] ** 2)
        weighted = message * own_mean
        sent_precision.append(message)
        sent_weighted.append(weighted)
        size = tree.sizes[level + 1]
        total = sum_by(parent, message, size)
        total_weighted = sum_by(parent, weighted, size)
        square = sum_by(parent, weighted * own_mean, size)
        if level == len(tree.parents) - 1:
            total, total_weighted = total + 1.0 / root[1], total_weighted + root[0] / root[1]
            square = square + root[0] ** 2 / root[1]
            evidence += -0.5 * np.log(root[1])
        informed = total > 0
        safe = np.where(informed, total, 1.0)
        evidence += 0.5 * float(np.sum(np.log(message[message > 0])))
        evidence += float(
            np.sum(np.where(informed, 0.5 * total_weighted**2 / safe - 0.5 * square - 0.5 * np.log(safe), 0.0))
        )
        own_precision, own_mean = total, np.where(informed, total_weighted / safe, 0.0)
    return Upward(tuple(sent_precision), tuple(sent_weighted), evidence)


def leave_one_out(
    tree: Tree, *, mean: Array, precision: Array, sds: Sequence[float], root: tuple[float, float]
) -> tuple[Array, Array]:
    """Mean and variance of the prior that the rest of the tree gives each arm, its own message left out."""
    up = send_up(tree, mean=mean, precision=precision, sds=sds, root=root)
    above_precision = np.array([1.0 / root[1]])
    above_weighted = np.array([root[0] / root[1]])
    for level in reversed(range(len(tree.parents))):
        parent, size = tree.parents[level], tree.sizes[level + 1]
        total = above_precision + sum_by(parent, up.precision[level], size)
        weighted = above_weighted + sum_by(parent, up.weighted[level], size)
        # Rounding may leave a hair below what came from above, which is always there.
        rest = np.maximum(total[parent] - up.precision[level], above_precision[parent])
        rest_mean = (weighted[parent] - up.weighted[level]) / rest
        variance = 1.0 / rest + sds[level] ** 2
        above_precision = 1.0 / variance
        above_weighted = rest_mean / variance
    return above_weighted / above_precision, 1.0 / above_precision
