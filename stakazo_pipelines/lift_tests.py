"""Lift tests as a person enters them: a CSV file that `policy.yaml` names, one row a test, checked row by row.

A row that cannot be used is set aside with its number, column and reason; the rest goes on.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from statistics import NormalDist
from typing import Literal

from stakazo_pipelines.errors import InputError

KEYS = ("platform", "account_id", "campaign_id", "ad_group_id")
REQUIRED = ("start", "end", "metric", "estimate")
OPTIONAL = (*KEYS, "method", "standard_error", "low", "high", "confidence", "attributed", "note")
METRICS = ("roas", "value", "conversions")
DEFAULT_CONFIDENCE = 0.9
LONGEST_DAYS = 400

Metric = Literal["roas", "value", "conversions"]


@dataclass(frozen=True, slots=True)
class LiftTest:
    """One test: what `scope` earned in the report days `start` to `end` because of its advertising, in `metric`.

    scope: the keys that were given, of KEYS; none is everything. estimate, error (standard error), attributed: ROAS as
    a fraction, value in the account's currency over the whole window, or conversions over it. attributed: what the
    platform itself claims for the same thing; None to take it from the reports.
    """

    row: int
    scope: Mapping[str, str]
    start: date
    end: date
    metric: Metric
    estimate: float
    error: float
    attributed: float | None = None
    method: str = ""
    note: str = ""

    def __str__(self) -> str:
        return ", ".join(f"{key.removesuffix('_id')} {value}" for key, value in self.scope.items()) or "everything"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that is not used: its number as a spreadsheet counts, the column, and why."""

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.column}: {self.reason}"


@dataclass(frozen=True, slots=True)
class LiftTests:
    """A file's tests in its order, and the rows set aside; `source` names it in messages ('' where there is none)."""

    source: str
    tests: tuple[LiftTest, ...] = ()
    aside: tuple[SetAside, ...] = ()


def load_lift_tests(path: Path | None) -> LiftTests:
    """Read a file of tests; no file named is no tests. Raises InputError for a file that cannot be read as one."""
    if path is None:
        return LiftTests("")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); policy names it as lift_tests") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; export it as CSV (UTF-8)") from None
    return parse_lift_tests(text, source=str(path))


def parse_lift_tests(text: str, *, source: str) -> LiftTests:
    """The same from text. Raises InputError for text that is no CSV, and for a header that lacks a column, has one that
    is not known or stands twice, or has none that says how exact a test is.
    """
    reader = csv.reader(io.StringIO(text))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise InputError(f"{source}: not readable as CSV ({error})") from None
    _check_header(header, source)
    tests: list[LiftTest] = []
    aside: list[SetAside] = []
    seen: dict[tuple[object, ...], int] = {}
    for number, cells in rows:
        try:
            test = _test(number, dict(zip(header, cells, strict=False)), extra=len(cells) > len(header))
        except _WrongError as wrong:
            aside.append(SetAside(number, wrong.column, wrong.reason))
            continue
        same = (tuple(test.scope.items()), test.start, test.end, test.metric, test.method)
        if same in seen:
            aside.append(SetAside(number, "start", f"the same test stands in row {seen[same]}"))
            continue
        seen[same] = number
        tests.append(test)
    return LiftTests(source, tuple(tests), tuple(aside))


class _WrongError(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def _check_header(header: list[str], source: str) -> None:
    known = (*REQUIRED, *OPTIONAL)
    for name in header:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise InputError(f"{source}: row 1: no column is called {name!r}{hint}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{source}: row 1: {', '.join(twice)} stands more than once")
    if missing := [name for name in REQUIRED if name not in header]:
        raise InputError(
            f"{source}: row 1: the file lacks {', '.join(missing)}; found: {', '.join(header) or 'nothing'}"
        )
    if "standard_error" not in header and not {"low", "high"} <= set(header):
        raise InputError(f"{source}: row 1: how exact is a test? give standard_error, or low and high")


def _test(number: int, cells: Mapping[str, str], *, extra: bool) -> LiftTest:
    if extra:
        raise _WrongError("note", "the row has more values than there are columns; quote a text that holds a comma")
    start, end = _day(cells, "start"), _day(cells, "end")
    if end < start:
        raise _WrongError("end", f"{end} is before the start, {start}")
    if (end - start).days >= LONGEST_DAYS:
        raise _WrongError("end", f"a test of {(end - start).days + 1} days; is a year wrong?")
    metric = cells.get("metric", "").lower()
    if metric not in METRICS:
        raise _WrongError("metric", f"{metric!r} is none of {', '.join(METRICS)}")
    estimate = _number(cells, "estimate")
    if estimate is None:
        raise _WrongError("estimate", "is empty")
    attributed = _number(cells, "attributed")
    if attributed is not None and attributed <= 0:
        raise _WrongError("attributed", f"an amount above 0, not {attributed:g}")
    return LiftTest(
        row=number,
        scope={key: cells[key] for key in KEYS if cells.get(key)},
        start=start,
        end=end,
        metric=metric,  # type: ignore[arg-type]  # one of METRICS
        estimate=estimate,
        error=_error(cells, estimate),
        attributed=attributed,
        method=cells.get("method", ""),
        note=cells.get("note", ""),
    )


def _error(cells: Mapping[str, str], estimate: float) -> float:
    error, low, high = (_number(cells, name) for name in ("standard_error", "low", "high"))
    if error is not None:
        if error <= 0:
            raise _WrongError("standard_error", f"above 0, not {error:g}; no test is exact")
        return error
    if low is None or high is None:
        raise _WrongError("standard_error", "is empty; give it, or low and high")
    if not low < high or not low <= estimate <= high:
        raise _WrongError("low", f"{low:g} to {high:g} does not hold the estimate {estimate:g}")
    confidence = _number(cells, "confidence")
    level = DEFAULT_CONFIDENCE if confidence is None else confidence
    if not 0 < level < 1:
        raise _WrongError("confidence", f"a fraction such as 0.9, not {level:g}")
    return (high - low) / (2 * NormalDist().inv_cdf(0.5 + level / 2))


def _day(cells: Mapping[str, str], name: str) -> date:
    text = cells.get(name, "")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _WrongError(name, f"a day such as 2026-01-31, not {text!r}") from None


def _number(cells: Mapping[str, str], name: str) -> float | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        raise _WrongError(name, f"a number such as 0.85, not {text!r}") from None
    if not math.isfinite(found):
        raise _WrongError(name, f"a number such as 0.85, not {text!r}")
    return found
