"""Parameters as the Graph API takes them: query, form, multipart or JSON, lists and objects as text, leniently read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid

_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


@dataclass(frozen=True, slots=True)
class Upload:
    """One file part of a multipart body."""

    filename: str
    content: bytes


class Params(Mapping[str, Any]):
    """The parameters of one call. Values are text (query and form) or any JSON value (JSON body)."""

    def __init__(self, values: Mapping[str, Any], files: Mapping[str, Upload] | None = None) -> None:
        self._values = dict(values)
        self.files: Mapping[str, Upload] = dict(files or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def given(self, name: str) -> bool:
        """Whether the parameter is there and says something (an empty text is ignored by Meta)."""
        return self._values.get(name) not in (None, "")

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        return default if value is None else str(value)

    def integer(self, name: str) -> int | None:
        """A whole number, None when not given. Raises code 100 on anything else."""
        if not self.given(name):
            return None
        return whole_number(self._values[name], name)

    def boolean(self, name: str) -> bool | None:
        if not self.given(name):
            return None
        value = str(self._values[name]).lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise invalid(f"Param {name} must be a boolean", field_name=name)

    def names(self, name: str) -> list[str] | None:
        """A list of words: JSON list, single-quoted list or comma-joined. None when not given."""
        if not self.given(name):
            return None
        value = self._values[name]
        if isinstance(value, str):
            text = value.strip()
            value = parse_json(text, name) if text.startswith("[") else [part.strip() for part in text.split(",")]
        if not isinstance(value, list):
            raise invalid(f"Param {name} must be an array.", field_name=name)
        return [str(item) for item in value if str(item)]

    def structure(self, name: str) -> Any:
        """A JSON value given as text or as such. None when not given."""
        if not self.given(name):
            return None
        value = self._values[name]
        return parse_json(value, name) if isinstance(value, str) else value

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self.structure(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid(f"Param {name} must be a valid JSON object", field_name=name)
        return value

    def moment(self, name: str) -> datetime | None:
        """An instant as ISO 8601 or Unix seconds; 0 and not given are None (open end)."""
        if not self.given(name):
            return None
        value = str(self._values[name])
        if value.lstrip("-").isdigit():
            return datetime.fromtimestamp(int(value), UTC) if int(value) > 0 else None
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError as error:
            raise invalid(f"Param {name} is not a valid datetime", field_name=name) from error
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def whole_number(value: object, name: str) -> int:
    """Text or number as int. Raises code 100 with the parameter's name."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    try:
        return int(text)
    except ValueError as error:
        raise invalid(f"Param {name} must be an integer", field_name=name) from error


def parse_json(text: str, name: str) -> Any:
    """JSON, or JSON with single quotes as Meta's own examples have it."""
    for candidate in (text, text.replace("'", '"')):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    raise invalid(f"Param {name} must be valid JSON", field_name=name)
