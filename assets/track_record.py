"""How the published intervals did once the truth had matured; where they have collapsed, nothing is allocated."""

from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, MaterializeResult, MetadataValue, asset

from assets.ingest import OWNERS
from assets.measurement import REPORTS
from assets.metadata import table
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from assets.pictures import coverage_over_time
from resources import LakeResource, PolicyResource
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.cycle.track_record import MATURED_AFTER, TRACK_RECORD, matured_scores
from stakazo_pipelines.scoring.record import by_day, by_group, misses, standing

_MISSES = [
    "day",
    "platform",
    "account_id",
    "arm_id",
    "predicted_low",
    "predicted_roas",
    "predicted_high",
    "realised_roas",
]


@asset(
    name=TRACK_RECORD,
    deps=[*REPORTS, "stg_entities", ESTIMATES],
    group_name="measurement",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=REPORT_DAYS,
    backfill_policy=RANGE_RUNS,
    check_specs=[
        AssetCheckSpec(
            "coverage_has_not_collapsed",
            asset=TRACK_RECORD,
            blocking=True,
            description=(
                "On no platform are the 90 % intervals of arms in state ok right less often than "
                "track_record.least_coverage, with track_record.confidence. Passes while too few have matured to say."
            ),
        )
    ],
    description=(
        "Published ROAS intervals against what the seven days after them came to, once their conversions are all in: "
        "coverage of the 50, 80 and 90 % intervals, CRPS and bias by platform, state and age of the arm. An interval "
        "is read at the spend that came, along the arm's own curve, and widened by the luck of its few conversions."
    ),
)
def track_record(context: AssetExecutionContext, lake: LakeResource, policy: PolicyResource) -> MaterializeResult:
    opened, rules = lake.open(), policy.load()
    for day in as_days(list(context.partition_keys)):
        scores = matured_scores(opened, rules, day)
        groups = by_group(scores)
        opened.write_asset(TRACK_RECORD, day, groups)
    settings = rules.track_record
    standings = standing(
        scores, min_scored=settings.min_scored, least=settings.least_coverage, confidence=settings.confidence
    )
    told = [str(one) for one in standings] or [
        f"no estimate has matured yet: one is scored {MATURED_AFTER} report days after it was made"
    ]
    figures = {f"coverage_90_{one.platform}": one.coverage for one in standings}
    return MaterializeResult(
        metadata={
            "dagster/row_count": groups.height,
            "intervals_scored": scores.height,
            **figures,
            "standing": MetadataValue.md("  \n".join(told)),
            "coverage_over_time": coverage_over_time(by_day(scores)),
            "by_platform_state_and_age": table(groups, most=40),
            "largest_misses": table(misses(scores).select(_MISSES)),
        },
        check_results=[
            AssetCheckResult(
                check_name="coverage_has_not_collapsed",
                passed=not any(one.collapsed for one in standings),
                metadata={"standing": MetadataValue.md("  \n".join(told))},
            )
        ],
    )
