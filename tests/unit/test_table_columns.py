"""Tables of simulators and dashboards, whose columns have other names than ours, and tables that cannot be planned."""

from datetime import date, timedelta

import polars as pl
import pytest

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.table_columns import apart, taken
from stakazo_pipelines.table_input import read_table

LONG = "Date,Channel,Cost,Revenue,Orders\n2026-01-01,Search,10,50,2\n2026-01-01,Social,20,30,1\n"


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_the_usual_other_names_are_taken_and_said(write):
    found = read_table(write(LONG), guess=True)
    assert found.frame.rows() == [
        (date(2026, 1, 1), "Search", 10.0, 2.0, 50.0),
        (date(2026, 1, 1), "Social", 20.0, 1.0, 30.0),
    ]
    assert found.notes[:2] == ("ad_group is read from the column Channel", "spend is read from the column Cost")


def test_other_names_are_not_taken_unasked(write):
    with pytest.raises(InputError, match=r"ad_group \(rename channel\?\).*--column ad_group=channel"):
        read_table(write(LONG))


def test_our_own_name_stands_before_any_other():
    frame, notes = taken(pl.DataFrame({"date": ["2026-01-01"], "ad_group": ["A"], "campaign": ["C"], "spend": [1.0],
                                       "cost": [9.0], "conversions": [1], "conversions_value": [5.0]}))  # fmt: skip
    assert frame["spend"].to_list() == [1.0]
    assert frame["ad_group"].to_list() == ["A"]
    assert notes == ()


def test_a_table_without_conversions_counts_none_and_one_without_value_takes_each_for_one(write):
    value = read_table(write("date,channel,spend,revenue\n2026-01-01,A,10,50\n"), guess=True)
    assert value.frame.select("conversions", "conversions_value").rows() == [(0.0, 50.0)]
    assert "there is no column of conversions" in value.notes
    count = read_table(write("date,channel,spend,conversions\n2026-01-01,A,10,3\n"), guess=True)
    assert count.frame.select("conversions", "conversions_value").rows() == [(3.0, 3.0)]
    assert any("every conversion is worth 1" in note for note in count.notes)


def test_money_in_micros_is_never_taken_for_money(write):
    with pytest.raises(InputError, match=r"spend \(rename cost_micros\?\)"):
        read_table(write("date,channel,cost_micros,revenue\n2026-01-01,A,10000000,50\n"), guess=True)


@pytest.mark.parametrize("header", ["DATE,revenue,tv_S,ooh_S,facebook_S", "date,tv_spend,ooh_spend,spend,revenue"])
def test_a_column_of_spend_for_each_channel_is_refused_with_what_is_needed(write, header):
    row = ",".join(["2026-01-05", *["1"] * header.count(",")])
    with pytest.raises(InputError, match=r"spend of [23] channels .*one row per date and ad group"):
        read_table(write(f"{header}\n{row}\n"), guess=True)


@pytest.mark.parametrize(("step", "said"), [(1, False), (2, False), (7, True), (30, True)])
def test_weeks_and_months_are_told_from_days(step, said):
    days = [date(2026, 1, 5) + timedelta(days=step * index) for index in range(6)]
    frame = pl.DataFrame({"date": days * 2, "ad_group": ["A"] * 6 + ["B"] * 6})
    assert (f"{step} days apart" in apart(frame)) == said
    assert bool(apart(frame)) == said


def test_one_day_or_one_gap_tells_nothing_of_weeks():
    assert apart(pl.DataFrame({"date": [date(2026, 1, 5)], "ad_group": ["A"]})) == ""
    assert apart(pl.DataFrame({"date": [date(2026, 1, 5), date(2026, 1, 20)], "ad_group": ["A", "A"]})) == ""
