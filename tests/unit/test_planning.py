"""`plan_table`: from a table to budgets, with states and words for what cannot be planned."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.planning import COLUMNS, plan_table
from stakazo_pipelines.policy import AllocationPolicy, Policy
from stakazo_pipelines.table_input import clean_table

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
    assert "do not reach the total of 900.00" in result.notes[0]


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
    assert result.notes


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
    assert set(plan(table(), policy=strict).frame["state"]) == {"immature"}


def test_rows_from_as_of_on_only_tell_that_the_table_was_made_later():
    cut, day = table().filter(pl.col("date") < START + timedelta(days=30)), START + timedelta(days=30)
    early, alone = plan(table(), as_of=day), plan(cut)
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


CELLS = st.sampled_from([None, -5.0, float("inf"), float("nan"), 0.0, 1e-9, 3.0, 1e12])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["spend", "conversions", "conversions_value"]), CELLS)))
def test_random_damage_gives_a_stated_state_or_a_clear_error(damage):
    columns = table(roas=(1.0, 2.0, 3.0), days=20).to_dict(as_series=False)
    for row, column, value in damage:
        columns[column][row] = value
    try:
        result = plan(clean_table(pl.DataFrame(columns, strict=False)).frame)
    except InputError:
        return
    frame = result.frame
    assert set(frame["state"]) <= {"ok", "insufficient", "immature", "stale"}
    assert frame["proposed_budget"].is_finite().all()
    assert total_of(result) <= total_of(result, "current_budget") + 0.01
    unfit = frame.filter(pl.col("state") != "ok")
    assert (unfit["proposed_budget"] <= unfit["current_budget"]).all()
