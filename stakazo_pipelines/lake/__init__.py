"""The append-only Parquet lake: raw vintages as they were fetched, and one file a day for everything computed.

Files appear by atomic rename and raw ones are never overwritten, so readers never wait and "what did Monday's report
say?" is always answerable.
"""

from stakazo_pipelines.lake.edits import SNAPSHOT_COLUMNS, edits_frame
from stakazo_pipelines.lake.frames import (
    RAW_ENTITIES_SCHEMA,
    RAW_INSIGHTS_SCHEMA,
    RAW_QUARANTINE_SCHEMA,
    entities_frame,
    insight_days,
    insight_rows_frame,
    quarantine_frame,
)
from stakazo_pipelines.lake.snapshots import Snapshots, newest_snapshots
from stakazo_pipelines.lake.store import Lake
from stakazo_pipelines.lake.vintages import DATASETS, INSIGHT_DATASETS, RawFile, Reading, Unreadable

__all__ = [
    "DATASETS",
    "INSIGHT_DATASETS",
    "RAW_ENTITIES_SCHEMA",
    "RAW_INSIGHTS_SCHEMA",
    "RAW_QUARANTINE_SCHEMA",
    "SNAPSHOT_COLUMNS",
    "Lake",
    "RawFile",
    "Reading",
    "Snapshots",
    "Unreadable",
    "edits_frame",
    "entities_frame",
    "insight_days",
    "insight_rows_frame",
    "newest_snapshots",
    "quarantine_frame",
]
