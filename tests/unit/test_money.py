"""Money keeps its digits and its currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.money import Money

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False, allow_infinity=False)


@given(amounts, amounts)
def test_adding_and_taking_away_again_changes_nothing(first, second):
    assert Money(first, "EUR") + Money(second, "EUR") - Money(second, "EUR") == Money(first, "EUR")


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from([1, 100, 1000]))
def test_minor_units_come_back_as_they_went(minor, per_major):
    assert Money(Decimal(minor) / per_major, "EUR").to_minor(per_major) == minor


@given(amounts, st.sampled_from([1, 100, 1000]))
def test_rounded_money_always_fits_minor_units_and_moves_at_most_half_of_one(amount, per_major):
    money = Money(amount, "EUR")
    rounded = money.quantized(per_major)
    rounded.to_minor(per_major)
    assert abs(rounded.amount - amount) * per_major <= Decimal("0.5")


@pytest.mark.parametrize(("amount", "rounded"), [("0.125", "0.12"), ("0.135", "0.14"), ("-0.125", "-0.12")])
def test_a_tie_is_rounded_to_the_even_cent(amount, rounded):
    assert Money(Decimal(amount), "EUR").quantized(100).amount == Decimal(rounded)


def test_half_a_cent_is_no_number_of_minor_units():
    with pytest.raises(ValueError, match=r"not a whole number of 1/100 EUR"):
        Money(Decimal("0.005"), "EUR").to_minor(100)


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="convert first"):
        Money(Decimal(1), "EUR") + Money(Decimal(1), "USD")


@pytest.mark.parametrize("amount", [1.5, 1, "1", Decimal("NaN"), Decimal("Infinity")])
def test_only_a_finite_decimal_is_money(amount):
    with pytest.raises(ValueError, match="finite Decimal"):
        Money(amount, "EUR")


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "€"])
def test_a_currency_is_three_capital_letters(currency):
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(Decimal(1), currency)


def test_money_is_read_with_thousands_and_currency():
    assert str(Money(Decimal("12345.60"), "EUR")) == "12,345.60 EUR"
