"""Asynchronous reports, for what is too long to page through: create a task, poll with growing waits, download its CSV.

A failed task is started once more. One that never ends is given up loudly after a bound.
"""

import csv
from collections.abc import Mapping
from io import StringIO

from stakazo_pipelines.errors import MalformedError
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.polling import Progress, ends_well
from stakazo_pipelines.platforms.tiktok.calls import get, post
from stakazo_pipelines.platforms.wire import to_form

_WAITING = frozenset({"QUEUING", "PROCESSING"})
_FAILED = frozenset({"FAILED", "CANCELED"})
_STARTS = 2
_DOWNLOADS = 3


class Reports:
    """Runs reports of one client. `max_seconds` bounds the waiting for one task."""

    def __init__(self, client: ApiClient, *, max_seconds: float) -> None:
        self._client = client
        self._max_seconds = max_seconds

    async def run(self, params: Mapping[str, object], *, account: str, least: int) -> list[object] | None:
        """The rows, or None when the task failed twice (a smaller one may not).

        `least` is how many rows there must be: a file that was cut off has no other mark. Raises ReportFailedError when
        the task neither ends nor fails in time, MalformedError for a file that stays too short.
        """
        for _ in range(_STARTS):
            task = await self._start(params, account)
            if await self._succeeds(task, account):
                return await self._download(task, params, account, least)
        return None

    async def _start(self, params: Mapping[str, object], account: str) -> str:
        body = {**params, "output_format": "CSV_STRING", "enable_report_title_translation": False}
        # Starting a report twice costs a report, and changes nothing: safe to repeat.
        data = await post(self._client, "report/task/create/", body, account=account, repeatable=True)
        task = data.get("task_id")
        if not isinstance(task, str) or not task:
            raise MalformedError(f"account {account}: a report was started without a task_id", "tiktok")
        return task

    async def _succeeds(self, task: str, account: str) -> bool:
        query = {"advertiser_id": account, "task_id": task}
        report = f"account {account}: report {task}"

        async def look() -> Progress:
            status = str((await get(self._client, "report/task/check/", query, account=account)).get("status"))
            if status == "SUCCESS":
                return status, True
            if status in _FAILED:
                return status, False
            if status not in _WAITING:
                raise MalformedError(f"{report} is in an unknown state: {status}", "tiktok")
            return status, None

        return await ends_well(
            look, sleep=self._client.sleep, max_seconds=self._max_seconds, report=report, platform="tiktok"
        )

    async def _download(self, task: str, params: Mapping[str, object], account: str, least: int) -> list[object]:
        query = {"advertiser_id": account, "task_id": task}
        request = ApiRequest(
            "GET",
            "report/task/download/",
            account,
            params={key: to_form(value) for key, value in query.items()},
            repeatable=True,
            plain=True,
        )
        dimensions = params["dimensions"]
        found = -1
        for _ in range(_DOWNLOADS):
            body = (await self._client.send(request)).body
            if isinstance(body, str):
                rows = csv_rows(body, dimensions if isinstance(dimensions, list) else [])
                found = sum(isinstance(row, dict) and "metrics" in row for row in rows)
                if found >= least:
                    return rows
        what = "is no text" if found < 0 else f"has {found} whole rows of at least {least}"
        raise MalformedError(f"account {account}: the file of report {task} {what}", "tiktok")


def csv_rows(content: str, dimensions: list[object]) -> list[object]:
    """The rows of a CSV file in the form that synchronous reports have: dimensions and metrics apart.

    A line of another length than the header becomes a row without metrics, and so is quarantined.
    """
    lines = csv.reader(StringIO(content.removeprefix("\ufeff")))
    header = next(lines, [])
    rows: list[object] = []
    for line in lines:
        if len(line) != len(header):
            rows.append({"line": line})
            continue
        cells = dict(zip(header, line, strict=True))
        rows.append(
            {
                "dimensions": {name: value for name, value in cells.items() if name in dimensions},
                "metrics": {name: value for name, value in cells.items() if name not in dimensions},
            }
        )
    return rows
