"""The marts as measurement reads them: one row per budget holder and day.

An arm is the entity that holds a daily budget: an ad group, or the campaign whose ad groups hold none. An imported
export has no entities: there every ad group is an arm, and what it spent lately stands for its budget.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl

from stakazo_pipelines.lake import Lake, Snapshots
from stakazo_pipelines.marts.edits import edits_known, with_edits
from stakazo_pipelines.marts.tables import read_mart
from stakazo_pipelines.platforms.port import BudgetPeriod
from stakazo_pipelines.vocabulary import EntityStatus, Level

RECENT_DAYS = 7  # reported days whose mean spend stands for the budget of an imported arm

ARM_DAYS_SCHEMA: Mapping[str, Any] = {
    "arm_id": pl.String(),
    "account_id": pl.String(),
    "campaign_id": pl.String(),
    "platform": pl.String(),
    "objective": pl.String(),
    "attribution_window": pl.String(),
    "currency": pl.String(),
    "date_day": pl.Date(),
    "spend": pl.Float64(),
    "conversions": pl.Float64(),
    "conversions_value": pl.Float64(),
    "age_days": pl.Int64(),
}
ARMS_SCHEMA: Mapping[str, Any] = {
    "arm_id": pl.String(),
    "account_id": pl.String(),
    "campaign_id": pl.String(),
    "platform": pl.String(),
    "objective": pl.String(),
    "currency": pl.String(),
    "budget": pl.Float64(),
}
_ACCOUNT = ["platform", "account_id"]
_NEEDED = (  # of snapshots
    *_ACCOUNT, "currency", "level", "entity_id", "parent_id", "status", "objective", "budget", "budget_period",
)  # fmt: skip


def arm_days(
    lake: Lake, as_of: date, window_days: int, *, snapshots: Snapshots | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(arm_days, arms) in ARM_DAYS_SCHEMA and ARMS_SCHEMA, of the `window_days` report days before `as_of`.

    arm_days has every arm-day with delivery, paused arms included (they inform the population); arms has those that
    run now, with `changed_on` (see `edits.with_edits`). Lifetime budgets are no daily budgets, so their holders are in
    arm_days only. Days whose conversions were not reported at all (an export without that column) are left out: missing
    is not zero. snapshots: the lake's of `as_of`, where they have been read already. Raises LakeError.
    """
    since, until = as_of - timedelta(days=window_days), as_of - timedelta(days=1)
    days, arms = arm_days_of(
        read_mart(lake, "ad_reporting__ad_group_report", since, until),
        read_mart(lake, "ad_reporting__campaign_report", since, until),
        snapshots or lake.entities(as_of=as_of, columns=_NEEDED),
    )
    return days, with_edits(arms, edits_known(lake, as_of, window_days))


