"""From raw vintages through dbt to promoted days and the frames of measurement, with dbt run as a command."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.importing import import_file, load_mapping
from stakazo_pipelines.lake import Lake, entities_frame, insight_rows_frame
from stakazo_pipelines.marts import (
    MART_MODELS,
    arm_days,
    build_lock,
    mart_days,
    maturity_vintages,
    promote_build,
    read_mart,
    request_days,
)
from stakazo_pipelines.marts.tables import day_file
from stakazo_pipelines.measurement.maturity import MATURE_AGE, MaturityCurve
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, Entity, InsightRow
from stakazo_pipelines.quality import readiness
from stakazo_pipelines.vocabulary import EntityStatus, Level

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LIVE = Account("1", "Live shop", "TRY", "Europe/Istanbul", 100, EntityStatus.ACTIVE)
EXPORTED_AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)
AD, GROUP, CAMPAIGN, SHOP = (f"ad_reporting__{level}_report" for level in ("ad", "ad_group", "campaign", "account"))

PORTFOLIO = "ad_reporting__portfolio_report"

Build = Callable[..., None]


@pytest.fixture(scope="module")
def dbt_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Runs a whole build, dbt as a command; promotes only what passed."""
    scratch = tmp_path_factory.mktemp("dbt")
    # dbt parses the project again when the environment that it reads changes: one path leads to every lake.
    link = scratch / "lake"

    def build(lake: Lake, days: Sequence[date], maturity: dict[str, MaturityCurve] | None = None) -> None:
        environment = os.environ | {
            "STAKAZO_LAKE": str(link),
            "DBT_TARGET_PATH": str(scratch / "target"),
            "DBT_LOG_PATH": str(scratch / "logs"),
            "DO_NOT_TRACK": "1",
        }
        command = [sys.executable, "-m", "dbt.cli.main", "build", "--project-dir", ROOT / "dbt"]
        command += ["--profiles-dir", ROOT / "dbt"]
        if link.is_symlink():
            link.unlink()
            command += ["--exclude-resource-type", "unit_test"]  # the first build ran them
        link.symlink_to(lake.root)
        with build_lock(lake, timeout=10):
            request_days(lake, days, maturity=maturity)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
            assert done.returncode == 0, done.stdout + done.stderr
            promote_build(lake, MART_MODELS, days)

    return build


def append(lake: Lake, level: Level, day: date, rows: list[tuple[str, str, str, float, float]], age: int) -> None:
    fetched_at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=age)
    depth = [Level.ACCOUNT, Level.CAMPAIGN, Level.AD_GROUP, Level.AD].index(level)
    made = []
    for *ids, spend, conversions in rows:
        known = [entity if index < depth else None for index, entity in enumerate(ids)]
        amounts = (Decimal(str(spend)), Decimal(str(conversions)), Decimal(str(conversions * 100)))
        made.append(InsightRow(day, level, "1", *known, None, None, None, 1000, 10, *amounts, "7d", reach=800))
    frame = insight_rows_frame(made, account=LIVE, level=level, platform="meta", fetched_at=fetched_at)
    lake.append_raw("meta", f"insights_{level}", day=day, account_id="1", fetched_at=fetched_at, frame=frame)


