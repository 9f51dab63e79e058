"""What an analyst finds in the UI, kept as a golden file; and what starts runs."""

import json
import os
import warnings
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetKey,
    BetaWarning,
    DagsterInstance,
    Definitions,
    RunRequest,
    SkipReason,
    build_run_status_sensor_context,
    build_schedule_context,
    job,
    op,
)
from hypothesis import given
from hypothesis import strategies as st

from assets.ingest import REREAD_TAG
from resources import ClockResource, PolicyResource
from sensors.drive import day_ranges
from sensors.schedules import (
    RANGE_END,
    RANGE_START,
    daily_ingest,
    daily_tags,
    decide_after_ingest,
    monthly_audit,
    weekly_population,
)
from stakazo_pipelines.ingest import LAST_ZONE
from stakazo_pipelines.policy import IngestPolicy, Policy

GOLDEN = Path(__file__).parent / "golden" / "asset_graph.json"
UPDATE = "STAKAZO_UPDATE_GOLDEN"
NOW = datetime(2026, 6, 30, 12, 30, tzinfo=UTC)


class FixedClock(ClockResource):
    """Half past twelve, when yesterday has ended in every zone."""

    def now(self) -> datetime:
        return NOW


@cache
def definitions() -> Definitions:
    """Loaded where they are looked at: dbt, which they parse and import, would hold up every worker's collection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)  # as importing Dagster has it, which pytest undoes for each test
        from stakazo_pipelines.definitions import defs
    return defs


def graph() -> dict[str, object]:
    """The whole asset graph and what starts it, in a form that a person can compare."""
    defs = definitions()
    assets = defs.resolve_asset_graph()
    specs = {spec.key: spec for one in assets.assets_defs for spec in one.check_specs}
    return {
        "assets": {
            key.to_user_string(): {
                "group": assets.get(key).group_name,
                "deps": sorted(parent.to_user_string() for parent in assets.get(key).parent_keys),
                "partitioned": assets.get(key).partitions_def is not None,
                "checks": {
                    check.name: "blocking" if specs[check].blocking else "warning"
                    for check in sorted(assets.get(key).check_keys, key=lambda check: check.name)
                },
            }
            for key in sorted(assets.get_all_asset_keys(), key=lambda key: key.to_user_string())
        },
        "jobs": {
            job.name: sorted(
                key.to_user_string() for key in defs.resolve_job_def(job.name).asset_layer.executable_asset_keys
            )
            for job in defs.jobs or ()
        },
        "schedules": {one.name: f"{one.cron_schedule} {one.execution_timezone}" for one in defs.schedules or ()},
        "sensors": sorted(one.name for one in defs.sensors or ()),
    }


def test_the_asset_graph_is_the_one_on_record():
    found = json.dumps(graph(), indent=1) + "\n"
    if os.environ.get(UPDATE) == "1":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(found, encoding="utf-8")
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == json.loads(found), (
        f"assets, checks, jobs, schedules or sensors changed. If that is meant: {UPDATE}=1 pytest {__file__}, "
        f"and look at what changed in {GOLDEN.name}"
    )


def test_every_asset_tells_an_analyst_what_it_is_and_whose():
    assets = definitions().resolve_asset_graph()
    for key in assets.get_all_asset_keys():
        node = assets.get(key)
        if node.is_materializable:
            assert node.description, key
            assert len(node.description) > 20, key
            assert node.owners, key
            assert node.group_name not in {None, "default"}, key
            assert node.kinds, key


def test_money_flows_only_behind_checks_that_block():
    assets = graph()["assets"]
    assert isinstance(assets, dict)
    for key in ("meta/raw_insights", "account_readiness", "roas_estimates", "track_record", "budget_allocations"):
        assert "blocking" in assets[key]["checks"].values(), key


def test_the_lineage_reads_from_the_platform_to_the_published_change():
    assets = definitions().resolve_asset_graph()
    chain = ["meta/entities", "meta/raw_insights", "stg_insights", "roas_estimates", "budget_allocations", "decisions"]
    for earlier, later in zip(chain, [*chain[1:], "meta/publish_actions"], strict=True):
        above, waiting = set[AssetKey](), [AssetKey.from_user_string(later)]
        while waiting:
            parents = assets.get(waiting.pop()).parent_keys - above
            above |= parents
            waiting += parents
        assert AssetKey.from_user_string(earlier) in above, (earlier, later)


def test_the_decision_job_reads_no_insights_and_the_estimate_job_publishes_nothing():
    jobs = graph()["jobs"]
    assert isinstance(jobs, dict)
    assert "meta/publish_actions" in jobs["decide"]
    assert "meta/raw_insights" not in jobs["decide"]
    assert not [key for key in jobs["estimate"] if key.endswith(("publish_actions", "raw_insights", "entities"))]


def test_the_audit_waits_for_nobody_and_nobody_for_it():
    jobs = graph()["jobs"]
    assert isinstance(jobs, dict)
    assert [name for name, keys in jobs.items() if "engine_audit" in keys] == ["audit"]
    assert jobs["audit"] == ["engine_audit"]
    assert not definitions().resolve_asset_graph().get(AssetKey("engine_audit")).child_keys


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("ingest: {first_day: 2026-01-01, reread_ages: [1, 2, 28]}\n")
    return PolicyResource(path=str(path))


def test_the_daily_schedule_is_one_run_over_the_ages_to_read_again(policy):
    context = build_schedule_context(resources={"clock": FixedClock(), "policy": policy})
    request = daily_ingest(context)
    assert isinstance(request, RunRequest)
    assert request.run_key == "ingest 2026-06-29"
    assert request.tags.items() >= {RANGE_START: "2026-06-02", RANGE_END: "2026-06-29"}.items()
    assert REREAD_TAG in request.tags
    assert request.partition_key is None


def test_before_the_first_day_the_schedule_skips_and_says_why(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("ingest: {first_day: 2026-12-01}\n")
    resources = {"clock": FixedClock(), "policy": PolicyResource(path=str(path))}
    skipped = daily_ingest(build_schedule_context(resources=resources))
    assert isinstance(skipped, SkipReason)
    assert "2026-12-01" in str(skipped.skip_message)


def test_the_daily_range_never_begins_before_the_first_partition():
    policy = Policy(ingest=IngestPolicy(first_day=NOW.date(), reread_ages=(1, 28)))
    assert daily_tags(policy, NOW.date())[RANGE_START] == NOW.date().isoformat()


def test_the_population_is_refitted_once_a_week():
    monday = datetime(2026, 6, 29, 5, tzinfo=UTC)
    [request] = weekly_population(build_schedule_context(scheduled_execution_time=monday))
    assert request.run_key == "population 2026-W27"


def test_the_engine_is_audited_once_a_month():
    first = datetime(2026, 7, 1, 3, tzinfo=UTC)
    [request] = monthly_audit(build_schedule_context(scheduled_execution_time=first))
    assert request.run_key == "audit 2026-07"


@op
def nothing() -> None:
    """Stands for a whole ingest."""


@job(name="ingest")
def finished_ingest() -> None:
    nothing()


def decided_after(tags: dict[str, str]) -> object:
    with DagsterInstance.ephemeral() as instance:
        done = finished_ingest.execute_in_process(instance=instance, tags=tags)
        context = build_run_status_sensor_context(
            sensor_name="decide_after_ingest",
            dagster_instance=instance,
            dagster_run=done.dagster_run,
            dagster_event=done.get_run_success_event(),
        )
        return decide_after_ingest(context)


def test_a_decision_follows_the_daily_ingest_on_its_newest_day():
    request = decided_after({RANGE_START: "2026-06-02", RANGE_END: "2026-06-29", REREAD_TAG: "policy"})
    assert isinstance(request, RunRequest)
    assert request.partition_key == "2026-06-29"


def test_a_backfill_by_hand_starts_no_decision():
    assert isinstance(decided_after({RANGE_START: "2026-01-01", RANGE_END: "2026-06-29"}), SkipReason)


def test_at_the_scheduled_hour_yesterday_has_ended_everywhere():
    assert NOW.astimezone(ZoneInfo(LAST_ZONE)).date() == NOW.date()


@given(st.dates(date(2020, 1, 1), date(2027, 1, 1)), st.integers(0, 500), st.integers(1, 400))
def test_a_backfill_is_a_few_ranges_that_cover_each_day_once(until, length, most):
    since = until - timedelta(days=length)
    ranges = list(day_ranges(since, until, days_per_run=most))
    covered = [day for start, end in ranges for day in range(start.toordinal(), end.toordinal() + 1)]
    assert covered == list(range(since.toordinal(), until.toordinal() + 1))
    assert len(ranges) == -(-(length + 1) // most)
