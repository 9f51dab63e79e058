"""Risk aversion: curves that promise less where less is known, to maximise instead of the expected ones.

Each arm counts with a lower quantile of its own posterior, or with its mean less some standard deviations. A sum of
such figures is below the same figure of the sum (arms do not fail all together), so it errs on the careful side.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtri

from stakazo_pipelines.allocation.posterior import ExpectedCurve, expected_curve
from stakazo_pipelines.allocation.problem import Floats
from stakazo_pipelines.errors import AllocationError
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN


@dataclass(frozen=True, slots=True)
class RiskAversion:
    """quantile, above 0 to 1/2: each arm counts with that quantile of its value. deviations: with its mean less so many
    standard deviations. Not both; neither: the expected value.
    """

    quantile: float | None = None
    deviations: float | None = None

    def __post_init__(self) -> None:
        if self.quantile is not None and self.deviations is not None:
            raise AllocationError("risk aversion is a quantile or a number of deviations, not both")
        if self.quantile is not None and not 0 < self.quantile <= 1 / 2:
            raise AllocationError(f"a lower quantile lies above 0 and is at most 1/2, not {self.quantile}")
        if self.deviations is not None and not (np.isfinite(self.deviations) and self.deviations >= 0):
            raise AllocationError(f"the number of deviations is at least zero, not {self.deviations}")


def risk_curve(frame: pl.DataFrame, current: Floats, aversion: RiskAversion) -> ExpectedCurve:
    """The power curve that has the careful value's level and slope at today's budgets (float[n], the frame's order).

    The log of value at s is normal with mean m_v + m_e L and variance s_v^2 + 2 r s_v s_e L + s_e^2 L^2, L the log of
    s / ref (the truncation of e is left out: it narrows a little what is known least). So its quantile is
    exp(mean + z sd); with c^2 = exp(variance) - 1 its mean less k deviations is the mean x (1 - k c). The elasticity is
    the derivative of that logarithm in L, kept within measurement's range. An arm whose careful value is not above 0
    gets scale 0, like one without a curve: nothing is to be raised on it.
    """
    expected = expected_curve(frame, current)
    if aversion.quantile is None and not aversion.deviations:
        return expected
    m_v, s_v, m_e, s_e, corr, ref = (
        frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("log_value_mean", "log_value_sd", "elasticity_mean", "elasticity_sd", "curve_corr", "ref_spend")
    )
    known = expected.scale > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        away = np.where(known, np.log(current / ref), 0.0)
        variance = s_v**2 + 2 * corr * s_v * s_e * away + (s_e * away) ** 2
        half_slope = corr * s_v * s_e + s_e**2 * away  # half of the variance's derivative
        if aversion.quantile is not None:
            z, sd = float(ndtri(aversion.quantile)), np.sqrt(variance)
            level = np.exp(m_v + m_e * away + z * sd)
            slope = m_e + np.where(sd > 0, z * half_slope / sd, 0.0)
        else:
            k, c = float(aversion.deviations or 0.0), np.sqrt(np.expm1(variance))
            kept = 1 - k * c
            level = np.where(kept > 0, expected.scale * kept, 0.0)
            bends = np.where((kept > 0) & (c > 0), k * np.exp(variance) * half_slope / (c * kept), 0.0)
            slope = expected.elasticity - bends
    level = np.where(known, level, 0.0)
    return ExpectedCurve(
        scale=level, elasticity=np.where(level > 0, np.clip(slope, ELASTICITY_MIN, ELASTICITY_MAX), 0.0)
    )
