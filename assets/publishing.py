"""Carrying decisions out: one factory makes the publishing asset of every platform behind the port."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    asset,
)

from assets.allocation import DECISIONS
from assets.ingest import OWNERS
from assets.metadata import listing, table
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from resources import ClockResource, LakeResource, OperationsResource, PlatformsResource, PolicyResource
from stakazo_pipelines.cycle.changes import PublishReport, publish_day
from stakazo_pipelines.decisions.recall import decisions_of
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus

_GOOD_PLANS = {
    PlanStatus.VERIFIED,
    PlanStatus.OBSERVED,
    PlanStatus.AWAITING_APPROVAL,
}


def publishing_assets(platform: str) -> Sequence[AssetsDefinition]:
    """`<platform>/publish_actions`."""

    @asset(
        key=[platform, "publish_actions"],
        deps=[DECISIONS, [platform, "entities"]],
        group_name="publishing",
        owners=OWNERS,
        kinds={platform, "sqlalchemy"},
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
        check_specs=[
            AssetCheckSpec(
                "verified",
                asset=[platform, "publish_actions"],
                blocking=True,
                description="Every change that was sent was read back as asked, or waits for a person by policy.",
            )
        ],
        description=(
            f"The plan for each {platform} account and what became of it: observed, waiting for approval, or written "
            "under the guardrails, read back and journaled so that it can be undone. Older days are never acted upon."
        ),
    )
    def publish_actions(
        context: AssetExecutionContext,
        platforms: PlatformsResource,
        lake: LakeResource,
        operations: OperationsResource,
        clock: ClockResource,
        policy: PolicyResource,
    ) -> MaterializeResult:
        opened, rules = lake.open(), policy.load()
        day = as_days(list(context.partition_keys))[-1]  # of a range only the newest day could be acted upon
        recorded = opened.read_asset(DECISIONS, day)
        cycle = recorded["cycle"][0] if recorded.height else ""

        async def publish() -> PublishReport:
            async with platforms.open(platform) as api:
                with operations.open() as database:
                    return await publish_day(
                        api,
                        database,
                        rules,
                        decisions_of(database, cycle),
                        day=day,
                        now=clock.now,
                        sandbox=platforms.sandbox,
                    )

        report = asyncio.run(publish())
        for account, reason in {**report.failed, **report.left_alone}.items():
            context.log.warning(f"account {account}: {reason}")
        return _shown(report, recorded)

    return [publish_actions]


def _shown(report: PublishReport, recorded: pl.DataFrame) -> MaterializeResult:
    actions = [(plan, action) for plan in report.plans for action in plan.actions]
    counts = Counter(action.status for _, action in actions)
    rows = pl.DataFrame(
        [
            {
                "account": plan.account_id,
                "entity": f"{action.change.entity.level} {action.change.entity.id}",
                "name": action.change.name,
                "before": str(action.change.before),
                "after": str(action.change.after),
                "status": action.status.value,
                "observed": action.observed,
                "error": action.error,
            }
            for plan, action in actions
        ],
        schema=dict.fromkeys(
            ("account", "entity", "name", "before", "after", "status", "observed", "error"), pl.String()
        ),
    )
    plans = pl.DataFrame(
        [
            {"account": plan.account_id, "status": plan.status.value, "changes": len(plan.actions),
             "reason": plan.reason, "plan": plan.plan_id, "digest": plan.digest}
            for plan in report.plans
        ]
    )  # fmt: skip
    bad = [plan.plan_id for plan in report.plans if plan.status not in _GOOD_PLANS] + list(report.failed)
    return MaterializeResult(
        metadata={
            "dagster/row_count": rows.height,
            "changes_verified": counts[ActionStatus.VERIFIED],
            "changes_decided": recorded.height,
            "plans": table(plans),
            "changes": table(rows, most=60),
            "left_alone": listing([f"{account}: {why}" for account, why in report.left_alone.items()]),
            "failed": listing([f"{account}: {why}" for account, why in report.failed.items()]),
        },
        check_results=[
            AssetCheckResult(
                check_name="verified",
                passed=not bad,
                severity=AssetCheckSeverity.ERROR,
                metadata={"not_verified": listing(bad)},
            )
        ],
    )
