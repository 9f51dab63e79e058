"""What was edited between two snapshots: switches, settings, goals, creatives and ads; budgets and names are not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from stakazo_pipelines.lake import edits_frame, entities_frame
from stakazo_pipelines.lake.edits import RAW_EDITS_SCHEMA
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, Entity
from stakazo_pipelines.vocabulary import EntityStatus, Level

SHOP = Account("1", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)
THEN = datetime(2026, 6, 1, 6, tzinfo=UTC)
NOW = THEN + timedelta(days=1)
BETWEEN = THEN + timedelta(hours=3)


def entity(level, own, parent, **more):
    return Entity(level, own, "1", parent, own, EntityStatus.ACTIVE, "", **{"settings": "a", **more})


CAMPAIGN = entity(Level.CAMPAIGN, "c", "1")
GROUP = entity(Level.AD_GROUP, "g", "c", optimization_goal="SALES")
AD = entity(Level.AD, "a", "g", creative_id="film", created_at=THEN - timedelta(days=9))
ALL = (CAMPAIGN, GROUP, AD)


def frame(entities, at):
    return entities_frame(entities, account=SHOP, platform="meta", fetched_at=at)


def edits(*entities, before=ALL, **more):
    return edits_frame(frame(before, THEN), frame(entities, NOW), fetched_at=NOW, **more)


@pytest.mark.parametrize(
    ("after", "what"),
    [
        ((CAMPAIGN, replace(GROUP, settings="b"), AD), ("ad_group", "g", "settings")),
        ((CAMPAIGN, replace(GROUP, optimization_goal="LEADS"), AD), ("ad_group", "g", "optimization_goal")),
        ((CAMPAIGN, replace(GROUP, status=EntityStatus.PAUSED), AD), ("ad_group", "g", "status")),
        ((replace(CAMPAIGN, settings="b"), GROUP, AD), ("campaign", "c", "settings")),
        ((CAMPAIGN, GROUP, replace(AD, creative_id="other film")), ("ad", "a", "creative_id")),
        ((CAMPAIGN, GROUP, AD, replace(AD, id="b", created_at=BETWEEN)), ("ad", "b", "new")),
        ((CAMPAIGN, GROUP), ("ad", "a", "gone")),
    ],
)
def test_an_edit_is_told_with_where_it_lies(after, what):
    found = edits(*after)
    assert found.select("level", "entity_id", "what").rows() == [what]
    assert found.select("platform", "account_id", "timezone", "campaign_id").rows() == [
        ("meta", "1", SHOP.timezone, "c")
    ]
    assert found["ad_group_id"].to_list() == [None if what[0] == "campaign" else "g"]


TEN = Budget(Money(Decimal(10), "EUR"), BudgetPeriod.DAILY)


@pytest.mark.parametrize(
    "after",
    [
        ALL,
        (CAMPAIGN, replace(GROUP, budget=TEN, updated_at=BETWEEN), AD),
        (CAMPAIGN, replace(GROUP, name="renamed", delivery="IN_REVIEW", in_learning=True), AD),
        (CAMPAIGN, replace(GROUP, settings="", optimization_goal=""), replace(AD, creative_id=None)),
        (CAMPAIGN, GROUP, AD, replace(AD, id="b", created_at=BETWEEN, status=EntityStatus.PAUSED)),
        (CAMPAIGN, GROUP, AD, replace(AD, id="b")),  # listed late, made long ago
        (CAMPAIGN, replace(GROUP, id="h", created_at=BETWEEN), GROUP, AD),
        (),
    ],
    ids=["nothing", "budget", "name and delivery", "not told", "paused ad", "late row", "new ad group", "no rows"],
)
def test_what_is_no_edit_is_not_told(after):
    found = edits(*after)
    assert found.is_empty()
    assert dict(found.schema) == dict(RAW_EDITS_SCHEMA)


def test_rows_that_were_rejected_are_not_taken_for_ads_that_are_gone():
    assert edits(CAMPAIGN, GROUP, whole=False).is_empty()


def test_an_older_snapshot_that_knows_no_settings_tells_no_edit():
    old = frame(ALL, THEN).with_columns(settings=pl.lit(None, dtype=pl.String))
    assert edits_frame(old, frame(ALL, NOW), fetched_at=NOW).is_empty()


@pytest.mark.parametrize(
    ("updated", "told"),
    [(BETWEEN, BETWEEN), (THEN - timedelta(days=3), NOW), (NOW + timedelta(hours=1), NOW), (None, NOW)],
)
def test_an_edit_is_dated_by_the_entity_where_that_fits_and_else_when_it_was_seen(updated, told):
    assert edits(CAMPAIGN, replace(GROUP, settings="b", updated_at=updated), AD)["changed_at"].to_list() == [told]
