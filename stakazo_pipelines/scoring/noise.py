"""How noisy reports are, by moments from arms' own mature days: no model of the arms is needed to score one."""

import numpy as np
import polars as pl

from stakazo_pipelines.scoring.predictive import Noise

_WEEK = 7  # days between the two that are compared: the same day of the week, and little drift
_SHRINK = 5.0  # conversions of its account's mean value that an arm's own is mixed with
_LEAST_PAIRS = 30
_LEAST_OTHERS = 200.0  # conversions of an account's other arms on a day that tell what the day did to all
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
    """Of counts a week apart, brought to the same spend and account: E (y - r x)^2 = y + r^2 x + 2 d r x y.

    What an account's day has in common (r's second part) is read off its other arms, where they are enough to tell.
    """
    arm, account = [*_KEYS, "arm_id"], [*_KEYS, "date_day"]
    daily = days.select(*arm, "date_day", y="conversions", s="spend").with_columns(
        mean=pl.col("y").mean().over(arm),
        others_y=pl.col("y").sum().over(account) - pl.col("y"),
        others_s=pl.col("s").sum().over(account) - pl.col("s"),
    )
    earlier = daily.with_columns(pl.col("date_day") + pl.duration(days=_WEEK))
    pairs = daily.join(earlier, on=[*arm, "date_day"], suffix="_then")
    ratio = pl.col("s") / pl.col("s_then")
    rate, rate_then = pl.col("others_y") / pl.col("others_s"), pl.col("others_y_then") / pl.col("others_s_then")
    told = pl.min_horizontal("others_y", "others_y_then") >= _LEAST_OTHERS
    y, x, r = pl.col("y"), pl.col("y_then"), pl.col("r")
    scaled = pairs.filter(ratio.is_between(0.5, 2.0)).with_columns(
        r=ratio * pl.when(told).then(rate / rate_then).otherwise(1.0),
        # By the arm's mean, lest the largest arms tell alone; not by the counts themselves, which would bias it.
        weight=1.0 / (1.0 + pl.col("mean")) ** 2,
    )
    excess, product = (y - r * x) ** 2 - y - r**2 * x, 2.0 * r * x * y
    over, under = scaled.select((excess * pl.col("weight")).sum(), (product * pl.col("weight")).sum().alias("p")).row(0)
    if scaled.height < _LEAST_PAIRS or not under:
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
