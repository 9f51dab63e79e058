"""The operators of `filtering`, the same for edges and insights."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid


def matches(operator: str, actual: object, expected: object) -> bool:
    """Whether a value passes. Raises code 100 for operators nobody knows and values that do not fit."""
    if operator not in _OPERATORS:
        raise invalid(
            f"Filtering operator must be one of the following values: {', '.join(_OPERATORS)}", field_name="filtering"
        )
    try:
        return _OPERATORS[operator](actual, expected)
    except (TypeError, ValueError) as error:
        raise invalid(
            f"Filtering value {expected!r} does not fit operator {operator}", field_name="filtering"
        ) from error


def _number(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return float(str(value)) if value is not None else 0.0


def _items(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("a list is needed")
    return [str(item) for item in value]


def _between(actual: object, expected: object) -> bool:
    low, high = _items(expected)
    return float(low) <= _number(actual) <= float(high)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUAL": lambda actual, expected: str(actual) == str(expected),
    "NOT_EQUAL": lambda actual, expected: str(actual) != str(expected),
    "GREATER_THAN": lambda actual, expected: _number(actual) > _number(expected),
    "GREATER_THAN_OR_EQUAL": lambda actual, expected: _number(actual) >= _number(expected),
    "LESS_THAN": lambda actual, expected: _number(actual) < _number(expected),
    "LESS_THAN_OR_EQUAL": lambda actual, expected: _number(actual) <= _number(expected),
    "AFTER": lambda actual, expected: _number(actual) > _number(expected),
    "BEFORE": lambda actual, expected: _number(actual) < _number(expected),
    "ON_OR_AFTER": lambda actual, expected: _number(actual) >= _number(expected),
    "ON_OR_BEFORE": lambda actual, expected: _number(actual) <= _number(expected),
    "IN_RANGE": _between,
    "NOT_IN_RANGE": lambda actual, expected: not _between(actual, expected),
    "IN": lambda actual, expected: str(actual) in _items(expected),
    "NOT_IN": lambda actual, expected: str(actual) not in _items(expected),
    "ANY": lambda actual, expected: str(actual) in _items(expected),
    "CONTAIN": lambda actual, expected: str(expected).lower() in str(actual).lower(),
    "NOT_CONTAIN": lambda actual, expected: str(expected).lower() not in str(actual).lower(),
    "CONTAINS_ANY": lambda actual, expected: any(item.lower() in str(actual).lower() for item in _items(expected)),
    "CONTAINS_ALL": lambda actual, expected: all(item.lower() in str(actual).lower() for item in _items(expected)),
    "NOT_CONTAINS_ANY": lambda actual, expected: (
        not any(item.lower() in str(actual).lower() for item in _items(expected))
    ),
    "STARTS_WITH": lambda actual, expected: str(actual).startswith(str(expected)),
    "ENDS_WITH": lambda actual, expected: str(actual).endswith(str(expected)),
}
