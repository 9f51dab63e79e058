"""The platforms under contract, one row each in `SUBJECTS`, and a bench that runs one of them on a small world.

Everything happens in memory: waits take no time but are counted, every request is written down.
"""

import asyncio
import json
import pickle
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any, ClassVar

import httpx
import pytest

from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.linkedin import LinkedInAdPlatform
from stakazo_pipelines.platforms.meta import MetaAdPlatform
from stakazo_pipelines.platforms.port import (
    AdPlatform,
    Budget,
    BudgetPeriod,
    EntityChange,
    EntityDraft,
    InsightsQuery,
    MediaKind,
)
from stakazo_pipelines.platforms.tiktok import TikTokAdPlatform
from stakazo_pipelines.sandbox.linkedin import LinkedInOptions
from stakazo_pipelines.sandbox.meta import MetaOptions
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.tiktok import TikTokOptions
from stakazo_pipelines.sandbox.world import World, WorldConfig
from stakazo_pipelines.vocabulary import Level

TOKEN = "EAAcontractTOKEN0123456789"
UNTIL = date(2026, 6, 29)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(64)
_IDS = {
    Level.ACCOUNT: "account_id",
    Level.CAMPAIGN: "campaign_id",
    Level.AD_GROUP: "ad_group_id",
    Level.AD: "ad_id",
}


@dataclass(frozen=True)
class Subject:
    """One platform; beside its row stands `drafts/<name>.json`, what only it needs to create each level.

    `page` is the query parameter of a page's size; `reports`, `campaigns` and `accounts` match the paths of reports and
    of the lists of campaigns and accounts, `asynchronous` the line of the request log that begins an asynchronous
    report. `small_range` are options of the sandbox that make a week of ads too large for one answer, `small_day` a
    single day.
    """

    adapter: Callable[..., AdPlatform]
    options: Callable[..., object]
    page: str
    reports: str
    campaigns: str
    accounts: str
    zone: str  # the field of an account's time zone; "" = there is none
    campaign_id: str  # the field that holds a campaign's id
    objective: str
    window: str
    token: str = "{}"  # how the platform's token is written
    asynchronous: str = "never"
    small_range: Mapping[str, int] = field(default_factory=dict)
    small_day: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.options.__name__.removesuffix("Options").lower()

    def settings(self, level: Level, **names: str) -> dict[str, object]:
        """Native parameters of a draft, with ids filled in."""
        text = (Path(__file__).parent / "drafts" / f"{self.name}.json").read_text()
        drafts: dict[str, dict[str, object]] = json.loads(Template(text).safe_substitute(names))
        return drafts.get(level.value, {})


SUBJECTS = (
    Subject(
        MetaAdPlatform,
        MetaOptions,
        page="limit",
        reports="insights",
        campaigns="campaigns",
        accounts="me/adaccounts",
        zone="timezone_name",
        campaign_id="id",
        objective="OUTCOME_TRAFFIC",
        window="7d_click_1d_view",
        asynchronous="POST .*insights",
        small_range={"sync_rows": 30},
        small_day={"sync_rows": 10},
    ),
    Subject(
        TikTokAdPlatform,
        TikTokOptions,
        token="1:secret:{}",
        page="page_size",
        reports="report/integrated",
        campaigns="campaign/get",
        accounts="advertiser/info",
        zone="display_timezone",
        campaign_id="campaign_id",
        objective="TRAFFIC",
        window="7d_click_1d_view",
        asynchronous="POST .*report/task/create",
        small_day={"report_ids": 8},
    ),
    Subject(
        LinkedInAdPlatform,
        LinkedInOptions,
        page="pageSize",
        reports="adAnalytics",
        campaigns="adCampaignGroups",
        accounts="adAccounts",
        zone="",
        campaign_id="id",
        objective="WEBSITE_VISIT",
        window="30d_click_7d_view",
        small_range={"element_limit": 30},
    ),
)


class _Wire(httpx.AsyncBaseTransport):
    """Calls the application in memory. With `rows` every page is asked for that small, whatever the adapter wants."""

    def __init__(self, app: Any, page: str, rows: int | None) -> None:
        self._inner = httpx.ASGITransport(app)
        self._page = re.compile(rf"(?<![^?&]){page}=\d+".encode())
        self._rows = f"{page}={rows}".encode() if rows else b""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._rows:
            raw = self._page.sub(self._rows, request.url.raw_path)
            request.url = request.url.copy_with(raw_path=raw)
        return await self._inner.handle_async_request(request)


