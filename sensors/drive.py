"""Starting the same jobs as the schedules do, from one process: for `stakazo run` and `stakazo build`.

A run that Dagster launches takes ten seconds to start; in one warm process it takes a fraction of one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from datetime import date, timedelta
from pathlib import Path

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEvent, DagsterInstance, Definitions

from assets.ingest import READ
from sensors.jobs import audit_job, decide_job, estimate_job, ingest_job, marts_job, population_job
from sensors.schedules import RANGE_END, RANGE_START, daily_tags
from stakazo_pipelines.cycle.audit import AUDIT
from stakazo_pipelines.errors import StakazoError
from stakazo_pipelines.policy import Policy

PARTITION = "dagster/partition"
# Every event is in the instance; the terminal shows only what went wrong.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailedError(StakazoError):
    """A Dagster run did not succeed."""


def day_ranges(since: date, until: date, *, days_per_run: int) -> Iterator[tuple[date, date]]:
    """`since`..`until` (inclusive) in pieces of at most `days_per_run` days, oldest first."""
    start = since
    while start <= until:
        end = min(start + timedelta(days=days_per_run - 1), until)
        yield start, end
        start = end + timedelta(days=1)


class Driver:
    """Runs the definitions' jobs one after the other in an instance; `say` is told what is about to run.

    What steps print (dbt is talkative) goes to the file `log`, besides Dagster's own compute logs.
    """

    def __init__(
        self, defs: Definitions, instance: DagsterInstance, policy: Policy, say: Callable[[str], None], *, log: Path
    ) -> None:
        self._defs = defs
        self._instance = instance
        self._policy = policy
        self._say = say
        self._log = log

    def backfill(self, since: date, until: date) -> None:
        """Read and build a range of days, whatever was read before."""
        for start, end in day_ranges(since, until, days_per_run=self._policy.ingest.backfill_days_per_run):
            self._say(f"backfill {start} to {end}")
            self._ingest({RANGE_START: start.isoformat(), RANGE_END: end.isoformat()})

    def rebuild_marts(self, since: date, until: date) -> None:
        """Build the marts of a range of days from what the lake has, imports included; no platform is asked."""
        for start, end in day_ranges(since, until, days_per_run=self._policy.ingest.backfill_days_per_run):
            self._say(f"marts {start} to {end}")
            self._run(marts_job.name, {RANGE_START: start.isoformat(), RANGE_END: end.isoformat()})

    def daily_ingest(self, newest: date) -> None:
        self._say(f"ingest {newest} and the days due for another reading")
        self._ingest(daily_tags(self._policy, newest))

    def refit_population(self) -> None:
        self._say("sample the population model (PyMC)")
        self._run(population_job.name, {})

    def decide(self, day: date) -> None:
        self._say(f"estimate, allocate, decide, publish, verify {day}")
        self._run(decide_job.name, {PARTITION: day.isoformat()})

    def estimate(self, day: date) -> None:
        """Estimates and proposals of a day, and nothing that touches a platform."""
        self._say(f"estimate and allocate {day}")
        self._run(estimate_job.name, {PARTITION: day.isoformat()})

    def audit(self, max_arms: int) -> dict[str, tuple[bool, str]]:
        """Hold the daily engine against full sampling; by check whether it passed, and what it says."""
        self._say(f"audit the daily engine on up to {max_arms} arms (PyMC, minutes to an hour)")
        ops = {"ops": {AUDIT: {"config": {"max_arms": max_arms}}}}
        found = self._run(audit_job.name, {}, ops)
        return {check.check_name: (check.passed, check.description or "") for check in found}

    def _ingest(self, tags: dict[str, str]) -> None:
        """Tell what could not be read. Raises RunFailedError when that is every platform: nothing new is known then."""
        checks = [check for check in self._run(ingest_job.name, tags) if check.check_name == READ]
        lost = {}
        for check in checks:
            if not check.passed:
                self._say(f"{check.asset_key.to_user_string()}: {check.description}")
            if not check.passed and check.severity is AssetCheckSeverity.ERROR:
                lost[check.asset_key.path[0]] = check.description or ""
        if lost.keys() >= {check.asset_key.path[0] for check in checks} and lost:
            raise RunFailedError(f"no platform could be read: {'; '.join(lost.values())}")

    def _run(
        self, job: str, tags: dict[str, str], config: Mapping[str, object] | None = None
    ) -> list[AssetCheckEvaluation]:
        """Run a job to its end; what its checks found."""
        with self._log.open("a", encoding="utf-8") as log, redirect_stdout(log):
            result = self._defs.resolve_job_def(job).execute_in_process(
                instance=self._instance, tags=tags, raise_on_error=False, run_config={**_QUIET, **(config or {})}
            )
        if not result.success:
            failures = [_root_cause(event) for event in result.all_events if event.is_step_failure]
            raise RunFailedError(f"run {result.run_id} of job {job} failed: {'; '.join(failures) or 'see its log'}")
        return list(result.get_asset_check_evaluations())


def _root_cause(event: DagsterEvent) -> str:
    """The step and the innermost error's words on one line: the outer ones only say that a step failed."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return f"{event.step_key}: {'no reason given' if error is None else ' '.join(error.message.split())}"
