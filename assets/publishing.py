"""Carrying decisions out: one factory makes the publishing asset of every platform, another the one after them all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    DagsterEventType,
    MaterializeResult,
    asset,
)

from assets.allocation import DECISIONS
from assets.ingest import OWNERS
from assets.metadata import listing, table
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from resources import ClockResource, LakeResource, OperationsResource, PlatformsResource, PolicyResource
from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.cycle.changes import PublishReport, publish_day, publish_waiting, waiting_plans
from stakazo_pipelines.decisions.recall import decisions_of
from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus

_GOOD_PLANS = {PlanStatus.VERIFIED, PlanStatus.OBSERVED, PlanStatus.AWAITING_APPROVAL}
_DONE = {PlanStatus.PARTLY_VERIFIED, PlanStatus.FAILED}


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
                # Not blocking: raises that other accounts have paid for still go out; funded_raises then ends the run.
                description=(
                    "Every change that was sent was read back as asked, or waits for a person by policy or for the "
                    "cuts in other accounts that pay for it. Changes that a guardrail or the platform's rule of the "
                    "moment kept back are listed as blocked."
                ),
            )
        ],
        description=(
            f"The plan for each {platform} account and what became of it: observed, waiting for approval, or written "
            "under the guardrails, read back and journaled so that it can be undone. An account whose total grows "
            "waits until verified cuts elsewhere pay for it. Older days are never acted upon."
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
                        rates=load_rates(),
                    )

        try:
            report = asyncio.run(publish())
        except PlatformError as error:
            report = PublishReport(failed={f"every account of {platform}": str(error)})
        _warn(context, platform, report)
        bad = _not_verified(report)
        return MaterializeResult(
            metadata={"changes_decided": recorded.height, **_told({platform: report})},
            check_results=[_checked("verified", bad)],
        )

    return [publish_actions]


def funded_raises_asset(names: Sequence[str]) -> AssetsDefinition:
    """`funded_raises`, after every platform's publish_actions."""

    @asset(
        name="funded_raises",
        deps=[[name, "publish_actions"] for name in names],
        group_name="publishing",
        owners=OWNERS,
        kinds={"sqlalchemy"},
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
        check_specs=[
            AssetCheckSpec(
                "every_platform_verified",
                asset="funded_raises",
                blocking=True,
                description="Every change sent to any platform in this run was read back as asked, or waits.",
            )
        ],
        description=(
            "What waited for money that other platforms' accounts were to free: published once their cuts are verified "
            "and pay for it, under the same checks. What is still not paid for is left alone, with its reason."
        ),
    )
    def funded_raises(
        context: AssetExecutionContext,
        platforms: PlatformsResource,
        operations: OperationsResource,
        clock: ClockResource,
        policy: PolicyResource,
    ) -> MaterializeResult:
        rules = policy.load()
        day = as_days(list(context.partition_keys))[-1]

        async def publish() -> dict[str, PublishReport]:
            async with AsyncExitStack() as opened:
                with operations.open() as database:
                    waiting = [name for name in names if waiting_plans(database, rules, name, day)]
                    apis = [await opened.enter_async_context(platforms.open(name)) for name in waiting]
                    return await publish_waiting(
                        apis, database, rules, day=day, now=clock.now, sandbox=platforms.sandbox
                    )

        reports = asyncio.run(publish())
        bad = _failed_before(context)
        for name, report in reports.items():
            _warn(context, name, report)
            bad += _not_verified(report)
        return MaterializeResult(
            metadata=_told(reports),
            check_results=[_checked("every_platform_verified", bad)],
        )

    return funded_raises


def _failed_before(context: AssetExecutionContext) -> list[str]:
    """The platforms whose changes were not verified in this run."""
    logs = context.instance.all_logs(context.run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [log.dagster_event for log in logs if log.dagster_event is not None]
    checks = [event.asset_check_evaluation_data for event in events]
    return [
        check.asset_key.to_user_string()
        for check in checks
        if not check.passed and check.asset_key.path[-1] == "publish_actions"
    ]


def _not_verified(report: PublishReport) -> list[str]:
    others = [plan for plan in report.plans if plan.status not in _GOOD_PLANS and plan.account_id not in report.waiting]
    bad = [plan.plan_id for plan in others if not (plan.status in _DONE and plan.all_seen)]
    return bad + list(report.failed)


def _checked(name: str, bad: Sequence[str]) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=name,
        passed=not bad,
        severity=AssetCheckSeverity.ERROR,
        metadata={"not_verified": listing(bad)},
    )


def _warn(context: AssetExecutionContext, platform: str, report: PublishReport) -> None:
    for account, reason in {**report.failed, **report.left_alone, **report.waiting}.items():
        context.log.warning(f"{platform}: account {account}: {reason}")


def _told(reports: Mapping[str, PublishReport]) -> dict[str, Any]:
    """Metadata: what was planned, sent, read back, and what was not and why."""
    done = [(plan, action) for report in reports.values() for plan in report.plans for action in plan.actions]
    counts = Counter(action.status for _, action in done)
    rows = pl.DataFrame(
        [
            {
                "account": f"{plan.platform}/{plan.account_id}",
                "entity": f"{action.change.entity.level} {action.change.entity.id}",
                "name": action.change.name,
                "before": str(action.change.before),
                "after": str(action.change.after),
                "status": action.status.value,
                "observed": action.observed,
                "error": action.error,
            }
            for plan, action in done
        ],
        schema=dict.fromkeys(
            ("account", "entity", "name", "before", "after", "status", "observed", "error"), pl.String()
        ),
    )
    plans = pl.DataFrame(
        [
            {"account": f"{plan.platform}/{plan.account_id}", "status": plan.status.value,
             "changes": len(plan.actions), "reason": report.waiting.get(plan.account_id, plan.reason),
             "plan": plan.plan_id, "digest": plan.digest}
            for report in reports.values()
            for plan in report.plans
        ]
    )  # fmt: skip
    return {
        "dagster/row_count": rows.height,
        "changes_verified": counts[ActionStatus.VERIFIED],
        "plans": table(plans),
        "changes": table(rows, most=60),
        "waiting": _reasons(reports, lambda report: report.waiting),
        "left_alone": _reasons(reports, lambda report: report.left_alone),
        "failed": _reasons(reports, lambda report: report.failed),
    }


def _reasons(reports: Mapping[str, PublishReport], kind: Callable[[PublishReport], Mapping[str, str]]) -> str:
    found = [(name, *item) for name, report in reports.items() for item in kind(report).items()]
    return listing([f"{name}/{account}: {why}" for name, account, why in found])
