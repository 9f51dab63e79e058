"""Reading a platform: one factory makes the same two assets for every platform behind the port."""

import asyncio
from collections.abc import Sequence
from typing import Any

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    asset,
)

from assets.metadata import listing, table
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from resources import ClockResource, LakeResource, PlatformsResource, PolicyResource
from stakazo_pipelines.ingest import IngestReport, ingest_entities, ingest_insights, or_unread
from stakazo_pipelines.lake import INSIGHT_DATASETS, RAW_INSIGHTS_SCHEMA, Lake
from stakazo_pipelines.quality import duplicated, negative

OWNERS = ["team:measurement"]
REREAD_TAG = "stakazo/reread"  # a run with this tag reads only the ages that policy lists, and days not read well yet
INSIGHT_KEYS = ["date_day", "account_id", "ad_id"]
READ = "read"
# What is looked at again after a fetch: all but the payload, which is most of a row.
_CHECKED = [name for name in RAW_INSIGHTS_SCHEMA if name != "native"]

IMPORTED_INSIGHTS = AssetSpec(
    key=["imports", "raw_insights"],
    group_name="ingest",
    owners=OWNERS,
    partitions_def=REPORT_DAYS,
    kinds={"csv", "excel"},
    description="Rows of exports that people imported with `stakazo import`, kept as raw vintages.",
)


def ingest_assets(platform: str) -> Sequence[AssetsDefinition]:
    """`<platform>/entities` and `<platform>/raw_insights`."""

    @asset(
        key=[platform, "entities"],
        group_name="ingest",
        owners=OWNERS,
        kinds={platform, "parquet"},
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
        check_specs=[_read_spec([platform, "entities"])],
        description=(
            f"What exists on {platform} right now: campaigns, ad groups, ads and creatives with status and budget, "
            "as a snapshot filed under the day it was taken. History is the sequence of snapshots."
        ),
    )
    def entities(
        context: AssetExecutionContext, platforms: PlatformsResource, lake: LakeResource, clock: ClockResource
    ) -> MaterializeResult:
        opened = lake.open()

        async def read() -> IngestReport:
            async with platforms.open(platform) as api:
                return await ingest_entities(api, opened, now=clock.now())

        report = asyncio.run(or_unread(read()))
        _warn_of_failures(context, platform, report)
        return MaterializeResult(
            metadata={
                "dagster/row_count": sum(report.rows.values()),
                **{f"{level}s": count for level, count in sorted(report.rows.items())},
                **_common(report),
            },
            check_results=[_read_result(report, opened, platform, ["entities"])],
        )

    @asset(
        key=[platform, "raw_insights"],
        deps=[[platform, "entities"]],
        group_name="ingest",
        owners=OWNERS,
        kinds={platform, "parquet"},
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
        check_specs=[
            _read_spec([platform, "raw_insights"]),
            AssetCheckSpec(
                "schema",
                asset=[platform, "raw_insights"],
                blocking=True,
                description="The files of these days have the lake's columns and types, and ids where they must be.",
            ),
            AssetCheckSpec(
                "no_negative_or_doubled_rows",
                asset=[platform, "raw_insights"],
                blocking=True,
                description="In the newest vintage of each day no measure is below zero and no ad stands twice.",
            ),
            AssetCheckSpec(
                "nothing_quarantined",
                asset=[platform, "raw_insights"],
                description="Rows the adapter could not trust are kept apart with their reason; any is a warning.",
            ),
        ],
        description=(
            f"What {platform} reported for each day, level by level (account, campaign, ad group, ad), kept for ever: "
            "a day read again adds a vintage and never overwrites one. Days are days of the account's own time zone."
        ),
    )
    def raw_insights(
        context: AssetExecutionContext,
        platforms: PlatformsResource,
        lake: LakeResource,
        clock: ClockResource,
        policy: PolicyResource,
    ) -> MaterializeResult:
        days = as_days(list(context.partition_keys))
        ages = policy.load().ingest.reread_ages if REREAD_TAG in context.run.tags else None
        opened = lake.open()

        async def read() -> IngestReport:
            async with platforms.open(platform) as api:
                return await ingest_insights(
                    api, opened, days=days, ages=ages, now=clock.now(), on_progress=context.log.info
                )

        report = asyncio.run(or_unread(read()))
        _warn_of_failures(context, platform, report)
        ads = opened.newest("insights_ad", platform=platform, since=days[0], until=days[-1], columns=_CHECKED)
        newest = ads.whole()
        doubled, below_zero = duplicated(newest, keys=INSIGHT_KEYS), negative(newest)
        wrong = [name for name in _CHECKED if newest.schema.get(name) != RAW_INSIGHTS_SCHEMA[name]]
        return MaterializeResult(
            metadata={
                "dagster/row_count": newest.height,
                **{f"rows_{level}": count for level, count in sorted(report.rows.items())},
                "files_written": report.files,
                "days_not_ended": listing([str(day) for day in sorted(report.pending_days)]),
                "top_spend": table(_top_spend(newest)),
                **_common(report),
            },
            check_results=[
                _read_result(report, opened, platform, INSIGHT_DATASETS),
                AssetCheckResult(
                    check_name="schema",
                    passed=not wrong and newest.filter(pl.col("ad_id").is_null()).is_empty(),
                    metadata={"wrong_columns": listing(wrong)},
                ),
                AssetCheckResult(
                    check_name="no_negative_or_doubled_rows",
                    passed=doubled.is_empty() and below_zero.is_empty(),
                    metadata={"doubled": table(doubled), "negative": table(below_zero)},
                ),
                AssetCheckResult(
                    check_name="nothing_quarantined",
                    passed=not report.quarantined,
                    severity=AssetCheckSeverity.WARN,
                    metadata={"rows": len(report.quarantined)},
                ),
            ],
        )

    return [entities, raw_insights]