def snapshot(lake: Lake, at: datetime) -> None:
    def entity(level: Level, own: str, parent: str, budget: str | None = None, status: str = "active") -> Entity:
        money = Budget(Money(Decimal(budget), "TRY"), BudgetPeriod.DAILY) if budget else None
        return Entity(level, own, "1", parent, f"{level} {own}", EntityStatus(status), "", budget=money)

    entities = [
        entity(Level.CAMPAIGN, "c1", "1"),
        entity(Level.CAMPAIGN, "c2", "1", "90"),
        entity(Level.AD_GROUP, "g1", "c1", "50"),
        entity(Level.AD_GROUP, "g2", "c1", "40", "paused"),
        entity(Level.AD_GROUP, "g3", "c2"),
        *(entity(Level.AD, f"a{number}", f"g{number}") for number in (1, 2, 3)),
    ]
    frame = entities_frame(entities, account=LIVE, platform="meta", fetched_at=at)
    lake.append_raw("meta", "entities", day=at.date(), account_id="1", fetched_at=at, frame=frame)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, dbt_build: Build) -> Lake:
    """A connected account over two days (one restated, one emptied later) beside an imported shop; built once."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    ads = [("c1", "g1", "a1", 10.0, 1), ("c1", "g2", "a2", 20.0, 0), ("c2", "g3", "a3", 30.0, 2)]
    append(lake, Level.AD, DAY, [(*row[:3], row[3], 0) for row in ads], age=1)
    append(lake, Level.AD, DAY, [(*row[:3], row[3], row[4]) for row in ads], age=7)
    append(lake, Level.ACCOUNT, DAY, [("", "", "", 60.0, 0)], age=1)
    append(lake, Level.ACCOUNT, DAY, [("", "", "", 60.0, 3)], age=7)
    emptied = DAY + timedelta(days=1)
    append(lake, Level.AD, emptied, [("c1", "g1", "a1", 5.0, 1)], age=1)
    append(lake, Level.AD, emptied, [], age=2)
    snapshot(lake, datetime(2026, 3, 2, 6, tzinfo=UTC))
    report = import_file(
        ROOT / "examples" / "shop_export.csv",
        platform="meta",
        imported_at=EXPORTED_AT,
        mapping=load_mapping(ROOT / "examples" / "mappings" / "shop_export.yaml"),
        lake=lake,
    )
    dbt_build(lake, report.days)
    return lake


def live(lake: Lake, model: str, day: date = DAY) -> list[dict[str, object]]:
    return read_mart(lake, model, day, day).filter(pl.col("account_id") == "1").to_dicts()


def test_totals_of_an_import_are_those_of_its_file_at_every_grain(lake: Lake) -> None:
    export = pl.read_csv(ROOT / "examples" / "shop_export.csv")
    for model in (GROUP, CAMPAIGN, SHOP):
        rows = read_mart(lake, model, date(2026, 1, 1), date(2026, 3, 31))
        rows = rows.filter(pl.col("account_id") == "example-shop")
        assert float(rows["spend"].sum()) == pytest.approx(export["Cost"].sum())
        assert float(rows["conversions_value"].sum()) == pytest.approx(export["Revenue"].sum())
        assert rows["impressions"].sum() == export["Views"].sum()
    assert len(mart_days(lake, SHOP)) == 60


def test_the_newest_vintage_counts_and_says_how_mature_it_is(lake: Lake) -> None:
    rows = live(lake, AD)
    assert [row["conversions"] for row in rows] == [1, 0, 2]
    assert {row["age_days"] for row in rows} == {7}
    assert rows[0]["maturity"] == pytest.approx(0.88)
    assert rows[0]["ad_name"] == "ad a1"  # the report had no name, the snapshot does
    assert (rows[0]["roas"], rows[1]["cpa"]) == (10.0, None)


def test_a_day_whose_newest_vintage_is_empty_has_no_rows_but_is_built(lake: Lake) -> None:
    assert live(lake, AD, DAY + timedelta(days=1)) == []
    assert DAY + timedelta(days=1) in mart_days(lake, AD)


def test_each_grain_says_which_level_was_reported_and_adds_no_reach_up(lake: Lake) -> None:
    [account] = live(lake, SHOP)
    assert (account["reported_level"], account["reach"], account["spend"]) == ("account", 800, 60)
    assert account["account_name"] == "Live shop"
    campaigns = live(lake, CAMPAIGN)
    assert [(row["campaign_id"], row["spend"], row["reach"]) for row in campaigns] == [
        ("c1", 30, None),
        ("c2", 30, None),
    ]
    assert {row["reported_level"] for row in campaigns} == {"ad"}


def test_amounts_are_also_told_in_the_reporting_currency_and_add_up_over_a_platform(lake: Lake) -> None:
    worth = 1 / float(load_rates().rate("TRY", DAY))
    [account] = live(lake, SHOP)
    assert account["reporting_currency"] == "USD"
    assert float(account["spend_reporting"]) == pytest.approx(60 * worth, abs=1e-6)
    for model in (SHOP, CAMPAIGN, GROUP, AD):
        rows = read_mart(lake, model, DAY, DAY).filter(pl.col("account_id") == "1")
        assert float(rows["spend_reporting"].sum()) == pytest.approx(60 * worth, abs=1e-5)
    accounts = read_mart(lake, SHOP, DAY, DAY)
    [together] = read_mart(lake, PORTFOLIO, DAY, DAY).to_dicts()
    assert (together["platform"], together["currency"], together["accounts"]) == ("meta", "USD", accounts.height)
    assert together["spend"] == accounts["spend_reporting"].sum()
    assert together["roas"] == pytest.approx(float(together["conversions_value"] / together["spend"]))


def test_a_day_built_before_a_column_was_added_is_read_without_it(lake: Lake) -> None:
    path = day_file(lake, AD, DAY)
    now = path.read_bytes()
    pl.read_parquet(path).drop("spend_reporting").write_parquet(path)
    try:
        assert read_mart(lake, AD, DAY, DAY)["spend_reporting"].null_count() == 3
    finally:
        path.write_bytes(now)


def test_arms_are_the_budget_holders_of_an_account_with_entities(lake: Lake) -> None:
    days, arms = arm_days(lake, DAY + timedelta(days=5), 30)
    own = arms.filter(pl.col("account_id") == "1")
    assert own.select("arm_id", "campaign_id", "budget").rows() == [("c2", "c2", 90.0), ("g1", "c1", 50.0)]
    spent = days.filter(pl.col("account_id") == "1").select("arm_id", "spend", "conversions", "age_days").rows()
    # The paused ad group is no arm to fund, but what it did informs the others.
    assert spent == [("c2", 30.0, 2.0, 7), ("g1", 10.0, 1.0, 7), ("g2", 20.0, 0.0, 7)]


def test_arms_of_an_import_are_its_ad_groups_at_what_they_spent_lately(lake: Lake) -> None:
    until = date(2026, 2, 10)
    days, arms = arm_days(lake, until, 20)
    days, arms = (frame.filter(pl.col("account_id") == "example-shop") for frame in (days, arms))
    assert (arms.height, days["date_day"].min(), days["date_day"].max()) == (10, date(2026, 1, 21), date(2026, 2, 9))
    week = days.filter(pl.col("date_day") >= until - timedelta(days=7))
    assert arms["budget"].sum() == pytest.approx(week["spend"].sum() / 7)


def test_vintages_show_conversions_arriving(lake: Lake) -> None:
    seen = maturity_vintages(lake, DAY, DAY).filter(pl.col("account_id") == "1")
    assert seen.select("age_days", "conversions").rows() == [(1, 0.0), (7, 3.0)]
    later = maturity_vintages(lake, DAY, DAY + timedelta(days=1))
    emptied = later.filter(pl.col("date_day") == DAY + timedelta(days=1), pl.col("account_id") == "1")
    assert emptied.select("age_days", "conversions").rows() == [(1, 1.0), (2, 0.0)]


def test_a_rebuild_touches_only_the_days_asked_for_and_opens_only_their_files(lake: Lake, dbt_build: Build) -> None:
    learned = MaturityCurve(shares=(*[0.5] * MATURE_AGE, 1.0))
    far = date(2025, 1, 1)
    append(lake, Level.AD, far, [("c1", "g1", "a1", 1.0, 0)], age=1)
    [file] = [raw for raw in lake.raw_files("insights_ad") if raw.day == far]
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-8] + b"\0\0\0\0PAR1")  # opening it would end the build
    before = {day: day_file(lake, AD, day).stat().st_mtime_ns for day in mart_days(lake, AD)}
    append(lake, Level.AD, DAY, [("c1", "g1", "a1", 60.0, 9)], age=8)
    try:
        dbt_build(lake, [DAY], {"meta": learned})
    finally:
        file.path.unlink()
    [row] = live(lake, AD)
    assert (row["conversions"], row["age_days"], row["maturity"]) == (9, 8, 0.5)  # now by the platform's own curve
    after = {day: day_file(lake, AD, day).stat().st_mtime_ns for day in mart_days(lake, AD)}
    assert {day for day in after if after[day] != before[day]} == {DAY}


def test_ads_that_do_not_add_up_to_their_account_keep_that_account_from_being_acted_upon(
    tmp_path: Path, dbt_build: Build
) -> None:
    lake = Lake(tmp_path)
    append(lake, Level.AD, DAY, [("c1", "g1", "a1", 90.0, 1)], age=1)
    append(lake, Level.ACCOUNT, DAY, [("", "", "", 100.0, 1)], age=1)
    dbt_build(lake, [DAY])
    reports = [read_mart(lake, model, DAY, DAY) for model in ("ad_reporting__account_report", AD)]
    account, ads = reports
    [verdict] = readiness(account, {"ads": ads}, day=DAY, tolerance=0.01, max_age_days=3).iter_rows(named=True)
    assert not verdict["ready"]
    assert verdict["reason"] == "ads and account totals differ by 10.0 %"


def test_a_lake_without_any_data_builds_empty_days(tmp_path: Path, dbt_build: Build) -> None:
    lake = Lake(tmp_path)
    dbt_build(lake, [DAY])
    assert [mart_days(lake, model) for model in MART_MODELS] == [[DAY]] * len(MART_MODELS)
    assert read_mart(lake, AD, DAY, DAY).is_empty()
    days, arms = arm_days(lake, DAY, 30)
    assert days.is_empty()
    assert arms.is_empty()


def test_a_second_builder_is_told_who_is_in_the_way(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with (
        build_lock(lake),
        pytest.raises(LakeError, match="another build of the marts has held this lock"),
        build_lock(lake, timeout=0.05),
    ):
        pass


def test_promoting_what_dbt_did_not_build_names_the_likely_cause(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    request_days(lake, [DAY])
    with pytest.raises(LakeError, match="STAKAZO_LAKE"):
        promote_build(lake, MART_MODELS, [DAY])
    with pytest.raises(LakeError, match="was not requested"):
        promote_build(lake, MART_MODELS, [DAY + timedelta(days=1)])
    with pytest.raises(LakeError, match="no mart"):
        read_mart(lake, "ad_reporting__planet_report", DAY, DAY)


def test_a_torn_day_of_a_mart_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    path = day_file(lake, AD, DAY)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 torn")
    with pytest.raises(LakeError, match=r"date_day=2026-03-01.*torn.*build those days again"):
        read_mart(lake, AD, DAY, DAY)


def test_the_project_parses_without_any_lake(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "STAKAZO_LAKE"}
    environment |= {"DBT_TARGET_PATH": str(tmp_path / "target"), "DBT_LOG_PATH": str(tmp_path)}
    command = [sys.executable, "-m", "dbt.cli.main", "parse", "--project-dir", ROOT / "dbt"]
    command += ["--profiles-dir", ROOT / "dbt"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "target" / "manifest.json").is_file()
