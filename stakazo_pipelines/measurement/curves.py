"""The response curve that measurement fits and allocation spends along: value = scale x (spend / ref)^elasticity.

Everything is vectorised and broadcasts; money in is money out (the currency of `ref_spend` and of `scale`).
"""

import numpy as np

from stakazo_pipelines.measurement.arrays import Array

ELASTICITY_MIN = 0.02
ELASTICITY_MAX = 0.98
# Below the bend of an S-shaped curve the next unit earns more than the last: told in marginal ROAS, while curves to
# spend along stay concave (ELASTICITY_MAX).
MEASURED_MAX = 1.8
# How fast elasticity falls per log of spend. On a saturating curve s / (s + c) it falls by e (1 - e): 0.21 to 0.25 for
# elasticities of 0.3 to 0.7. Held fixed, since budgets rarely move far enough for one arm to tell.
CURVATURE = 0.2


def value(spend: Array, *, log_value: Array, elasticity: Array, ref_spend: Array) -> Array:
    """Value per day at `spend` per day; 0 at zero spend."""
    ratio = np.maximum(np.asarray(spend, dtype=np.float64), 0.0) / ref_spend
    return np.asarray(np.exp(log_value) * ratio**elasticity, dtype=np.float64)


def bent_value(spend: Array, *, log_value: Array, elasticity: Array, ref_spend: Array) -> Array:
    """`value` along a curve whose elasticity is that at `ref_spend` and falls by CURVATURE per log of spend from there.

    It never falls below 0. Arrays broadcast: posterior draws x arms, say.
    """
    ratio = np.log(np.where(spend > 0, spend, ref_spend) / ref_spend)
    bent = np.maximum(elasticity - CURVATURE * ratio / 2.0, 0.0)
    return np.asarray(np.where(spend > 0, np.exp(log_value + bent * ratio), 0.0), dtype=np.float64)


def marginal(spend: Array, *, log_value: Array, elasticity: Array, ref_spend: Array) -> Array:
    """Value that the next unit of money per day earns (marginal ROAS); infinite at zero spend."""
    ratio = np.maximum(np.asarray(spend, dtype=np.float64), 0.0) / ref_spend
    with np.errstate(divide="ignore"):
        slope = elasticity * np.exp(log_value) / ref_spend * ratio ** (np.asarray(elasticity) - 1.0)
    return np.asarray(slope, dtype=np.float64)
