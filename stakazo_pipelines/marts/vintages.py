"""What raw vintages say of conversion delay: the same report day as it stood at one age after another."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from stakazo_pipelines.lake import Lake, RawFile
from stakazo_pipelines.lake.vintages import newest_whole, read_raw
from stakazo_pipelines.marts.arms import aged, campaign_windows, with_windows
from stakazo_pipelines.vocabulary import Level

_ACCOUNT = ["platform", "account_id"]
_GROUP = ["attribution_window", "objective"]
_VINTAGE = [*_ACCOUNT, "date_day", "fetched_at"]
_WINDOW_DAYS = 14  # of ad group reports, which say what each campaign's attribution window is now
_COLUMNS = (*_VINTAGE, "timezone", "campaign_id", "attribution_window", "conversions", "conversions_value")


def maturity_vintages(lake: Lake, since: date, until: date) -> pl.DataFrame:
    """One row per platform, attribution window, objective, account, report day and age, with conversions and value.

    Columns: platform, attribution_window, objective, account_id, date_day, age_days, conversions, conversions_value.
    From campaign-level files, from account-level ones where those were read on more mornings, else from ad-level ones;
    window and objective are those of the campaign now, "" where unknown. A vintage without rows of a group counts as
    zero conversions; two fetches at the same age leave the newer one.
    """
    chosen: dict[tuple[str, str, date], list[RawFile]] = {}
    for dataset in ("insights_campaign", "insights_account", "insights_ad"):
        found: dict[tuple[str, str, date], list[RawFile]] = {}
        for file in lake.raw_files(dataset, since=since, until=until):
            found.setdefault((file.platform, file.account_id, file.day), []).append(file)
        for key, files in found.items():
            had = chosen.get(key, [])
            if not had or (dataset == "insights_account" and _mornings(files) > _mornings(had)):
                chosen[key] = files
    files = [file for group in chosen.values() for file in group]
    windows, objectives = _windows(lake, until), _objectives(lake, until + timedelta(days=1))
    datasets = sorted(Counter(file.dataset for file in files))
    sums = [
        _vintage_sums([file for file in files if file.dataset == dataset], dataset, windows, objectives)
        for dataset in datasets or ["insights_account"]
    ]
    return pl.concat(sums).sort(*_ACCOUNT, *_GROUP, "date_day", "age_days")


def _mornings(files: Sequence[RawFile]) -> int:
    """How often a day was read; reading again after a failure on the same morning is no further time."""
    return len({file.fetched_at.date() for file in files})


def _windows(lake: Lake, until: date) -> pl.DataFrame:
    columns = (*_ACCOUNT, "campaign_id", "attribution_window")
    since = until - timedelta(days=_WINDOW_DAYS - 1)
    return campaign_windows(lake.newest("insights_ad_group", since=since, until=until, columns=columns).frame)


def _objectives(lake: Lake, as_of: date) -> pl.DataFrame:
    """The objective of each campaign: its own, else that of all its ad groups; "" where they differ."""
    columns = (*_ACCOUNT, "level", "entity_id", "parent_id", "objective")
    entities = lake.entities(as_of=as_of, columns=columns).frame.with_columns(pl.col("objective").replace("", None))
    below = (
        entities.filter(pl.col("level") == Level.AD_GROUP.value, pl.col("objective").is_not_null())
        .group_by(*_ACCOUNT, entity_id="parent_id")
        .agg(pl.when(pl.col("objective").n_unique() == 1).then(pl.col("objective").first()).alias("of_ad_groups"))
    )
    return (
        entities.filter(pl.col("level") == Level.CAMPAIGN.value)
        .join(below, on=[*_ACCOUNT, "entity_id"], how="left")
        .select(*_ACCOUNT, campaign_id="entity_id", objective=pl.coalesce("objective", "of_ad_groups"))
    )


def _vintage_sums(
    files: Sequence[RawFile], dataset: str, windows: pl.DataFrame, objectives: pl.DataFrame
) -> pl.DataFrame:
    schema = dict(zip(_VINTAGE, (pl.String(), pl.String(), pl.Date(), pl.Datetime("us", "UTC")), strict=True))
    whole, _ = newest_whole(files, key=lambda file: (file.platform, file.account_id, file.day, file.fetched_at))
    stamps = [(file.platform, file.account_id, file.day, file.fetched_at) for file in whole]
    vintages = pl.DataFrame(stamps, schema=schema, orient="row").unique()
    rows = read_raw(whole, dataset, columns=_COLUMNS).frame
    zones = rows.group_by(_ACCOUNT).agg(pl.col("timezone").last())
    campaigns = [*_ACCOUNT, "campaign_id"]
    named = (
        with_windows(rows, windows)
        .join(objectives, on=campaigns, how="left")
        # A campaign that named another window in an older vintage was restated under today's.
        .with_columns(pl.col("attribution_window").sort_by("fetched_at").last().over(*campaigns, "date_day"))
        .with_columns(pl.col(_GROUP).fill_null(""))
    )
    sums = named.group_by(*_VINTAGE, *_GROUP).agg(pl.col("conversions", "conversions_value").cast(pl.Float64).sum())
    groups = sums.select(*_ACCOUNT, "date_day", *_GROUP).unique()
    unseen = vintages.join(groups, on=[*_ACCOUNT, "date_day"], how="anti").with_columns(
        attribution_window=pl.lit(""), objective=pl.lit("")
    )
    summed = (
        pl.concat([vintages.join(groups, on=[*_ACCOUNT, "date_day"]).select(unseen.columns), unseen])
        .join(sums, on=[*_VINTAGE, *_GROUP], how="left")
        .join(zones, on=_ACCOUNT)  # an account that never reported a row teaches nothing
        .with_columns(pl.col("conversions", "conversions_value").fill_null(0.0))
    )
    return (
        aged(summed)
        .sort("fetched_at")
        .unique([*_ACCOUNT, *_GROUP, "date_day", "age_days"], keep="last")
        .select("platform", *_GROUP, "account_id", "date_day", "age_days", "conversions", "conversions_value")
    )
