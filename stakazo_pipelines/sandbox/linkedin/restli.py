"""Rest.li's URL encodings: 2.0 (`List(a,b)`, `(key:value)`) and 1.0 (`a[0]=`, `a.b=`), read from raw query text.

Structure is found before anything is percent-decoded, so an encoded bracket is text and never structure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

Value = str | list["Value"] | dict[str, "Value"]
_OLD_NAME = re.compile(r"^([^.\[\]]+)((?:\.[^.\[\]]+|\[\d+\])+)$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_LIST = "List("


class RestliError(ValueError):
    """Text that is not Rest.li; the message says where."""


class OldStyleError(RestliError):
    """`a[0]=` or `a.b=` in a request that speaks Rest.li 2.0."""


def read_query(text: str, *, old: bool = False) -> dict[str, Value]:
    """Parameters by name. `old` reads Rest.li 1.0, where values may still be of the 2.0 form. Raises RestliError."""
    params: dict[str, Value] = {}
    for pair in text.split("&"):
        if not pair:
            continue
        raw_name, _, raw = pair.partition("=")
        name = unquote(raw_name)
        match = _OLD_NAME.match(name)
        if match is not None and not old:
            raise OldStyleError(name)
        if match is not None:
            _put(params, match[1], [key or int(index) for key, index in _STEP.findall(match[2])], unquote_plus(raw))
        elif name in params:
            raise RestliError(f"parameter {name} is given twice")
        elif name == "fields" or (old and not raw.startswith(("(", _LIST))):
            params[name] = unquote_plus(raw)
        else:
            params[name] = read_value(raw)
    return {name: _without_gaps(value) for name, value in params.items()}


def read_value(raw: str) -> Value:
    """One encoded value. A whole value whose encoded text is structure is refused, as is anything unbalanced."""
    if not raw.startswith(("(", _LIST)):
        text = unquote(raw)
        if text.startswith(("(", _LIST)):
            raise RestliError("brackets, colons and commas of the structure must not be percent-encoded")
        return text
    value, end = _read(raw, 0)
    if end != len(raw):
        raise RestliError(f"text behind the closing bracket: {raw[end : end + 20]}")
    return value


def encode(value: object) -> str:
    """The 2.0 encoding of a value, as it stands in a URL."""
    if isinstance(value, Mapping):
        return "(" + ",".join(f"{encode(key)}:{encode(item)}" for key, item in sorted(value.items())) + ")"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _LIST + ",".join(encode(item) for item in value) + ")"
    return quote(str(value), safe="")


def as_list(value: object) -> list[Any]:
    """A list as it is, one value as a list of one, nothing as none."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _read(raw: str, at: int) -> tuple[Value, int]:
    if raw.startswith(_LIST, at):
        return _read_list(raw, at + len(_LIST))
    if raw.startswith("(", at):
        return _read_record(raw, at + 1)
    end = at
    while end < len(raw) and raw[end] not in "(),:":
        end += 1
    if end < len(raw) and raw[end] in "(:":
        raise RestliError(f"{raw[end]!r} inside a value must be percent-encoded: {raw[at : end + 1]}")
    return unquote(raw[at:end]), end


def _read_list(raw: str, at: int) -> tuple[Value, int]:
    items: list[Value] = []
    while raw[at : at + 1] != ")" or items:
        item, at = _read(raw, at)
        items.append(item)
        at = _next(raw, at)
        if raw[at - 1] == ")":
            return items, at
    return items, at + 1


def _read_record(raw: str, at: int) -> tuple[Value, int]:
    record: dict[str, Value] = {}
    while raw[at : at + 1] != ")" or record:
        colon = at
        while colon < len(raw) and raw[colon] not in "(),:":
            colon += 1
        if raw[colon : colon + 1] != ":" or colon == at:
            raise RestliError(f"a record needs key:value, not {raw[at : at + 20]}")
        item, end = _read(raw, colon + 1)
        record[unquote(raw[at:colon])] = item
        at = _next(raw, end)
        if raw[at - 1] == ")":
            return record, at
    return record, at + 1


def _next(raw: str, at: int) -> int:
    if raw[at : at + 1] not in (",", ")"):
        raise RestliError("a bracket is not closed")
    return at + 1


def _put(params: dict[str, Any], name: str, steps: list[str | int], value: str) -> None:
    """Lists are held by index until all of them are in, for they may come in any order."""
    holder = params.setdefault(name, {})
    for step in steps[:-1]:
        holder = holder.setdefault(step, {}) if isinstance(holder, dict) else None
        if holder is None:
            break
    if not isinstance(holder, dict):
        raise RestliError(f"parameter {name} is both a value and a structure")
    holder[steps[-1]] = value


def _without_gaps(value: Any) -> Value:
    if isinstance(value, dict):
        if value and all(isinstance(key, int) for key in value):
            return [_without_gaps(value[key]) for key in sorted(value)]
        return {str(key): _without_gaps(item) for key, item in value.items()}
    return value  # type: ignore[no-any-return]  # text, or what read_value made
