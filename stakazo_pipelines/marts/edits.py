"""The day on which each arm was last edited, from the edits that the snapshots told."""

from datetime import date, timedelta

import polars as pl

from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lake.vintages import read_raw
from stakazo_pipelines.platforms.wire import zone_problem
from stakazo_pipelines.vocabulary import Level

_ACCOUNT = ["platform", "account_id"]
_COLUMNS = (*_ACCOUNT, "timezone", "level", "campaign_id", "ad_group_id", "changed_at")


def edits_known(lake: Lake, as_of: date, window_days: int) -> pl.DataFrame:
    """Edits that snapshots of the `window_days` up to the day `as_of` told; files that cannot be read tell none."""
    files = lake.raw_files("edits", since=as_of - timedelta(days=window_days), until=as_of)
    return read_raw(files, "edits", columns=_COLUMNS).frame


def with_edits(arms: pl.DataFrame, edits: pl.DataFrame) -> pl.DataFrame:
    """Arms (platform, account_id, campaign_id, arm_id) with `changed_on`, the day of the account of the last edit.

    What is done to a campaign is done to the arms in it, what is done to an ad group or its ads to the ad group. Of a
    campaign that holds the budget itself one ad is too small a part; what is done to its ad groups counts. Null where
    no edit is known.
    """
    zones = [zone for zone in edits["timezone"].unique().drop_nulls() if not zone_problem(zone)]
    day = pl.coalesce(
        *(
            pl.when(pl.col("timezone") == zone).then(pl.col("changed_at").dt.convert_time_zone(zone).dt.date())
            for zone in zones
        ),
        pl.col("changed_at").dt.date(),  # of a zone that is none: at most a day off
    )
    dated = edits.with_columns(day=day)
    of_campaigns = dated.filter(pl.col("ad_group_id").is_null()).group_by(*_ACCOUNT, "campaign_id")
    of_groups = dated.filter(pl.col("ad_group_id").is_not_null()).group_by(*_ACCOUNT, arm_id="ad_group_id")
    inside = dated.filter(pl.col("level") == Level.AD_GROUP.value).group_by(*_ACCOUNT, arm_id="campaign_id")
    own = pl.concat([part.agg(pl.col("day").max()) for part in (of_groups, inside)])
    return (
        arms.join(of_campaigns.agg(above=pl.col("day").max()), on=[*_ACCOUNT, "campaign_id"], how="left")
        .join(own.unique([*_ACCOUNT, "arm_id"]), on=[*_ACCOUNT, "arm_id"], how="left", maintain_order="left")
        .with_columns(changed_on=pl.max_horizontal("above", "day"))
        .drop("above", "day")
    )
