"""The lake's folders: append raw vintages, choose the newest, read them back; one file a day for computed assets.

Layout: `raw/<platform>/<dataset>/day=…/<fetched_at>--<account_id>--<digest>.parquet`,
`assets/<asset>/day=…/data.parquet`, `marts/<model>/date_day=…/data.parquet`. An insights file holds one account, day
and level whole; no rows means that nothing was delivered. An entities file holds one account's whole snapshot, an
edits file what was edited since the one before.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake.files import content_digest, sweep_folder, torn_reason, write_frame
from stakazo_pipelines.lake.frames import instant
from stakazo_pipelines.lake.snapshots import Snapshots, newest_snapshots
from stakazo_pipelines.lake.vintages import (
    INSIGHT_DATASETS,
    RawFile,
    Reading,
    newest_whole,
    raw_files_in,
    raw_name,
    read_raw,
    schema_of,
)

_DAY_NAME = re.compile(r"(?P<key>[a-z_]+)=(?P<day>\d{4}-\d\d-\d\d)")
_SLUG = re.compile(r"[a-z0-9_]+")


class Lake:
    """The lake under one local folder. Everything read is a Polars frame in the columns of `DATASETS`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def ensure_layout(self) -> None:
        """Make the folders that engines expect. Safe to repeat, and while others work."""
        for folder in ("raw", "marts", "assets", ".build/marts"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    def sweep(self, *, before: datetime) -> int:
        """Remove what killed writers left before an instant (an hour ago is safe); returns how many files."""
        return sweep_folder(self.root, before=before.timestamp())

    # Raw vintages

    def append_raw(
        self, platform: str, dataset: str, *, day: date, account_id: str, fetched_at: datetime, frame: pl.DataFrame
    ) -> Path:
        """Keep one vintage; the same content of the same fetch time is kept once. Raises LakeError.

        The frame must have the columns of `DATASETS[dataset]` and nothing of another platform, account, day or fetch.
        """
        fetched = instant(fetched_at)
        kept = _conform(frame, platform=platform, dataset=dataset, day=day, account_id=account_id, fetched_at=fetched)
        name = raw_name(account_id, fetched, content_digest(kept)[:8])
        path = self.root / "raw" / platform / dataset / f"day={day}" / name
        if path.exists() and torn_reason(path) is None:
            os.utime(path)  # said again just now: it wins a tie against other content of the same second
        else:
            write_frame(path, kept)
        return path

    def append_days(
        self,
        platform: str,
        dataset: str,
        *,
        account_id: str,
        fetched_at: datetime,
        frames: Mapping[date, pl.DataFrame],
    ) -> None:
        """`append_raw` of several days of one account and fetch. Raises LakeError."""
        for day, frame in frames.items():
            self.append_raw(platform, dataset, day=day, account_id=account_id, fetched_at=fetched_at, frame=frame)

    def raw_files(
        self,
        dataset: str,
        *,
        platform: str | None = None,
        account_id: str | None = None,
        since: date = date.min,
        until: date = date.max,
    ) -> list[RawFile]:
        """Every vintage of a dataset whose day is within `since`..`until`, from old to new, without opening any."""
        schema_of(dataset)
        found: list[RawFile] = []
        for owner in [platform] if platform else self.platforms():
            for day, folder in _day_folders(self.root / "raw" / owner / dataset, "day", since, until):
                found += raw_files_in(folder, owner, dataset, day)
        if account_id is not None:
            found = [file for file in found if file.account_id == account_id]
        return sorted(found, key=lambda file: (*file.key, file.age))

    def platforms(self) -> list[str]:
        """Platforms that ever wrote raw data."""
        raw = self.root / "raw"
        return sorted(entry.name for entry in raw.iterdir() if _SLUG.fullmatch(entry.name)) if raw.is_dir() else []

    def raw_days(self, platform: str, dataset: str, *, account_id: str | None = None) -> set[date]:
        """Days that have at least one vintage."""
        return {file.day for file in self.raw_files(dataset, platform=platform, account_id=account_id)}

    def fetches(self, platform: str, dataset: str, *, since: date, until: date) -> dict[str, dict[date, datetime]]:
        """By account, the days of `since`..`until` that have a vintage, and when the newest one was fetched."""
        found: dict[str, dict[date, datetime]] = {}
        for file in self.raw_files(dataset, platform=platform, since=since, until=until):  # from old to new
            found.setdefault(file.account_id, {})[file.day] = file.fetched_at
        return found

    def last_fetch(self, platform: str, datasets: Iterable[str]) -> datetime | None:
        """When any of the datasets was last fetched; None when none ever was."""
        fetched = [file.fetched_at for dataset in datasets for file in self.raw_files(dataset, platform=platform)]
        return max(fetched, default=None)

    def entity_counts(self, platform: str) -> dict[tuple[str, str], int]:
        """How many entities the newest readable snapshot of each account holds, by account id and level."""
        chosen, _ = newest_whole(self.raw_files("entities", platform=platform), key=lambda file: file.account_id)
        levels = read_raw(chosen, "entities", columns=("account_id", "level")).frame
        counted = levels.group_by("account_id", "level").len()
        return {(account, level): number for account, level, number in counted.iter_rows()}

    def vintages(
        self,
        dataset: str,
        *,
        since: date = date.min,
        until: date = date.max,
        platform: str | None = None,
        account_id: str | None = None,
    ) -> Reading:
        """Every vintage's rows: the same day stands as often as it was fetched."""
        files = self.raw_files(dataset, platform=platform, account_id=account_id, since=since, until=until)
        return read_raw(files, dataset)

    def newest(
        self,
        dataset: str,
        *,
        since: date = date.min,
        until: date = date.max,
        platform: str | None = None,
        account_id: str | None = None,
        columns: Sequence[str] = (),
    ) -> Reading:
        """The rows of the newest vintage of each account and day; a torn newest one falls back to the one before."""
        files = self.raw_files(dataset, platform=platform, account_id=account_id, since=since, until=until)
        chosen, torn = newest_whole(files)
        reading = read_raw(chosen, dataset, columns=columns)
        return Reading(reading.frame, (*torn, *reading.unreadable))

    def entities(
        self,
        *,
        as_of: date = date.max,
        platform: str | None = None,
        account_id: str | None = None,
        columns: Sequence[str] = (),
    ) -> Snapshots:
        """The newest usable snapshot of each account taken on or before the day `as_of`."""
        files = self.raw_files("entities", platform=platform, account_id=account_id, until=as_of)
        # Days are of the account's zone, so the newest of an account is the newest fetch, whatever its day.
        return newest_snapshots(files, columns=columns)

    # What Python assets compute

    def write_asset(self, asset: str, day: date, frame: pl.DataFrame) -> Path:
        """Replace one day of a computed asset."""
        path = self.root / "assets" / _slug(asset) / f"day={day}" / "data.parquet"
        write_frame(path, frame)
        return path

    def asset_days(self, asset: str, *, since: date = date.min, until: date = date.max) -> list[date]:
        """Days that an asset has, in order."""
        folders = _day_folders(self.root / "assets" / _slug(asset), "day", since, until)
        return [day for day, folder in folders if (folder / "data.parquet").is_file()]

    def read_asset(self, asset: str, day: date) -> pl.DataFrame:
        """One day of a computed asset. Raises LakeError when there is none."""
        path = self.root / "assets" / _slug(asset) / f"day={day}" / "data.parquet"
        if not path.is_file():
            raise LakeError(f"{asset} has no {day} yet; materialize that day first ({path})")
        return read_parquet(path)


def read_parquet(path: Path) -> pl.DataFrame:
    """One Parquet file. Raises LakeError naming it."""
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = torn_reason(path) or str(error).splitlines()[0]
        raise LakeError(f"{path}: {reason}; delete it and rebuild that day") from error


def _conform(
    frame: pl.DataFrame, *, platform: str, dataset: str, day: date, account_id: str, fetched_at: datetime
) -> pl.DataFrame:
    what = f"{_slug(platform)}/{dataset} of {account_id} on {day}"
    if not account_id:
        raise LakeError(f"{what}: a raw file needs an account id")
    schema = schema_of(dataset)
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise LakeError(f"{what}: the frame lacks the columns {missing}")
    try:
        kept = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    except pl.exceptions.PolarsError as error:
        raise LakeError(f"{what}: the frame does not fit the lake's types ({str(error).splitlines()[0]})") from error
    expected: dict[str, Any] = {"platform": platform, "account_id": account_id, "fetched_at": fetched_at}
    if dataset in INSIGHT_DATASETS:
        expected |= {"date_day": day, "level": dataset.removeprefix("insights_")}
    for name, value in expected.items():
        strangers = kept.filter(pl.col(name).ne_missing(pl.lit(value, dtype=schema[name]))).get_column(name)
        if len(strangers):
            raise LakeError(f"{what}: a row says {name} {strangers[0]!r}; one file holds one {name} ({value!r})")
    return kept


def _day_folders(folder: Path, key: str, since: date, until: date) -> list[tuple[date, Path]]:
    if not folder.is_dir():
        return []
    days = []
    for entry in folder.iterdir():
        name = _DAY_NAME.fullmatch(entry.name)
        if name and name["key"] == key and since <= date.fromisoformat(name["day"]) <= until:
            days.append((date.fromisoformat(name["day"]), entry))
    return sorted(days)


def _slug(name: str) -> str:
    if not _SLUG.fullmatch(name):
        raise LakeError(f"{name!r} cannot name a folder of the lake; use lower-case letters, digits and _")
    return name
