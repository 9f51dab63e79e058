"""kill -9 at any moment of a backfill, then the same backfill again: no torn file, no doubled row."""

import random
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lake.files import torn_reason
from stakazo_pipelines.marts import request_days

DAYS = 60
FIRST = date(2026, 1, 1)
WRITER = f"""
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from stakazo_pipelines.lake import Lake, insight_rows_frame
from stakazo_pipelines.platforms.port import Account, InsightRow
from stakazo_pipelines.vocabulary import EntityStatus, Level

lake = Lake(Path(sys.argv[1]))
fetched = datetime.fromisoformat(sys.argv[2])
account = Account("1", "Shop", "EUR", "UTC", 100, EntityStatus.ACTIVE)
print("ready", flush=True)
for offset in range({DAYS}):
    day = date(2026, 1, 1) + timedelta(days=offset)
    rows = [
        InsightRow(day, Level.AD, "1", "c", "g", str(ad), "C", "G", "A", 1, 1, Decimal(1), Decimal(0), Decimal(0), "7d")
        for ad in range(300)
    ]
    frame = insight_rows_frame(rows, account=account, level=Level.AD, platform="meta", fetched_at=fetched)
    lake.append_raw("meta", "insights_ad", day=day, account_id="1", fetched_at=fetched, frame=frame)
"""


def start(root: Path, fetched_at: datetime) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), fetched_at.isoformat()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own script
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_backfill_killed_at_random_points_and_run_again_leaves_each_row_once(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311 - chooses moments, guards nothing
    fetched_at = datetime(2026, 6, 1, 6, tzinfo=UTC)
    for attempt in range(5):
        # Half of the attempts repeat the same fetch, half come at a later time and add vintages.
        process = start(tmp_path, fetched_at + timedelta(hours=attempt // 2))
        time.sleep(chance.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
    process = start(tmp_path, fetched_at + timedelta(hours=2))
    process.communicate()
    assert process.returncode == 0

    lake = Lake(tmp_path)
    files = lake.raw_files("insights_ad")
    assert [file.path for file in files if torn_reason(file.path)] == []
    newest = lake.newest("insights_ad", platform="meta", since=FIRST, until=FIRST + timedelta(days=DAYS)).whole()
    assert newest.height == DAYS * 300
    assert not newest.select("date_day", "ad_id").is_duplicated().any()

    assert request_days(lake, [FIRST + timedelta(days=offset) for offset in range(DAYS)]) == ()
    manifest = pl.read_parquet(tmp_path / ".build" / "files.parquet")
    assert manifest.height == len(files)  # leftovers of the killed are no files to dbt either
    lake.sweep(before=datetime.now(UTC) + timedelta(seconds=1))
    assert list(tmp_path.rglob("*.tmp")) == []
