"""Budgets account by account: units, readiness, and accounts as the snapshots know them."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from stakazo_pipelines.cycle.accounts import KnownAccounts, known_accounts
from stakazo_pipelines.cycle.budgets import (
    account_inputs,
    allocate_accounts,
)
from stakazo_pipelines.ingest import ingest_entities
from stakazo_pipelines.lake import Lake, entities_frame
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Capabilities, EntitiesResult, Entity
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import EntityStatus, Level

DAY = date(2026, 6, 29)


def account(account_id: str, currency: str, minor_units: int, least: str | None = None) -> Account:
    smallest = None if least is None else Money(Decimal(least), currency)
    return Account(account_id, "Shop", currency, "Asia/Tokyo", minor_units, EntityStatus.ACTIVE, smallest)


KNOWN = {("meta", "1"): account("1", "EUR", 100), ("meta", "2"): account("2", "JPY", 1)}


@pytest.fixture
def allocate(estimates, arms):
    def run(accounts=KNOWN, unready=None, held=frozenset()):
        inputs = account_inputs(estimates, arms, accounts=accounts, unready=unready or {}, held=held)
        return allocate_accounts(inputs, Policy(), DAY, ledgers={})

    return run


def of(frame: pl.DataFrame, account_id: str) -> pl.DataFrame:
    return frame.filter(account_id=account_id)


def test_each_account_keeps_its_own_total(allocate):
    frame = allocate().frame
    totals = frame.group_by("account_id").agg(pl.col("current_budget", "proposed_budget").sum())
    for row in totals.iter_rows(named=True):
        assert row["proposed_budget"] == pytest.approx(row["current_budget"], rel=1e-6)
    assert (frame["proposed_budget"] != frame["current_budget"]).any()


def test_budgets_are_whole_minor_units_of_the_accounts_currency(allocate):
    frame = allocate().frame
    for account_id, units in (("1", 100), ("2", 1)):
        scaled = of(frame, account_id)["proposed_budget"] * units
        assert (scaled - scaled.round()).abs().max() < 1e-6


def test_an_account_whose_data_is_not_in_order_keeps_its_budgets_and_says_why(allocate):
    result = allocate(unready={("meta", "1"): "last report is old"})
    kept = of(result.frame, "1")
    assert kept["proposed_budget"].to_list() == kept["current_budget"].to_list()
    assert (of(result.frame, "2")["proposed_budget"] != of(result.frame, "2")["current_budget"]).any()
    reasons = {summary.account_id: summary.reason for summary in result.accounts}
    assert reasons["1"] == "budgets kept, its data is not in order: last report is old"
    assert "not in order" not in reasons["2"]


@pytest.mark.parametrize("level", ["arm_id", "campaign_id"])
def test_what_is_held_stays_and_the_rest_is_allocated_around_it(allocate, level):
    free = of(allocate().frame, "1")
    moved = free.filter(pl.col("proposed_budget") != pl.col("current_budget"))[level][0]
    frame = of(allocate(held={moved}).frame, "1")
    kept = frame.filter(pl.col(level) == moved)
    assert kept["proposed_budget"].to_list() == kept["current_budget"].to_list()
    assert set(kept["binding"]) == {"held"}
    assert frame["proposed_budget"].sum() == pytest.approx(frame["current_budget"].sum())


def test_no_budget_goes_below_the_platforms_smallest(allocate):
    high = {**KNOWN, ("meta", "1"): account("1", "EUR", 100, least="95")}
    assert of(allocate(high).frame, "1")["proposed_budget"].min() >= 95


def test_a_campaign_that_holds_the_budget_has_the_platforms_smallest_of_campaigns(estimates, arms):
    least = {"min_daily_budget": Money(Decimal(1), "EUR"), "min_campaign_budget": Money(Decimal(95), "EUR")}
    known = {**KNOWN, ("meta", "1"): replace(account("1", "EUR", 100), **least)}
    own = arms.filter(account_id="1")
    holders = own.with_columns(campaign_id=pl.when(pl.col("arm_id") == "1-g0").then("arm_id").otherwise("campaign_id"))
    inputs = account_inputs(estimates, holders, accounts=known, unready={})
    result = allocate_accounts(inputs, Policy(), DAY, ledgers={})
    lowest = dict(result.frame.group_by("level").agg(pl.col("proposed_budget").min()).iter_rows())
    assert lowest["campaign"] == 95
    assert lowest["ad_group"] < 95


def test_an_account_that_nobody_asked_is_allocated_in_hundredths(allocate):
    scaled = of(allocate(accounts={}).frame, "1")["proposed_budget"] * 100
    assert (scaled - scaled.round()).abs().max() < 1e-6


def test_every_row_says_which_level_holds_the_budget(allocate):
    assert set(allocate().frame["level"]) == {"ad_group"}


def test_the_same_day_gives_the_same_budgets(allocate):
    assert allocate().frame.equals(allocate().frame)


class OnlyAccounts:
    """A platform with accounts and nothing in them."""

    name = "meta"
    capabilities = Capabilities(frozenset(Level), frozenset(), frozenset(), False, False, 1, frozenset())

    async def accounts(self):
        return list(KNOWN_WITH_LEAST)

    async def entities(self, _account, _level):
        return EntitiesResult([])


KNOWN_WITH_LEAST = (
    replace(account("1", "EUR", 100, least="1.50"), min_campaign_budget=Money(Decimal("10.00"), "EUR")),
    account("2", "JPY", 1),
)


def test_accounts_come_back_from_a_snapshot_as_they_went(tmp_path):
    lake, now = Lake(tmp_path), datetime(2026, 6, 30, 12, tzinfo=UTC)
    asyncio.run(ingest_entities(OnlyAccounts(), lake, now=now))
    assert known_accounts(lake, now.date()).found == {("meta", one.id): one for one in KNOWN_WITH_LEAST}
    assert known_accounts(lake, now.date() - timedelta(days=1)) == KnownAccounts({}, {})


def test_a_snapshot_from_before_campaigns_had_a_smallest_budget_is_still_read(tmp_path):
    lake, now = Lake(tmp_path), datetime(2026, 6, 30, 12, tzinfo=UTC)
    [one, _] = KNOWN_WITH_LEAST
    native = {"minor_units": 100, "min_daily_budget": "1.50"}
    row = Entity(Level.ACCOUNT, one.id, one.id, "", one.name, one.status, "account", native=native)
    frame = entities_frame([row], account=one, platform="meta", fetched_at=now)
    lake.append_raw("meta", "entities", day=now.date(), account_id=one.id, fetched_at=now, frame=frame)
    assert known_accounts(lake, now.date()).found == {("meta", "1"): replace(one, min_campaign_budget=None)}
