"""Whether conversions tell what value will come; where they do not, value itself becomes what is counted.

Measurement counts conversions and gives each a value. Some exports have conversions that do not cause the value beside
them (revenue paid by click, say), or none at all: there counting them only adds noise, and value is steadier by itself.
"""

import numpy as np
import polars as pl

_ARM = "arm_id"
_LEAST_PAIRS = 30
STEADIER = 0.8  # value per money scatters from day to day at most this much of what value per conversion does
_LONGEST_GAP = 3  # days between two that are compared
_LEAST_UNITS, _MOST_UNITS = 0.01, 100.0  # of the mean value per conversion, or per day where there are none


def counted(days: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """`days` with what measurement should count as `conversions`, and why that is not the table's own ('' where it is).

    days: one row per arm and day with arm_id, date_day, currency, spend, conversions, conversions_value. Value is
    counted in units so large that a sum of them scatters like a count of as many events, one unit a currency.
    """
    own = days.filter(pl.col("spend") > 0, pl.col("conversions_value") > 0)
    if own.is_empty():
        return days, ""
    if not bool((own["conversions"] > 0).any()):
        reason = "no conversion stands beside any value, so value itself is measured"
    else:
        by_conversion, by_money = _scatter(own, "conversions"), _scatter(own, "spend")
        if by_conversion is None or by_money is None or by_money > STEADIER * by_conversion:
            return days, ""
        reason = (
            f"value per money is steadier from day to day than value per conversion ({by_money:.3f} against "
            f"{by_conversion:.3f}), so conversions do not tell it, and value itself is measured"
        )
    units = own.group_by("currency").map_groups(
        lambda rows: pl.DataFrame({"currency": [rows["currency"][0]], "unit": [_unit(rows)]})
    )
    told = days.join(units, on="currency", how="left", maintain_order="left")
    # A currency in which nothing was ever earned has no unit, and keeps its conversions.
    count = (
        pl.when(pl.col("unit").is_null()).then("conversions").otherwise(pl.col("conversions_value") / pl.col("unit"))
    )
    return told.with_columns(conversions=count).drop("unit"), reason


def _pairs(days: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Successive days of an arm: each name as it was, and as `<name>_before`."""
    before = [pl.col(name).shift(1).over(_ARM).alias(f"{name}_before") for name in (*names, "date_day")]
    near = (pl.col("date_day") - pl.col("date_day_before")).dt.total_days() <= _LONGEST_GAP
    return days.sort(_ARM, "date_day").with_columns(before).filter(near)


def _scatter(own: pl.DataFrame, per: str) -> float | None:
    """Mean square of the day-to-day change of log value per `per`, weighted by value; None with too few days."""
    both = own.filter(pl.col("conversions") > 0)  # the same pairs for either ratio
    pairs = _pairs(both, "conversions_value", per)
    if pairs.height < _LEAST_PAIRS:
        return None
    now, before = pl.col("conversions_value"), pl.col("conversions_value_before")
    change = (now / before).log() - (pl.col(per) / pl.col(f"{per}_before")).log()
    weight = pl.min_horizontal(now, before) / pl.max_horizontal(now, before).sum().over("currency")
    square, total = pairs.select((weight * change**2).sum(), weight.sum().alias("weight")).row(0)
    return float(square / total)


def _unit(own: pl.DataFrame) -> float:
    """The unit u that makes the variance of small sums u x their mean, by moments on pairs of successive days.

    E (y - r x)^2 = u (y + r^2 x) + d (2 r x y), with r the spend's ratio. The second term
    grows with size, and stays in the measured dispersion.
    """
    value, conversions = float(own["conversions_value"].sum()), float(own["conversions"].sum())
    usual = value / conversions if conversions > 0 else value / own.height
    pairs = _pairs(own, "conversions_value", "spend")
    if pairs.height < _LEAST_PAIRS:
        return usual
    # In units of the usual value: amounts of any size keep their squares within floating point.
    y, x = pairs["conversions_value"].to_numpy() / usual, pairs["conversions_value_before"].to_numpy() / usual
    r = (pairs["spend"] / pairs["spend_before"]).to_numpy()
    scale = y + r**2 * x
    size, square = 2.0 * r * x * y / scale, (y - r * x) ** 2 / scale
    # Square over scale is u + d x size, with a noise that grows like itself: weighted least squares.
    typical = float(np.median(size))
    if not typical > 0:  # most of the values are next to nothing beside the others
        return usual
    weight = 1.0 / (typical + size)
    (unit, growth), *_ = np.linalg.lstsq(np.stack([weight, weight * size], axis=1), weight * square, rcond=None)
    if growth < 0:
        unit = float((weight**2 * square).sum() / (weight**2).sum())
    return usual * float(np.clip(unit, _LEAST_UNITS, _MOST_UNITS))