def arm_days_of(
    ad_groups: pl.DataFrame, campaigns: pl.DataFrame, snapshots: Snapshots
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The same from frames: two reports in the columns of their marts (or raw ones with `age_days`), and snapshots.

    An account none of whose snapshots can be used is no imported one: it has neither days nor arms.
    """
    budget_holders = _budget_holders(snapshots.frame)
    known = pl.DataFrame(sorted(snapshots.accounts), schema=dict.fromkeys(_ACCOUNT, pl.String()), orient="row")

    days_of_campaigns = campaigns.join(
        budget_holders.filter(pl.col("level") == Level.CAMPAIGN.value),
        left_on=[*_ACCOUNT, "campaign_id"],
        right_on=[*_ACCOUNT, "arm_id"],
    ).with_columns(arm_id=pl.col("campaign_id"))
    days_of_campaigns = with_windows(days_of_campaigns, campaign_windows(ad_groups))
    days_of_ad_groups = ad_groups.join(
        budget_holders.filter(pl.col("level") == Level.AD_GROUP.value),
        left_on=[*_ACCOUNT, "ad_group_id"],
        right_on=[*_ACCOUNT, "arm_id"],
        suffix="_holder",
    ).with_columns(arm_id=pl.col("ad_group_id"))
    imported = _imported_days(ad_groups.join(known, on=_ACCOUNT, how="anti"))
    reported = pl.col("conversions").is_not_null() & pl.col("conversions_value").is_not_null()
    delivered = reported & ((pl.col("spend") > 0) | (pl.col("impressions") > 0))
    days = pl.concat(
        [_as_arm_days(part.filter(delivered)) for part in (days_of_campaigns, days_of_ad_groups, imported)]
    )
    running = budget_holders.filter("runs").select(list(ARMS_SCHEMA)).cast(pl.Schema(ARMS_SCHEMA))
    arms = pl.concat([running, _imported_arms(imported)])
    return days.sort("platform", "account_id", "arm_id", "date_day"), arms.sort("platform", "account_id", "arm_id")


def with_names(lake: Lake, rows: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Rows of arms (platform, account_id, arm_id) with `name`: the entity's, or the id where no snapshot knows it."""
    entities = lake.entities(as_of=as_of, columns=(*_ACCOUNT, "level", "entity_id", "name")).frame
    holders = entities.filter(pl.col("level").is_in([Level.CAMPAIGN.value, Level.AD_GROUP.value]))
    names = holders.select(*_ACCOUNT, "name", arm_id="entity_id")
    named = rows.join(names, on=[*_ACCOUNT, "arm_id"], how="left", maintain_order="left")
    return named.with_columns(pl.col("name").fill_null(pl.col("arm_id")))


def aged(rows: pl.DataFrame) -> pl.DataFrame:
    """Raw rows with `age_days`: from the report day to the fetch, both in the account's zone."""
    return rows.with_columns(age_days=_local_age(rows.get_column("timezone").unique()))


def _budget_holders(entities: pl.DataFrame) -> pl.DataFrame:
    """Entities that hold a daily budget, with level, arm_id, campaign_id, objective, budget, and whether they run."""
    active, daily = pl.col("status") == EntityStatus.ACTIVE.value, pl.col("budget_period") == BudgetPeriod.DAILY.value
    facts = [*_ACCOUNT, "currency", "level"]
    campaigns = entities.filter(pl.col("level") == Level.CAMPAIGN.value).with_columns(active=active)
    parents = campaigns.select(
        *_ACCOUNT,
        parent_id="entity_id",
        campaign_objective=pl.col("objective").replace("", None),
        campaign_active="active",
    )
    ad_groups = (
        entities.filter(pl.col("level") == Level.AD_GROUP.value, pl.col("budget").is_not_null())
        .join(parents, on=[*_ACCOUNT, "parent_id"], how="left")
        .select(
            *facts,
            arm_id="entity_id",
            campaign_id="parent_id",
            objective=pl.coalesce("campaign_objective", "objective"),
            budget=pl.col("budget").cast(pl.Float64),
            runs=active & daily & pl.col("campaign_active").fill_null(value=True),
        )
    )
    holders_below = ad_groups.select(*_ACCOUNT, entity_id="campaign_id").unique()
    own = campaigns.filter(pl.col("budget").is_not_null()).join(holders_below, on=[*_ACCOUNT, "entity_id"], how="anti")
    of_campaigns = own.select(
        *facts,
        arm_id="entity_id",
        campaign_id="entity_id",
        objective="objective",
        budget=pl.col("budget").cast(pl.Float64),
        runs=active & daily,
    )
    return pl.concat([of_campaigns, ad_groups])


def _imported_days(rows: pl.DataFrame) -> pl.DataFrame:
    """Ad-group days of accounts without entities, one row per ad group: an export may name one under two campaigns."""
    by_spend = pl.col("spend").sum().over("platform", "account_id", "ad_group_id", "campaign_id")
    keys = [*_ACCOUNT, "ad_group_id"]
    main = rows.with_columns(weight=by_spend).sort("weight", "campaign_id", descending=[True, False])
    campaign_of = main.unique(keys, keep="first").select(*keys, main_campaign="campaign_id")
    return (
        rows.join(campaign_of, on=keys)
        # A row that stands twice is no second campaign: it stays apart, and is found to stand twice.
        .with_columns(copy=pl.int_range(pl.len()).over(*keys, "campaign_id", "date_day"))
        .group_by(*keys, "main_campaign", "currency", "date_day", "copy")
        .agg(
            pl.col("age_days").max(),
            pl.col("attribution_window").drop_nulls().first(),
            # A sum of nothing but NULLs is unknown, not 0.
            *(
                pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
                for name in ("spend", "conversions", "conversions_value", "impressions")
            ),
        )
        .rename({"main_campaign": "campaign_id"})
        .with_columns(arm_id=pl.col("ad_group_id"), objective=pl.lit(""))
    )


def _imported_arms(days: pl.DataFrame) -> pl.DataFrame:
    """Budget = spend of the account's last RECENT_DAYS reported days / their number; an arm that stopped has none."""
    reported = days.select(*_ACCOUNT, "date_day").unique()
    recent = reported.filter(pl.col("date_day").rank("dense", descending=True).over(_ACCOUNT) <= RECENT_DAYS)
    count = recent.group_by(_ACCOUNT).agg(recent_days=pl.len())
    spent = (
        days.join(recent, on=[*_ACCOUNT, "date_day"])
        .group_by(*_ACCOUNT, "campaign_id", "arm_id", "objective", "currency")
        .agg(total=pl.col("spend").cast(pl.Float64).sum())
        .join(count, on=_ACCOUNT)
        .filter(pl.col("total") > 0)
    )
    return spent.with_columns(budget=pl.col("total") / pl.col("recent_days")).select(list(ARMS_SCHEMA))


def campaign_windows(ad_groups: pl.DataFrame) -> pl.DataFrame:
    """The attribution window of each campaign whose ad groups' reports name one: Meta tells it of ad groups only.

    ad_groups: reports with the keys, campaign_id and attribution_window. A campaign of several windows has "" (none).
    """
    window = pl.col("attribution_window")
    return (
        ad_groups.filter(window.is_not_null())
        .group_by(*_ACCOUNT, "campaign_id")
        .agg(pl.when(window.n_unique() == 1).then(window.first()).otherwise(pl.lit("")).alias("window"))
    )


def with_windows(rows: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Rows of campaigns with the window of their ad groups, else the one that they themselves name."""
    joined = rows.join(windows, on=[*_ACCOUNT, "campaign_id"], how="left", maintain_order="left")
    return joined.with_columns(attribution_window=pl.coalesce("window", "attribution_window")).drop("window")


def _as_arm_days(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("objective").fill_null("")).select(
        pl.col(name).cast(dtype) for name, dtype in ARM_DAYS_SCHEMA.items()
    )


def _local_age(zones: Iterable[str]) -> pl.Expr:
    """Days from the report day to the fetch, both in the account's zone (a zone per row, so zone by zone)."""
    age = pl.lit(None, dtype=pl.Int64())
    for zone in zones:
        local = pl.col("fetched_at").dt.convert_time_zone(zone).dt.date()
        days = (local - pl.col("date_day")).dt.total_days().clip(0)
        age = pl.when(pl.col("timezone") == zone).then(days).otherwise(age)
    return age
