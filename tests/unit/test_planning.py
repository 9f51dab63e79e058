"""`plan_table`: from a table to budgets, with states and words for what cannot be planned."""

import re
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.commands.plan import plan as plan_command
from stakazo_pipelines.errors import AllocationError, InputError, MeasurementError
from stakazo_pipelines.lift_tests import parse_lift_tests
from stakazo_pipelines.lifted_table import LIFT_COLUMNS
from stakazo_pipelines.measurement.maturity import DEFAULT_MATURITY
from stakazo_pipelines.planning import COLUMNS, plan_table, planner
from stakazo_pipelines.policy import AllocationPolicy, Policy
from stakazo_pipelines.table_input import clean_table, read_table

START = date(2026, 1, 1)


def table(roas=(0.5, 1.0, 3.0), *, days=40, spend=100.0, conversions=8.0, seed=0, **columns):
    """Ad groups g0, g1, … with these true ROAS, that many conversions a day each, over the days from START."""
    rng = np.random.default_rng(seed)
    rows = []
    for index, level in enumerate(roas):
        for day in range(days):
            money = round(spend * float(np.exp(rng.normal(0, 0.2))), 2)
            count = float(rng.poisson(conversions * (money / spend) ** 0.7))
            value = round(count * level * spend / max(conversions, 1e-9), 2)
            rows.append((START + timedelta(days=day), f"g{index}", money, count, value))
    frame = pl.DataFrame(rows, schema=["date", "ad_group", "spend", "conversions", "conversions_value"], orient="row")
    return frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def filling(frame):
    """The same as a platform reports it on the next morning: with the usual share of each day's conversions."""
    age = (frame["date"].max() + timedelta(days=1) - frame["date"]).dt.total_days().to_numpy()
    share = pl.Series(DEFAULT_MATURITY.fraction(age))
    return frame.with_columns((pl.col("conversions") * share).round(), pl.col("conversions_value") * share)


def plan(frame, **options):
    return plan_table(frame, policy=options.pop("policy", Policy()), **options)


def total_of(result, column="proposed_budget"):
    return round(result.frame[column].sum(), 6)


def test_one_row_per_ad_group_with_exactly_the_promised_columns():
    result = plan(table())
    assert tuple(result.frame.columns) == COLUMNS
    assert result.frame["ad_group"].to_list() == ["g0", "g1", "g2"]
    assert result.as_of == START + timedelta(days=40)


def test_money_moves_to_the_ad_group_that_earns_most_and_the_total_stays():
    result = plan(table())
    change = (result.frame["proposed_budget"] - result.frame["current_budget"]).to_list()
    assert change[0] < 0 < change[2]
    assert total_of(result) == total_of(result, "current_budget")
    low, middle, high = (result.frame[name].to_numpy() for name in ("roas_low", "roas", "roas_high"))
    assert ((low < middle) & (middle < high)).all()
    assert result.summaries[0].expected_gain > 0


def test_the_current_budget_is_the_tables_last_or_the_mean_spend_of_seven_report_days():
    frame = table()
    recent = frame.filter((pl.col("ad_group") == "g0") & (pl.col("date") > START + timedelta(days=32)))["spend"].mean()
    assert plan(frame).frame["current_budget"][0] == pytest.approx(recent, abs=0.005)
    assert plan(frame.with_columns(budget=pl.lit(150.0))).frame["current_budget"].to_list() == [150.0] * 3


def test_no_step_is_larger_than_the_cap_asked_for():
    result = plan(table(), step_cap=0.05)
    ratio = (result.frame["proposed_budget"] / result.frame["current_budget"]).to_numpy()
    assert (np.abs(ratio - 1) <= 0.05 + 1e-6).all()
    wide = plan(table(), step_cap=0.8)
    assert (wide.frame["proposed_budget"] / wide.frame["current_budget"]).max() > 1.5


