"""A small simulated world behind the TikTok adapter, and what the tests compare: sums by day, keys of rows."""

import asyncio
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.platforms.port import InsightsQuery
from stakazo_pipelines.platforms.tiktok import TikTokAdPlatform
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.tiktok import TikTokOptions
from stakazo_pipelines.sandbox.world import World, WorldConfig
from stakazo_pipelines.vocabulary import Level

TOKEN = "sandboxTOKEN0123456789"
UNTIL = date(2026, 6, 29)
SINCE = UNTIL - timedelta(27)
CONFIG = WorldConfig(
    seed=11,
    history_days=32,
    accounts=2,
    campaigns=6,
    ad_groups=14,
    ads=40,
    today_limit=datetime(2026, 7, 20, tzinfo=UTC),
    platforms=("tiktok",),
)


class Sandbox:
    """A small world behind the adapter; waits take no time, but are counted."""

    token = TOKEN
    until = UNTIL

    def __init__(self, **options):
        self.world = World(CONFIG)
        self.now = 0.0
        self.slept = []
        self.app = create_app(
            self.world, token=TOKEN, tiktok=TikTokOptions(**{"level": "basic", "clock": lambda: self.now} | options)
        )

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def fault(self, kind, path=".*", **more):
        self.app.state.kernel.faults.add({"kind": kind, "path": path, **more})

    @property
    def requests(self):
        return [f"{entry['method']} {entry['path']}" for entry in self.app.state.kernel.requests.recent]

    def run(self, use, *, token=TOKEN, account=0):
        async def main():
            async with TikTokAdPlatform(
                base_url="http://sandbox.test",
                token=token,
                transport=httpx.ASGITransport(self.app),
                sleep=self.sleep,
                monotonic=lambda: self.now,
            ) as tiktok:
                accounts = await tiktok.accounts()
                return await use(tiktok, accounts[account])

        return asyncio.run(main())

    def insights(self, level=Level.AD, since=SINCE, until=UNTIL, breakdowns=()):
        return self.run(
            lambda tiktok, account: tiktok.insights(InsightsQuery(account, level, since, until, breakdowns))
        )

    def entities(self, level):
        return self.run(lambda tiktok, account: tiktok.entities(account, level)).entities

    def holder(self, level=Level.AD_GROUP):
        """An entity with a daily budget of its own."""
        return next(one for one in self.entities(level) if one.budget and one.budget.period == "daily")

    @staticmethod
    def sums(rows):
        fields = ("impressions", "clicks", "spend", "conversions", "conversions_value")
        totals = defaultdict(lambda: [Decimal(0)] * len(fields))
        for row in rows:
            totals[row.day] = [total + getattr(row, name) for total, name in zip(totals[row.day], fields, strict=True)]
        return dict(totals)

    @staticmethod
    def keys(rows):
        return [(row.day, row.ad_id, tuple(row.segments.values())) for row in rows]


@pytest.fixture
def make_sandbox():
    return Sandbox


@pytest.fixture
def sandbox():
    return Sandbox()


@pytest.fixture(scope="session")
def whole():
    """What the ads of an undisturbed sandbox report."""
    return Sandbox().insights()
