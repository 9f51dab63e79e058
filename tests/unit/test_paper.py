"""What a plan on paper is asked for: targets, risk, bounds and groups by name, and what other totals would earn."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.commands.plan_wishes import parse_bounds, parse_risk, parse_viable
from stakazo_pipelines.errors import ConfigError, InfeasibleError, InputError
from stakazo_pipelines.paper import Wishes
from stakazo_pipelines.paper_frontier import SHARES, paper_frontier
from stakazo_pipelines.planning import planner
from stakazo_pipelines.policy import Policy, RangePolicy

BUDGET = 100.0


@pytest.fixture(scope="module")
def table():
    """Four ad groups of two campaigns with ROAS of about 0.5, 1, 2 and 4."""
    rng = np.random.default_rng(0)
    days = pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 2, 9), eager=True)
    return pl.concat(
        pl.DataFrame(
            {
                "date": days,
                "ad_group": f"g{index}",
                "campaign": "Brand" if index < 2 else "Sale",
                "platform": "meta",
                "spend": BUDGET,
                "conversions": (count := rng.poisson(10, len(days)).astype(float)),
                "conversions_value": count * level * BUDGET / 10,
                "budget": BUDGET,
            }
        )
        for index, level in enumerate((0.5, 1.0, 2.0, 4.0))
    )


@pytest.fixture(scope="module")
def made(table):
    return planner(table, policy=Policy())


@pytest.fixture
def plan(made):
    def wished(total=None, step_cap=None, **wishes):
        return replace(made, wishes=Wishes(**wishes), step_cap=step_cap).plan(total)

    return wished


def budgets(result):
    return dict(zip(result.frame["ad_group"], result.frame["proposed_budget"], strict=True))


def test_without_wishes_the_plan_is_the_one_without_them(plan, made):
    assert plan().frame.equals(made.plan().frame)
    assert plan().groups.is_empty()


def test_a_target_for_roas_leaves_money_unspent_and_says_how_much(plan):
    free = plan()
    result = plan(target_roas=2.8)
    spent = sum(budgets(result).values())
    assert spent < sum(budgets(free).values())
    assert any("keeps" in note and "unspent" in note for note in result.notes)


def test_a_target_out_of_reach_says_what_is_in_reach(plan):
    [note] = [note for note in plan(target_roas=50).notes if "cannot be reached" in note]
    assert "at best" in note
    assert "lower the target by" in note
    [note] = [note for note in plan(target_cpa=0.5).notes if "cannot be reached" in note]
    assert "raise the target by" in note


def test_the_last_unit_earns_what_is_asked(plan):
    result = plan(min_marginal_roas=2.0)
    change = pl.col("proposed_budget") - pl.col("current_budget")
    assert (result.frame.filter(change >= 0)["marginal_roas"] >= 2.0).all()
    assert result.frame.filter(pl.col("marginal_roas") < 2.0).select((change < 0).all()).item()
    assert sum(budgets(result).values()) < 4 * BUDGET


def test_care_moves_no_more_money_than_expectation_does(plan):
    careful, bold = plan(risk_quantile=0.05), plan(risk_quantile=1.0)
    assert budgets(bold) == budgets(plan())
    assert careful.summaries[0].expected_gain <= bold.summaries[0].expected_gain * (1 + 1e-9)


def test_a_bound_on_an_ad_group_and_on_a_campaign_hold_and_bind(plan):
    bounds = {"g3": RangePolicy(max=Decimal(105)), "Brand": RangePolicy(min=Decimal(190))}
    result = plan(bounds=bounds)
    assert budgets(result)["g3"] == 105.0
    assert budgets(result)["g0"] + budgets(result)["g1"] == pytest.approx(190.0)
    binding = dict(zip(result.frame["ad_group"], result.frame["binding"], strict=True))
    assert binding["g3"] == "maximum"
    brand = result.groups.row(by_predicate=pl.col("group") == "Brand", named=True)
    assert brand["proposed_total"] == pytest.approx(190.0)
    assert brand["binding"] == "minimum"


def test_a_bound_that_today_breaks_is_told_and_not_broken_further(plan):
    result = plan(bounds={"Brand": RangePolicy(max=Decimal(150))})
    assert budgets(result)["g0"] + budgets(result)["g1"] <= 200.0
    assert any("Brand spends 200.00 a day, 50.00 above its bound" in note for note in result.notes)


def test_groups_are_told_with_their_gains(plan):
    result = plan(group_by="campaign")
    assert result.groups["group"].to_list() == ["Brand", "Sale"]
    assert result.groups["proposed_total"].sum() == pytest.approx(4 * BUDGET)
    whole = result.summaries[0].expected_gain
    assert result.groups["expected_gain"].sum() == pytest.approx(whole, rel=1e-6)
    assert (result.groups["expected_gain_low"] < result.groups["expected_gain_high"]).all()


def held_by(result):
    return dict(zip(result.frame["ad_group"], result.frame["binding"], strict=True))


def test_a_smallest_viable_budget_within_everybodys_reach_changes_nothing(plan):
    assert plan(min_viable=Decimal(75)).frame.equals(plan().frame)


def test_what_is_not_worth_a_viable_budget_is_switched_off_and_earns_nothing(plan):
    result = plan(min_viable=Decimal(90), step_cap=0.4)
    assert budgets(result)["g0"] == 0.0
    assert held_by(result)["g0"] == "switched_off"
    assert all(budget == 0 or budget >= 90 for budget in budgets(result).values())
    assert sum(budgets(result).values()) == pytest.approx(4 * BUDGET, abs=0.005)
    lost = result.frame.row(by_predicate=pl.col("ad_group") == "g0", named=True)
    assert lost["expected_gain"] == pytest.approx(-lost["roas"] * BUDGET, rel=0.05)
    assert lost["expected_gain_low"] < lost["expected_gain"] < lost["expected_gain_high"] < 0
    assert any("1 arm is switched off (a budget of 0)" in note for note in result.notes)


def test_an_ad_group_with_a_lower_bound_of_its_own_stays_on(plan):
    result = plan(min_viable=Decimal(90), bounds={"g0": RangePolicy(min=Decimal(1))})
    assert budgets(result)["g0"] == 90.0
    assert held_by(result)["g0"] == "minimum"


def test_moves_beyond_a_days_cap_are_told(plan):
    result = plan(min_viable=Decimal(250))
    assert result.summaries[0].moved > 2 * BUDGET
    assert any("of today's money moves, more than the 50% that policy allows" in note for note in result.notes)
    assert not any("times today's" in note for note in result.notes)
    assert any(
        "1 of the budgets grow to more than 3 times today's" in note for note in plan(min_viable=Decimal(350)).notes
    )


def test_a_smallest_viable_budget_counts_from_the_budgets_that_another_total_gives(plan):
    result = plan(Decimal(220), min_viable=Decimal(63))
    assert min(budgets(result).values()) == 0.0
    assert all(budget == 0 or budget >= 63 for budget in budgets(result).values())
    assert sum(budgets(result).values()) == pytest.approx(220.0, abs=0.005)


def test_contradictions_with_a_smallest_viable_budget_name_the_smallest_relaxation(plan):
    with pytest.raises(InfeasibleError, match=r"raise the total by at least 600\.00; or lower .* to 400\.00"):
        plan(min_viable=Decimal(1000))
    on = {f"g{index}": RangePolicy(min=Decimal(1)) for index in range(4)}
    with pytest.raises(InfeasibleError, match=r"4 arms that must be on .* raise the total by at least 80\.00"):
        plan(min_viable=Decimal(120), bounds=on)
    with pytest.raises(InputError, match=r"g3 may have at most 105\.00 a day, 15\.00 less than the min-viable"):
        plan(min_viable=Decimal(120), bounds={"g3": RangePolicy(max=Decimal(105))})


def test_a_smallest_viable_budget_is_of_one_currency(table):
    other = table.with_columns(currency=pl.lit("USD"), ad_group=pl.col("ad_group") + "$")
    mixed = pl.concat([table.with_columns(currency=pl.lit("EUR")), other])
    with pytest.raises(InputError, match=r"one min-viable budget cannot hold in several currencies \(EUR, USD\)"):
        planner(mixed, policy=Policy(), wishes=Wishes(min_viable=Decimal(20))).plan()


@pytest.mark.parametrize("text", ["-5", "0", "inf", "nan", "much", "1e40", ""])
def test_a_smallest_viable_budget_that_is_no_amount_is_named(text):
    with pytest.raises(ConfigError, match=f"--min-viable {text!r} is not a"):
        parse_viable("--min-viable", text)
    assert parse_viable("--min-viable", "12.50") == Decimal("12.50")


def test_more_money_earns_more_and_the_next_unit_less(made):
    points = paper_frontier(made)
    assert [point.total / (4 * BUDGET) for point in points] == pytest.approx(SHARES)
    known = [point for point in points if not point.reason]
    assert (np.diff([point.value for point in known]) > 0).all()
    assert (np.diff([point.shadow_price for point in known]) < 0).all()
    assert all(point.gain_low <= point.gain <= point.gain_high for point in known)


def test_a_frontier_over_two_currencies_is_refused(table):
    mixed = pl.concat(
        [
            table.with_columns(currency=pl.lit("EUR")),
            table.with_columns(currency=pl.lit("USD"), ad_group=pl.col("ad_group") + "$"),
        ]
    )
    with pytest.raises(InputError, match="one currency"):
        paper_frontier(planner(mixed, policy=Policy()))


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"target_roas": -1.0}, "target-roas is a number above 0"),
        ({"target_cpa": 0.0}, "target-cpa is a number above 0"),
        ({"risk_quantile": 1.5}, "risk is `expected` or a quantile"),
        ({"group_by": "colour"}, "campaign or platform, not by 'colour'"),
    ],
)
def test_wishes_that_are_none_are_refused(wishes, words):
    with pytest.raises(InputError, match=words):
        Wishes(**wishes)


def test_a_bound_on_an_unknown_name_offers_the_nearest(plan):
    with pytest.raises(InputError, match="is it 'Brand'"):
        plan(bounds={"Brnd": RangePolicy()})


def test_bounds_are_read_with_either_end():
    found = parse_bounds(["Brand=10:20.5", "a=b=:7", "x=3:"])
    assert found == {
        "Brand": RangePolicy(min=Decimal(10), max=Decimal("20.5")),
        "a=b": RangePolicy(max=Decimal(7)),
        "x": RangePolicy(min=Decimal(3)),
    }


@pytest.mark.parametrize("text", ["Brand", "Brand=5", "=1:2", "Brand=x:2", "Brand=5:2", "Brand=-1:2", "Brand=nan:2"])
def test_what_is_no_bound_is_refused_by_the_option_s_name(text):
    with pytest.raises(ConfigError, match="--bound"):
        parse_bounds([text])


def test_risk_is_expected_or_a_quantile():
    assert (parse_risk(None), parse_risk("expected"), parse_risk("0.25")) == (None, 1.0, 0.25)
    with pytest.raises(ConfigError, match="--risk 'much'"):
        parse_risk("much")


@pytest.mark.parametrize("name", ["Brand", "g0"])
def test_bounds_hold_on_the_way_to_a_larger_total(plan, name):
    found = budgets(plan(Decimal(600), bounds={name: RangePolicy(max=Decimal(200 if name == "Brand" else 110))}))
    assert sum(found.values()) == pytest.approx(600.0)
    assert (found["g0"] + found["g1"] <= 200.0) if name == "Brand" else (found["g0"] <= 110.0)


def test_bounds_hold_on_the_way_to_a_smaller_total(plan):
    found = budgets(plan(Decimal(200), bounds={"Brand": RangePolicy(min=Decimal(150)), "g3": RangePolicy(min=40)}))
    assert sum(found.values()) == pytest.approx(200.0)
    assert found["g0"] + found["g1"] >= 150.0
    assert found["g3"] >= 40.0


def test_a_total_within_steps_but_not_within_bounds_takes_more_than_a_step(plan):
    found = budgets(plan(Decimal(450), bounds={"g1": RangePolicy(max=Decimal(100)), "Sale": RangePolicy(max=200)}))
    assert sum(found.values()) == pytest.approx(450.0)
    assert found["g1"] <= 100.0
    assert found["g2"] + found["g3"] <= 200.0


@pytest.mark.parametrize("bounds", [{"Brand": 200, "Sale": 250}, {"meta": 450}, {"g0": 110, "g1": 90, "Sale": 240}])
def test_a_total_that_bounds_do_not_allow_names_the_one_they_do(plan, bounds):
    with pytest.raises(InputError, match=r"at most 450\.00 a day, 150\.00 less than"):
        plan(Decimal(600), bounds={name: RangePolicy(max=Decimal(most)) for name, most in bounds.items()})


def test_a_total_below_what_bounds_keep_names_the_one_they_allow(plan):
    with pytest.raises(InputError, match=r"at least 150\.00 a day, 50\.00 more than"):
        plan(Decimal(100), bounds={"Brand": RangePolicy(min=Decimal(150))})
