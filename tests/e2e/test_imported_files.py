"""An export of our own making: imported, through the marts to estimates, and planned from the file alone."""

from pathlib import Path

import polars as pl
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
FILE, MAPPING = "examples/shop_export.csv", "examples/mappings/shop_export.yaml"


def test_an_imported_export_goes_through_the_same_assets(make_home):
    export = pl.read_csv(ROOT / FILE, try_parse_dates=True, infer_schema_length=None)
    days = sorted(set(export["Date"]))
    home = make_home(None)

    said = home.stakazo("import", FILE, "--platform", "shop", "--mapping", MAPPING)
    assert "rows accepted" in said
    home.drive(f"marts:{days[0]}:{days[-1]}", f"estimate:{days[-1]}")

    report = home.mart("ad_reporting__ad_group_report")
    accepted = home.lake.newest("insights_ad_group").whole()
    assert float(report["spend"].sum()) == pytest.approx(float(accepted["spend"].sum()))
    budgets = home.lake.read_asset("budget_allocations", days[-1])
    assert set(budgets["platform"]) == {"shop"}
    assert budgets["proposed_budget"].sum() == pytest.approx(budgets["current_budget"].sum(), rel=1e-4)


def test_a_plan_needs_only_the_file(make_home, tmp_path):
    out = tmp_path / "plan.csv"
    said = make_home(None).stakazo("plan", FILE, "--mapping", MAPPING, "--out", str(out))
    plan = pl.read_csv(out)
    assert plan.columns == [
        "ad_group", "current_budget", "proposed_budget", "roas", "roas_low", "roas_high",
        "marginal_roas", "marginal_roas_low", "marginal_roas_high",
        "expected_gain", "expected_gain_low", "expected_gain_high", "state", "binding", "shadow_price",
    ]  # fmt: skip
    assert plan["ad_group"][0] in said
    assert plan["proposed_budget"].sum() <= plan["current_budget"].sum() * (1 + 1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "none.csv", "--platform", "shop"], "none.csv"),
        (["plan", FILE, "--as-of", "soon"], "--as-of 'soon' is not a day; write it as 2026-06-30"),
        (["plan", "none.csv"], "none.csv"),
        (["approve", "abc"], "no such plan"),
        (["plan", FILE, "--mapping", MAPPING, "--column", "spend=Cost"], "--mapping and --column"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_1(make_home, arguments, message):
    said = make_home(None).stakazo(*arguments, status=1)
    [line] = said.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
