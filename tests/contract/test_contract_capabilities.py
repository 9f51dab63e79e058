"""Capabilities are honest: what one denies is refused before a request is sent, what it grants is answered."""

import itertools
from decimal import Decimal

import pytest

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import (
    Breakdown,
    Budget,
    BudgetPeriod,
    EntityChange,
    InsightsQuery,
    Media,
    MediaKind,
)
from stakazo_pipelines.vocabulary import EntityStatus, Level


def refused(bench, use):
    """What `use` does is refused, and nothing was asked of the platform meanwhile."""

    async def quiet(platform, account):
        bench.kernel.requests.clear()
        return await use(platform, account)

    with pytest.raises(RejectedError):
        bench.run(quiet)
    return not bench.requests


def refused_in_outcome(bench, change):
    async def use(platform, account):
        (outcome,) = await platform.update(account, [change(account)])
        if outcome.error is not None:
            raise outcome.error

    return refused(bench, use)


@pytest.fixture
def able(bench):
    return bench.open().capabilities


@pytest.mark.parametrize("level", Level)
def test_levels_that_cannot_be_listed_are_refused(bench, able, level):
    if level in able.levels:
        assert bench.entities(level)
        return
    assert refused(bench, lambda platform, account: platform.entities(account, level))
    assert refused(bench, lambda platform, account: platform.read(account, level, "1"))


@pytest.mark.parametrize("level", Level)
def test_levels_without_insights_are_refused(bench, able, level):
    if level in able.insight_levels:
        assert bench.insights(level, since=bench.until).rows
        return
    query = {"level": level, "since": bench.until, "until": bench.until}
    assert refused(bench, lambda platform, account: platform.insights(InsightsQuery(account, **query)))


@pytest.mark.parametrize("level", Level)
def test_levels_that_cannot_be_created_are_refused(bench, able, level):
    if level in able.create_levels:
        return
    assert refused(
        bench, lambda platform, account: platform.create(account, bench.draft(account, level, account.id, {}))
    )


@pytest.mark.parametrize("level", Level)
def test_levels_that_cannot_be_changed_or_deleted_are_refused(bench, able, level):
    if level not in able.update_levels:
        assert refused_in_outcome(bench, lambda account: EntityChange(level, "1", account.id, name="n"))
    if level not in able.delete_levels:
        assert refused(bench, lambda platform, account: platform.delete(account, level, "1"))


@pytest.mark.parametrize("level", [Level.CAMPAIGN, Level.AD_GROUP, Level.AD])
def test_levels_without_budgets_refuse_them(bench, able, level):
    if level in able.budget_levels:
        return

    def change(account):
        return EntityChange(
            level, "1", account.id, budget=Budget(Money(Decimal(100), account.currency), BudgetPeriod.DAILY)
        )

    assert refused_in_outcome(bench, change)


def test_a_budget_in_another_currency_is_refused(bench):
    group = bench.holder()
    budget = Budget(Money(Decimal(100), "XAU"), BudgetPeriod.DAILY)
    assert refused_in_outcome(bench, lambda account: EntityChange(Level.AD_GROUP, group.id, account.id, budget=budget))


@pytest.mark.parametrize("asked", [*itertools.combinations(Breakdown, 1), *itertools.combinations(Breakdown, 2)])
def test_breakdowns_are_answered_or_refused(bench, able, asked):
    query = {"level": Level.CAMPAIGN, "since": bench.until, "until": bench.until, "breakdowns": asked}
    if set(asked) <= able.breakdowns and (len(asked) == 1 or frozenset(asked) in able.breakdown_pairs):
        assert bench.insights(Level.CAMPAIGN, since=bench.until, breakdowns=asked).rows
        return
    assert refused(bench, lambda platform, account: platform.insights(InsightsQuery(account, **query)))


def test_validating_without_creating_is_refused_where_it_cannot_be_done(bench, able):
    if able.validate_only:
        return

    async def use(platform, account):
        await platform.create(account, bench.draft(account, Level.CAMPAIGN, account.id, {}), validate_only=True)

    assert refused(bench, use)


@pytest.mark.parametrize("kind", MediaKind)
def test_media_that_cannot_be_uploaded_are_refused(bench, able, kind):
    if kind in able.media:
        return
    assert refused(bench, lambda platform, account: platform.upload(account, Media(kind, "a", bench.content[kind])))


@pytest.mark.parametrize("status", [EntityStatus.ARCHIVED, EntityStatus.DELETED])
def test_nothing_is_created_archived_or_deleted(bench, status):
    async def use(platform, account):
        await platform.create(account, bench.draft(account, Level.CAMPAIGN, account.id, {}, status=status))

    assert refused(bench, use)


def test_a_range_that_ends_before_it_begins_is_refused(bench):
    query = {"level": Level.AD, "since": bench.until, "until": bench.since}
    assert refused(bench, lambda platform, account: platform.insights(InsightsQuery(account, **query)))


def test_what_a_capability_promises_goes_together(able):
    assert able.insight_levels >= {Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD}
    assert able.create_levels | able.update_levels | able.delete_levels <= able.levels
    assert able.archives <= able.delete_levels
    assert able.budget_levels <= able.update_levels
    assert able.without_conversions <= able.breakdowns
    assert all(pair <= able.breakdowns for pair in able.breakdown_pairs)
    assert able.write_batch >= 1