class Bench:
    """One platform on a copy of the small world. `run` opens it, takes its first account, and uses it."""

    until = UNTIL
    since = UNTIL - timedelta(6)
    content: ClassVar = {MediaKind.IMAGE: PNG, MediaKind.VIDEO: MP4}

    def __init__(self, subject: Subject, world: World, *, rows: int | None = None, **options: int) -> None:
        self.subject, self.world, self.now, self.slept = subject, world, 0.0, []
        self._rows = rows
        given = {subject.name: subject.options(clock=lambda: self.now, **options)}
        self.app = create_app(world, token=TOKEN, **given)
        self.kernel = self.app.state.kernel

    def open(self, token: str = TOKEN) -> Any:
        return self.subject.adapter(
            base_url="http://sandbox.test",
            token=self.subject.token.format(token),
            transport=_Wire(self.app, self.subject.page, self._rows),
            sleep=self._sleep,
            monotonic=lambda: self.now,
        )

    def run(self, use: Callable[[Any, Any], Any], *, token: str = TOKEN) -> Any:
        async def main() -> Any:
            platform = self.open(token)
            try:
                accounts = await platform.accounts()
                return await use(platform, accounts[0])
            finally:
                await platform.aclose()

        return asyncio.run(main())

    def outcome(self, change: EntityChange) -> Any:
        """What becomes of one change."""

        async def use(platform: Any, account: Any) -> Any:
            (outcome,) = await platform.update(account, [change])
            return outcome

        return self.run(use)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def fault(self, kind: str, path: str = ".*", **more: object) -> Any:
        """Set a fault; its rule, which counts how often it fired."""
        return self.kernel.faults.add({"platform": self.subject.name, "kind": kind, "path": path, **more})

    def heal(self) -> None:
        self.kernel.faults.clear()

    @property
    def requests(self) -> list[str]:
        return [f"{entry['method']} {entry['path']}" for entry in self.kernel.requests.recent]

    @property
    def writes(self) -> list[Any]:
        """What came through an API and took effect."""
        return [write for write in self.world.journal if write.actor == "api"]

    def reports_made(self) -> int:
        """How many asynchronous reports were asked for."""
        return sum(bool(re.match(self.subject.asynchronous, line)) for line in self.requests)

    # Reports --------------------------------------------------------------------------------------------------------

    def insights(self, level: Level = Level.AD, *, since: date | None = None, breakdowns: Any = ()) -> Any:
        async def use(platform: Any, account: Any) -> Any:
            return await platform.insights(
                InsightsQuery(account, level, since or self.since, self.until, tuple(breakdowns))
            )

        return self.run(use)

    def truth(self, account: Any, level: Level, since: date | None = None) -> dict[Any, list[int]]:
        """The world's own report by day and entity: impressions, spend, conversions and their value, in minor units."""
        report = self.world.report(account.id, level.value, since or self.since, self.until)
        unit = self.world.accounts[account.id].minor_units
        found = {}
        for i, day in enumerate(report["day"]):
            counted = [int(report["impressions"][i]), int(report["purchases"][i])]
            money = [round(float(report[name][i]) * unit) for name in ("spend", "purchase_value")]
            found[day.item(), str(report[_IDS[level]][i])] = [*counted, *money]
        return {key: measures for key, measures in found.items() if any(measures)}

    def told(self, rows: Any, unit: int, key: Callable[[Any], Any] | None = None) -> dict[Any, list[int]]:
        """The adapter's rows as `truth` has them, or added up by another key."""
        totals: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for row in rows:
            at = key(row) if key else (row.day, getattr(row, _IDS[row.level]))
            one = [row.impressions, int(row.conversions), round(row.spend * unit), round(row.conversions_value * unit)]
            totals[at] = [total + part for total, part in zip(totals[at], one, strict=True)]
        return {key: measures for key, measures in totals.items() if any(measures)}

    # Entities -------------------------------------------------------------------------------------------------------

    def entities(self, level: Level) -> Any:
        return self.run(lambda platform, account: platform.entities(account, level)).entities

    def stored(self, account_id: str, level: Level) -> dict[str, Any]:
        """The world's entities of an account by id, deleted ones left out."""
        stores = {
            Level.CAMPAIGN: self.world.campaigns,
            Level.AD_GROUP: self.world.ad_groups,
            Level.AD: self.world.ads,
            Level.CREATIVE: self.world.creatives,
        }
        mine = (entity for entity in stores[level].values() if entity.account_id == account_id)
        return {entity.id: entity for entity in mine if entity.status != "DELETED"}

    def holder(self) -> Any:
        """An ad group that holds a daily budget and runs."""
        groups = self.entities(Level.AD_GROUP)
        return next(group for group in groups if group.budget and group.budget.period is BudgetPeriod.DAILY)

    def draft(self, account: Any, level: Level, parent: str, media: Any, **more: Any) -> EntityDraft:
        """A draft this platform takes. An ad group gets the budget of one that is there: large enough everywhere."""
        given: dict[str, Any] = {"settings": self.subject.settings(level, account=account.id, **media)}
        if level is Level.CAMPAIGN:
            given["objective"] = self.subject.objective
        if level is Level.AD_GROUP:
            budgets = [group.daily_budget for group in self.stored(account.id, level).values() if group.daily_budget]
            amount = Decimal(max(budgets)) / self.world.accounts[account.id].minor_units
            given["budget"] = Budget(Money(amount, account.currency), BudgetPeriod.DAILY)
        given |= {"name": f"Contract {level}", "tag": f"run-7-{level}"}
        return EntityDraft(level=level, account_id=account.id, parent_id=parent, **given | more)


@pytest.fixture(scope="session")
def grown_world() -> bytes:
    """The small world, pickled: loading it again is several times quicker than a deep copy."""
    world = World(
        WorldConfig(
            seed=11,
            history_days=30,
            platforms=("meta", "tiktok", "linkedin"),
            accounts=6,
            campaigns=18,
            ad_groups=36,
            ads=84,
            today_limit=datetime(2026, 7, 20, tzinfo=UTC),
        )
    )
    return pickle.dumps(world)


@pytest.fixture(scope="session")
def all_subjects() -> tuple[Subject, ...]:
    return SUBJECTS


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param


@pytest.fixture
def make_bench(subject: Subject, grown_world: bytes) -> Callable[..., Bench]:
    def make(**options: Any) -> Bench:
        return Bench(subject, pickle.loads(grown_world), **options)  # noqa: S301 - our own bytes

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
