"""Amounts on the wire (major units) against the world's minor units, and the range a budget must lie in."""

from decimal import Decimal

from stakazo_pipelines.sandbox.tiktok.errors import invalid
from stakazo_pipelines.sandbox.world import Account

_RATIOS: dict[int, str] = {
    4: "PLN",
    10: "HKD CNY ZAR DKK SEK NOK TRY MXN THB TWD EGP CZK BOB UAH UYU",
    50: "PHP",
    100: "JPY RUB INR ISK KES NGN PKR DZD BDT",
    1_000: "KRW CLP COP CRC",
    10_000: "IDR VND PYG",
}
_RATIO = {currency: ratio for ratio, currencies in _RATIOS.items() for currency in currencies.split()}
_WHOLE = frozenset(("JPY", "KRW", "HUF", "CLP", "ISK", "IDR", "TWD", "VND", "PYG"))
LEAST = {"campaign": 50, "ad_group": 20}  # a day or a lifetime, where a dollar is 1
_MOST = 10_000_000


def to_minor(amount: Decimal, account: Account, name: str) -> int:
    """Raises 40002 for more decimals than the currency takes."""
    step = Decimal(1) if account.currency in _WHOLE else Decimal("0.01")
    if amount % step:
        raise invalid(f"{name}: The precision of an amount in {account.currency} is {step}.")
    return int(amount * account.minor_units)


def to_wire(minor: int | None, account: Account) -> float:
    """Major units as reads have them; nothing set is 0.0."""
    return 0.0 if minor is None else minor / account.minor_units


def least(level: str, account: Account, *, store_sales: bool = False, days: int = 1) -> int:
    """The smallest budget, in minor units; `days` of a lifetime budget each need the daily minimum."""
    base = 10 if store_sales else LEAST[level]
    return base * _RATIO.get(account.currency, 1) * account.minor_units * days


def check_range(budget: int, floor: int, account: Account) -> None:
    """40002 with the limit in the message, as the live API words it."""
    if budget < floor:
        raise invalid(f"Your budget setting must not be less than {floor / account.minor_units:g}.")
    most = _MOST * _RATIO.get(account.currency, 1) * account.minor_units
    if budget >= most:
        raise invalid(f"Your budget setting must be less than {most / account.minor_units:g}.")
