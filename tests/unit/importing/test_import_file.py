"""Importing an export: what is accepted, what is set aside and why, and what lands in the lake."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.importing import ColumnMapping, ImportReport, import_file, load_mapping
from stakazo_pipelines.lake import Lake

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
MAPPING = ColumnMapping(date="day", ad_group="group", spend="cost", conversions="orders", value="revenue")
HEADER = "day,group,cost,orders,revenue"


def bring_in(path: Path, text: str, mapping: ColumnMapping | None = MAPPING, **options: object) -> ImportReport:
    file = path / "export.csv"
    file.write_text(text, encoding="utf-8")
    return import_file(file, platform="meta", imported_at=NOW, mapping=mapping, **options)  # type: ignore[arg-type]


def test_the_example_shop_lands_whole_and_again_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    mapping = load_mapping(EXAMPLES / "mappings" / "shop_export.yaml")
    report = import_file(EXAMPLES / "shop_export.csv", platform="meta", imported_at=NOW, mapping=mapping, lake=lake)
    assert (report.accepted, report.merged, report.rejected, len(report.days)) == (600, 0, (), 60)
    raw = pl.read_csv(EXAMPLES / "shop_export.csv")
    assert float(report.spend) == pytest.approx(raw["Cost"].sum())
    assert float(report.conversions_value) == pytest.approx(raw["Revenue"].sum())
    landed = lake.newest("insights_ad_group").whole()
    assert landed.height == 600
    assert landed.get_column("spend").sum() == report.spend
    assert landed.get_column("timezone").unique().to_list() == ["Europe/Berlin"]
    import_file(EXAMPLES / "shop_export.csv", platform="meta", imported_at=NOW, mapping=mapping, lake=lake)
    assert len(lake.raw_files("insights_ad_group")) == 60


def test_no_entities_and_no_days_are_invented(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    bring_in(tmp_path, f"{HEADER}\n2026-01-01,a,1,0,0\n2026-01-03,a,1,0,0\n", lake=lake)
    assert lake.raw_files("entities") == []
    assert lake.raw_days("meta", "insights_ad_group") == {date(2026, 1, 1), date(2026, 1, 3)}


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("2026-01-02,a,-1,0,0", "spend", "negative"),
        ("2026-01-02,a,ten,0,0", "spend", "'ten' is not a number"),
        ("2026-01-02,a,nan,0,0", "spend", "not a number"),
        ("2026-01-02,a,,0,0", "spend", "not a cost of zero"),
        ("2026-01-02,a,1e14,0,0", "spend", "too large"),
        (",a,1,0,0", "date", "missing"),
        ("02/01/2026,a,1,0,0", "date", "give the mapping a date format"),
        ("2026-02-30,a,1,0,0", "date", "is not a date"),
        ("2026-07-02,a,1,0,0", "date", "after the day of the import"),
        ("2026-01-02,a,1,0", "row", "has 4 cells, the header 5"),
        ("2026-01-02,a,1,0,0,9", "row", "has 6 cells"),
        ("2026-01-01,good,1,2,3", "row", "the same in every cell as row 2"),
    ],
)
def test_a_bad_row_is_set_aside_with_row_field_and_reason_and_the_others_go_on(
    tmp_path: Path, row: str, field: str, reason: str
) -> None:
    lake = Lake(tmp_path / "lake")
    report = bring_in(tmp_path, f"{HEADER}\n2026-01-01,good,1,2,3\n{row}\n", lake=lake)
    [rejected] = report.rejected
    assert (rejected.where, rejected.field) == ("row 3", field)
    assert reason in rejected.reason
    assert report.accepted == 1
    [kept] = lake.vintages("quarantine").whole().to_dicts()
    assert (kept["field"], kept["reason"]) == (field, rejected.reason)


def test_rows_of_one_entity_and_day_are_added_up_and_said_so_and_reach_is_not(tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(update={"reach": "reach", "impressions": "views"})
    text = f"{HEADER},age,reach,views\n2026-01-01,a,1.10,2,3,18-24,50,80\n2026-01-01,a,2.20,1,4,25-34,60,90\n"
    report = bring_in(tmp_path, text, mapping)
    [row] = report.rows
    assert (row.spend, row.conversions, row.conversions_value, row.impressions) == (Decimal("3.30"), 3, 7, 170)
    assert row.reach is None
    assert report.merged == 1
    assert any("added up" in note for note in report.notes)


def test_a_measure_without_a_column_lands_as_unknown_not_as_zero(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    mapping = ColumnMapping(date="day", ad_group="group", spend="cost")
    report = bring_in(tmp_path, "day,group,cost\n2026-01-01,a,1\n", mapping, lake=lake)
    [row] = lake.newest("insights_ad_group").whole().to_dicts()
    assert (row["conversions"], row["conversions_value"], row["impressions"]) == (None, None, None)
    assert any("returns cannot be estimated" in note for note in report.notes)


def test_an_empty_cell_in_a_key_is_a_value_of_its_own(tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(update={"ad_group": ("group", "place")})
    text = f"{HEADER},place\n2026-01-01,a,1,0,0,\n2026-01-01,a,2,0,0,#N/A\n2026-01-01,a,4,0,0,x\n"
    names = {row.ad_group_name: row.spend for row in bring_in(tmp_path, text, mapping).rows}
    assert names == {"a / (blank)": 3, "a / x": 4}


def test_equal_names_in_two_campaigns_are_two_ad_groups(tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(update={"campaign": ("campaign",)})
    text = f"{HEADER},campaign\n2026-01-01,a,1,0,0,one\n2026-01-01,a,2,0,0,two\n"
    assert len({row.ad_group_id for row in bring_in(tmp_path, text, mapping).rows}) == 2


def test_dates_in_several_columns_get_their_year_and_commas_may_be_decimal(tmp_path: Path) -> None:
    mapping = ColumnMapping.model_validate(
        {
            "date": {"columns": ["month", "day"], "format": "%B %d", "year": 2024},
            "ad_group": "group",
            "spend": "cost",
            "decimal": ",",
        }
    )
    [row] = bring_in(tmp_path, "month;day;group;cost\nFebruary;29;a;1.234,50\n", mapping).rows
    assert (row.day, row.spend) == (date(2024, 2, 29), Decimal("1234.50"))


def test_thousands_separators_are_understood(tmp_path: Path) -> None:
    [row] = bring_in(tmp_path, f'{HEADER}\n2026-01-01,a,"1,234,567.89",2,3\n').rows
    assert row.spend == Decimal("1234567.89")


def test_flags_come_before_the_mapping_and_assumptions_are_said(tmp_path: Path) -> None:
    mapping = ColumnMapping.model_validate(MAPPING.model_dump() | {"constants": {"currency": "EUR"}})
    text = f"{HEADER}\n2026-01-01,a,1,0,0\n"
    [account] = bring_in(tmp_path, text, mapping, currency="TRY", timezone="Europe/Istanbul", account="shop").accounts
    assert (account.id, account.currency, account.timezone) == ("shop", "TRY", "Europe/Istanbul")
    report = bring_in(tmp_path, text)
    assert (report.accounts[0].id, report.accounts[0].currency) == ("export", "USD")
    assert any("USD assumed" in note for note in report.notes)
    with pytest.raises(InputError, match="IANA"):
        bring_in(tmp_path, text, timezone="Mars/Olympus")


def test_an_account_with_two_currencies_is_refused_with_both_rows(tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(update={"currency": "currency"})
    text = f"{HEADER},currency\n2026-01-01,a,1,0,0,EUR\n2026-01-02,a,1,0,0,USD\n"
    with pytest.raises(InputError, match=r"EUR in row 2 and USD in row 3; split the file"):
        bring_in(tmp_path, text, mapping)


def test_a_file_without_one_good_row_is_an_error_that_shows_the_first_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of its 2 rows can be used; row 2, spend: 'x' is not a number"):
        bring_in(tmp_path, f"{HEADER}\n2026-01-01,a,x,0,0\n2026-01-01,b,y,0,0\n")


def test_an_unknown_layout_says_what_to_do_and_what_columns_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--mapping FILE or --column.*day, group, cost"):
        bring_in(tmp_path, f"{HEADER}\n2026-01-01,a,1,0,0\n", None)


def test_a_later_import_of_the_same_days_is_noted_and_wins(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    bring_in(tmp_path, f"{HEADER}\n2026-01-01,a,1,0,0\n2026-01-02,a,1,0,0\n", lake=lake)
    file = tmp_path / "export.csv"
    file.write_text(f"{HEADER}\n2026-01-01,a,5,1,9\n", encoding="utf-8")
    report = import_file(file, platform="meta", imported_at=NOW.replace(hour=12), mapping=MAPPING, lake=lake)
    assert any("1 account-days had been reported before" in note for note in report.notes)
    assert lake.newest("insights_ad_group").whole().get_column("spend").to_list() == [5, 1]


def test_excel_reads_like_csv(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["day", "group", "cost", "orders", "revenue"])
    book.active.append([datetime(2026, 1, 1), "a", 1.25, 2, 3.5])  # noqa: DTZ001 - as Excel keeps it
    book.active.append(["2026-01-02", 12, 2, None, None])
    book.active.append(["Total", None, 3.25, None, None])
    book.save(tmp_path / "export.xlsx")
    report = import_file(tmp_path / "export.xlsx", platform="meta", imported_at=NOW, mapping=MAPPING)
    assert [(row.day, row.ad_group_name, row.spend) for row in report.rows] == [
        (date(2026, 1, 1), "a", Decimal("1.25")),
        (date(2026, 1, 2), "12", Decimal(2)),
    ]
    assert [(bad.row, bad.field) for bad in report.rejected] == [(4, "date")]


def test_the_row_as_it_was_stays_with_the_vintage(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    bring_in(tmp_path, f"{HEADER},banner\n2026-01-01,a,1,0,0,728 x 90\n", lake=lake)
    [native] = lake.newest("insights_ad_group").whole().get_column("native")
    assert json.loads(native)["rows"][0]["banner"] == "728 x 90"


def test_a_folder_stands_for_the_one_table_in_it(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("about", encoding="utf-8")
    bring_in(tmp_path, f"{HEADER}\n2026-01-01,a,1,0,0\n")
    assert import_file(tmp_path, platform="meta", imported_at=NOW, mapping=MAPPING).accepted == 1
    (tmp_path / "more.csv").write_text("a", encoding="utf-8")
    with pytest.raises(InputError, match=r"folder with export\.csv, more\.csv; give the path of one file"):
        import_file(tmp_path, platform="meta", imported_at=NOW, mapping=MAPPING)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.dates(date(2026, 1, 1), date(2026, 1, 5)),
            st.sampled_from(["a", "b", ""]),
            st.one_of(st.decimals(-5, 1000, places=2).map(str), st.sampled_from(["x", ""])),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_row_is_either_accepted_or_set_aside_and_spend_adds_up(
    rows: list[tuple[date, str, str, int]], tmp_path: Path
) -> None:
    lines = [f"{day},{group},{cost},{orders},1,{number}" for number, (day, group, cost, orders) in enumerate(rows)]
    good = [Decimal(cost) for _, _, cost, _ in rows if cost not in {"x", ""} and Decimal(cost) >= 0]
    text = "\n".join([f"{HEADER},line", *lines])
    if not good:
        with pytest.raises(InputError, match="none of its"):
            bring_in(tmp_path, text)
        return
    report = bring_in(tmp_path, text)
    assert report.accepted + len(report.rejected) == len(rows)
    assert report.accepted - report.merged == len(report.rows)
    assert report.spend == sum(good)
