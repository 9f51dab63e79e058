"""Meta's money: how many smallest units of a currency make one major unit, and budgets to and from the wire.

Meta's offsets differ from ISO 4217 (HUF, TWD, IDR, COP, CRC and ISK have none; BHD and JOD have 100), so the table is
Meta's own. A currency that is not in it is refused: guessing 100 for one with 1 would spend a hundred times as much.
"""

from decimal import Decimal

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.money import Money

# Source: Meta's page "Currency Codes". Split texts, because a column of quoted codes cannot be compared with it.
WHOLE_UNIT_CURRENCIES = frozenset("CLP COP CRC HUF IDR ISK JPY KRW PYG TWD VND".split())  # noqa: SIM905
_HUNDREDTHS = (
    "AED ARS AUD BDT BHD BOB BRL CAD CHF CNY CZK DKK DZD EGP EUR GBP GTQ HKD HNL ILS INR JOD KES LKR MOP MXN "
    "MYR NGN NIO NOK NZD PEN PHP PKR PLN QAR RON RUB SAR SEK SGD THB TRY UAH USD UYU ZAR"
)
HUNDREDTH_CURRENCIES = frozenset(_HUNDREDTHS.split())


def minor_units(currency: str) -> int:
    """1 or 100. Raises RejectedError for a currency that Meta does not list."""
    if currency in WHOLE_UNIT_CURRENCIES:
        return 1
    if currency in HUNDREDTH_CURRENCIES:
        return 100
    raise RejectedError(f"unknown account currency {currency!r}: its smallest unit on Meta is not known", "meta")


def to_wire(money: Money, *, currency: str) -> str:
    """A budget as Meta takes it: whole minor units as digits.

    Raises RejectedError for another currency than the account's, a fraction of the smallest unit, or nothing at all.
    """
    if money.currency != currency:
        raise RejectedError(f"budget in {money.currency} for an account in {currency}", "meta")
    try:
        minor = money.to_minor(minor_units(currency))
    except ValueError as error:
        raise RejectedError(str(error), "meta") from None
    if minor <= 0:
        raise RejectedError(f"a budget must be above zero, not {money}", "meta")
    return str(minor)


def from_wire(minor: int, *, currency: str) -> Money:
    """Minor units, as Meta reports budgets, to money."""
    return Money(Decimal(minor) / minor_units(currency), currency)
