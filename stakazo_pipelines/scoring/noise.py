"""How noisy reports are, by moments from arms' own mature days: no model of the arms is needed to score one."""

import numpy as np
import polars as pl

from stakazo_pipelines.scoring.predictive import Noise

_WEEK = 7  # days between the two that are compared: the same day of the week, and little drift
_SHRINK = 5.0  # conversions of its account's mean value that an arm's own is mixed with
_LEAST_PAIRS = 30
_DEFAULT_DISPERSION, _DEFAULT_CV = 0.1, 0.8  # the population's defaults, until there is enough to tell
_KEYS = ["platform", "account_id"]


def learn_noise(days: pl.DataFrame, arms: pl.DataFrame) -> Noise:
    """Noise of the reports `days` for the arms in `arms` (in their order); both have platform, account_id, arm_id.

    days: one row per arm and day with spend, conversions and conversions_value, of mature days before the scored ones.
    """
    known = days.filter(pl.col("spend") > 0, pl.col("conversions") >= 0, pl.col("conversions_value").is_not_null())
    sums = known.group_by(*_KEYS, "arm_id").agg(n=pl.col("conversions").sum(), value=pl.col("conversions_value").sum())
    account = sums.group_by(_KEYS).agg(mean=pl.col("value").sum() / pl.col("n").sum())
    named = (
        arms.select(*_KEYS, "arm_id")
        .join(sums, on=[*_KEYS, "arm_id"], how="left", maintain_order="left")
        .join(account, on=_KEYS, how="left", maintain_order="left")
    )
    pooled = (pl.col("value").fill_null(0.0) + _SHRINK * pl.col("mean")) / (pl.col("n").fill_null(0.0) + _SHRINK)
    unit = named.select(pooled.cast(pl.Float64)).to_series().fill_null(float("nan")).to_numpy()
    return Noise(_dispersion(known), _value_cv(known), unit)


def _dispersion(days: pl.DataFrame) -> float:
    """Of counts a week apart, brought to the same spend and account total: E (y - r x)^2 = y + r^2 x + 2 d mu^2."""
    daily = days.select(*_KEYS, "arm_id", "date_day", y="conversions", s="spend")
    totals = daily.group_by(*_KEYS, "date_day").agg(pl.col("y").sum().alias("all_y"), pl.col("s").sum().alias("all_s"))
    daily = daily.join(totals, on=[*_KEYS, "date_day"])
    later = daily.with_columns(pl.col("date_day") - pl.duration(days=_WEEK))
    pairs = daily.join(later, on=[*_KEYS, "arm_id", "date_day"], suffix="_then").filter(
        pl.col("all_y") > 0, pl.col("all_y_then") > 0, (pl.col("s_then") / pl.col("s")).is_between(0.5, 2.0)
    )
    shared = (pl.col("all_y_then") / pl.col("all_s_then")) / (pl.col("all_y") / pl.col("all_s"))
    scaled = pairs.with_columns(r=shared * pl.col("s_then") / pl.col("s"))
    excess = (pl.col("y_then") - pl.col("r") * pl.col("y")) ** 2 - pl.col("y_then") - pl.col("r") ** 2 * pl.col("y")
    product = pl.col("r") * pl.col("y") * pl.col("y_then")
    # Each pair counts by the inverse of its noise, lest the largest arms tell alone.
    weight = 1.0 / (1.0 + product.sqrt()) ** 2
    over, under = scaled.select(
        (excess * weight).sum().alias("over"), (2.0 * product * weight).sum().alias("under")
    ).row(0)
    if pairs.height < _LEAST_PAIRS or not under:
        return _DEFAULT_DISPERSION
    return float(np.clip(over / under, 1e-3, 2.0))


def _value_cv(days: pl.DataFrame) -> float:
    """Of one conversion's value, from an arm's successive days, whatever moves the mean slowly.

    E (V1/n1 - V2/n2)^2 = (cv m)^2 (1/n1 + 1/n2), with m the arm's mean value per conversion.
    """
    arm = [*_KEYS, "arm_id"]
    sold = days.filter(pl.col("conversions") > 0).sort(*arm, "date_day")
    n, value = pl.col("conversions"), pl.col("conversions_value")
    pairs = sold.with_columns(m=value.sum().over(arm) / n.sum().over(arm), each=value / n).select(
        difference=((pl.col("each") - pl.col("each").shift(1)) / pl.col("m")).over(arm),
        rarity=(1.0 / n + 1.0 / n.shift(1)).over(arm),
    )
    told = pairs.filter(pl.col("difference").is_finite())
    if told.height < _LEAST_PAIRS:
        return _DEFAULT_CV
    square, rarity = told.select((pl.col("difference") ** 2).sum(), pl.col("rarity").sum()).row(0)
    return float(np.clip(np.sqrt(square / rarity), 0.05, 5.0))
