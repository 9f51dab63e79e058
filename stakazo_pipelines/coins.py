"""The smallest coin of the currency of a table: amounts are whole numbers of it."""

# ISO 4217 currencies whose smallest coin is not a hundredth.
_WHOLE = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def minor_units(account: str) -> int:
    """How many of the smallest coin make one unit of the currency of `table/CURRENCY`."""
    currency = account.removeprefix("table/")
    return 1 if currency in _WHOLE else 1000 if currency in _THOUSANDTHS else 100
