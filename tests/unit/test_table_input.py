"""A user's table: what is read, what is set aside and why, and what is an error with its fix."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.table_input import clean_table, read_table

HEADER = "date,ad_group,spend,conversions,conversions_value\n"


@pytest.fixture
def write(tmp_path):
    def to_file(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return to_file


def test_a_plain_csv_is_read_as_it_stands(write):
    result = read_table(write(HEADER + "2026-01-01,A,10.50,2,40\n2026-01-02,A,11,0,0\n"))
    assert result.frame.rows() == [(date(2026, 1, 1), "A", 10.5, 2.0, 40.0), (date(2026, 1, 2), "A", 11.0, 0.0, 0.0)]
    assert result.quarantined.is_empty()
    assert result.notes == ()


def test_byte_order_mark_semicolons_decimal_commas_and_spelled_headers_are_understood(write):
    result = read_table(
        write("\ufeffDate;Ad Group;Spend;Conversions;Conversions value\r\n01.02.2026;Ä;1.234,50 €;1;20,5\r\n")
    )
    assert result.frame.rows() == [(date(2026, 2, 1), "Ä", 1234.5, 1.0, 20.5)]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_usual_encodings_are_read(write, encoding):
    assert read_table(write(HEADER + "2026-01-01,Füße,1,0,0\n", encoding)).frame["ad_group"].to_list() == ["Füße"]


def test_parquet_is_read(tmp_path):
    frame = pl.DataFrame(
        {"date": [date(2026, 1, 1)], "ad_group": ["A"], "spend": [1], "conversions": [2], "conversions_value": [3.0]}
    )
    frame.write_parquet(tmp_path / "table.parquet")
    assert read_table(tmp_path / "table.parquet").frame["spend"].to_list() == [1.0]


def test_bad_rows_are_set_aside_with_row_column_and_reason(write):
    rows = [
        "2026-01-01,A,10,1,20",
        "2026-01-02,A,-1,1,20",
        "2026-01-03,A,inf,1,20",
        "2026-01-04,A,lots,1,20",
        "yesterday,A,10,1,20",
        "2026-01-06,,10,1,20",
        "2026-01-07,A,,1,20",
        "2026-01-08,A,10,1,20,99",
        "2026-01-09,A,10,0,0",
    ]
    result = read_table(write(HEADER + "\n".join(rows)))
    assert result.frame["date"].to_list() == [date(2026, 1, 1), date(2026, 1, 9)]
    found = {row: (column, reason) for row, column, reason in result.quarantined.iter_rows()}
    assert found[3] == ("spend", "is negative")
    assert found[4] == ("spend", "is inf, not a finite number")
    assert found[5] == ("spend", "is lots, not a number")
    assert found[6][0] == "date"
    assert found[7] == ("ad_group", "is empty")
    assert found[8] == ("spend", "is empty")
    assert "6 fields under 5 columns" in found[9][1]


def test_an_ambiguous_number_is_not_guessed(write):
    result = read_table(write(HEADER + '2026-01-01,A,"1,234",1,20\n2026-01-02,A,5,0,0\n'))
    assert result.quarantined.rows() == [(2, "spend", "is 1,234: thousands or decimals? write it without separators")]


def test_an_ambiguous_date_is_not_guessed_unless_the_file_tells(write):
    with pytest.raises(InputError, match="day or month first"):
        read_table(write(HEADER + "03/04/2026,A,1,0,0\n"))
    told = read_table(write(HEADER + "03/04/2026,A,1,0,0\n13/04/2026,A,1,0,0\n"))
    assert told.frame["date"].to_list() == [date(2026, 4, 3), date(2026, 4, 13)]


def test_repeated_rows_count_once_and_contradicting_rows_not_at_all(write):
    result = read_table(
        write(HEADER + "2026-01-01,A,10,1,20\n2026-01-01,A,10,1,20\n2026-01-02,A,1,0,0\n2026-01-02,A,2,0,0\n")
    )
    assert result.frame.rows() == [(date(2026, 1, 1), "A", 10.0, 1.0, 20.0)]
    assert result.quarantined["reason"].to_list() == [
        "repeats an earlier row",
        "A has different rows for 2026-01-02; keep one",
        "A has different rows for 2026-01-02; keep one",
    ]


def test_rows_that_another_column_tells_apart_are_summed(write):
    result = read_table(
        write(
            "date,ad_group,age,spend,conversions,conversions_value\n2026-01-01,A,18-24,1,1,9\n2026-01-01,A,25-34,2,1,5\n"
        )
    )
    assert result.frame.rows() == [(date(2026, 1, 1), "A", 3.0, 2.0, 14.0)]
    assert "2 rows of a finer breakdown" in result.notes[0]


def test_blank_conversions_are_zero_only_where_the_column_writes_no_zero(write):
    blank = read_table(write(HEADER + "2026-01-01,A,10,,\n2026-01-02,A,10,2,40\n"))
    assert blank.frame["conversions"].to_list() == [0.0, 2.0]
    mixed = read_table(write(HEADER + "2026-01-01,A,10,,\n2026-01-02,A,10,0,0\n"))
    assert mixed.quarantined["column"].to_list() == ["conversions"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty; it needs the columns date, ad_group"),
        (HEADER, "there is a header but no row"),
        ("day,ad_group,cost,conversions,revenue\n1,2,3,4,5\n", r"date \(rename day\?\), spend \(rename cost\?\)"),
        ("date,ad_group,spend,spend,conversions,conversions_value\n1,2,3,4,5,6\n", "spend appears more than once"),
        (HEADER + "2026-01-01,A,x,1,1\n", r"none of the 1 rows can be used\n  row 2: spend is x, not a number"),
        ("\x00\x01", "neither text nor Parquet"),
    ],
)
def test_unusable_files_are_errors_that_name_the_fix(write, text, words):
    with pytest.raises(InputError, match=words):
        read_table(write(text))


def test_empty_lines_before_the_header_count_as_rows_and_nothing_else(write):
    found = read_table(write("\n\n" + HEADER + "2026-01-01,A,10,1,20,\n2026-01-02,A,x,1,20\n2026-01-03,A,10,1,20\n"))
    assert found.quarantined["row"].to_list() == [4, 5]
    assert found.frame["date"].to_list() == [date(2026, 1, 3)]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.csv: cannot be read"):
        read_table(tmp_path / "nothing.csv")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_arbitrary_content_is_an_input_error_or_a_table(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    with pytest.raises(InputError):
        read_table(path)


CELLS = st.sampled_from(
    [
        "",
        " ",
        "0",
        "1",
        "-3",
        "1e400",
        "nan",
        "inf",
        "abc",
        "1,5",
        "1.5",
        "1,234.5",
        "€2",
        "\u0661",
        "2026-01-01",
        "9" * 400,
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=8))
def test_every_row_of_a_damaged_table_is_used_or_set_aside_with_a_reason(rows):
    columns = ["date", "ad_group", "spend", "conversions", "conversions_value", "budget"]
    raw = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    raw = raw.with_columns(date=pl.Series([f"2026-01-{day:02}" for day in range(1, len(rows) + 1)]))
    try:
        result = clean_table(raw)
    except InputError:
        return  # only when no row at all is left
    assert len(result.frame) + len(result.quarantined) == len(rows)
    assert all(result.quarantined["reason"])
    numbers = result.frame.select("spend", "conversions", "conversions_value")
    assert numbers.null_count().sum_horizontal().item() == 0
    assert numbers.select(pl.all_horizontal(pl.all().is_finite() & (pl.all() >= 0)).all()).item()
