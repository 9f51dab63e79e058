"""What reading four weeks of three accounts with 200 ads each costs in calls, counted by the emulator."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from stakazo_pipelines.ingest import REPORT_LEVELS, ingest_insights
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.platforms.meta import MetaAdPlatform
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.world import World, WorldConfig

TOKEN = "EAAcallsTOKEN0123456789"
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
ACCOUNTS, ADS, DAYS = 3, 200, 28
A_CALL_EACH = ACCOUNTS * DAYS * len(REPORT_LEVELS) + 1  # per day, account and level, and one for the accounts


@pytest.mark.slow
def test_four_weeks_on_meta_take_fewer_than_half_the_calls_of_a_pull_by_day_and_account(tmp_path):
    config = WorldConfig(
        start=NOW, today_limit=NOW, history_days=DAYS, accounts=ACCOUNTS, campaigns=60, ad_groups=150,
        ads=ACCOUNTS * ADS,
    )  # fmt: skip
    app = create_app(World(config), token=TOKEN)

    async def read():
        async with MetaAdPlatform(
            base_url="http://sandbox.test", token=TOKEN, transport=httpx.ASGITransport(app)
        ) as meta:
            days = [date(2026, 6, 29) - timedelta(days=back) for back in range(DAYS)]
            return await ingest_insights(meta, Lake(tmp_path), days=days, ages=None, now=NOW)

    report = asyncio.run(read())
    calls = app.state.kernel.requests.total

    assert report.files == A_CALL_EACH - 1
    assert report.rows["ad"] > 0.8 * ACCOUNTS * DAYS * ADS
    assert calls < A_CALL_EACH / 2
    assert calls == 52  # 337 by day: whole ranges, 500 rows a page
