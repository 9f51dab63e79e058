"""One row of an export, read by a mapping: every value can be trusted, or the row is set aside with the reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stakazo_pipelines.importing.mapping import ColumnMapping

BLANK = "(blank)"
NO_CAMPAIGN = "(no campaign)"
COUNTS = ("impressions", "clicks", "link_clicks", "reach", "video_plays", "engagements")
AMOUNTS = ("spend", "conversions", "value")
_TOO_LARGE = Decimal(10) ** 12  # the lake keeps twelve digits before the point
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d*)?")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was set aside: where it stands, which of our fields is wrong, and why. `native` is the row."""

    row: int
    field: str
    reason: str
    native: Mapping[str, str]

    @property
    def where(self) -> str:
        return f"row {self.row}"


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A row's values in our terms. A measure is None where the export has no column or, counts only, no value."""

    row: int
    day: date
    account: str
    currency: str
    timezone: str
    attribution_window: str
    campaign_id: str
    campaign_name: str
    ad_group_id: str
    ad_group_name: str
    ad_id: str | None
    ad_name: str | None
    amounts: Mapping[str, Decimal | None]
    counts: Mapping[str, int | None]
    native: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What stands in where the row does not say it; `today` is the last day that may be reported."""

    account: str
    currency: str
    timezone: str
    attribution_window: str
    today: date


class _WrongError(Exception):
    """Carries a reason from the value to its row; never leaves this module."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads rows by one mapping. `read` never raises for what a row says."""

    mapping: ColumnMapping
    header: tuple[str, ...]
    defaults: Defaults
    _blank: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_blank", frozenset(self.mapping.blank))

    def read(self, number: int, cells: tuple[str, ...]) -> AcceptedRow | RejectedRow:
        """The row's values, or why it cannot be trusted."""
        native = dict(zip(self.header, cells, strict=False))
        surplus = any(cells[len(self.header) :])
        if surplus or len(cells) < len(self.header):
            reason = f"has {len(cells)} cells, the header {len(self.header)}; a quote or delimiter is missing"
            return RejectedRow(number, "row", reason, native)
        try:
            return self._accepted(number, {name: "" if cell in self._blank else cell for name, cell in native.items()})
        except _WrongError as wrong:
            return RejectedRow(number, wrong.field, wrong.reason, native)

    def _accepted(self, number: int, row: dict[str, str]) -> AcceptedRow:
        mapping, defaults = self.mapping, self.defaults
        day = self._day(row)
        account = self._text(row, mapping.account) or defaults.account
        campaign = self._joined(row, mapping.campaign) if mapping.campaign else NO_CAMPAIGN
        group = self._joined(row, mapping.ad_group)
        ad = self._joined(row, mapping.ad) if mapping.ad else None
        ad_id = (self._text(row, mapping.ad_id) or f"{account} / {campaign} / {group} / {ad}") if ad else None
        return AcceptedRow(
            row=number,
            day=day,
            account=account,
            currency=_currency(self._text(row, mapping.currency) or defaults.currency),
            timezone=_zone(self._text(row, mapping.timezone) or defaults.timezone),
            attribution_window=self._text(row, mapping.attribution_window) or defaults.attribution_window,
            # Names are unique in their parent only, ids in the platform: an invented id is the whole path.
            campaign_id=self._text(row, mapping.campaign_id) or f"{account} / {campaign}",
            campaign_name=campaign,
            ad_group_id=self._text(row, mapping.ad_group_id) or f"{account} / {campaign} / {group}",
            ad_group_name=group,
            ad_id=ad_id,
            ad_name=ad,
            amounts={name: self._amount(row, name) for name in AMOUNTS},
            counts={name: self._count(row, name) for name in COUNTS},
            native={name: cell for name, cell in row.items() if cell},
        )

    def _text(self, row: dict[str, str], column: str | None) -> str:
        return row[column] if column else ""

    def _joined(self, row: dict[str, str], columns: tuple[str, ...]) -> str:
        return " / ".join(row[column] or BLANK for column in columns)

    def _day(self, row: dict[str, str]) -> date:
        dates = self.mapping.date
        cells = [row[column] for column in dates.columns]
        if not all(cells):
            raise _WrongError("date", "is missing (a total row?)")
        day = _parse_day(" ".join(cells), dates.format, dates.year)
        end = self._text(row, self.mapping.date_end)
        if end and _parse_day(end, dates.format, dates.year) != day:
            raise _WrongError("date", f"the row covers {day} to {end}; export with a breakdown by day")
        if day > self.defaults.today:
            raise _WrongError("date", f"{day} lies after the day of the import, {self.defaults.today}")
        return day

    def _amount(self, row: dict[str, str], name: str) -> Decimal | None:
        column = getattr(self.mapping, name)
        if column is None:
            return None
        if not row[column]:
            if name == "spend":
                raise _WrongError(name, "is missing; an unknown cost is not a cost of zero")
            return Decimal(0)  # exports leave the cell empty where nothing was bought
        return _number(name, row[column], self.mapping.decimal)

    def _count(self, row: dict[str, str], name: str) -> int | None:
        column = getattr(self.mapping, name)
        if column is None or not row[column]:
            return None
        value = _number(name, row[column], self.mapping.decimal)
        if value != value.to_integral_value():
            raise _WrongError(name, f"{row[column]!r} is not a whole number")
        return int(value)


def _parse_day(text: str, layout: str | None, year: int | None) -> date:
    try:
        if layout is None:
            return date.fromisoformat(text[:10]) if year is None else date.fromisoformat(f"{year}-{text}")
        # Parsed with its year: on its own "29 February" is ambiguous.
        whole, pattern = (text, layout) if year is None else (f"{text} {year}", f"{layout} %Y")
        return datetime.strptime(whole, pattern).date()  # noqa: DTZ007 - a report day has no time of day
    except ValueError:
        expected = f"in the format {layout!r}" if layout else "like 2026-01-31; give the mapping a date format"
        raise _WrongError("date", f"{text!r} is not a date {expected}") from None


def _number(name: str, text: str, decimal: str) -> Decimal:
    plain = text.replace("\u00a0", "").replace(" ", "")
    if decimal == ",":
        plain = plain.replace(".", "").replace(",", ".")
    elif _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        raise _WrongError(name, f"{text!r} is not a number") from None
    if not value.is_finite():
        raise _WrongError(name, f"{text!r} is not a number")
    if value < 0:
        raise _WrongError(name, f"{text} is negative")
    if value >= _TOO_LARGE:
        raise _WrongError(name, f"{text} is too large to be true")
    return value


def _currency(text: str) -> str:
    if len(text) != 3 or not text.isascii() or not text.isalpha():
        raise _WrongError("currency", f"{text!r} is not a three-letter currency code (ISO 4217)")
    return text.upper()


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        raise _WrongError("timezone", f"{name!r} is not an IANA time zone such as Europe/Istanbul") from None
