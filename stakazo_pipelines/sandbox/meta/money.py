"""Minor units as Meta counts them: most currencies have 100 to the major unit, these have none."""

from stakazo_pipelines.sandbox.world import Account

WHOLE_CURRENCIES = frozenset(["CLP", "COP", "CRC", "HUF", "IDR", "ISK", "JPY", "KRW", "PYG", "TWD", "VND"])
# Currencies whose countries have twice the minimum budget, and rough rates to turn a US dollar minimum into them.
_DOUBLED = frozenset(
    ["USD", "AUD", "CAD", "SGD", "JPY", "NZD", "TWD", "EUR", "CHF", "SEK", "HKD", "GBP", "ILS", "NOK", "KRW", "DKK"]
)
_PER_DOLLAR = {"JPY": 150, "KRW": 1350, "TWD": 32, "HUF": 360, "IDR": 16000, "CLP": 950, "COP": 4000, "CRC": 510,
               "ISK": 138, "PYG": 7500, "VND": 25000, "INR": 83, "MXN": 18, "BRL": 5, "SEK": 10, "NOK": 10, "DKK": 7,
               "PLN": 4, "CZK": 23, "TRY": 34, "THB": 35, "PHP": 57, "ZAR": 18, "HKD": 8, "ILS": 4}  # fmt: skip
_DOLLARS = {"imp": 0.5, "high_freq": 2.5, "low_freq": 40.0, "video_views": 2.5}


def offset(currency: str) -> int:
    """How many of Meta's smallest units make one major unit."""
    return 1 if currency in WHOLE_CURRENCIES else 100


def to_wire(minor: int, account: Account) -> int:
    """The world's minor units in Meta's."""
    return minor * offset(account.currency) // account.minor_units


def from_wire(amount: int, account: Account) -> int:
    """Meta's minor units in the world's."""
    return amount * account.minor_units // offset(account.currency)


def minimum_daily(account: Account, kind: str) -> int:
    """Smallest daily budget in Meta's minor units for imp, high_freq, low_freq or video_views."""
    factor = 2 if account.currency in _DOUBLED and kind != "low_freq" else 1
    return round(_DOLLARS[kind] * factor * _PER_DOLLAR.get(account.currency, 1) * offset(account.currency))


def decimal_text(major: float, account: Account) -> str:
    """An amount in major units as insights write it: as many decimals as the currency has."""
    return f"{major:.{0 if account.minor_units == 1 else 2}f}"