@pytest.mark.parametrize("total", ["150.00", "280.00", "331.07", "900.00"])
def test_a_total_is_spent_to_the_cent(total):
    assert total_of(plan(table(), total=Decimal(total))) == float(total)


def test_a_total_out_of_reach_of_the_steps_is_reached_and_said_in_words():
    result = plan(table(), total=Decimal(900))
    assert any("do not reach the total of 900.00" in note for note in result.notes)


def test_a_larger_total_goes_past_ad_groups_that_cannot_be_judged():
    late = table(roas=(2.0,), days=3, conversions=0.2).with_columns(
        ad_group=pl.lit("new"), date=pl.col("date") + timedelta(days=37)
    )
    result = plan(pl.concat([table(), late]), total=Decimal(480))
    new = result.frame.filter(pl.col("ad_group") == "new").row(0, named=True)
    assert new["state"] == "insufficient"
    assert new["proposed_budget"] == new["current_budget"]
    assert total_of(result) == 480.0


def test_one_ad_group_has_nothing_to_gain():
    result = plan(table(roas=(2.0,)))
    assert total_of(result) == total_of(result, "current_budget")
    assert "nothing to gain" in result.notes[-1]


def test_without_conversions_nothing_looks_healthy_and_nothing_moves():
    result = plan(table(roas=(0.0, 0.0), conversions=0.0))
    assert result.frame["state"].to_list() == ["insufficient", "insufficient"]
    assert result.frame["binding"].to_list() == ["state", "state"]
    assert "held" in result.notes[-1]
    assert (result.frame["roas"].fill_null(0.0) < 0.5).all()


def test_a_single_day_is_insufficient():
    assert set(plan(table(days=1)).frame["state"]) == {"insufficient"}


def test_old_data_is_stale_and_young_data_immature():
    assert set(plan(table(), as_of=START + timedelta(days=60)).frame["state"]) == {"stale"}
    strict = Policy(measurement=Policy().measurement.model_copy(update={"min_maturity": 0.99}))
    assert set(plan(filling(table()), policy=strict).frame["state"]) == {"immature"}


def test_a_young_table_says_what_delay_is_assumed_and_an_older_one_does_not():
    frame = filling(table())
    young, older = plan(frame), plan(frame, as_of=START + timedelta(days=20))
    assert any("usual delay is assumed" in note and "still to come" in note for note in young.notes)
    assert not any("usual delay" in note for note in older.notes)


def test_a_table_whose_last_days_lack_nothing_is_taken_as_it_is():
    result = plan(table(conversions=30.0))
    assert any("no conversions are taken to be still to come" in note for note in result.notes)
    assert result.frame["roas"].to_numpy() == pytest.approx([0.5, 1.0, 3.0], rel=0.15)


def test_rows_from_as_of_on_only_tell_that_the_table_was_made_later():
    day = START + timedelta(days=30)
    cut = filling(table().filter(pl.col("date") < day))
    later = pl.concat([cut, table().filter(pl.col("date") >= day)])
    early, alone = plan(later, as_of=day), plan(cut)
    assert early.frame["current_budget"].equals(alone.frame["current_budget"])
    # Ten days on, fewer conversions of those days are still to come.
    assert (early.frame["roas"] < alone.frame["roas"]).all()
    assert "are ignored" in early.notes[0]
    with pytest.raises(InputError, match="no row lies before 2025-12-01"):
        plan(table(), as_of=date(2025, 12, 1))


def test_currencies_keep_their_own_totals_and_share_no_total():
    dollars = table(currency="USD")
    yen = table(spend=9000.0, currency="JPY").with_columns(ad_group=pl.col("ad_group") + "-jp")
    both = pl.concat([dollars, yen])
    result = plan(both)
    assert [one.currency for one in result.summaries] == ["JPY", "USD"]
    for one in result.summaries:
        assert one.proposed_total == pytest.approx(one.current_total)
    whole = result.frame.filter(pl.col("ad_group").str.ends_with("-jp"))["proposed_budget"]
    assert (whole % 1 == 0).all()
    with pytest.raises(InputError, match=r"several currencies \(JPY, USD\)"):
        plan(both, total=Decimal(100))


