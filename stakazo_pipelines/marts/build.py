"""Around a dbt build: who may build, which days, and putting what dbt wrote in place, a whole day at a time.

dbt writes beside the marts; a build that is killed or fails its tests has then changed nothing that anyone reads.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import RAW_ENTITIES_SCHEMA, RAW_INSIGHTS_SCHEMA, Lake, RawFile, Unreadable
from stakazo_pipelines.lake.files import write_frame
from stakazo_pipelines.lake.frames import INSTANT
from stakazo_pipelines.lake.store import read_parquet
from stakazo_pipelines.lake.vintages import INSIGHT_DATASETS, newest_whole
from stakazo_pipelines.marts.tables import day_file, mart_schema
from stakazo_pipelines.measurement.maturity import BETWEEN, DEFAULT_MATURITY, MATURE_AGE, MaturityCurve

LOCK_TIMEOUT = 600.0
_STAGED = [name for name in RAW_ENTITIES_SCHEMA if name != "native"]  # a snapshot that dbt may read has them all
_FILES_SCHEMA = {
    "platform": pl.String(),
    "dataset": pl.String(),
    "account_id": pl.String(),
    "date_day": pl.Date(),
    "fetched_at": INSTANT,
    "written": pl.Int64(),
    "file": pl.String(),
}


@contextlib.contextmanager
def build_lock(lake: Lake, *, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """One builder at a time: waits up to `timeout` seconds. The system frees it when the holder dies."""
    lake.ensure_layout()
    lock = FileLock(lake.root / ".build" / "lock")
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise LakeError(
            f"{lock.lock_file}: another build of the marts has held this lock for {timeout:g} s; "
            "let it finish (or end its process) and run this again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def request_days(
    lake: Lake,
    days: Sequence[date],
    *,
    maturity: Mapping[str, MaturityCurve] | None = None,
    reporting_currency: str = "USD",
) -> tuple[Unreadable, ...]:
    """Tell dbt which days to rebuild, from which files, with which maturity curves (platform -> curve), and the
    currency that amounts are also told in.

    What an earlier build left is removed first. Returns the raw files that were passed over for older vintages.
    """
    if not days:
        raise LakeError("no day to build; name at least one report day")
    lake.ensure_layout()
    for leftover in (lake.root / ".build" / "marts").glob("*.parquet"):
        leftover.unlink()
    wanted = set(days)
    vintages = [
        file
        for dataset in INSIGHT_DATASETS
        for file in lake.raw_files(dataset, since=min(wanted), until=max(wanted))
        if file.day in wanted
    ]
    _, torn = newest_whole(vintages)
    snapshots = lake.entities(columns=_STAGED)
    unreadable = {bad.path for bad in torn}
    files = [*(file for file in vintages if file.path not in unreadable), *snapshots.files]
    build = lake.root / ".build"
    write_frame(build / "days.parquet", pl.DataFrame({"date_day": sorted(wanted)}))
    write_frame(build / "files.parquet", _manifest(files))
    write_frame(build / "maturity.parquet", _maturity_table(maturity or {}))
    write_frame(build / "reporting.parquet", pl.DataFrame({"currency": [reporting_currency]}))
    write_frame(build / "empty_insights.parquet", pl.DataFrame(schema=dict(RAW_INSIGHTS_SCHEMA)))
    write_frame(build / "empty_entities.parquet", pl.DataFrame(schema=dict(RAW_ENTITIES_SCHEMA)))
    return (*torn, *snapshots.unreadable)


def promote_build(lake: Lake, models: Sequence[str], days: Sequence[date]) -> dict[str, int]:
    """Replace each day of each model by what dbt built, by rename; a day without rows becomes an empty file.

    Returns rows per model. Raises LakeError when dbt built nothing, other days, or other columns.
    """
    requested = set(read_parquet(lake.root / ".build" / "days.parquet").get_column("date_day").to_list())
    if not set(days) <= requested:
        raise LakeError(f"{min(set(days) - requested)} was not requested from this build; call request_days first")
    built = {model: _built(lake, model, days) for model in models}  # all must be good before any is put in place
    for model, frame in built.items():
        by_day = frame.partition_by("date_day", as_dict=True)
        for day in days:
            write_frame(day_file(lake, model, day), by_day.get((day,), frame.clear()))
    return {model: frame.height for model, frame in built.items()}


def _built(lake: Lake, model: str, days: Sequence[date]) -> pl.DataFrame:
    path: Path = lake.root / ".build" / "marts" / f"{model}.parquet"
    if not path.is_file():
        raise LakeError(f"{path}: dbt did not build it; is STAKAZO_LAKE {lake.root}, and was the model selected?")
    frame = read_parquet(path)
    schema = mart_schema(model)
    if list(frame.columns) != list(schema):
        raise LakeError(f"{path}: columns {frame.columns} are not those of the mart, {list(schema)}")
    # dbt-duckdb writes one row of NULLs for a model without rows.
    kept = frame.filter(pl.col("date_day").is_not_null()).cast(pl.Schema(schema))
    strangers = kept.filter(~pl.col("date_day").is_in(list(days))).get_column("date_day")
    if len(strangers):
        raise LakeError(f"{path}: holds {strangers[0]}, which is not among the days to promote")
    keys = [name for name in schema if name.endswith("_id")]
    return kept.sort("date_day", "platform", *keys)


def _manifest(files: Sequence[RawFile]) -> pl.DataFrame:
    records = [
        (file.platform, file.dataset, file.account_id, file.day, file.fetched_at, file.written, str(file.path))
        for file in files
    ]
    return pl.DataFrame(records, schema=_FILES_SCHEMA, orient="row")


def _maturity_table(curves: Mapping[str, MaturityCurve]) -> pl.DataFrame:
    """Of platforms alone, not of groups within them; '' is every platform without a curve of its own."""
    ages = list(range(MATURE_AGE + 1))
    platforms = {name: curve for name, curve in curves.items() if BETWEEN not in name}
    tables = [
        pl.DataFrame({"platform": [platform] * len(ages), "age_days": ages, "fraction": list(curve.shares)})
        for platform, curve in {"": DEFAULT_MATURITY, **platforms}.items()
    ]
    return pl.concat(tables)
