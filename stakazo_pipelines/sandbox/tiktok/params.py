"""Parameters of a call: JSON as text in a query, JSON values in a body, text in a form; read with TikTok's errors."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from stakazo_pipelines.sandbox.tiktok.errors import invalid, missing, not_among

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file part of a multipart body."""

    filename: str
    content: bytes


class Params:
    """The parameters of one call. `here` prefixes names in messages, for objects inside lists."""

    def __init__(self, values: Mapping[str, Any], files: Mapping[str, Upload] | None = None, here: str = "") -> None:
        self._values = dict(values)
        self.files: Mapping[str, Upload] = dict(files or {})
        self._here = here

    def given(self, name: str) -> bool:
        return self._values.get(name) not in (None, "")

    def raw(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the names that are there, as JSON values."""
        return {name: _plain(self._values[name]) for name in names if self._values.get(name) is not None}

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Names given that are none of these."""
        return sorted(self._values.keys() - set(known))

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def require(self, *names: str) -> None:
        absent = [self._here + name for name in names if not self.given(name)]
        if absent:
            raise missing(absent)

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        if isinstance(value, dict | list):
            raise invalid(f"{self._here}{name}: Not a valid string.")
        return default if value is None else str(value)

    def needed(self, name: str) -> str:
        """A text that must be there."""
        self.require(name)
        return self.text(name)

    def choice(self, name: str, known: Iterable[str], default: str = "") -> str:
        value = self.text(name) or default
        if value and value not in (known := tuple(known)):
            raise not_among(self._here + name, value, known)
        return value

    def integer(self, name: str, default: int) -> int:
        if not self.given(name):
            return default
        try:
            return int(self.text(name))
        except ValueError as error:
            raise invalid(f"{self._here}{name}: Not a valid integer.") from error

    def number(self, name: str) -> Decimal | None:
        """A number, exactly as written; None when not given."""
        if not self.given(name):
            return None
        try:
            value = Decimal(self.text(name))
        except InvalidOperation as error:
            raise invalid(f"{self._here}{name}: Not a valid number.") from error
        if not value.is_finite() or isinstance(self._values[name], bool):
            raise invalid(f"{self._here}{name}: Not a valid number.")
        return value

    def boolean(self, name: str, *, default: bool = False) -> bool:
        if not self.given(name):
            return default
        value = self.text(name).lower()
        if value not in ("true", "false", "1", "0"):
            raise invalid(f"{self._here}{name}: Not a valid boolean.")
        return value in ("true", "1")

    def names(self, name: str, *, most: int | None = None) -> list[str] | None:
        """A list of texts, None when not given. Numbers count as texts."""
        if not self.given(name):
            return None
        value = self._structure(name)
        if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
            raise invalid(f"{self._here}{name}: Not a valid array of strings.")
        if most is not None and not 1 <= len(value) <= most:
            raise invalid(f"{self._here}{name}: Length must be between 1 and {most}.")
        return [str(item) for item in value]

    def mapping(self, name: str) -> dict[str, Any]:
        """A JSON object; empty when not given."""
        if not self.given(name):
            return {}
        value = self._structure(name)
        if not isinstance(value, dict):
            raise invalid(f"{self._here}{name}: Not a valid object.")
        return value

    def objects(self, name: str, *, most: int | None = None) -> "list[Params]":
        """A JSON array of objects; empty when not given."""
        if not self.given(name):
            return []
        value = self._structure(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise invalid(f"{self._here}{name}: Not a valid array of objects.")
        if most is not None and not 1 <= len(value) <= most:
            raise invalid(f"{self._here}{name}: Length must be between 1 and {most}.")
        return [Params(item, here=f"{name}.{i}.") for i, item in enumerate(value)]

    def day(self, name: str) -> date:
        text = self.needed(name)
        try:
            return date.fromisoformat(text if _DATE.fullmatch(text) else "-")
        except ValueError as error:
            raise invalid(f"{self._here}{name}: Not a valid date, the format is YYYY-MM-DD.") from error

    def moment(self, name: str) -> datetime | None:
        """A UTC instant written YYYY-MM-DD HH:MM:SS; None when not given."""
        if not self.given(name):
            return None
        try:
            return datetime.strptime(self.text(name), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError as error:
            raise invalid(f"{self._here}{name}: Not a valid datetime, the format is YYYY-MM-DD HH:MM:SS.") from error

    def _structure(self, name: str) -> Any:
        value = self._values[name]
        return parsed(value, self._here + name) if isinstance(value, str) else value


def parsed(text: str, name: str) -> Any:
    """What a text holds as JSON. Raises 40002."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise invalid(f"{name}: Invalid JSON.") from error


async def read_params(request: Request) -> Params:
    """The query of a GET; the JSON or form body of a POST with what its query adds. Raises TikTokError."""
    values: dict[str, Any] = dict(request.query_params)
    files: dict[str, Upload] = {}
    if request.method == "POST":
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
            async with request.form(max_part_size=600 * 1024 * 1024) as form:
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        files[name] = Upload(value.filename or "", await value.read())
                    else:
                        values[name] = value
        else:
            values |= _json_body(await request.body())
    return Params(values, files)


def _json_body(content: bytes) -> dict[str, Any]:
    if not content.strip():
        return {}
    try:
        # Amounts stay as written: a budget of 10.001 is one decimal too many, not 10.00.
        body = json.loads(content, parse_float=Decimal)
    except ValueError as error:
        raise invalid("The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object.")
    return body


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value
