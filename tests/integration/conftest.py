"""A small simulated world behind any of the adapters, and what the tests compare: sums by day, keys of rows."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial

import httpx
import pytest

from stakazo_pipelines.platforms.linkedin import LinkedInAdPlatform
from stakazo_pipelines.platforms.meta import MetaAdPlatform
from stakazo_pipelines.platforms.port import AdPlatform, BudgetPeriod, InsightsQuery
from stakazo_pipelines.platforms.tiktok import TikTokAdPlatform
from stakazo_pipelines.sandbox.linkedin import LinkedInOptions
from stakazo_pipelines.sandbox.meta import MetaOptions
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.tiktok import TikTokOptions
from stakazo_pipelines.sandbox.world import World, WorldConfig
from stakazo_pipelines.vocabulary import Level

UNTIL = date(2026, 6, 29)
SINCE = UNTIL - timedelta(27)


@dataclass(frozen=True)
class Subject:
    """One platform. `reports` matches the paths of its reports, `spend` is their field of it, `posts` is how many lines
    of the request log one update may be; `tiny` are options that make a day of ads too large for one answer.
    """

    adapter: Callable[..., AdPlatform]
    options: Callable[..., object]
    token: str
    reports: str
    spend: str
    posts: int = 1
    history_days: int = 40
    usual: Mapping[str, object] = field(default_factory=dict)
    tiny: Mapping[str, int] = field(default_factory=dict)


SUBJECTS = {
    "linkedin": Subject(
        LinkedInAdPlatform, LinkedInOptions, "AQXsandboxTOKEN0123456789", "adAnalytics", "costInLocalCurrency"
    ),
    "meta": Subject(
        MetaAdPlatform,
        MetaOptions,
        "EAAsandboxTOKEN0123456789",
        "insights",
        "spend",
        posts=2,  # the batch and its one entry
        tiny={"sync_rows": 5},
    ),
    "tiktok": Subject(
        TikTokAdPlatform,
        TikTokOptions,
        "sandboxTOKEN0123456789",
        "report",
        "spend",
        history_days=32,
        usual={"level": "basic"},
        tiny={"report_ids": 5},
    ),
}


class Sandbox:
    """A small world behind the adapter; waits take no time, but are counted."""

    since = SINCE
    until = UNTIL

    def __init__(self, name, **options):
        self.subject = SUBJECTS[name]
        self.token = self.subject.token
        self.world = World(
            WorldConfig(
                seed=11,
                history_days=self.subject.history_days,
                accounts=2,
                campaigns=6,
                ad_groups=14,
                ads=40,
                today_limit=datetime(2026, 7, 20, tzinfo=UTC),
                platforms=(name,),
            )
        )
        self.now = 0.0
        self.slept = []
        emulator = self.subject.options(**{"clock": lambda: self.now, **self.subject.usual, **options})
        self.app = create_app(self.world, token=self.token, **{name: emulator})

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def fault(self, kind, path=".*", **more):
        self.app.state.kernel.faults.add({"kind": kind, "path": path, **more})

    def heal(self):
        self.app.state.kernel.faults.clear()

    @property
    def requests(self):
        return [f"{entry['method']} {entry['path']}" for entry in self.app.state.kernel.requests.recent]

    def run(self, use, *, token=None, account=0):
        async def main():
            async with self.subject.adapter(
                base_url="http://sandbox.test",
                token=token or self.token,
                transport=httpx.ASGITransport(self.app),
                sleep=self.sleep,
                monotonic=lambda: self.now,
            ) as platform:
                accounts = await platform.accounts()
                return await use(platform, accounts[account])

        return asyncio.run(main())

    def insights(self, level=Level.AD, since=SINCE, until=UNTIL, breakdowns=()):
        return self.run(
            lambda platform, account: platform.insights(InsightsQuery(account, level, since, until, breakdowns))
        )

    def entities(self, level):
        return self.run(lambda platform, account: platform.entities(account, level)).entities

    def budget_holder(self, level=Level.AD_GROUP):
        """An entity with a daily budget of its own."""
        return next(one for one in self.entities(level) if one.budget and one.budget.period is BudgetPeriod.DAILY)

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


@cache
def undisturbed(name):
    return Sandbox(name).insights()


@pytest.fixture(params=sorted(SUBJECTS))
def platform(request):
    """Each in turn; the folder of one platform says which."""
    return request.param


@pytest.fixture
def make_sandbox(platform):
    return partial(Sandbox, platform)


@pytest.fixture
def sandbox(make_sandbox):
    return make_sandbox()


@pytest.fixture
def whole(platform):
    """What the ads of an undisturbed sandbox report; asked for once."""
    return undisturbed(platform)
