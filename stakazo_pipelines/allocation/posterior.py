"""What the posterior says about money: the expected curve to maximise, and a move's gain with its interval."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from scipy.special import log_ndtr

from stakazo_pipelines.allocation.problem import Floats, Ints
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN, value

_DRAWS = 400
_CELLS = 20_000_000  # draws x arms held at once: 160 MB an array
_BLOCK = 5_000  # arms whose gains are held at once
_LEAST_SD = 1e-6  # of an elasticity that is known exactly
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

    Log value v and elasticity e are jointly normal, e truncated to measurement's range; L = log(current / ref). With
    k = r s_v / s_e the mean of exp(v + e L) is that of exp(m_v + s_v^2 (1 - r^2) / 2 - k m_e) times the truncated
    normal's moment generating function at t = L + k, and the slope of its logarithm is the mean of e under the tilted
    law, a normal of mean m_e + s_e^2 t truncated to the same range (Johnson, Kotz & Balakrishnan 1994, 13.10). So level
    and marginal are exact where the budget is; away from it the neglected term is s_e^2 (log of the move)^2 / 2, below
    0.1 % of value for a move of 20 % at s_e = 0.2. Arms without a curve or a budget get scale 0: they must be held.
    """
    m_v, s_v, m_e, s_e, corr, ref = (
        frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("log_value_mean", "log_value_sd", "elasticity_mean", "elasticity_sd", "curve_corr", "ref_spend")
    )
    known = np.isfinite(m_v + s_v + m_e + s_e + corr + ref) & (current > 0)
    m_v, s_v, m_e, corr, ref, now = (
        np.where(known, part, blank)
        for part, blank in ((m_v, 0.0), (s_v, 0.0), (m_e, 0.5), (corr, 0.0), (ref, 1.0), (current, 1.0))
    )
    s_e = np.where(known & (s_e > _LEAST_SD), s_e, _LEAST_SD)
    pull = corr * s_v / s_e
    tilt = np.log(now / ref) + pull
    centre = m_e + s_e**2 * tilt
    log_mass, mean = _truncated_normal(centre, s_e)
    log_mass_before, _ = _truncated_normal(m_e, s_e)
    level = m_v + s_v**2 * (1 - corr**2) / 2 - pull * m_e + m_e * tilt + (s_e * tilt) ** 2 / 2
    level += log_mass - log_mass_before
    return ExpectedCurve(scale=np.where(known, np.exp(level), 0.0), elasticity=np.where(known, mean, 0.0))


def _truncated_normal(centre: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Log of the mass of a normal within the elasticity's range, and its mean there."""
    low, high = (ELASTICITY_MIN - centre) / sd, (ELASTICITY_MAX - centre) / sd
    # On the upper side the masses cancel to nothing: mirror it, so that the differences are of small numbers.
    mirrored = low > 0
    a, b = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    log_mass = log_ndtr(b) + np.log1p(-np.exp(np.minimum(log_ndtr(a) - log_ndtr(b), -1e-300)))
    density = (np.exp(-(a**2) / 2 - log_mass) - np.exp(-(b**2) / 2 - log_mass)) / np.sqrt(2 * np.pi)
    mean = centre + sd * np.where(mirrored, -density, density)
    return log_mass, np.clip(mean, ELASTICITY_MIN, ELASTICITY_MAX)


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
