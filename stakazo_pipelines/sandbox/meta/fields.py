"""Field selection: `id,name,adsets.limit(5){id,name}` as a tree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stakazo_pipelines.sandbox.meta.errors import GraphError

_NAME = re.compile(r"[A-Za-z0-9_:]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One asked-for field: its own fields (nested nodes and edges) and modifiers like `limit(5)`."""

    name: str
    children: tuple["Field", ...] | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)


def _syntax_error(text: str, position: int) -> GraphError:
    rest = text[position : position + 20]
    return GraphError(
        f"Syntax error \"Unexpected '{rest}' at character {position}.\" at character {position}: {text}", 2500
    )


def parse_fields(text: str) -> tuple[Field, ...]:
    """The tree of a field expression. Raises code 2500 where it cannot be read."""
    fields, position = _parse_list(text, 0)
    if position != len(text):
        raise _syntax_error(text, position)
    return fields


def _parse_list(text: str, position: int) -> tuple[tuple[Field, ...], int]:
    fields: list[Field] = []
    while position < len(text) and text[position] != "}":
        if text[position] in ", ":
            position += 1
            continue
        parsed, position = _parse_field(text, position)
        fields.append(parsed)
    return tuple(fields), position


def _parse_field(text: str, position: int) -> tuple[Field, int]:
    match = _NAME.match(text, position)
    if match is None:
        raise _syntax_error(text, position)
    position = match.end()
    arguments: dict[str, str] = {}
    while position < len(text) and text[position] == ".":
        modifier = _NAME.match(text, position + 1)
        if modifier is None or modifier.end() >= len(text) or text[modifier.end()] != "(":
            raise _syntax_error(text, position)
        close = _closing(text, modifier.end())
        arguments[modifier.group()] = text[modifier.end() + 1 : close]
        position = close + 1
    children: tuple[Field, ...] | None = None
    if position < len(text) and text[position] == "{":
        children, position = _parse_list(text, position + 1)
        if position >= len(text):
            raise _syntax_error(text, position)
        position += 1
    return Field(match.group(), children, arguments), position


def _closing(text: str, opening: int) -> int:
    """Position of the bracket that closes the one at `opening` (filters inside may hold brackets themselves)."""
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise _syntax_error(text, opening)
