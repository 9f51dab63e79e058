"""Reading single values of a platform's JSON strictly: text where a number belongs is an error, never a zero.

Numbers arrive as strings, sometimes as real numbers; both are read. Every failure names the field and the reason.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from zoneinfo import ZoneInfo

from stakazo_pipelines.errors import MalformedError

LARGEST = Decimal(10) ** 12  # what the lake's Decimal(18, 6) can hold
_DIGITS = 18  # of a count; what an Int64 holds for sure
_MICRO = Decimal("0.000001")
T = TypeVar("T")


class WireError(Exception):
    """One field of a row cannot be trusted. Never leaves the platforms: the row is quarantined."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def trusted(parse: Callable[[], T], what: str, platform: str) -> T:
    """What `parse` reads of the one object asked for. Raises MalformedError where it raises WireError."""
    try:
        return parse()
    except WireError as error:
        unreadable = MalformedError(f"{what}: {error.field}: {error.reason}", platform)
    raise unreadable


def settings_digest(row: Mapping[str, object], fields: Sequence[str]) -> str:
    """What these fields hold, in 16 letters; "" where none is there. In which order lists come makes no difference."""
    held = {field: _ordered(row[field]) for field in fields if row.get(field) not in (None, "", [], {})}
    return hashlib.sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()[:16] if held else ""


def _ordered(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _ordered(part) for name, part in value.items()}
    if isinstance(value, list):
        return sorted(
            (_ordered(part) for part in value), key=lambda part: json.dumps(part, sort_keys=True, default=str)
        )
    return value


def ident(row: Mapping[str, object], field: str) -> str:
    """A required id as text. A float would have lost digits and is refused."""
    value = row.get(field)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise WireError(field, "missing" if value is None or value == "" else f"not an id: {_shown(value)}")


def text(row: Mapping[str, object], field: str) -> str:
    """Optional text; absent is ""."""
    value = row.get(field)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise WireError(field, f"not text: {_shown(value)}")


def count(row: Mapping[str, object], field: str) -> int:
    """A required whole number, not negative."""
    value = row.get(field)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < 10**_DIGITS:
            return value
        raise WireError(field, "negative" if value < 0 else "out of range")
    raise WireError(field, "missing" if value is None else f"not a whole number: {_shown(value)}")


def optional_count(row: Mapping[str, object], field: str) -> int | None:
    """As `count`; None where the field is absent, because not reported is not zero."""
    return count(row, field) if row.get(field) is not None else None


def amount(row: Mapping[str, object], field: str) -> Decimal:
    """A required decimal, not negative, rounded to a millionth (half even)."""
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WireError(field, "missing" if value is None else f"not a number: {_shown(value)}")
    try:
        number = Decimal(value if isinstance(value, str) else str(value))
    except InvalidOperation:
        raise WireError(field, f"not a number: {_shown(value)}") from None
    if not number.is_finite() or number >= LARGEST:
        raise WireError(field, f"out of range: {_shown(value)}")
    if number < 0:
        raise WireError(field, f"negative: {_shown(value)}")
    exponent = number.as_tuple().exponent
    return number.quantize(_MICRO) if isinstance(exponent, int) and exponent < -6 else number


def instant(row: Mapping[str, object], field: str) -> datetime | None:
    """An instant in UTC from ISO 8601 with an offset; None where absent."""
    value = text(row, field)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WireError(field, f"not an instant: {_shown(value)}") from None
    raise WireError(field, f"an instant without an offset: {_shown(value)}")


def to_form(value: object) -> str:
    """A parameter as forms take it: text as it is, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def zone_problem(name: str) -> str:
    """Why report days of this time zone cannot be placed; "" for a zone that the time-zone database has."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found; not a key at all; a folder of the database
        return f"unknown time zone {name!r}: its report days cannot be placed"
    return ""


def _shown(value: object) -> str:
    return repr(value)[:60]
