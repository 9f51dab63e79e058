"""Asynchronous reports, for a query that no synchronous answer can hold: create, poll with growing waits, fetch.

A failed job is started once more. One that never ends is given up loudly after a bound.
"""

from collections.abc import Mapping

from stakazo_pipelines.errors import MalformedError, NotFoundError
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.meta.edges import LIMITS, read_edge, read_node
from stakazo_pipelines.platforms.polling import Progress, ends_well

_STATUS_FIELDS = "async_status,async_percent_completion,error_code,error_subcode,error_message"
_WAITING = frozenset({"Job Not Started", "Job Started", "Job Running"})
_FAILED = frozenset({"Job Failed", "Job Skipped"})
_STARTS = 2
_RACE = 3  # a run just created may not be found yet


class Reports:
    """Runs reports of one client. `max_seconds` bounds the waiting for one job; Meta documents up to an hour."""

    def __init__(self, client: ApiClient, *, max_seconds: float) -> None:
        self._client = client
        self._max_seconds = max_seconds

    async def run(self, path: str, params: Mapping[str, str], *, account: str) -> list[object] | None:
        """The rows, or None when the job failed twice (a smaller one may not).

        Raises ReportFailedError when it neither ends nor fails in time.
        """
        for _ in range(_STARTS):
            run_id = await self._start(path, params, account)
            if await self._completes(run_id, account):
                return await read_edge(self._client, f"{run_id}/insights", {}, account=account, limit=LIMITS[0])
        return None

    async def _start(self, path: str, params: Mapping[str, str], account: str) -> str:
        # Starting a report twice costs a report, and changes nothing: safe to repeat.
        reply = await self._client.send(ApiRequest("POST", path, account, form=params, repeatable=True))
        run_id = reply.body.get("report_run_id") if isinstance(reply.body, dict) else None
        if not isinstance(run_id, str) or not run_id:
            raise MalformedError(f"account {account}: a report was started without a report_run_id", "meta")
        return run_id

    async def _completes(self, run_id: str, account: str) -> bool:
        report = f"account {account}: report {run_id}"
        missing = 0

        async def look() -> Progress:
            nonlocal missing
            try:
                job = await read_node(self._client, run_id, _STATUS_FIELDS, account=account)
            except NotFoundError:
                missing += 1
                if missing > _RACE:
                    raise
                return "not found yet", None
            status = str(job.get("async_status"))
            if status == "Job Completed" and str(job.get("async_percent_completion")) == "100":
                return status, True
            if status in _FAILED:
                return status, False
            if status not in _WAITING and status != "Job Completed":
                raise MalformedError(f"{report} is in an unknown state: {status}", "meta")
            return status, None

        return await ends_well(
            look, sleep=self._client.sleep, max_seconds=self._max_seconds, report=report, platform="meta"
        )
