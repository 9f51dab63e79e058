"""Raw files: what their names tell, which vintage of a key is the newest whole one, and the rows they hold.

A file that cannot be read is told and left out; the others are read.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import polars as pl

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake.edits import RAW_EDITS_SCHEMA
from stakazo_pipelines.lake.files import torn_reason
from stakazo_pipelines.lake.frames import RAW_ENTITIES_SCHEMA, RAW_INSIGHTS_SCHEMA, RAW_QUARANTINE_SCHEMA

INSIGHT_DATASETS = ("insights_account", "insights_campaign", "insights_ad_group", "insights_ad")
DATASETS: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(INSIGHT_DATASETS, RAW_INSIGHTS_SCHEMA),
    "entities": RAW_ENTITIES_SCHEMA,
    "edits": RAW_EDITS_SCHEMA,
    "quarantine": RAW_QUARANTINE_SCHEMA,
}
_STAMP = "%Y%m%dT%H%M%SZ"
_RAW_NAME = re.compile(r"(?P<stamp>\d{8}T\d{6}Z)--(?P<account>[^/]+)--(?P<digest>[0-9a-f]{8})\.parquet")


@dataclass(frozen=True, slots=True)
class RawFile:
    """One vintage on disk, known by its name alone. `written` (POSIX ns) only breaks ties of the same fetch second."""

    path: Path
    platform: str
    dataset: str
    day: date
    account_id: str
    fetched_at: datetime
    digest: str
    written: int

    @property
    def account(self) -> tuple[str, str]:
        """Its platform and account id."""
        return (self.platform, self.account_id)

    @property
    def key(self) -> tuple[str, str, str, date]:
        return (self.platform, self.dataset, self.account_id, self.day)

    @property
    def age(self) -> tuple[datetime, int, str]:
        """Sorts vintages of one key from old to new."""
        return (self.fetched_at, self.written, self.digest)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be read, and why. The others were."""

    file: RawFile
    reason: str

    @property
    def path(self) -> Path:
        return self.file.path


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and what could not be. Call `whole()` where a missing file must stop the work."""

    frame: pl.DataFrame
    unreadable: tuple[Unreadable, ...] = ()

    def whole(self) -> pl.DataFrame:
        """The frame, or LakeError naming every file that could not be read."""
        if self.unreadable:
            raise LakeError("; ".join(f"{bad.path}: {bad.reason}" for bad in self.unreadable))
        return self.frame


def raw_name(account_id: str, fetched_at: datetime, digest: str) -> str:
    """The name of a raw file; `digest` is the first eight hexadecimal digits of its content's."""
    return f"{fetched_at:{_STAMP}}--{quote(account_id, safe='')}--{digest}.parquet"


def raw_files_in(folder: Path, platform: str, dataset: str, day: date) -> Iterator[RawFile]:
    """Every vintage in the folder of one day, in no order."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _RAW_NAME.fullmatch(entry.name)
            if name is None:
                continue  # a temporary file of a writer at work or killed
            fetched_at = datetime.strptime(name["stamp"], _STAMP).replace(tzinfo=UTC)
            written = entry.stat().st_mtime_ns
            account_id = unquote(name["account"])
            path = Path(entry.path)
            yield RawFile(path, platform, dataset, day, account_id, fetched_at, name["digest"], written)


def newest_whole(
    files: Iterable[RawFile], *, key: Any = lambda file: file.key
) -> tuple[list[RawFile], tuple[Unreadable, ...]]:
    """Of each key's vintages the newest that is not torn, and the torn ones that were passed over."""
    by_key: dict[Any, list[RawFile]] = {}
    for file in files:
        by_key.setdefault(key(file), []).append(file)
    chosen: list[RawFile] = []
    torn: list[Unreadable] = []
    for vintages in by_key.values():
        for file in sorted(vintages, key=lambda file: file.age, reverse=True):
            reason = torn_reason(file.path)
            if reason is None:
                chosen.append(file)
                break
            torn.append(Unreadable(file, reason))
    return chosen, tuple(torn)


def read_raw(files: Sequence[RawFile], dataset: str, *, columns: Sequence[str] = (), path_as: str = "") -> Reading:
    """The rows of raw files beneath each other; files that cannot be read are listed and left out.

    Of many files name the `columns` needed (none: all of them): most of a row is its payload. path_as: the column that
    says which file a row is from ("": none does).
    """
    schema = dict(schema_of(dataset))
    wanted = list(columns or schema)
    try:
        return Reading(_scan([file.path for file in files], schema, wanted, path_as))
    except (pl.exceptions.PolarsError, OSError):
        pass  # one of them is bad: find out which
    good: list[pl.DataFrame] = [_scan([], schema, wanted, path_as)]
    bad: list[Unreadable] = []
    for file in files:
        try:
            good.append(_scan([file.path], schema, wanted, path_as))
        except (pl.exceptions.PolarsError, OSError) as error:
            bad.append(Unreadable(file, torn_reason(file.path) or str(error).splitlines()[0]))
    return Reading(pl.concat(good), tuple(bad))


def schema_of(dataset: str) -> Mapping[str, Any]:
    """The columns of a dataset's files. Raises LakeError when there is no such dataset."""
    if dataset not in DATASETS:
        raise LakeError(f"no dataset {dataset!r}; there are {', '.join(DATASETS)}")
    return DATASETS[dataset]


def _scan(paths: Sequence[Path], schema: dict[str, Any], columns: list[str], path_as: str) -> pl.DataFrame:
    wanted = [*columns, *([path_as] if path_as else [])]
    if not paths:
        return pl.DataFrame(schema=schema | {path_as: pl.String()}).select(wanted)
    scan = pl.scan_parquet(
        list(paths),
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        include_file_paths=path_as or None,
    )
    return scan.select(wanted).collect()
