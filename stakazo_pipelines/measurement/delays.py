"""The delay of conversions in a tree of groups: each group's curve is drawn around that of the group above it.

Arrivals follow a reversed hazard: of what is there at age k, the share exp(-rate_k) was there at age k - 1, so the
share reported at age a of what will ever come is exp(-sum of the rates after a) (Kalbfleisch & Lawless 1991,
"Regression models for right truncated data"; the actuaries' chain ladder is the same in other words). log rate = that
of the documented default plus a deviation, linear in log age between KNOTS. Deviations have a Gaussian prior around
those of the group above; counts are binomial given what was there later. The posterior is Gaussian around its mode
(Fisher scoring, exact messages along the tree), and how far groups differ is learned by marginal likelihood.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.measurement.arrays import Array, IntArray
from stakazo_pipelines.measurement.triangles import MATURE_AGE, Cells

KNOTS = (1, 2, 3, 4, 5, 6, 7, 10, 14, 20, MATURE_AGE)
# Standard deviation of a log rate around the group above: of a platform around the default (stated: there are never
# enough platforms to learn it), of windows and objectives, of accounts (learned; these are what learning starts at).
PLATFORM_SD, GROUP_SD, ACCOUNT_SD = 0.6, 0.25, 0.25
_GRID = (0.03, 0.06, 0.12, 0.25, 0.5, 0.9)
_PRIOR_LOG_SD = 0.6  # of a learned standard deviation
# Shares of a deviation's variance that all ages have in common, that near ages share, and that are an age's own.
_COMMON, _NEAR, _OWN, _REACH = 0.6, 0.35, 0.05, 0.7
_ROUNDS, _LEARNT = 40, 6
_MAX_STEP = 1.0
_LEAST_RATE = 1e-7
_RATES = (1e-12, 30.0)  # of a cell; beyond them its counts say no more
_MAX_DEVIATION = 6.0


def _basis() -> Array:
    """MATURE_AGE x knots: deviations at the knots to deviations at ages 1..28."""
    ages, at = np.log(np.arange(1, MATURE_AGE + 1)), np.log(KNOTS)
    return np.column_stack([np.interp(ages, at, unit) for unit in np.eye(len(KNOTS))])


def _shape() -> Array:
    """Prior correlation of the deviations at the knots."""
    at = np.log1p(np.array(KNOTS))
    near = np.exp(-np.abs(at[:, None] - at[None, :]) / _REACH)
    return np.asarray(_COMMON + _NEAR * near + _OWN * np.eye(len(KNOTS)))


BASIS, SHAPE = _basis(), _shape()
_EYE = np.eye(len(KNOTS))


@dataclass(frozen=True, slots=True)
class Node:
    """A group: its place in the list of nodes above it (None: the default is), its level, and its own cells if any."""

    parent: int | None
    level: int
    cells: Cells | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Rates of ages 1..28 at the posterior mode, and the covariance of their deviations at the knots."""

    rates: Array
    covariance: Array

    def shares(self) -> Array:
        """Share reported at ages 0..28: rising, 1 at 28."""
        return np.asarray(np.exp(-self._left()))

    def log_sds(self) -> Array:
        """Standard deviation of the log of each share."""
        slopes = np.vstack([np.cumsum((self.rates[:, None] * BASIS)[::-1], axis=0)[::-1], np.zeros(len(KNOTS))])
        return np.asarray(np.sqrt(np.einsum("ai,ij,aj->a", slopes, self.covariance, slopes)))

    def _left(self) -> Array:
        return np.append(np.cumsum(self.rates[::-1])[::-1], 0.0)


def default_delay(shares: Array) -> Delay:
    """A platform of which nothing was seen: `shares` (ages 0..28, rising to 1) and the prior's spread around them."""
    return Delay(rates_of(shares), PLATFORM_SD**2 * SHAPE)


def rates_of(shares: Array) -> Array:
    """The reversed hazards of ages 1..28 behind rising shares."""
    return np.asarray(np.maximum(np.diff(np.log(shares)), _LEAST_RATE))


def fit_delays(nodes: Sequence[Node], default: Array) -> list[Delay]:
    """The delay of every node; parents stand before their children. default: rates of ages 1..28."""
    tree = _Tree(nodes)
    deviation = np.zeros((len(nodes), len(KNOTS)))
    sds = np.array([PLATFORM_SD, GROUP_SD, GROUP_SD, ACCOUNT_SD])
    for step in range(_ROUNDS):
        precision, shift = _sites(nodes, deviation, default)
        if step < _LEARNT:
            sds = _learned(tree, precision, shift)
        mean, covariance = tree.posterior(precision, shift, sds)
        move = np.clip(mean - deviation, -_MAX_STEP, _MAX_STEP)
        deviation = np.clip(deviation + move, -_MAX_DEVIATION, _MAX_DEVIATION)
        if step >= _LEARNT and np.max(np.abs(move), initial=0.0) < 1e-4:
            break
    rates = default * np.exp(deviation @ BASIS.T)
    return [Delay(rates[i], covariance[i]) for i in range(len(nodes))]


