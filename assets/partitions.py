"""The report days every asset is partitioned by, and how wide one backfill run may be."""

import warnings
from datetime import date
from pathlib import Path

from dagster import BackfillPolicy, BetaWarning, DailyPartitionsDefinition

from stakazo_pipelines.policy import load_policy
from stakazo_pipelines.settings import Settings

# One range run instead of a run per day is what makes backfills of months cheap; beta or not, it is relied upon.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=BetaWarning)

_INGEST = load_policy(Path(Settings().policy_file)).ingest

REPORT_DAYS = DailyPartitionsDefinition(start_date=_INGEST.first_day.isoformat())
RANGE_RUNS = BackfillPolicy.multi_run(max_partitions_per_run=_INGEST.backfill_days_per_run)


def as_days(keys: list[str]) -> list[date]:
    return sorted(date.fromisoformat(key) for key in keys)