def test_the_same_name_in_two_campaigns_is_two_ad_groups():
    both = pl.concat([table(roas=(1.0,), campaign="brand"), table(roas=(3.0,), campaign="prospecting", seed=1)])
    assert plan(both).frame["ad_group"].to_list() == ["brand / g0", "prospecting / g0"]


def test_an_ad_group_in_two_currencies_is_refused():
    mixed = pl.concat(
        [
            table(roas=(1.0,), currency="USD"),
            table(roas=(1.0,), currency="EUR").with_columns(pl.col("date") + timedelta(40)),
        ]
    )
    with pytest.raises(InputError, match="g0 has rows in more than one currency"):
        plan(mixed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"total": Decimal(-1)}, "amount above 0"),
        ({"total": Decimal("nan")}, "amount above 0"),
        ({"total": Decimal("1e30")}, "the total is above 1e\\+12; check its unit"),
        ({"step_cap": 0.0}, "fraction above 0"),
        ({"step_cap": float("nan")}, "fraction above 0"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        plan(table(), **options)


def test_the_same_table_and_seed_give_the_same_plan():
    assert plan(table()).frame.equals(plan(table().sample(fraction=1.0, shuffle=True, seed=3)).frame)


def test_policy_holds_apply_through_the_smallest_change():
    result = plan(table(), policy=Policy(allocation=AllocationPolicy(min_change=0.5)))
    assert total_of(result) == total_of(result, "current_budget")
    assert set(result.frame["binding"]) == {"too_small"}


BAD = {
    "missing columns": (lambda: table().drop("spend", "conversions"), "missing column spend, conversions"),
    "text in every number": (lambda: table().with_columns(spend=pl.lit("a lot")), "row 1: spend is alot, not a number"),
    "negative spend everywhere": (lambda: table().with_columns(spend=-pl.col("spend")), "row 1: spend is negative"),
    "infinite spend everywhere": (
        lambda: table().with_columns(spend=pl.lit(float("inf"))),
        "row 1: spend is not a finite number",
    ),
    "numbers out of this world": (
        lambda: table().with_columns(spend=pl.col("spend") * 1e15),
        r"row 1: spend is above 1e\+12; check its unit",
    ),
    "dates that are none": (lambda: table().with_columns(date=pl.lit("soon")), "row 1: date is soon, not a date"),
    "lists in cells": (lambda: table().with_columns(spend=pl.concat_list("spend")), "the column spend holds no plain"),
    "no row": (lambda: table().clear(), "there is a header but no row"),
    "one ad group in two currencies": (
        lambda: pl.concat(
            [table(currency="USD"), table(currency="EUR").with_columns(pl.col("date") + timedelta(days=40))]
        ),
        "ad group g0 has rows in more than one currency",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_input_that_cannot_be_planned_is_an_error_that_names_row_and_column(case):
    make, words = BAD[case]
    with pytest.raises(InputError, match=words):
        plan(clean_table(make()).frame)


def test_bad_rows_are_set_aside_with_their_reason_and_the_others_are_planned():
    bad = {
        ("spend", -5.0): "is negative",
        ("spend", float("inf")): "is not a finite number",
        ("conversions", float("nan")): "is not a finite number",
        ("conversions_value", 1e300): "is above 1e+12; check its unit",
    }
    columns = table().to_dict(as_series=False)
    for row, (column, value) in enumerate(bad):
        columns[column][row] = value
    read = clean_table(pl.DataFrame(columns))
    found = [(row + 1, column, reason) for row, ((column, _), reason) in enumerate(bad.items())]
    assert read.quarantined.rows() == found
    result = plan(read.frame)
    assert set(result.frame["state"]) == {"ok"}
    assert_invariants(result)


STATED = {
    "one ad group": (lambda: table(roas=(2.0,)), "ok", "nothing to gain"),
    "no conversion at all": (lambda: table(conversions=0.0), "insufficient", "3 without an estimate"),
    "no value at all": (lambda: table(roas=(0.0, 0.0, 0.0)), "insufficient", "3 without an estimate"),
    "no spend at all": (lambda: table().with_columns(spend=pl.lit(0.0)), "insufficient", "3 without an estimate"),
    "a single day": (lambda: table(days=1), "insufficient", "3 without an estimate"),
    "value without conversions": (
        lambda: table().with_columns(conversions=pl.lit(0.0)),
        "ok",
        "value itself is measured",
    ),
    "amounts below a cent": (
        lambda: table().with_columns(pl.col("spend", "conversions_value") * 1e-9),
        "ok",
        "below the smallest coin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATED)
def test_thin_input_gets_a_state_and_words(case):
    make, state, words = STATED[case]
    result = plan(clean_table(make()).frame)
    assert set(result.frame["state"]) == {state}
    assert words in " ".join(result.notes)
    assert_invariants(result)


@pytest.mark.slow
def test_ten_years_of_days_are_planned_from_the_latest():
    result = plan(clean_table(table(days=3650)).frame)
    assert set(result.frame["state"]) == {"ok"}
    assert_invariants(result)


def assert_invariants(result):
    """Totals are kept to the cent, no budget grows but where the state is ok, every number is one."""
    frame = result.frame
    assert set(frame["state"]) <= {"ok", "insufficient", "immature", "stale"}
    for one in result.summaries:
        assert one.proposed_total == pytest.approx(one.current_total, abs=0.011)
    numbers = frame.select(pl.selectors.float())
    assert numbers.select(pl.all_horizontal(pl.all().is_finite() | pl.all().is_null()).all()).item()
    assert frame.select((pl.col("proposed_budget").is_finite() & (pl.col("proposed_budget") >= 0)).all()).item()
    unfit = frame.filter(pl.col("state") != "ok")
    assert (unfit["proposed_budget"] <= unfit["current_budget"]).all()


CELLS = st.sampled_from(
    [
        "", " ", "0", "-1", "-0.0", "3", "1e-9", "1e-300", "1e11", "1e400", "nan", "inf", "-inf", "abc", "1,5",
        "1,234.5", "12%", "€2", "\u0661", "2026-01-05", "2099-12-31", "1999-01-01", "03/04/2026", "g0", "EUR",
        "g1", "USD", '"', "'", "\x00", "=1+1", "9" * 400, "null", "None", "true", ";", "\t",
    ]
)  # fmt: skip
ROWS, COLUMNS_OF_TABLE = 36, 6
PLACE = st.tuples(st.integers(0, ROWS), st.integers(0, COLUMNS_OF_TABLE))
KINDS = ["cell"] * 8 + ["row twice", "row gone", "row cut", "row longer", "swap", "column", "column gone"]
DAMAGE = st.tuples(st.sampled_from(KINDS), PLACE, CELLS)


def broken(lines, kind, place, text):
    """A table as lists of cells, its header first, after one kind of damage."""
    row, column = place[0] % len(lines), place[1]
    cells = lines[row]
    at = column % max(len(cells), 1)
    if kind == "cell" and cells:
        cells[at] = text
    elif kind == "row twice":
        lines.insert(row, [*cells])
    elif kind == "row gone" and len(lines) > 1:
        del lines[row]
    elif kind == "row cut":
        del cells[at:]
    elif kind == "row longer":
        cells += [text] * (column + 1)
    elif kind == "column":
        for other in lines[1:]:
            other[column : column + 1] = [text] if column < len(other) else []
    elif kind == "column gone":
        for other in lines:
            del other[column : column + 1]
    elif kind == "swap" and len(cells) > 1:
        cells[at], cells[at - 1] = cells[at - 1], cells[at]


def damage_and_plan(folder, damage):
    clean = table(roas=(1.0, 2.0, 3.0), days=12, currency="USD")
    lines = [clean.columns, *([str(cell) for cell in row] for row in clean.iter_rows())]
    for kind, place, text in damage:
        broken(lines, kind, place, text)
    path = folder.mktemp("any") / "spend.csv"
    path.write_text("\n".join(",".join(cells) for cells in lines), encoding="utf-8")
    try:
        result = plan(read_table(path).frame)
    except (InputError, MeasurementError, AllocationError) as error:
        told = str(error)
        assert "spend.csv" in told or re.search(r"row \d+|ad group|currenc|column", told), told
        return
    assert_invariants(result)


@settings(max_examples=6, deadline=None)
@given(st.lists(DAMAGE, min_size=1, max_size=6))
def test_random_damage_gives_an_error_that_says_where_or_a_plan_that_keeps_its_promises(tmp_path_factory, damage):
    damage_and_plan(tmp_path_factory, damage)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.lists(DAMAGE, min_size=1, max_size=12))
def test_much_random_damage_gives_an_error_that_says_where_or_a_plan_that_keeps_its_promises(tmp_path_factory, damage):
    damage_and_plan(tmp_path_factory, damage)


def test_lift_tests_make_returns_incremental_and_say_so():
    found = parse_lift_tests(
        "platform,account_id,ad_group_id,start,end,metric,estimate,standard_error\n"
        "meta,act_1,g2,2026-01-05,2026-01-18,roas,1.5,0.1\n"
        "meta,act_1,g9,2026-01-05,2026-01-18,roas,1.5,0.1\n",
        source="lift.csv",
    )
    before, result = plan(table()), plan(table(), lift_tests=found)
    assert tuple(result.frame.columns) == (*COLUMNS, *LIFT_COLUMNS)
    factor = dict(result.frame.select("ad_group", "incremental_factor").iter_rows())
    assert factor["g2"] == pytest.approx(0.5, abs=0.1)
    ratio = result.frame["roas"] / before.frame["roas"]
    np.testing.assert_allclose(ratio, result.frame["incremental_factor"])
    assert any("lift.csv: row 3: ad_group_id 'g9'" in note for note in result.notes)
    assert "the returns of all 3 ad groups are incremental, by 1 lift tests" in result.notes


def test_a_lift_test_of_keys_that_the_table_lacks_does_not_count_for_all_of_it():
    found = parse_lift_tests(
        "platform,account_id,start,end,metric,estimate,standard_error\n"
        ",act_1,2026-01-05,2026-01-18,roas,1.5,0.1\n"
        "meta,,2026-01-05,2026-01-18,roas,1.5,0.1\n",
        source="lift.csv",
    )
    before, result = plan(table()), plan(table(), lift_tests=found)
    assert result.frame["roas"].to_list() == before.frame["roas"].to_list()
    for row, name in ((2, "account_id"), (3, "platform")):
        words = f"lift.csv: row {row}: {name}: the table does not know it, so nothing tells what the test is about"
        assert words in result.notes
    everything = parse_lift_tests(
        "start,end,metric,estimate,standard_error\n2026-01-05,2026-01-18,roas,1.5,0.1\n", source="lift.csv"
    )
    assert plan(table(), lift_tests=everything).frame["lift_tests"].to_list() == [1, 1, 1]
    assert result.frame["lift_tests"].to_list() == [0, 0, 0]


@pytest.mark.parametrize("total", ["0", "-5", "nan", "1e30"])
def test_the_command_refuses_an_impossible_total_before_it_estimates(tmp_path, monkeypatch, total):
    def never(*_, **__):
        raise AssertionError("estimated all the same")

    monkeypatch.setattr("stakazo_pipelines.commands.plan.planner", never)
    path = tmp_path / "days.csv"
    table().write_csv(path)
    with pytest.raises(InputError, match="the total"):
        plan_command(path, total=total)


def test_a_planner_refuses_an_impossible_total_too():
    made = planner(table(), policy=Policy())
    with pytest.raises(InputError, match="check its unit"):
        made.plan(Decimal("1e30"))
