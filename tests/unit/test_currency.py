"""Rates are exact, count from their day on, and name the file and the row when something is wrong."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.currency import load_rates, parse_rates
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.money import Money

DAY = date(2026, 6, 30)
TEXT = """date_from,currency,units_per_usd
2026-01-01,USD,1
2026-01-01,EUR,0.92
2026-06-01,EUR,0.90
2026-01-01,JPY,150
"""
RATES = parse_rates(TEXT, source="rates.csv")


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_rates(text, source="rates.csv")
    return str(caught.value)


def test_the_projects_own_rates_are_those_of_the_simulated_world():
    rates = load_rates()
    assert [rates.rate(currency, DAY) for currency in ("USD", "EUR", "JPY", "GBP")] == [
        Decimal(1), Decimal("0.92"), Decimal(150), Decimal("0.79"),
    ]  # fmt: skip
    assert len(rates.by_currency) >= 40


def test_the_newest_rate_on_or_before_the_day_counts():
    assert RATES.rate("EUR", date(2026, 5, 31)) == Decimal("0.92")
    assert RATES.rate("EUR", date(2026, 6, 1)) == Decimal("0.90")


def test_money_is_converted_through_the_dollar():
    assert RATES.convert(Money(Decimal(300), "JPY"), "USD", DAY) == Money(Decimal(2), "USD")
    assert RATES.convert(Money(Decimal(9), "EUR"), "JPY", DAY).amount == pytest.approx(Decimal(1500))


@given(st.decimals(1, 10**9, places=2), st.sampled_from(["USD", "EUR", "JPY"]), st.sampled_from(["USD", "EUR", "JPY"]))
def test_there_and_back_is_the_same_money(amount, one, other):
    there = RATES.convert(Money(amount, one), other, DAY)
    assert abs(RATES.convert(there, one, DAY).amount - amount) <= amount * Decimal("1e-25")


def test_a_currency_without_a_rate_says_which_row_to_add():
    with pytest.raises(InputError, match=r"rates\.csv: no rate of TRY on 2026-06-30; add a row `2026-06-30,TRY,"):
        RATES.rate("TRY", DAY)
    with pytest.raises(InputError, match="no rate of EUR on 2025-12-31; its first row is of 2026-01-01"):
        RATES.rate("EUR", date(2025, 12, 31))


def test_every_wrong_row_is_named():
    rows = ("2026-13-01,EUR,1", "2026-01-01,euro,1", "2026-01-01,EUR,none", "2026-01-01,EUR,0", "2026-01-01,USD,2", "x")
    text = "date_from,currency,units_per_usd\n" + "\n".join(rows)
    found = problem(text).splitlines()
    assert [line.split(": ")[1] for line in found] == [f"row {number}" for number in range(2, 8)]
    assert [line.split(": ")[2] for line in found[:3]] == ["date_from", "currency", "units_per_usd"]


def test_two_rates_of_one_day_are_refused():
    assert "row 3: EUR has another row of 2026-01-01" in problem(
        "date_from,currency,units_per_usd\n2026-01-01,EUR,0.92\n2026-01-01,EUR,0.93\n"
    )


def test_other_columns_are_refused():
    assert "row 1: the columns are date_from, currency, units_per_usd, not day, rate" in problem("day,rate\n")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        load_rates(tmp_path / "none.csv")
