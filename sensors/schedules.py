"""The cadence: read the platforms daily and decide on the newest complete day, refit weekly, audit monthly.

Money moves by schedule, never by automation on data changes: an operator knows when.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from dagster import (
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    RunStatusSensorContext,
    ScheduleEvaluationContext,
    SkipReason,
    run_status_sensor,
    schedule,
)

from assets.ingest import REREAD_TAG
from resources import ClockResource, PolicyResource
from sensors.jobs import audit_job, decide_job, ingest_job, population_job
from stakazo_pipelines.ingest import LAST_ZONE, last_complete_day
from stakazo_pipelines.policy import Policy

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def daily_tags(policy: Policy, newest: date) -> dict[str, str]:
    """Tags of the daily ingest: one run over the range that holds every age to read again, and only those are read."""
    oldest = newest - timedelta(days=max(policy.ingest.reread_ages) - 1)
    return {
        RANGE_START: max(oldest, policy.ingest.first_day).isoformat(),
        RANGE_END: newest.isoformat(),
        REREAD_TAG: "policy",
    }


@schedule(
    job=ingest_job,
    cron_schedule="30 12 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
    description="Every day at 12:30 UTC, when yesterday has ended in every time zone: read new and restated days.",
)
def daily_ingest(
    context: ScheduleEvaluationContext, clock: ClockResource, policy: PolicyResource
) -> RunRequest | SkipReason:
    newest = last_complete_day(clock.now(), LAST_ZONE)
    rules = policy.load()
    if newest < rules.ingest.first_day:
        return SkipReason(f"no complete day on or after ingest.first_day ({rules.ingest.first_day}) yet")
    return RunRequest(run_key=f"ingest {newest}", tags=daily_tags(rules, newest))


@schedule(
    job=population_job,
    cron_schedule="0 5 * * 1",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
    description="Mondays at 05:00 UTC: sample the population model anew.",
)
def weekly_population(context: ScheduleEvaluationContext) -> Iterator[RunRequest]:
    yield RunRequest(run_key=f"population {context.scheduled_execution_time:%G-W%V}")


@schedule(
    job=audit_job,
    cron_schedule="0 3 1 * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
    description="On the first of each month at 03:00 UTC: hold the daily engine against full Bayesian sampling.",
)
def monthly_audit(context: ScheduleEvaluationContext) -> Iterator[RunRequest]:
    yield RunRequest(run_key=f"audit {context.scheduled_execution_time:%Y-%m}")


@run_status_sensor(
    run_status=DagsterRunStatus.SUCCESS,
    monitored_jobs=[ingest_job],
    request_job=decide_job,
    description="After the daily ingest has succeeded: decide on its newest day. Backfills by hand start no decision.",
)
def decide_after_ingest(context: RunStatusSensorContext) -> RunRequest | SkipReason:
    tags = context.dagster_run.tags
    if REREAD_TAG not in tags or RANGE_END not in tags:
        return SkipReason("not the daily ingest: decide by hand if you want to")
    day = tags[RANGE_END]
    return RunRequest(run_key=f"decide {day} after {context.dagster_run.run_id}", partition_key=day)


SCHEDULES = (daily_ingest, weekly_population, monthly_audit)
SENSORS = (decide_after_ingest,)
