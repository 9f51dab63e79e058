"""Asynchronous reports: create, check, download, cancel. A task moves on by being looked at."""

import csv
import io
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook

from stakazo_pipelines.sandbox.tiktok.call import Answer, Call
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import TikTokError, invalid, unknown_object
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.reports import rows
from stakazo_pipelines.sandbox.tiktok.reports.query import Query
from stakazo_pipelines.sandbox.tiktok.reports.service import Reports

_FORMATS = ("CSV_STRING", "CSV_DOWNLOAD", "XLSX_DOWNLOAD")
_ID_FILTERS = frozenset({"campaign_ids", "adgroup_ids", "ad_ids"})
_FATES = {"async_failed": "FAILED", "async_stuck": "PROCESSING"}
_KEPT = (
    *("advertiser_id", "advertiser_ids", "service_type", "report_type", "data_level", "dimensions", "metrics"),
    *("start_date", "end_date", "query_lifetime", "filtering", "order_field", "order_type", "output_format"),
    *("file_name", "enable_report_title_translation"),
)
_MEDIA = {"CSV_STRING": "text/csv; charset=utf-8", "CSV_DOWNLOAD": "text/csv; charset=utf-8",
          "XLSX_DOWNLOAD": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}  # fmt: skip
_RESULTS = 8  # newest results held; older ones are made again when asked for
FILES = "/report/task/file/"


@dataclass(slots=True)
class _Task:
    """`fate` is where a faulty task ends, empty for a good one; `polls` counts the looks at it."""

    id: str
    owner: str
    params: dict[str, Any]
    fate: str = ""
    polls: int = 0


class Tasks:
    """Tasks survive a restart through the kernel's notes; they are then taken as looked at often enough."""

    def __init__(self, directory: Directory, reports: Reports, polls: int) -> None:
        self._directory, self._reports, self._polls = directory, reports, polls
        self._tasks: dict[str, _Task] = {}
        self._results: OrderedDict[str, bytes] = OrderedDict()
        for data in directory.kernel.notes("tiktok"):
            if data["type"] == "task":
                self._tasks[data["id"]] = _Task(data["id"], data["account_id"], data["params"], data["fate"], polls)
            elif data["type"] == "task_canceled":
                self._tasks[data["id"]].fate = "CANCELED"

    def create(self, call: Call) -> Answer:
        params = call.params
        params.choice("output_format", _FORMATS)
        if len(params.text("file_name")) > 255:
            raise invalid("file_name: Longer than maximum length 255.")
        for item in params.objects("filtering"):
            if item.text("field_name") not in _ID_FILTERS:
                raise invalid(f"filtering: {item.text('field_name')} is not supported in asynchronous reports.")
        query = self._reports.query(call)
        fate = next((_FATES[hit.kind] for hit in call.draw("async")), "")
        task_id = str(7_100_000_000_000_000_001 + len(self._tasks))
        task = _Task(task_id, query.accounts[0].id, params.raw(_KEPT), fate)
        self._tasks[task_id] = task
        kept = {"type": "task", "id": task_id, "account_id": task.owner, "params": task.params, "fate": fate}
        self._directory.kernel.note("tiktok", kept)
        self._result(task, query)
        return Answer({"task_id": task_id})

    def check(self, call: Call) -> Answer:
        task = self._task(call)
        status = self._status(task)
        task.polls += 1
        message = "The task failed. Please create a new one." if status == "FAILED" else ""
        return Answer({"status": status, "message": message})

    def cancel(self, call: Call) -> Answer:
        task = self._task(call)
        if self._status(task) not in ("SUCCESS", "FAILED"):
            task.fate = "CANCELED"
            self._directory.kernel.note("tiktok", {"type": "task_canceled", "id": task.id})
        return Answer({"status": self._status(task)})

    def download(self, call: Call) -> Answer:
        """The CSV itself, or where the file lies for an hour. Raises 40201 before it is ready, 40200 when it failed."""
        task = self._task(call)
        status = self._status(task)
        if status in ("FAILED", "CANCELED"):
            raise TikTokError(40200, f"The task is {status}.")
        if status != "SUCCESS":
            raise TikTokError(40201, "The task is not ready yet.")
        kind = self._format(task)
        if kind == "CSV_STRING":
            return Answer(None, file=self._file(task), headers={"content-type": _MEDIA[kind]})
        suffix = "csv" if kind == "CSV_DOWNLOAD" else "xlsx"
        name = f"{str(task.params.get('file_name', '')).strip() or task.id}.{suffix}"
        url = f"{call.base_url}/open_api/v1.3{FILES}?task_id={task.id}"
        return Answer({"download_url": url, "file_name": name, "output_format": kind})

    def file(self, call: Call) -> Answer:
        """What a download URL leads to; no token is needed there."""
        task = self._tasks.get(call.params.text("task_id"))
        if task is None or self._status(task) != "SUCCESS":
            raise unknown_object("File", call.params.text("task_id"))
        return Answer(None, file=self._file(task), headers={"content-type": _MEDIA[self._format(task)]})

    # Inside -----------------------------------------------------------------------------------------------------

    def _task(self, call: Call) -> _Task:
        call.params.require("advertiser_id", "task_id")
        account = self._directory.account(call.params.text("advertiser_id"))
        task = self._tasks.get(call.params.text("task_id"))
        if task is None or task.owner != account.id:
            raise unknown_object("Task", call.params.text("task_id"))
        return task

    def _status(self, task: _Task) -> str:
        if task.fate == "CANCELED" or task.polls >= self._polls:
            return task.fate or "SUCCESS"
        return "QUEUING" if task.polls == 0 else "PROCESSING"

    @staticmethod
    def _format(task: _Task) -> str:
        return str(task.params.get("output_format") or "CSV_STRING")

    def _file(self, task: _Task) -> bytes:
        if task.id not in self._results:
            self._result(task, self._reports.query(Call(Params(task.params), lambda _stage: (), "")))
        return self._results[task.id]

    def _result(self, task: _Task, query: Query) -> None:
        """The rows of now, as a file."""
        columns = rows.as_columns(self._directory, query, self._reports.table(query))
        translated = Params(task.params).boolean("enable_report_title_translation", default=True)
        titles = [name.replace("_", " ").capitalize() if translated else name for name in columns]
        make = _workbook if self._format(task) == "XLSX_DOWNLOAD" else _csv
        self._results[task.id] = make(titles, list(columns.values()))
        while len(self._results) > _RESULTS:
            self._results.popitem(last=False)


def _csv(titles: list[str], columns: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(titles)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue().encode()


def _workbook(titles: list[str], columns: list[list[str]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Report")
    for row in (titles, *zip(*columns, strict=True)):
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
