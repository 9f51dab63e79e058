"""LinkedIn's money: amounts as text in major units beside a currency, decimals by ISO 4217, and the smallest budgets.

A currency outside the table is refused, because nobody has checked how many decimals LinkedIn takes for it.
"""

from collections.abc import Mapping
from decimal import Decimal

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.wire import WireError, amount, text

_WITHOUT_DECIMALS = frozenset({"CLP", "JPY", "KRW", "VND"})
# LinkedIn asks for about 10 USD (8 GBP) a day of a campaign. Its exact floors stand in a forecast call that wants a
# whole targeting for each, so the other currencies are 10 USD at rounded rates: a guide for planning, not a promise.
# What is too low after all, LinkedIn refuses by FIELD_VALUE_TOO_LOW.
_DAILY_FLOORS: Mapping[str, int] = {
    "AED": 37, "ARS": 10_000, "AUD": 15, "BRL": 55, "CAD": 14, "CHF": 9, "CLP": 9_500, "CNY": 72, "COP": 41_000,
    "CZK": 230, "DKK": 70, "EUR": 10, "GBP": 8, "HKD": 78, "HUF": 3_700, "IDR": 160_000, "ILS": 37, "INR": 850,
    "JPY": 1_500, "KRW": 13_500, "MXN": 190, "MYR": 45, "NOK": 105, "NZD": 17, "PEN": 38, "PHP": 570, "PLN": 40,
    "RON": 46, "SAR": 38, "SEK": 105, "SGD": 14, "THB": 350, "TRY": 350, "TWD": 320, "USD": 10, "VND": 250_000,
    "ZAR": 185,
}  # fmt: skip
_GROUP_FLOOR = 3  # a group with a budget of its own: about 24 GBP, three times a campaign's


def minor_units(currency: str) -> int:
    """1 or 100. Raises RejectedError for a currency that is not in the table."""
    if currency not in _DAILY_FLOORS:
        raise RejectedError(f"unknown account currency {currency!r}: LinkedIn's decimals are not known", "linkedin")
    return 1 if currency in _WITHOUT_DECIMALS else 100


def floors(currency: str) -> tuple[Money, Money]:
    """The smallest daily budget of a campaign and of a group, about. Raises RejectedError as `minor_units`."""
    minor_units(currency)
    floor = Decimal(_DAILY_FLOORS[currency])
    return Money(floor, currency), Money(floor * _GROUP_FLOOR, currency)


def to_wire(money: Money, *, currency: str) -> Mapping[str, str]:
    """A budget as LinkedIn takes it.

    Raises RejectedError for another currency than the account's, a fraction of the smallest unit, or nothing at all.
    """
    if money.currency != currency:
        raise RejectedError(f"budget in {money.currency} for an account in {currency}", "linkedin")
    units = minor_units(currency)
    try:
        minor = money.to_minor(units)
    except ValueError as error:
        raise RejectedError(str(error), "linkedin") from None
    if minor <= 0:
        raise RejectedError(f"a budget must be above zero, not {money}", "linkedin")
    return {"amount": str(money.quantized(units).amount), "currencyCode": currency}


def from_wire(row: Mapping[str, object], field: str, *, currency: str) -> Money | None:
    """The money in a field; None where it is absent or zero. Raises WireError."""
    value = row.get(field)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise WireError(field, "not a money object")
    try:
        number = amount(value, "amount")
        code = text(value, "currencyCode")
    except WireError as error:
        raise WireError(f"{field}.{error.field}", error.reason) from None
    if code != currency:
        raise WireError(f"{field}.currencyCode", f"not the account's {currency}: {code!r}")
    return Money(number, currency) if number else None
