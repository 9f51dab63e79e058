"""TikTok's money: budgets as decimal numbers of major units, their precision, and the smallest budget by currency.

Source: TikTok's pages "Budget" and "Budget verification ratio and value range for each currency". A currency that is
not listed is refused: its floor is not known.
"""

from collections.abc import Mapping
from decimal import Decimal

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.wire import amount

_RATIOS = {
    1: "USD EUR GBP AUD CAD NZD SGD CHF MYR BRL AED SAR ILS ARS HUF PEN QAR RON",
    4: "PLN",
    10: "HKD CNY ZAR DKK SEK NOK TRY MXN THB TWD EGP CZK BOB UAH UYU",
    50: "PHP",
    100: "JPY RUB INR ISK KES NGN PKR DZD BDT",
    1_000: "KRW CLP COP CRC",
    10_000: "IDR VND PYG",
}
RATIOS: Mapping[str, int] = {currency: ratio for ratio, listed in _RATIOS.items() for currency in listed.split()}
_WHOLE = "JPY KRW HUF CLP ISK IDR TWD VND PYG"
WHOLE_UNIT_CURRENCIES = frozenset(_WHOLE.split())
_AD_GROUP_FLOOR, _CAMPAIGN_FLOOR = 20, 50  # where one unit is about a dollar


def minor_units(currency: str) -> int:
    """1 or 100. Raises RejectedError for a currency that TikTok does not list."""
    if currency not in RATIOS:
        raise RejectedError(f"unknown account currency {currency!r}: TikTok lists no smallest budget for it", "tiktok")
    return 1 if currency in WHOLE_UNIT_CURRENCIES else 100


def floors(currency: str) -> tuple[Money, Money]:
    """The smallest daily budget of an ad group and of a campaign. Raises RejectedError."""
    minor_units(currency)
    ratio = RATIOS[currency]
    return Money(Decimal(_AD_GROUP_FLOOR * ratio), currency), Money(Decimal(_CAMPAIGN_FLOOR * ratio), currency)


def to_wire(money: Money, *, currency: str) -> float:
    """A budget as TikTok takes it: a JSON number of major units.

    The float carries every sum below ten billion exactly to its cent. Raises RejectedError for another currency than
    the account's, a fraction of the smallest unit, or nothing at all.
    """
    if money.currency != currency:
        raise RejectedError(f"budget in {money.currency} for an account in {currency}", "tiktok")
    try:
        money.to_minor(minor_units(currency))
    except ValueError as error:
        raise RejectedError(str(error), "tiktok") from None
    if money.amount <= 0:
        raise RejectedError(f"a budget must be above zero, not {money}", "tiktok")
    return float(money.amount)


def from_wire(row: Mapping[str, object], field: str, *, currency: str) -> Money:
    """A budget as TikTok reports it. Raises WireError."""
    return Money(amount(row, field), currency).quantized(minor_units(currency))
