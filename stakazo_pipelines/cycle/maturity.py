"""How mature the data is, as the newest estimates told it: kept in the lake for whoever asks."""

from datetime import date

import polars as pl

from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.maturity import BETWEEN

MATURITY = "conversion_maturity"  # one row a group, in `maturity_report.SUMMARY_SCHEMA`


def told_maturity(lake: Lake) -> tuple[date, pl.DataFrame] | None:
    """The newest day whose maturity was told, and that summary of the platforms alone; None when there is none yet."""
    days = lake.asset_days(MATURITY)
    if not days:
        return None
    frame = lake.read_asset(MATURITY, days[-1])
    return days[-1], frame.filter(~pl.col("group").str.contains(BETWEEN, literal=True))