def _sites(nodes: Sequence[Node], deviation: Array, default: Array) -> tuple[Array, Array]:
    """Precision and precision x mean that each node's own counts have on its deviations, linearised there.

    Of n conversions exp(-t) were there before: d log-likelihood / dt = -(n - arrived) + arrived / (e^t - 1), and its
    expected information is n / (e^t - 1).
    """
    precision = np.zeros((len(nodes), len(KNOTS), len(KNOTS)))
    shift = np.zeros((len(nodes), len(KNOTS)))
    ages = np.arange(1, MATURE_AGE + 1)
    for place, node in enumerate(nodes):
        cells = node.cells
        if cells is None or not len(cells.after):
            continue
        rates = default * np.exp(BASIS @ deviation[place])
        inside = (ages > cells.after[:, None]) & (ages <= cells.until[:, None])
        slope = (inside * rates) @ BASIS
        odds = np.expm1(np.clip(inside @ rates, *_RATES))
        gradient = slope.T @ (cells.arrived / odds - (cells.total - cells.arrived))
        precision[place] = slope.T @ (slope * (cells.total / odds)[:, None])
        shift[place] = precision[place] @ deviation[place] + gradient
    return precision, shift


def _learned(tree: "_Tree", precision: Array, shift: Array) -> Array:
    """Standard deviations by level: of the posterior mean variance over a grid, given the linearised counts.

    Of the mean variance, not the likeliest: a few groups leave it unsure, and that belongs into every interval.
    """
    grid = np.array(_GRID)
    found = np.array([PLATFORM_SD, GROUP_SD, GROUP_SD, ACCOUNT_SD])
    levels = set(tree.level.tolist())
    for _ in range(2):
        for own, stated in (((1, 2), GROUP_SD), ((3,), ACCOUNT_SD)):
            if not levels & set(own):
                continue
            log_weight = -0.5 * (np.log(grid / stated) / _PRIOR_LOG_SD) ** 2
            for place, sd in enumerate(grid):
                tried = found.copy()
                tried[list(own)] = sd
                log_weight[place] += tree.log_evidence(precision, shift, tried)
            weight = np.exp(log_weight - log_weight.max())
            found[list(own)] = np.sqrt(grid**2 @ weight / weight.sum())
    return found


class _Tree:
    """Gaussian messages between groups, a level at a time: up what the groups below say, down what the others say."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.level = np.array([node.level for node in nodes], dtype=np.int64)
        self._parent = np.array([-1 if node.parent is None else node.parent for node in nodes], dtype=np.int64)
        depth = np.zeros(len(nodes), dtype=np.int64)
        for place, parent in enumerate(self._parent):
            depth[place] = 0 if parent < 0 else depth[parent] + 1
        self._layers: list[IntArray] = [np.flatnonzero(depth == d) for d in range(int(depth.max(initial=-1)) + 1)]

    def log_evidence(self, precision: Array, shift: Array, sds: Array) -> float:
        """Log marginal likelihood of the linearised counts, but for a constant."""
        return self._upward(precision, shift, sds)[4]

    def posterior(self, precision: Array, shift: Array, sds: Array) -> tuple[Array, Array]:
        """Mean (nodes x knots) and covariance of every node's deviations given all counts."""
        below, pull, sent, sent_pull, _ = self._upward(precision, shift, sds)
        mean, covariance = np.zeros_like(pull), np.zeros_like(below)
        for layer in self._layers:
            spread = sds[self.level[layer], None, None] ** 2 * SHAPE
            parent, centre = self._parent[layer], np.zeros((len(layer), len(KNOTS)))
            if parent[0] >= 0:
                above = _inverse(covariance[parent])
                others = _inverse(above - sent[layer])
                centre = _times(others, _times(above, mean[parent]) - sent_pull[layer])
                spread = spread + others
            prior = _inverse(spread)
            covariance[layer] = _inverse(prior + below[layer])
            mean[layer] = _times(covariance[layer], _times(prior, centre) + pull[layer])
        return mean, covariance

    def _upward(self, precision: Array, shift: Array, sds: Array) -> tuple[Array, Array, Array, Array, float]:
        """Each node's own and lower evidence, what it sends to the node above, and the log marginal likelihood."""
        below, pull = precision.copy(), shift.copy()
        sent, sent_pull, evidence = np.zeros_like(below), np.zeros_like(pull), 0.0
        for layer in reversed(self._layers):
            spread = sds[self.level[layer], None, None] ** 2 * SHAPE
            shrink = _inverse(_EYE + below[layer] @ spread)
            sent[layer], sent_pull[layer] = shrink @ below[layer], _times(shrink, pull[layer])
            evidence += 0.5 * float(np.linalg.slogdet(shrink)[1].sum())
            evidence += 0.5 * float(np.einsum("ni,nij,nj->", pull[layer], spread, sent_pull[layer]))
            inner = layer[self._parent[layer] >= 0]
            np.add.at(below, self._parent[inner], sent[inner])
            np.add.at(pull, self._parent[inner], sent_pull[inner])
        return below, pull, sent, sent_pull, evidence


def _inverse(matrices: Array) -> Array:
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)


def _times(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.einsum("nij,nj->ni", matrices, vectors))
