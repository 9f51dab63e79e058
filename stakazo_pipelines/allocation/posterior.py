"""What the posterior says about money: the expected curve to maximise, and a move's gain with its interval."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.problem import Floats, Ints
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN, value

_DRAWS = 400
_CELLS = 20_000_000  # draws x arms held at once: 160 MB an array
_BLOCK = 5_000  # arms whose gains are held at once
_TAIL = 0.05  # both ends of a 90 % interval


class CurvePosterior(Protocol):
    """What allocation needs of `measurement.estimate.Estimates`."""

    @property
    def frame(self) -> pl.DataFrame: ...

    def draws(self, n: int, seed: int) -> tuple[Floats, Floats]:
        """Return n posterior draws of (log value at ref_spend, elasticity), each n x arms in the frame's order."""
        ...


@dataclass(frozen=True, slots=True)
class ExpectedCurve:
    """Power curves through today's budgets: value(s) = scale * (s / current) ** elasticity, float[n] each."""

    scale: Floats
    elasticity: Floats


def expected_curve(frame: pl.DataFrame, current: Floats) -> ExpectedCurve:
    """The power curve with the level and slope of the posterior mean at today's budget.

    With (log value v, elasticity e) jointly normal and L = log(current / ref), the mean of exp(v + e L) is the
    lognormal moment exp(m_v + m_e L + (s_v^2 + 2 r s_v s_e L + s_e^2 L^2) / 2). Its logarithm has the slope
    m_e + r s_v s_e + s_e^2 L, which is this curve's elasticity (within the range that measurement allows). So level and
    marginal are exact where the budget is; away from it the neglected term is s_e^2 (log of the move)^2 / 2, below
    0.1 % of value for a move of 20 % at s_e = 0.2. Arms without a curve or a budget get scale 0: they must be held.
    """
    m_v, s_v, m_e, s_e, corr, ref = (
        frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("log_value_mean", "log_value_sd", "elasticity_mean", "elasticity_sd", "curve_corr", "ref_spend")
    )
    known = np.isfinite(m_v + s_v + m_e + s_e + corr + ref) & (current > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.log(np.where(known, current, 1.0) / np.where(known, ref, 1.0))
        level = m_v + m_e * distance + (s_v**2 + 2 * corr * s_v * s_e * distance + s_e**2 * distance**2) / 2
        slope = np.clip(m_e + corr * s_v * s_e + s_e**2 * distance, ELASTICITY_MIN, ELASTICITY_MAX)
    return ExpectedCurve(
        scale=np.where(known, np.exp(np.where(known, level, 0.0)), 0.0), elasticity=np.where(known, slope, 0.0)
    )


@dataclass(frozen=True, slots=True)
class Gains:
    """Value per day of proposed against current budgets: mean and 90 % interval, by arm (float[n]) and by account."""

    mean: Floats
    low: Floats
    high: Floats
    account_mean: Floats
    account_low: Floats
    account_high: Floats
    account_chance: Floats  # share of draws in which the account gains; NaN where nothing moves


def gains(
    posterior: CurvePosterior, *, row: Ints, account: Ints, accounts: int, current: Floats, proposed: Floats, seed: int
) -> Gains:
    """Gains over posterior draws, jointly, so that an account's interval is that of its sum.

    row: int[n], each arm's row in the posterior's frame (only looked at where the budget moves). account: int[n] in
    0..accounts-1. At most 400 draws, fewer when there are very many arms.
    """
    n = len(row)
    mean, low, high = np.zeros(n), np.zeros(n), np.zeros(n)
    sums = np.zeros((4, accounts))
    sums[3] = np.nan
    moved = np.flatnonzero((current != proposed) & (row >= 0))
    if moved.size:
        count = int(np.clip(_CELLS // len(posterior.frame), 100, _DRAWS))
        log_value, elasticity = posterior.draws(count, seed)
        order = moved[np.argsort(account[moved], kind="stable")]
        ref = posterior.frame["ref_spend"].to_numpy()
        for mine in np.split(order, np.flatnonzero(np.diff(account[order])) + 1):
            whole = np.zeros(count)
            for chunk in np.split(mine, range(_BLOCK, len(mine), _BLOCK)):
                rows = row[chunk]
                curve = {"log_value": log_value[:, rows], "elasticity": elasticity[:, rows], "ref_spend": ref[rows]}
                gain = value(proposed[chunk], **curve) - value(current[chunk], **curve)
                mean[chunk] = gain.mean(axis=0)
                low[chunk], high[chunk] = np.quantile(gain, (_TAIL, 1 - _TAIL), axis=0)
                whole += gain.sum(axis=1)
            index = int(account[mine[0]])
            sums[:3, index] = whole.mean(), *np.quantile(whole, (_TAIL, 1 - _TAIL))
            sums[3, index] = float((whole > 0).mean())
    return Gains(mean, low, high, *sums)
