"""Whether the last days of a table lack conversions at all: a file made long after, or by a simulator, lacks none."""

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.maturity import DEFAULT_MATURITY, MATURE_AGE, MaturityCurve

COMPLETE = MaturityCurve(shares=(1.0,) * (MATURE_AGE + 1))
_RECENT = 5  # ages below this are the ones that delay would show in
_SETTLED = 8  # ages from here are compared with
_LONGEST = 22  # days; further back returns were others
_LEAST_DAYS = 7
# A Bayes factor of 3: how late conversions come is itself unsure, so the two never lie further apart than ten to one.
_LEAST_LOG_ODDS = 1.1


def seems_complete(arm_days: pl.DataFrame) -> bool:
    """Whether the youngest days sold as the settled ones did, rather than as little as the usual delay lets expect.

    `arm_days`: arm_id, spend, conversions, age_days. Days' totals over what each arm's settled return lets expect are
    compared, as normals of the scatter that settled days show. False too where that cannot be told.
    """
    curve = DEFAULT_MATURITY
    rows = arm_days.filter(pl.col("spend") > 0, pl.col("conversions").is_not_null(), pl.col("age_days") < _LONGEST)
    settled = rows.filter(pl.col("age_days") >= _SETTLED)
    rates = settled.group_by("arm_id").agg((pl.col("conversions").sum() / pl.col("spend").sum()).alias("rate"))
    days = (
        rows.join(rates, on="arm_id")
        .group_by("age_days")
        .agg(pl.col("conversions").sum(), (pl.col("spend") * pl.col("rate")).sum().alias("expected"))
        .filter(pl.col("expected") > 0)
    )
    then, now = days.filter(pl.col("age_days") >= _SETTLED), days.filter(pl.col("age_days") < _RECENT)
    if then.height < _LEAST_DAYS or not now.height:
        return False
    scatter = (then["conversions"] / then["expected"]).to_numpy()
    sd = np.sqrt(max(float(np.var(scatter, ddof=1)), 1.0 / float(then["expected"].to_numpy().mean())))
    error = sd * np.sqrt(1.0 / now.height + 1.0 / then.height)
    sold, weight = (now[name].to_numpy() for name in ("conversions", "expected"))
    seen = float(sold.sum() / weight.sum())
    share, unsure = (
        float(weight @ part(now["age_days"].to_numpy()) / weight.sum()) for part in (curve.fraction, curve.sd)
    )
    share /= float(curve.fraction(then["age_days"].to_numpy()).mean())
    return _log_density(seen, 1.0, error) - _log_density(seen, share, float(np.hypot(error, unsure))) > _LEAST_LOG_ODDS


def _log_density(at: float, mean: float, sd: float) -> float:
    return -0.5 * ((at - mean) / sd) ** 2 - float(np.log(sd))
