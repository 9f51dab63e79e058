"""Ads Manager exports are recognised by their header; units and blanks are read as Meta means them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.importing import import_file, read_table, recognise
from stakazo_pipelines.vocabulary import Level

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
API = (
    "date_start,date_stop,account_id,campaign_id,campaign_name,adset_id,adset_name,ad_id,ad_name,impressions,reach,"
    "clicks,inline_link_clicks,spend,ctr,actions:link_click,actions:offsite_conversion.fb_pixel_purchase,"
    "action_values:offsite_conversion.fb_pixel_purchase,actions:post_engagement,actions:video_view\n"
    "2026-01-01,2026-01-01,act_1,11,Güz,22,Çocuk,33,Reklam ş,1000,800,20,15,12.34,2.0,15,2,199.90,7,40\n"
    "2026-01-02,2026-01-02,act_1,11,Güz,22,Çocuk,33,Reklam ş,500,400,10,7,6.00,2.0,7,,,3,20\n"
)
DOWNLOAD = (
    '"Campaign name","Ad set name","Ad name",Day,Impressions,Reach,"Clicks (all)","Link clicks",'
    '"Amount spent (EUR)",Purchases,"Purchases conversion value","Attribution setting","Reporting starts",'
    '"Reporting ends"\n'
    ",,,,3000,,40,,99.00,5,300,,2026-01-01,2026-01-31\n"
    'Sale,Women,Video,2026-01-03,2000,1500,30,20,"1,012.50",4,250.5,"7-day click, 1-day view",2026-01-01,2026-01-31\n'
    "Sale,Women,Video,2026-01-04,1000,900,10,,40.00,,,7-day click,2026-01-01,2026-01-31\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_insights_layout_is_recognised_with_or_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "meta.csv"
    file.write_text(API, encoding=encoding)
    report = import_file(file, platform="meta", imported_at=NOW)
    first, second = report.rows
    assert (report.layout, report.level, report.rejected) == ("Meta insights", Level.AD, ())
    assert (first.campaign_id, first.ad_group_id, first.ad_id) == ("11", "22", "33")
    assert (first.campaign_name, first.ad_group_name, first.ad_name) == ("Güz", "Çocuk", "Reklam ş")
    assert (first.spend, first.conversions, first.conversions_value) == (Decimal("12.34"), 2, Decimal("199.90"))
    assert (first.link_clicks, first.video_plays, first.engagements, first.reach) == (15, 40, 7, 800)
    assert (second.conversions, second.conversions_value) == (0, 0)  # Meta leaves the cell empty for none
    assert report.accounts[0].id == "act_1"


def test_the_ads_manager_download_is_recognised_with_its_currency_and_its_total_row_is_set_aside(
    tmp_path: Path,
) -> None:
    file = tmp_path / "Campaigns.csv"
    file.write_text(DOWNLOAD, encoding="utf-8-sig")
    report = import_file(file, platform="meta", imported_at=NOW)
    assert report.layout == "Ads Manager"
    assert report.accounts[0].currency == "EUR"
    assert [(row.day, row.spend, row.conversions) for row in report.rows] == [
        (date(2026, 1, 3), Decimal("1012.50"), 4),
        (date(2026, 1, 4), Decimal("40.00"), 0),
    ]
    assert report.rows[0].attribution_window == "7-day click, 1-day view"
    assert [(bad.where, bad.field) for bad in report.rejected] == [("row 2", "date")]


def test_rows_that_cover_more_than_a_day_are_set_aside_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "meta.csv"
    file.write_text(API.replace("2026-01-02,2026-01-02", "2026-01-02,2026-01-09"), encoding="utf-8")
    [bad] = import_file(file, platform="meta", imported_at=NOW).rejected
    assert "covers 2026-01-02 to 2026-01-09; export with a breakdown by day" in bad.reason


def test_other_headers_are_not_recognised() -> None:
    assert recognise(["date", "ad_group", "spend"]) is None
    assert recognise(["Day", "Amount spent (EUR)"]) is None  # nothing that could hold a budget


def test_files_that_are_no_tables_are_refused_with_what_to_do(tmp_path: Path) -> None:
    cases = {
        "a.pdf": (b"%PDF", "save it as .csv or .xlsx"),
        "empty.csv": (b"", "is empty"),
        "header.csv": (b"a,b\n", "no rows"),
        "latin.csv": ("a,b\nş,ü\n".encode("iso-8859-9"), "line 2 is not utf-8"),
        "cut.csv": (b'a,b\n"x,1\n', "row 2 is not valid CSV"),
        "no.xlsx": (b"not a zip", "cannot be read as Excel"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_table(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "missing.csv")
