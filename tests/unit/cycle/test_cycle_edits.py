"""From two mornings of an account to the day that measurement believes an arm's level may have jumped on."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from stakazo_pipelines import marts
from stakazo_pipelines.cycle.soundness import sound_days
from stakazo_pipelines.ingest import ENTITY_LEVELS, ingest_entities
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.marts import MART_SCHEMAS
from stakazo_pipelines.marts.tables import day_file
from stakazo_pipelines.measurement.panel import build_panel
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, Capabilities, EntitiesResult, Entity
from stakazo_pipelines.vocabulary import EntityStatus, Level

DAY = date(2026, 6, 29)
MORNINGS = [datetime(2026, 6, 28, 6, tzinfo=UTC), datetime(2026, 6, 29, 6, tzinfo=UTC)]
SHOP = Account("1", "Shop", "EUR", "America/New_York", 100, EntityStatus.ACTIVE)
FIFTY = Budget(Money(Decimal(50), "EUR"), BudgetPeriod.DAILY)


def entity(level, own, parent, **more):
    return Entity(level, own, "1", parent, own, EntityStatus.ACTIVE, "", **{"settings": "a", **more})


# Two ad groups with budgets of their own, and a campaign that shares one out.
START = {
    "c": entity(Level.CAMPAIGN, "c", "1"),
    "g1": entity(Level.AD_GROUP, "g1", "c", budget=FIFTY),
    "g2": entity(Level.AD_GROUP, "g2", "c", budget=FIFTY),
    "s": entity(Level.CAMPAIGN, "s", "1", budget=FIFTY),
    "g3": entity(Level.AD_GROUP, "g3", "s"),
    "a1": entity(Level.AD, "a1", "g1", creative_id="film"),
    "a3": entity(Level.AD, "a3", "g3", creative_id="film"),
}


class Shop:
    """An account whose entities are `shown`."""

    name = "meta"
    capabilities = Capabilities(
        frozenset(ENTITY_LEVELS), frozenset(), frozenset(), False, False, 1, frozenset({Level.AD_GROUP})
    )

    def __init__(self):
        self.shown = dict(START)

    async def accounts(self):
        return [SHOP]

    async def entities(self, _account, level):
        return EntitiesResult([one for one in self.shown.values() if one.level is level], ())


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


def after(lake, **changes):
    """Arms on the second morning: id -> day of the last edit. `changes` are fields of entities by id."""
    shop = Shop()
    asyncio.run(ingest_entities(shop, lake, now=MORNINGS[0]))
    for own, fields in changes.items():
        shop.shown[own] = replace(shop.shown[own], **fields)
    asyncio.run(ingest_entities(shop, lake, now=MORNINGS[1]))
    _, arms = marts.arm_days(lake, DAY + timedelta(days=1), 90)
    return dict(arms.select("arm_id", "changed_on").iter_rows())


EDITED = date(2026, 6, 28)  # at 22:00 in New York; in UTC it is the 29th
LATE = {"updated_at": datetime(2026, 6, 29, 2, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("changes", "edited"),
    [
        ({}, set()),
        ({"g1": {"budget": replace(FIFTY, money=Money(Decimal(60), "EUR"))}}, set()),
        ({"g1": {"settings": "b"}}, {"g1"}),
        ({"a1": {"creative_id": "other"}}, {"g1"}),
        ({"c": {"settings": "b"}}, {"g1", "g2"}),
        ({"g3": {"settings": "b"}}, {"s"}),
        ({"a3": {"status": EntityStatus.PAUSED}}, set()),
    ],
    ids=["nothing", "budget", "bid", "creative", "campaign", "below a campaign's budget", "one ad below it"],
)
def test_an_edit_reaches_the_arms_that_it_is_about(lake, changes, edited):
    found = after(lake, **{own: {**fields, **LATE} for own, fields in changes.items()})
    assert found == {arm: EDITED if arm in edited else None for arm in ("g1", "g2", "s")}


def test_the_last_of_several_edits_counts_and_a_morning_read_twice_tells_nothing_new(lake):
    assert after(lake, g1={"settings": "b", **LATE})["g1"] == EDITED
    shop = Shop()
    shop.shown["g1"] = replace(START["g1"], settings="c")
    for _ in range(2):
        asyncio.run(ingest_entities(shop, lake, now=MORNINGS[1] + timedelta(days=1)))
    _, arms = marts.arm_days(lake, DAY + timedelta(days=1), 90)
    assert dict(arms.select("arm_id", "changed_on").iter_rows())["g1"] == date(2026, 6, 30)
    assert len(lake.raw_files("edits")) == 2
    _, earlier = marts.arm_days(lake, DAY, 90)  # what was seen later was not known then
    assert dict(earlier.select("arm_id", "changed_on").iter_rows())["g1"] == EDITED


def test_the_edit_of_an_arm_in_the_marts_is_one_of_its_panel(lake):
    after(lake, g1={"settings": "b", **LATE})
    facts = {"platform": "meta", "account_id": "1", "currency": "EUR", "impressions": 10, "age_days": 3}
    model = "ad_reporting__ad_group_report"
    rows = [
        {"date_day": DAY - timedelta(days=back), "campaign_id": "c", "ad_group_id": arm, **facts}
        | {name: Decimal(9) for name in ("spend", "conversions", "conversions_value")}
        for arm in ("g1", "g2")
        for back in range(10)
    ]
    path = day_file(lake, model, DAY)
    path.parent.mkdir(parents=True)
    pl.DataFrame(rows, schema=dict(MART_SCHEMAS[model])).write_parquet(path)
    given = sound_days(lake, DAY + timedelta(days=1), 90)
    panel = build_panel(
        arm_days=given.arm_days, arms=given.arms, as_of=DAY + timedelta(days=1), window_days=90, maturity={}
    )
    at = panel.arms["arm_id"].to_list().index("g1")
    assert panel.edited.sum() == 1
    assert panel.edited[89 - (DAY + timedelta(days=1) - EDITED).days, at]


def test_an_edit_behind_a_snapshot_that_cannot_be_used_is_still_told(lake):
    shop = Shop()
    for morning in MORNINGS:
        asyncio.run(ingest_entities(shop, lake, now=morning))
    newest = lake.raw_files("entities")[-1].path
    pl.read_parquet(newest).with_columns(entity_id=None).write_parquet(newest)
    shop.shown["g1"] = replace(START["g1"], settings="b")
    asyncio.run(ingest_entities(shop, lake, now=MORNINGS[1] + timedelta(days=1)))
    _, arms = marts.arm_days(lake, DAY + timedelta(days=1), 90)
    assert dict(arms.select("arm_id", "changed_on").iter_rows())["g1"] == date(2026, 6, 30)
