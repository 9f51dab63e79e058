"""From a posterior of the expected value to draws of what will be reported: counts, and what each is worth, scatter."""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.scoring.rules import Floats


@dataclass(frozen=True, slots=True)
class Noise:
    """Sampling noise of reports. dispersion: negative-binomial, of a day's count. value_cv: of one conversion's value.

    unit_value: mean value per conversion, per arm; 0 or NaN where no value was ever reported (then no noise is added).
    """

    dispersion: float
    value_cv: float
    unit_value: Floats


def with_noise(expected: Floats, days: Floats, noise: Noise, rng: np.random.Generator) -> Floats:
    """Draws x arms of the value reported in all, given draws of its expectation over `days` days of delivery.

    Counts of single days are negative-binomial around an even share, so their sum's dispersion is that of a day over
    their number; the value of n conversions is gamma with mean n x unit and variation cv / sqrt(n).
    """
    known = np.isfinite(noise.unit_value) & (noise.unit_value > 0)
    unit = np.where(known, noise.unit_value, 1.0)
    mean = expected / unit
    size = np.maximum(days, 1.0) / max(noise.dispersion, 1e-9)
    counts = rng.poisson(np.minimum(rng.gamma(np.broadcast_to(size, mean.shape)) / size * mean, 1e15))
    shape = np.maximum(counts, 1) / max(noise.value_cv, 1e-6) ** 2
    value = rng.gamma(shape) / shape * counts * unit
    return np.asarray(np.where(known, value, expected), dtype=np.float64)
