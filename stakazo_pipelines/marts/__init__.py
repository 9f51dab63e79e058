"""The marts: one schema over every platform, built by dbt, kept as one file a day and read from there.

A build is: `build_lock`, `request_days`, dbt, `promote_build`. Readers never wait for it.
"""

from stakazo_pipelines.marts.arms import (
    ARM_DAYS_SCHEMA,
    ARMS_SCHEMA,
    aged,
    arm_days,
    arm_days_of,
    with_names,
)
from stakazo_pipelines.marts.build import build_lock, promote_build, request_days
from stakazo_pipelines.marts.edits import edits_known, with_edits
from stakazo_pipelines.marts.tables import MART_MODELS, MART_SCHEMAS, mart_days, read_mart
from stakazo_pipelines.marts.vintages import maturity_vintages

__all__ = [
    "ARMS_SCHEMA",
    "ARM_DAYS_SCHEMA",
    "MART_MODELS",
    "MART_SCHEMAS",
    "aged",
    "arm_days",
    "arm_days_of",
    "build_lock",
    "edits_known",
    "mart_days",
    "maturity_vintages",
    "promote_build",
    "read_mart",
    "request_days",
    "with_edits",
    "with_names",
]
