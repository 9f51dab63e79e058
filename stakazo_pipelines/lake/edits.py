"""What somebody changed between two snapshots of an account: a switch, a bid, an audience, a goal, what is shown.

An arm's level may jump there, so that what came before counts less. Budgets are no edits of that kind: what they do is
read off the curve. Pure: no file is touched here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from stakazo_pipelines.lake.frames import INSTANT, instant
from stakazo_pipelines.vocabulary import EntityStatus, Level

RAW_EDITS_SCHEMA: Mapping[str, Any] = {
    "platform": pl.String(),
    "account_id": pl.String(),
    "timezone": pl.String(),
    "campaign_id": pl.String(),
    "ad_group_id": pl.String(),  # null where a campaign was edited
    "level": pl.String(),
    "entity_id": pl.String(),
    "what": pl.String(),
    "changed_at": INSTANT,
    "fetched_at": INSTANT,
}
SNAPSHOT_COLUMNS = (
    "platform", "account_id", "timezone", "level", "entity_id", "parent_id", "status", "optimization_goal",
    "creative_id", "settings", "created_at", "updated_at", "fetched_at",
)  # fmt: skip
_LEVELS = [level.value for level in (Level.CAMPAIGN, Level.AD_GROUP, Level.AD)]
_KEY = ["level", "entity_id"]


def edits_frame(before: pl.DataFrame, now: pl.DataFrame, *, fetched_at: datetime, whole: bool = True) -> pl.DataFrame:
    """Edits from one snapshot of an account to its next, in RAW_EDITS_SCHEMA; one row an entity that was edited.

    Of campaigns, ad groups and ads: switched on or off, another goal, creative or settings (what a snapshot does not
    tell of an entity is no change), and ads that were made or, running before, are gone (where the snapshot is `whole`:
    no row of it was rejected). Changed at what the entity says, if that lies between the snapshots, else when it was
    seen. Both frames have SNAPSHOT_COLUMNS.
    """
    fetched = instant(fetched_at)
    old, new = (frame.filter(pl.col("level").is_in(_LEVELS)).select(SNAPSHOT_COLUMNS) for frame in (before, now))
    if old.is_empty() or new.is_empty():
        return pl.DataFrame(schema=RAW_EDITS_SCHEMA)
    seen = old["fetched_at"].max()
    both = new.join(old.unique(_KEY), on=_KEY, how="left", suffix="_before")
    active = pl.col("status") == EntityStatus.ACTIVE.value
    was_active = pl.col("status_before") == EntityStatus.ACTIVE.value
    ad = pl.col("level") == Level.AD.value
    made = ad & active & pl.col("status_before").is_null() & (pl.col("created_at") > seen)
    what = pl.coalesce(
        pl.when(active != was_active).then(pl.lit("status")),
        *(pl.when(_differs(name)).then(pl.lit(name)) for name in ("settings", "optimization_goal", "creative_id")),
        pl.when(made).then(pl.lit("new")),
    )
    changed = both.with_columns(what=what).filter(pl.col("what").is_not_null())
    gone = old.filter(ad, active).join(new, on=_KEY, how="anti").with_columns(what=pl.lit("gone"), updated_at=None)
    parts = [changed.select(*SNAPSHOT_COLUMNS, "what")] + ([gone.select(*SNAPSHOT_COLUMNS, "what")] if whole else [])
    moment = pl.max_horizontal("created_at", "updated_at")
    told = moment.is_between(seen, fetched, closed="right").fill_null(value=False)
    return (
        pl.concat(parts, how="vertical_relaxed")
        .join(_ancestors(pl.concat([old, new])), on=_KEY, how="left")
        .with_columns(changed_at=pl.when(told).then(moment).otherwise(pl.lit(fetched)), fetched_at=pl.lit(fetched))
        .select(pl.col(name).cast(kind) for name, kind in RAW_EDITS_SCHEMA.items())
        .sort(_KEY)
    )


def _differs(name: str) -> pl.Expr:
    """Both snapshots tell it, and not the same."""
    here, there = pl.col(name).replace("", None), pl.col(f"{name}_before").replace("", None)
    return (here != there).fill_null(value=False)


def _ancestors(rows: pl.DataFrame) -> pl.DataFrame:
    """Of every entity the ad group and the campaign that it is or lies in."""
    parents = rows.unique(_KEY, keep="last", maintain_order=True).select(*_KEY, "parent_id")
    own, above = pl.col("entity_id"), pl.col("parent_id")
    groups = parents.filter(pl.col("level") == Level.AD_GROUP.value).select(ad_group_id=own, campaign_id=above)
    ads = parents.filter(pl.col("level") == Level.AD.value).select(*_KEY, ad_group_id=above)
    campaigns = parents.filter(pl.col("level") == Level.CAMPAIGN.value)
    return pl.concat(
        [
            campaigns.select(*_KEY, ad_group_id=pl.lit(None, dtype=pl.String), campaign_id=own),
            groups.select(
                pl.lit(Level.AD_GROUP.value).alias("level"), pl.col("ad_group_id").alias("entity_id"), pl.all()
            ),
            ads.join(groups, on="ad_group_id", how="left").select(*_KEY, "ad_group_id", "campaign_id"),
        ]
    )
