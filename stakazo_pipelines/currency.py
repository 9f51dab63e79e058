"""Exchange rates, so that amounts of several currencies can be added up and money can move between accounts.

The rates are dbt's seed `exchange_rates.csv`, which a user may replace; marts and allocation read the same file.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.money import Money

SEED = Path(__file__).resolve().parents[1] / "dbt" / "seeds" / "exchange_rates.csv"
COLUMNS = ("date_from", "currency", "units_per_usd")


@dataclass(frozen=True, slots=True)
class Rates:
    """By currency, the days from which its rates hold and the rates (units of it for one US dollar), oldest first.

    `source` names the file in errors.
    """

    source: str
    by_currency: Mapping[str, tuple[tuple[date, Decimal], ...]]

    def rate(self, currency: str, on: date) -> Decimal:
        """Units of the currency that one US dollar bought on that day. Raises InputError where no row says so."""
        held = self.by_currency.get(currency, ())
        known = [rate for since, rate in held if since <= on]
        if known:
            return known[-1]
        begins = f"; its first row is of {held[0][0]}" if held else ""
        raise InputError(
            f"{self.source}: no rate of {currency} on {on}{begins}; "
            f"add a row `{on},{currency},<units of {currency} for one US dollar>`"
        )

    def worth(self, currency: str, to: str, on: date) -> Decimal:
        """What one unit of `currency` is in units of `to` on that day, to 28 digits. Raises InputError."""
        return Decimal(1) if currency == to else self.rate(to, on) / self.rate(currency, on)

    def convert(self, money: Money, to: str, on: date) -> Money:
        """The amount in another currency, not rounded to its smallest unit. Raises InputError."""
        return Money(money.amount * self.worth(money.currency, to, on), to)


def load_rates(path: Path = SEED) -> Rates:
    """Read a file of rates. Raises InputError naming the file, and the row of everything that is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); put the project's seed back") from None
    return parse_rates(text, source=str(path))


def parse_rates(text: str, *, source: str) -> Rates:
    """The same from text: CSV with the columns `COLUMNS`."""
    reader = csv.reader(io.StringIO(text))
    header = tuple(name.strip() for name in next(reader, []))
    if header != COLUMNS:
        raise InputError(f"{source}: row 1: the columns are {', '.join(COLUMNS)}, not {', '.join(header) or 'none'}")
    rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    problems: list[str] = []
    found: dict[tuple[str, date], Decimal] = {}
    for number, cells in rows:
        try:
            since, currency, rate = _row(cells)
        except ValueError as error:
            problems.append(f"{source}: row {number}: {error}")
            continue
        if (currency, since) in found:
            problems.append(f"{source}: row {number}: {currency} has another row of {since}")
        found[currency, since] = rate
    if problems:
        raise InputError("\n".join(problems))
    return Rates(source, _by_currency(found))


def _row(cells: list[str]) -> tuple[date, str, Decimal]:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} values are needed, not {len(cells)}")
    since, currency, amount = cells
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise ValueError(f"currency: three capital letters (ISO 4217), not {currency!r}")
    try:
        day = date.fromisoformat(since)
    except ValueError:
        raise ValueError(f"date_from: a day such as 2026-01-31, not {since!r}") from None
    try:
        rate = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"units_per_usd: a number, not {amount!r}") from None
    if not rate.is_finite() or rate <= 0:
        raise ValueError(f"units_per_usd: an amount above 0, not {amount}")
    if currency == "USD" and rate != 1:
        raise ValueError(f"units_per_usd: one US dollar is 1 USD, not {amount}")
    return day, currency, rate


def _by_currency(found: Mapping[tuple[str, date], Decimal]) -> dict[str, tuple[tuple[date, Decimal], ...]]:
    held: dict[str, list[tuple[date, Decimal]]] = {}
    pairs: Iterable[tuple[tuple[str, date], Decimal]] = sorted(found.items())
    for (currency, since), rate in pairs:
        held.setdefault(currency, []).append((since, rate))
    return {currency: tuple(rates) for currency, rates in held.items()}
