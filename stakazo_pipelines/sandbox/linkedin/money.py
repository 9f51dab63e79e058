"""Money as LinkedIn writes it: {"amount": "50.00", "currencyCode": "USD"}, and the floors under budgets."""

from decimal import Decimal, InvalidOperation
from typing import Any

from stakazo_pipelines.sandbox.world import Account

# Rough major units of a US dollar, to carry dollar floors over and to report costInUsd.
_PER_DOLLAR = {"USD": "1", "EUR": "0.92", "GBP": "0.79", "JPY": "150", "CAD": "1.37", "AUD": "1.52", "CHF": "0.9"}
_MIN_DAILY, _MIN_DYNAMIC, _MIN_TOTAL = Decimal(10), Decimal(30), Decimal(100)


def per_dollar(currency: str) -> Decimal:
    return Decimal(_PER_DOLLAR.get(currency, "1"))


def minimum_daily(currency: str) -> Decimal:
    """About 10 US dollars, 8 pounds: whole major units."""
    return (_MIN_DAILY * per_dollar(currency)).quantize(Decimal(1))


def minimum_dynamic(currency: str) -> Decimal:
    """The smallest daily budget of a dynamic campaign group: about 24 pounds."""
    return (_MIN_DYNAMIC * per_dollar(currency)).quantize(Decimal(1))


def minimum_total(currency: str) -> Decimal:
    return (_MIN_TOTAL * per_dollar(currency)).quantize(Decimal(1))


def text(minor: int | float, account: Account) -> str:
    """Minor units as a decimal text in major units, without an exponent."""
    places = len(str(account.minor_units)) - 1
    return f"{Decimal(round(minor)) / account.minor_units:.{places}f}"


def written(minor: int | None, account: Account) -> dict[str, str] | None:
    return None if minor is None else {"amount": text(minor, account), "currencyCode": account.currency}


def major(value: object) -> Decimal | None:
    """The amount of a money record; None where it is not one (amounts are strings)."""
    amount = value.get("amount") if isinstance(value, dict) else None
    if not isinstance(amount, str):
        return None
    try:
        found = Decimal(amount)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def minor(value: Any, account: Account) -> int | None:
    """Minor units of a money record that was checked before."""
    amount = major(value)
    return None if amount is None else int((amount * account.minor_units).to_integral_value())
