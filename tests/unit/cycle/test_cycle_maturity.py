"""Vintages of the lake with the window and objective of their campaigns, and what is kept of maturity for people."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from stakazo_pipelines import marts
from stakazo_pipelines.cycle.maturity import MATURITY, told_maturity
from stakazo_pipelines.cycle.returns import learned_maturity
from stakazo_pipelines.lake import Lake, entities_frame, insight_rows_frame
from stakazo_pipelines.measurement.maturity_report import summary
from stakazo_pipelines.platforms.port import Account, Entity, InsightRow
from stakazo_pipelines.vocabulary import EntityStatus, Level

DAY = date(2026, 6, 1)
SHOP = Account("1", "Shop", "EUR", "UTC", 100, EntityStatus.ACTIVE)
WINDOW = "7d_click"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    objectives = {"c1": "sales", "c2": "leads", "c3": ""}
    entities = [
        *(Entity(Level.CAMPAIGN, c, "1", "1", c, EntityStatus.ACTIVE, "", objective=o) for c, o in objectives.items()),
        Entity(Level.AD_GROUP, "g3", "1", "c3", "g3", EntityStatus.ACTIVE, "", objective="traffic"),
    ]
    at = datetime(2026, 6, 2, 6, tzinfo=UTC)
    frame = entities_frame(entities, account=SHOP, platform="meta", fetched_at=at)
    lake.append_raw("meta", "entities", day=at.date(), account_id="1", fetched_at=at, frame=frame)
    return lake


def report(
    lake: Lake, level: Level, age: int, rows: Sequence[tuple[str, str | None, int, str]], day: date = DAY
) -> None:
    """Rows of campaign, ad group, conversions and the window that they name, of `day` as read `age` days later."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=age)
    made = []
    for campaign, ad_group, conversions, window in rows:
        ids = (None, None, None) if level is Level.ACCOUNT else (campaign, ad_group, None)
        amounts = (Decimal(10), Decimal(conversions), Decimal(conversions * 50))
        made.append(InsightRow(day, level, "1", *ids, None, None, None, 100, 10, *amounts, window))
    frame = insight_rows_frame(made, account=SHOP, level=level, platform="meta", fetched_at=at)
    lake.append_raw("meta", f"insights_{level}", day=day, account_id="1", fetched_at=at, frame=frame)


def told(lake: Lake) -> dict[tuple[str, str], list[tuple[int, float]]]:
    frame = marts.maturity_vintages(lake, DAY, DAY + timedelta(days=7))
    groups = frame.group_by("attribution_window", "objective", maintain_order=True)
    return {(str(key[0]), str(key[1])): part.select("age_days", "conversions").rows() for key, part in groups}


def test_vintages_are_told_apart_by_objective_and_by_the_window_that_ad_groups_name(lake):
    report(lake, Level.AD_GROUP, 1, [("c1", "g1", 1, WINDOW), ("c2", "g2", 1, "1d_click"), ("c2", "g4", 0, "1d_click")])
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 1, "standard"), ("c2", None, 1, "standard")])
    later = [("c1", None, 4, "standard"), ("c2", None, 2, "standard"), ("c3", None, 1, "other")]
    report(lake, Level.CAMPAIGN, 3, later)
    assert told(lake) == {
        (WINDOW, "sales"): [(1, 1.0), (3, 4.0)],
        ("1d_click", "leads"): [(1, 1.0), (3, 2.0)],
        ("other", "traffic"): [(1, 0.0), (3, 1.0)],  # its ad groups' objective, its own word for the window
    }


def test_a_campaign_of_several_windows_has_none(lake):
    report(lake, Level.AD_GROUP, 1, [("c1", "g1", 1, WINDOW), ("c1", "g2", 1, "1d_click")])
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 2, "standard")])
    assert list(told(lake)) == [("", "sales")]


def test_a_window_that_was_changed_takes_its_older_vintages_along(lake):
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 5, WINDOW)])
    report(lake, Level.CAMPAIGN, 2, [("c1", None, 3, "1d_click")])
    assert told(lake) == {("1d_click", "sales"): [(1, 5.0), (2, 3.0)]}


def test_where_only_the_account_was_read_again_its_totals_teach(lake):
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 5, WINDOW)])
    for age, conversions in ((1, 5), (2, 6)):
        report(lake, Level.ACCOUNT, age, [("", None, conversions, WINDOW)])
    assert told(lake) == {(WINDOW, ""): [(1, 5.0), (2, 6.0)]}


def test_a_second_reading_of_the_same_morning_counts_once_and_in_place_of_the_first(lake):
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 5, WINDOW)])
    for conversions in (3, 7):
        report(lake, Level.CAMPAIGN, 3, [("c1", None, conversions, WINDOW)])
    report(lake, Level.ACCOUNT, 1, [("", None, 5, WINDOW)])
    for _ in range(2):
        report(lake, Level.ACCOUNT, 3, [("", None, 7, WINDOW)])
    assert told(lake) == {(WINDOW, "sales"): [(1, 5.0), (3, 7.0)]}


def test_curves_of_the_lake_stand_under_their_groups(lake):
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 5, WINDOW)])
    report(lake, Level.CAMPAIGN, 3, [("c1", None, 9, WINDOW)])
    names = [f"meta · {WINDOW} · sales · 1", f"meta · {WINDOW} · sales", f"meta · {WINDOW}", "meta"]
    assert sorted(learned_maturity(lake, DAY)) == sorted(names)


def test_platforms_of_the_newest_day_are_told(lake):
    assert told_maturity(lake) is None
    report(lake, Level.CAMPAIGN, 1, [("c1", None, 5, WINDOW)])
    curves = learned_maturity(lake, DAY)
    for back in (1, 0):
        day = DAY - timedelta(days=back)
        lake.write_asset(MATURITY, day, summary(curves, day=day, threshold=0.9))
    found = told_maturity(lake)
    assert found is not None
    assert found[0] == DAY
    assert found[1]["group"].to_list() == ["meta"]
    assert found[1].select(pl.col("mature_as_of") < DAY).item()
