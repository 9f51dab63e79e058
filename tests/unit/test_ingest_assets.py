"""A platform that cannot be read leaves the others alone, and says on its own assets why, and how old its data are."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
from dagster import AssetCheckSeverity, DagsterInstance, asset, materialize

from assets.ingest import ingest_assets
from assets.partitions import RANGE_RUNS, REPORT_DAYS
from resources import ClockResource, LakeResource, PlatformsResource, PolicyResource
from stakazo_pipelines.errors import AuthError, ConfigError, PermissionDeniedError, StakazoError
from stakazo_pipelines.platforms.port import (
    Account,
    Capabilities,
    EntitiesResult,
    InsightRow,
    InsightsQuery,
    InsightsResult,
)
from stakazo_pipelines.settings import Settings
from stakazo_pipelines.vocabulary import EntityStatus, Level

DAY = date(2026, 6, 29)
LEVELS = frozenset({Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD})
PLATFORMS = ("meta", "tiktok")
ASSETS = [one for name in PLATFORMS for one in ingest_assets(name)]


@asset(deps=[[name, "raw_insights"] for name in PLATFORMS], partitions_def=REPORT_DAYS, backfill_policy=RANGE_RUNS)
def below() -> None:
    """Stands for everything that reads several platforms."""


class FixedClock(ClockResource):
    days_on: int = 0

    def now(self) -> datetime:
        return datetime(2026, 6, 30, 12, tzinfo=UTC) + timedelta(days=self.days_on)


class OneAd:
    """Two accounts with one ad each; `lost` are accounts that the token may no longer read."""

    capabilities = Capabilities(frozenset(), LEVELS, frozenset(), False, False, 1, frozenset({Level.AD_GROUP}))

    def __init__(self, name: str, lost: Sequence[str] = ()) -> None:
        self.name = name
        self._lost = lost

    async def accounts(self) -> Sequence[Account]:
        return [Account(one, one, "EUR", "UTC", 100, EntityStatus.ACTIVE) for one in ("1", "2")]

    async def entities(self, account: Account, level: Level) -> EntitiesResult:
        raise AssertionError(f"{level} is no capability")

    async def insights(self, query: InsightsQuery) -> InsightsResult:
        account = query.account.id
        if account in self._lost:
            raise PermissionDeniedError("not yours", self.name, "200")
        depth = [Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD].index(query.level)
        ids = [f"{name}{account}" if depth > above else None for above, name in enumerate("cga")]
        days = [query.since + timedelta(days=number) for number in range((query.until - query.since).days + 1)]
        return InsightsResult(
            [
                InsightRow(
                    day, query.level, account, *ids, None, None, None, 100, 5, Decimal(3), Decimal(1), Decimal(9), "7d"
                )
                for day in days
            ]
        )


class FakePlatforms(PlatformsResource):
    """Opens `OneAd`, or raises what stands in `broken` for the platform."""

    broken: ClassVar[dict[str, StakazoError]] = {}
    lost: ClassVar[dict[str, Sequence[str]]] = {}

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[OneAd]:
        if name in self.broken:
            raise self.broken[name]
        yield OneAd(name, self.lost.get(name, ()))


@pytest.fixture
def ingest(tmp_path, monkeypatch):
    """Materializes both platforms' ingest and the asset below them."""
    (tmp_path / "policy.yaml").write_text("platforms: [meta, tiktok]\n")
    monkeypatch.setattr(FakePlatforms, "broken", {})
    monkeypatch.setattr(FakePlatforms, "lost", {})

    with DagsterInstance.ephemeral() as instance:

        def run(days_on=0):
            return materialize(
                [*ASSETS, below],
                partition_key=str(DAY + timedelta(days=days_on)),
                instance=instance,
                resources={
                    "platforms": FakePlatforms(),
                    "clock": FixedClock(days_on=days_on),
                    "lake": LakeResource(root=str(tmp_path / "lake")),
                    "policy": PolicyResource(path=str(tmp_path / "policy.yaml")),
                },
            )

        yield run


def read_checks(result):
    found = {}
    for one in result.get_asset_check_evaluations():
        if one.check_name == "read":
            found[one.asset_key.to_user_string()] = one
    return found


def stale(result, *key):
    [event] = result.asset_materializations_for_node("__".join(key))
    return event.metadata["stale"].value


def test_all_is_well_when_everything_was_read(ingest):
    result = ingest()
    assert all(check.passed for check in read_checks(result).values())
    assert not stale(result, "tiktok", "raw_insights")


def test_a_platform_whose_token_expired_is_stale_and_the_others_go_on(ingest):
    ingest()
    FakePlatforms.broken["tiktok"] = AuthError("the token expired", "tiktok", "40105")
    result = ingest(days_on=1)

    assert result.success
    assert result.asset_materializations_for_node("below")
    checks = read_checks(result)
    assert {key for key, check in checks.items() if not check.passed} == {"tiktok/entities", "tiktok/raw_insights"}
    check = checks["tiktok/raw_insights"]
    assert check.severity is AssetCheckSeverity.ERROR
    assert not check.blocking
    assert "the token expired" in check.description
    assert "data as of 2026-06-30 12:00 UTC" in check.description
    assert stale(result, "tiktok", "raw_insights")
    assert not stale(result, "meta", "raw_insights")


def test_a_missing_token_names_its_variable_on_the_asset_that_needs_it(ingest):
    with pytest.raises(ConfigError) as missing:
        Settings(sandbox_url=None, tiktok_access_token=None).token("tiktok")
    FakePlatforms.broken["tiktok"] = missing.value
    result = ingest()
    check = read_checks(result)["tiktok/entities"]
    assert "TIKTOK_ACCESS_TOKEN" in check.description
    assert "never read" in check.description
    assert read_checks(result)["meta/entities"].passed


def test_one_lost_account_is_a_warning_that_names_it(ingest):
    FakePlatforms.lost["meta"] = ["2"]
    result = ingest()
    check = read_checks(result)["meta/raw_insights"]
    assert not check.passed
    assert check.severity is AssetCheckSeverity.WARN
    assert "2: not yours" in check.description
    assert not stale(result, "meta", "raw_insights")


def test_when_all_accounts_are_lost_the_platform_is_stale(ingest):
    FakePlatforms.lost["meta"] = ["1", "2"]
    result = ingest()
    assert stale(result, "meta", "raw_insights")
    assert read_checks(result)["tiktok/raw_insights"].passed
    assert result.asset_materializations_for_node("below")


def test_the_assets_of_a_platform_are_named_after_it():
    keys = {key.to_user_string() for one in ASSETS for key in one.keys}
    assert keys == {"meta/entities", "meta/raw_insights", "tiktok/entities", "tiktok/raw_insights"}
