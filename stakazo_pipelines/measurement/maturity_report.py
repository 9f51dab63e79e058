"""What people are told of maturity: the share still to come of each recent day, and up to which day data is mature."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import polars as pl

from stakazo_pipelines.measurement.maturity import BETWEEN, DEFAULT_MATURITY, MaturityCurve

RECENT_DAYS = 14
PRIOR_NAME = "prior (no vintages yet)"
_AGES = (1, 3, 7)  # whose shares are told
SUMMARY_SCHEMA = {
    "group": pl.String(),
    "mature_as_of": pl.Date(),
    "conversions": pl.Float64(),
    **{f"reported_{age}{end}": pl.Float64() for age in _AGES for end in ("", "_low", "_high")},
}
_TO_COME = {
    "group": pl.String(),
    "date_day": pl.Date(),
    "age_days": pl.Int64(),
    "to_come": pl.Float64(),
    "to_come_low": pl.Float64(),
    "to_come_high": pl.Float64(),
}


def mature_as_of(curve: MaturityCurve, *, day: date, threshold: float) -> date:
    """The last report day of which at least `threshold` is reported, read on the morning after `day`."""
    return min(day, day + timedelta(days=1 - curve.mature_age(threshold)))


def summary(curves: Mapping[str, MaturityCurve], *, day: date, threshold: float) -> pl.DataFrame:
    """One row a group in SUMMARY_SCHEMA: mature as of when, from how many conversions, and reported at 1, 3, 7 days.

    Shares with their 90 % intervals, read on the morning after `day`. Without curves the prior stands alone.
    """
    rows = []
    for name, curve in (curves or {PRIOR_NAME: DEFAULT_MATURITY}).items():
        row = {
            "group": name,
            "mature_as_of": mature_as_of(curve, day=day, threshold=threshold),
            "conversions": curve.conversions,
        }
        for age in _AGES:
            low, high = curve.band(age)
            row |= {
                f"reported_{age}": float(curve.fraction(age)),
                f"reported_{age}_low": float(low),
                f"reported_{age}_high": float(high),
            }
        rows.append(row)
    return pl.DataFrame(rows, schema=SUMMARY_SCHEMA)


def still_to_come(curves: Mapping[str, MaturityCurve], *, day: date) -> pl.DataFrame:
    """Per group and each of the last `RECENT_DAYS` report days up to `day`: the share still to come, with its band.

    Columns: group, date_day, age_days, to_come, to_come_low, to_come_high (90 %); read on the morning after `day`.
    """
    ages = np.arange(1, RECENT_DAYS + 1)
    frames = [pl.DataFrame(schema=_TO_COME)]
    for name, curve in curves.items():
        low, high = curve.band(ages)
        columns = {
            "group": [name] * RECENT_DAYS,
            "date_day": [day + timedelta(days=1 - int(age)) for age in ages],
            "age_days": ages,
            "to_come": 1.0 - curve.fraction(ages),
            "to_come_low": 1.0 - high,
            "to_come_high": 1.0 - low,
        }
        frames.append(pl.DataFrame(columns, schema=_TO_COME))
    return pl.concat(frames)


def wide_groups(curves: Mapping[str, MaturityCurve], *, parts: int = 1) -> dict[str, MaturityCurve]:
    """The curves of groups named by at most so many parts: 1 for platforms alone, 3 for all but single accounts.

    Without curves the prior alone.
    """
    wide = {name: curve for name, curve in curves.items() if len(name.split(BETWEEN)) <= parts}
    return wide or {PRIOR_NAME: DEFAULT_MATURITY}


def told(curve: MaturityCurve, *, day: date, threshold: float) -> str:
    """One sentence of the newest day and of what is mature, read on the morning after `day`."""
    low, high = curve.band(1)
    return (
        f"{1 - float(curve.fraction(1)):.0%} of the conversions of {day} are still to come "
        f"({1 - float(high):.0%} to {1 - float(low):.0%}); mature as of "
        f"{mature_as_of(curve, day=day, threshold=threshold)} ({threshold:.0%} reported)"
    )


def assumed_of_a_table(as_of: date, reported: date, *, threshold: float) -> list[str]:
    """What is assumed of late conversions in a table made on `reported`, if its days before `as_of` may lack some."""
    last = reported - timedelta(days=1)
    if as_of - timedelta(days=1) <= mature_as_of(DEFAULT_MATURITY, day=last, threshold=threshold):
        return []
    assumed = told(DEFAULT_MATURITY, day=last, threshold=threshold)
    return [f"a table does not show how late conversions come, so the usual delay is assumed: {assumed}"]
