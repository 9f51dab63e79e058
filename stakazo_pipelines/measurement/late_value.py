"""Whether late conversions are worth more or less than early ones: if so, value matures by a curve of its own.

One figure a platform, the power: what is reported of the value is the reported share of the conversions, to that power.
1 where late and early orders are alike; above where dear orders take longer, below where late ones are small or where
refunds eat into value.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.triangles import vintage_pairs

PRIOR_SD = 0.25  # of the log of the power: no difference is likely, and one of a quarter no surprise
_MAX_LOG = 1.0
_STEPS = 20


def value_powers(vintages: pl.DataFrame) -> Mapping[str, tuple[float, float]]:
    """By platform: the power, shrunk to 1 as far as the data is weak, and the standard error of its log.

    vintages as for `learn_maturity`, with `conversions_value`; platforms without any value are not listed. The power
    solves sum(late value - value (1 - s^power)) = 0 over days and pairs of ages, with s the share of conversions that
    had come before; its error is that of the sum over days, of value per conversion alone.
    """
    if "conversions_value" not in vintages.columns:
        return {}
    keys = ["platform", "attribution_window", "objective", "account_id", "date_day", "until", "after"]
    counts, values = (
        vintage_pairs(vintages, name).select(
            *keys, pl.col("seen").alias(f"{kind}_seen"), (pl.col("seen") - pl.col("before")).alias(f"{kind}_late")
        )
        for kind, name in (("count", "conversions"), ("value", "conversions_value"))
    )
    cell = [name for name in keys if name != "date_day"]
    unit = pl.col("value_seen").sum().over(cell) / pl.col("count_seen").sum().over(cell)
    share = pl.col("count_late").sum().over(cell) / pl.col("count_seen").sum().over(cell)
    pairs = (
        counts.join(values, on=keys)
        .with_columns(unit=unit, late=share.clip(0.0, 0.999))
        .filter(pl.col("unit").is_finite() & (pl.col("unit") > 0) & (pl.col("late") > 0))
        .with_columns((pl.col("value_seen") / pl.col("unit")), (pl.col("value_late") / pl.col("unit")))
    )
    return {str(platform): _power(part) for (platform,), part in pairs.group_by("platform", maintain_order=True)}


def _power(pairs: pl.DataFrame) -> tuple[float, float]:
    seen, came = pairs["value_seen"].to_numpy(), float(pairs["value_late"].sum())
    log_before = np.log1p(-pairs["late"].to_numpy())
    found, slope = 0.0, 1.0
    for _ in range(_STEPS):
        before = np.exp(np.exp(found) * log_before)
        slope = max(float((seen * before * -log_before).sum() * np.exp(found)), 1e-12)
        found = float(np.clip(found + (came - (seen * (1.0 - before)).sum()) / slope, -_MAX_LOG, _MAX_LOG))
    off = pl.col("value_late") - pl.col("count_late") - pl.col("late") * (pl.col("value_seen") - pl.col("count_seen"))
    by_day = pairs.group_by("attribution_window", "objective", "account_id", "date_day").agg(off.sum().alias("off"))
    variance = float((by_day["off"] ** 2).sum()) / slope**2
    trust = PRIOR_SD**2 / (PRIOR_SD**2 + variance)
    return float(np.exp(found * trust)), float(np.sqrt(PRIOR_SD**2 * (1.0 - trust)))
