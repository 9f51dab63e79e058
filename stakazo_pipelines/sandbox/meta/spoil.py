"""Faults inside a good answer: rows of lists with wrong, missing, new or retyped fields."""

import copy
from collections.abc import Sequence
from typing import Any

from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.meta.call import Call


def rows_of(body: object) -> list[dict[str, Any]]:
    """The rows a list fault can act on; none in an answer that is no list."""
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        return []
    return [row for row in body["data"] if isinstance(row, dict)]


def spoil(call: Call, body: Any) -> Any:
    """The body with what the list faults of this call do to it."""
    if not rows_of(body):
        return body
    hits: Sequence[Hit] = call.draw("list")
    if not hits:
        return body
    spoiled = copy.deepcopy(body)
    for hit in hits:
        _apply(call, hit, rows_of(spoiled))
    return spoiled


def _apply(call: Call, hit: Hit, rows: list[dict[str, Any]]) -> None:
    usual = "spend" if call.path.endswith("insights") else "name"
    field = hit.text("field", usual)
    one = [rows[hit.rng.randrange(len(rows))]]
    chosen = rows if hit.text("rows", "one" if hit.kind == "malformed_row" else "all") == "all" else one
    for row in chosen:
        if hit.kind == "malformed_row":
            row[field] = hit.options.get("value", "not-a-number")
        elif hit.kind == "missing_field":
            row.pop(field, None)
        elif hit.kind == "new_field":
            row[hit.text("field", "brand_new_field")] = hit.options.get("value", {"since": "today"})
        elif hit.kind == "retyped_field" and field in row:
            row[field] = {"value": row[field]}
