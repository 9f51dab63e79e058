"""Reading a platform into the lake: which days, how many requests, whole days only, one bad account among others."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.due_days import ROWS_AT_ONCE, contiguous_ranges, days_to_read
from stakazo_pipelines.errors import (
    AuthError,
    ConfigError,
    LakeError,
    PermissionDeniedError,
    PlatformError,
    TransientError,
)
from stakazo_pipelines.ingest import (
    READINGS_AT_ONCE,
    IngestReport,
    ingest_entities,
    ingest_insights,
    last_complete_day,
    or_unread,
)
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import (
    Account,
    Capabilities,
    EntitiesResult,
    Entity,
    InsightRow,
    InsightsQuery,
    InsightsResult,
    Quarantined,
)
from stakazo_pipelines.vocabulary import EntityStatus, Level

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
NEWEST = date(2026, 6, 29)
LEVELS = (Level.ACCOUNT, Level.AD)


def account(account_id: str, timezone: str = "Europe/Berlin", problem: str = "") -> Account:
    least = Money(Decimal(5), "EUR")
    status = EntityStatus.ACTIVE
    return Account(account_id, f"Shop {account_id}", "EUR", timezone, 100, status, least, problem=problem)


def row(day: date, level: Level, account_id: str, ad: str | None = None) -> InsightRow:
    ids = ("c", "g", ad) if level is Level.AD else (None, None, None)
    return InsightRow(
        day, level, account_id, *ids, None, None, None, 100, 5, Decimal("1.5"), Decimal(1), Decimal(20), "7d"
    )


class FakePlatform:
    """Reports `ads` ads a day for every account; `failing` maps an account to the error of its every call."""

    name = "meta"
    capabilities = Capabilities(
        frozenset(Level), frozenset(LEVELS), frozenset(), False, False, 1, frozenset({Level.AD_GROUP})
    )

    def __init__(
        self, accounts: Sequence[Account], failing: dict[str, PlatformError] | None = None, ads: int = 1
    ) -> None:
        self._accounts = accounts
        self._failing = failing or {}
        self._ads = ads
        self.queries: list[InsightsQuery] = []
        self.silent: set[date] = set()
        self.rejected: Sequence[Quarantined] = ()
        self.failing_level: Level | None = None
        self.running = self.most_running = 0

    async def accounts(self) -> Sequence[Account]:
        return self._accounts

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        self._check(account)
        entity = Entity(level, f"{level}1", account.id, "", f"a {level}", EntityStatus.ACTIVE, str(level))
        return EntitiesResult([entity], self.rejected if level is Level.AD else ())

    async def insights(self, query: InsightsQuery) -> InsightsResult:
        self.queries.append(query)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        self._check(query.account)
        if query.level is self.failing_level:
            raise TransientError("no answer")
        span = [query.since + timedelta(days=back) for back in range((query.until - query.since).days + 1)]
        ads = range(1, self._ads + 1) if query.level is Level.AD else (1,)
        rows = [
            row(day, query.level, query.account.id, f"ad{ad}") for day in span if day not in self.silent for ad in ads
        ]
        return InsightsResult(rows, self.rejected if query.level is Level.AD else ())

    def _check(self, account: Account) -> None:
        if account.id in self._failing:
            raise self._failing[account.id]


def back(*ages: int) -> list[date]:
    """Days of these ages; the newest complete day has age 1."""
    return sorted(NEWEST - timedelta(days=age - 1) for age in ages)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


@pytest.fixture
def read(lake) -> Callable[..., object]:
    def run(platform, days, *, ages=None, now=NOW, levels=LEVELS):
        return asyncio.run(ingest_insights(platform, lake, days=days, ages=ages, now=now, levels=levels))

    return run


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [("UTC", 29), ("Pacific/Kiritimati", 30), ("Etc/GMT+12", 29), ("America/Los_Angeles", 29)],
)
def test_a_day_is_complete_when_it_has_ended_in_the_accounts_own_zone(timezone, expected):
    assert last_complete_day(NOW, timezone) == date(2026, 6, expected)


def test_days_of_a_due_age_are_read_again_and_unread_days_always():
    days = back(1, 2, 3, 4, 5)
    assert days_to_read(days, newest=NEWEST, ages=[1, 3], present=set(back(1, 2, 3, 4))) == back(1, 3, 5)


def test_a_day_with_rejected_rows_is_read_again_until_it_is_older_than_any_due_age():
    days = set(back(1, 2, 3, 4, 5))
    assert days_to_read(days, newest=NEWEST, ages=[1, 4], present=days, doubtful=set(back(3, 5))) == back(1, 3, 4)


def test_a_day_that_has_not_ended_is_never_read():
    assert days_to_read([NEWEST + timedelta(days=1)], newest=NEWEST, ages=[0, 1], present=set()) == []


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_what_is_read_is_due_or_unread_and_nothing_is_left_out(asked, ages, present):
    chosen = days_to_read(back(*asked), newest=NEWEST, ages=sorted(ages), present=set(back(*present)))
    assert chosen == back(*(age for age in asked if age in ages or age not in present))


@given(st.sets(st.integers(0, 200)))
def test_ranges_cover_each_day_once_and_never_touch(offsets):
    days = [NEWEST + timedelta(days=offset) for offset in sorted(offsets)]
    ranges = contiguous_ranges(days)
    covered = [since + timedelta(days=n) for since, until in ranges for n in range((until - since).days + 1)]
    assert covered == days
    assert all(later[0] - earlier[1] > timedelta(days=1) for earlier, later in itertools.pairwise(ranges))


def test_a_backfill_is_one_request_a_level(read):
    platform = FakePlatform([account("1")])
    read(platform, back(*range(1, 29)))
    assert [(query.level, query.since, query.until) for query in platform.queries] == [
        (level, NEWEST - timedelta(days=27), NEWEST) for level in LEVELS
    ]


def test_what_is_held_in_memory_does_not_grow_with_the_range(read, lake):
    platform = FakePlatform([account("1")], ads=500)
    report = read(platform, back(*range(1, 61)))
    asked = [(query.until - query.since).days + 1 for query in platform.queries if query.level is Level.AD]
    assert asked[0] * 500 > ROWS_AT_ONCE  # nothing was known of the account yet
    assert all(days * 500 <= ROWS_AT_ONCE for days in asked[1:])
    assert report.rows["ad"] == 60 * 500
    assert lake.raw_days("meta", "insights_ad") == set(back(*range(1, 61)))


def test_the_snapshot_says_beforehand_how_many_rows_a_day_has(read, lake):
    class Listed(FakePlatform):
        async def entities(self, account, level):
            one = (await super().entities(account, level)).entities[0]
            many = 2000 if level is Level.AD else 1
            return EntitiesResult([replace(one, id=f"{level}{number}") for number in range(many)])

    platform = Listed([account("1")])
    asyncio.run(ingest_entities(platform, lake, now=NOW))
    read(platform, back(*range(1, 13)))
    asked = [query for query in platform.queries if query.level is Level.AD]
    assert max((query.until - query.since).days + 1 for query in asked) == ROWS_AT_ONCE // 2000


def test_accounts_and_levels_are_read_at_the_same_time_but_not_without_bound(read):
    few, many = FakePlatform([account("1")]), FakePlatform([account(str(number)) for number in range(20)])
    read(few, back(1))
    read(many, back(1))
    assert (few.most_running, many.most_running) == (len(LEVELS), READINGS_AT_ONCE)


def test_each_day_is_a_file_of_its_own_and_a_silent_day_an_empty_one(read, lake):
    platform = FakePlatform([account("1")])
    platform.silent = set(back(2))
    report = read(platform, back(1, 2, 3))
    assert report.files == 6
    assert {file.day for file in lake.raw_files("insights_ad")} == set(back(1, 2, 3))
    assert sorted(lake.newest("insights_ad").whole()["date_day"]) == back(1, 3)
    assert report.rows == {"account": 2, "ad": 2}


def test_only_due_days_are_asked_for_again(read, lake):
    platform = FakePlatform([account("1")])
    read(platform, back(1, 2, 3, 4, 5))
    platform.queries.clear()
    read(platform, back(1, 2, 3, 4, 5, 6), ages=[1, 2, 5], now=NOW + timedelta(hours=1))
    assert [(one.since, one.until) for one in platform.queries if one.level is Level.AD] == [
        (back(6)[0], back(5)[0]),
        (back(2)[0], back(1)[0]),
    ]
    assert len(list(lake.raw_files("insights_ad"))) == 5 + 4


def test_a_day_still_running_in_one_account_is_pending_there_and_read_elsewhere(read, lake):
    today = NEWEST + timedelta(days=1)
    platform = FakePlatform([account("far_east", "Pacific/Kiritimati"), account("west", "America/Los_Angeles")])
    report = read(platform, [NEWEST, today])
    assert report.pending_days == {today}
    assert lake.raw_days("meta", "insights_ad", account_id="far_east") == {NEWEST, today}
    assert lake.raw_days("meta", "insights_ad", account_id="west") == {NEWEST}


def test_a_failing_account_leaves_the_others_alone(read, lake):
    denied = PermissionDeniedError("no", "meta", "200")
    report = read(FakePlatform([account("1"), account("2")], {"1": denied}), back(1))
    assert report.failed == {"1": denied}
    assert lake.raw_days("meta", "insights_ad", account_id="2") == {NEWEST}
    assert lake.raw_days("meta", "insights_ad", account_id="1") == set()


def test_when_every_account_fails_it_is_an_error(read):
    platform = FakePlatform([account("1"), account("2")], {"1": AuthError("expired"), "2": AuthError("expired")})
    with pytest.raises(AuthError, match="expired"):
        read(platform, back(1))


def test_a_day_that_one_level_lacks_is_read_again(read, lake):
    platform = FakePlatform([account("1"), account("2")])
    platform.failing_level = Level.ACCOUNT
    with pytest.raises(TransientError):
        read(platform, back(1, 20), ages=[1])
    assert lake.raw_days("meta", "insights_ad", account_id="1") == set(back(1, 20))
    platform.failing_level = None
    read(platform, back(1, 20), ages=[1], now=NOW + timedelta(hours=1))
    assert lake.raw_days("meta", "insights_account", account_id="1") == set(back(1, 20))


def test_a_platform_that_cannot_be_read_is_a_report_that_says_why(lake):
    platform = FakePlatform([account("1")], {"1": AuthError("expired")})
    report = asyncio.run(or_unread(ingest_entities(platform, lake, now=NOW)))
    assert report.unread == "expired"

    async def without_a_token() -> IngestReport:
        raise ConfigError("meta: no token; set META_ACCESS_TOKEN")

    assert "META_ACCESS_TOKEN" in asyncio.run(or_unread(without_a_token())).unread


def test_a_full_disk_is_no_fault_of_the_platform(lake):
    async def full() -> IngestReport:
        raise LakeError("no space left")

    with pytest.raises(LakeError):
        asyncio.run(or_unread(full()))


def test_a_token_that_sees_no_account_is_said(read):
    with pytest.raises(PermissionDeniedError, match="sees no ad account"):
        read(FakePlatform([]), back(1))


def test_an_account_with_a_problem_is_not_asked_and_says_why(read):
    platform = FakePlatform([account("1", problem="its currency XXX is unknown"), account("2")])
    report = read(platform, back(1))
    assert str(report.failed["1"]) == "its currency XXX is unknown"
    assert {query.account.id for query in platform.queries} == {"2"}


def test_a_level_the_platform_does_not_report_is_not_asked_for(read):
    platform = FakePlatform([account("1")])
    read(platform, back(1), levels=(Level.ACCOUNT, Level.CAMPAIGN, Level.AD))
    assert {query.level for query in platform.queries} == set(LEVELS)


def test_rejected_rows_are_kept_before_the_day_they_are_missing_from(tmp_path):
    class DyingLake(Lake):
        def append_days(self, *_args, **_more):
            raise KeyError("the process ends here")

    platform, lake = FakePlatform([account("1")]), DyingLake(tmp_path)
    platform.rejected = [Quarantined("spend is below zero", "spend", {"spend": "-1"}, "row 3")]
    with pytest.raises(KeyError):
        asyncio.run(ingest_insights(platform, lake, days=[NEWEST], ages=None, now=NOW, levels=[Level.AD]))
    assert lake.newest("quarantine").whole()["reason"].to_list() == ["spend is below zero"]


def test_rejected_rows_are_kept_with_their_reason(read, lake):
    platform = FakePlatform([account("1")])
    platform.rejected = [Quarantined("spend is below zero", "spend", {"spend": "-1"}, "row 3")]
    report = read(platform, back(1, 2))
    assert [(owner, bad.reason) for owner, bad in report.quarantined] == [("1", "spend is below zero")]
    kept = lake.newest("quarantine").whole()
    assert kept.select("reason", "field", "where").rows() == [("spend is below zero", "spend", "row 3")]
    assert lake.newest("insights_ad").whole().height == 2


@pytest.fixture
def ad_days_read(lake):
    """Reads days by age with an age due that is 28 at most; returns the days asked for at level ad."""

    def run(platform, *, hours, rejected=()):
        platform.queries.clear()
        platform.rejected = rejected
        days, now = back(*range(1, 31)), NOW + timedelta(hours=hours)
        asyncio.run(ingest_insights(platform, lake, days=days, ages=[1, 28], now=now, levels=LEVELS))
        asked = [one for one in platform.queries if one.level is Level.AD]
        return [one.since + timedelta(days=n) for one in asked for n in range((one.until - one.since).days + 1)]

    return run


BAD = [Quarantined("spend is below zero", "spend", {"spend": "-1"}, "row 3")]


def test_days_with_rejected_rows_are_read_again_by_the_next_ingest_until_they_came_whole(read, ad_days_read):
    platform = FakePlatform([account("1")])
    read(platform, back(*range(1, 31)))
    platform.rejected = BAD
    read(platform, back(3, 4), now=NOW + timedelta(hours=1))
    assert ad_days_read(platform, hours=2, rejected=BAD) == back(1, 3, 4, 28)
    assert ad_days_read(platform, hours=3) == back(1, 3, 4, 28)
    assert ad_days_read(platform, hours=4) == back(1, 28)


def test_a_day_whose_rows_stay_bad_is_left_as_it_is_past_the_oldest_due_age(read, ad_days_read):
    platform = FakePlatform([account("1")])
    platform.rejected = BAD
    read(platform, back(*range(1, 31)))
    assert ad_days_read(platform, hours=1, rejected=BAD) == back(*range(1, 29))


def test_rejected_rows_of_one_account_have_no_other_read_again(read, ad_days_read):
    class OneBad(FakePlatform):
        async def insights(self, query):
            result = await super().insights(query)
            return result if query.account.id == "1" else replace(result, quarantined=())

    platform = OneBad([account("1"), account("2")])
    platform.rejected = BAD
    read(platform, back(*range(1, 31)))
    ad_days_read(platform, hours=1)
    oldest, newest = back(1, 28)
    spans = {(one.account.id, one.since, one.until) for one in platform.queries}
    assert spans == {("1", oldest, newest), ("2", oldest, oldest), ("2", newest, newest)}


def test_rejected_entities_have_no_day_read_again(read, lake, ad_days_read):
    platform = FakePlatform([account("1")])
    platform.rejected = BAD
    asyncio.run(ingest_entities(platform, lake, now=NOW))
    platform.rejected = ()
    read(platform, back(*range(1, 31)))
    assert ad_days_read(platform, hours=1) == back(1, 28)


def test_entities_are_filed_under_the_accounts_own_day_and_hold_the_account(lake):
    platform = FakePlatform([account("1", "Pacific/Kiritimati")])
    report = asyncio.run(ingest_entities(platform, lake, now=NOW))
    snapshot = lake.entities().whole()
    assert {file.day for file in lake.raw_files("entities")} == {date(2026, 7, 1)}
    assert set(snapshot["level"]) == {"account", "campaign", "ad_group", "ad", "creative"}
    assert report.rows["campaign"] == 1


def test_entities_of_a_level_that_the_platform_cannot_list_are_not_asked_for(lake):
    platform = FakePlatform([account("1")])
    platform.capabilities = replace(platform.capabilities, levels=frozenset({Level.CAMPAIGN, Level.AD}))
    report = asyncio.run(ingest_entities(platform, lake, now=NOW))
    assert set(report.rows) == {"account", "campaign", "ad"}


def test_an_account_whose_entities_cannot_be_read_leaves_the_others_alone(lake):
    lost = TransientError("no answer")
    report = asyncio.run(ingest_entities(FakePlatform([account("1"), account("2")], {"2": lost}), lake, now=NOW))
    assert report.failed == {"2": lost}
    assert set(lake.entities().whole()["account_id"]) == {"1"}