def _top_spend(newest: pl.DataFrame) -> pl.DataFrame:
    total = newest.group_by("account_id", "currency", "ad_group_name").agg(
        pl.col("spend", "conversions", "conversions_value").sum(), pl.col("impressions", "clicks").sum()
    )
    return total.sort("spend", descending=True)


def _common(report: IngestReport) -> dict[str, Any]:
    quarantined = pl.DataFrame(
        [
            {"account": account, "where": bad.where, "field": bad.field, "reason": bad.reason}
            for account, bad in report.quarantined
        ],
        schema={"account": pl.Utf8, "where": pl.Utf8, "field": pl.Utf8, "reason": pl.Utf8},
    )
    return {
        "stale": bool(report.unread),
        "accounts": len(report.accounts),
        "accounts_failed": listing([f"{account}: {error}" for account, error in report.failed.items()]),
        "quarantined": table(quarantined),
    }


def _read_spec(key: Sequence[str]) -> AssetCheckSpec:
    return AssetCheckSpec(
        READ,
        asset=list(key),
        description=(
            "Up to date: the platform was read. An error when nothing of it could be (the other platforms go on, and "
            "its data stay as old as they are), a warning when single accounts could not."
        ),
    )


def _read_result(report: IngestReport, lake: Lake, platform: str, datasets: Sequence[str]) -> AssetCheckResult:
    failed = listing([f"{account}: {error}" for account, error in report.failed.items()])
    facts: dict[str, Any] = {"accounts_failed": failed}
    told = f"accounts that could not be read: {failed}" if report.failed else ""
    if report.unread:
        fetched = lake.last_fetch(platform, datasets)
        as_of = "never read" if fetched is None else f"{fetched:%Y-%m-%d %H:%M} UTC"
        facts |= {"stale": True, "reason": report.unread, "data_as_of": as_of}
        told = f"{report.unread}; data as of {as_of}"
    return AssetCheckResult(
        check_name=READ,
        passed=not told,
        severity=AssetCheckSeverity.ERROR if report.unread else AssetCheckSeverity.WARN,
        description=told or None,
        metadata=facts,
    )


def _warn_of_failures(context: AssetExecutionContext, platform: str, report: IngestReport) -> None:
    if report.unread:
        context.log.error(f"{platform} could not be read and keeps its last data: {report.unread}")
    for account, error in report.failed.items():
        context.log.error(f"account {account} could not be read and keeps its last data: {error}")
