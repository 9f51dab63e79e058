"""What all writes share: statuses, what may still be edited, parameters kept as they came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid, missing_parameter
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.world import Level

_STATUSES = ("ACTIVE", "PAUSED", "ARCHIVED", "DELETED")


@dataclass(frozen=True, slots=True)
class Write:
    """One checked write: `id` None makes a new entity. `level` is the world's word."""

    level: Level
    id: str | None
    fields: dict[str, Any]


def required_name(params: Params) -> str:
    if not params.given("name"):
        raise missing_parameter("name")
    return params.text("name")


def create_status(params: Params, default: str = "PAUSED") -> str:
    """Only ACTIVE and PAUSED may be born."""
    status = params.text("status") or default
    if status not in ("ACTIVE", "PAUSED"):
        raise invalid("status must be one of the following values: ACTIVE, PAUSED", field_name="status")
    return status


def common_changes(params: Params) -> dict[str, Any]:
    """Name and status as given."""
    changes: dict[str, Any] = {}
    if params.given("name"):
        changes["name"] = params.text("name")
    status = params.text("status") or params.text("configured_status")
    if status:
        if status not in _STATUSES:
            raise invalid(f"status must be one of the following values: {', '.join(_STATUSES)}", field_name="status")
        changes["status"] = status
    return changes


def check_editable(status: str, changes: Mapping[str, Any]) -> None:
    """An archived object takes a name and DELETED, a deleted one a name only."""
    if status not in ("ARCHIVED", "DELETED"):
        return
    allowed = {"name"}
    if status == "ARCHIVED" and changes.get("status") == "DELETED":
        allowed.add("status")
    if changes.get("status") == status:
        allowed.add("status")
    if changes.keys() - allowed:
        subcode = 1487566 if status == "ARCHIVED" else 1487056
        raise invalid(
            f"The object is {status.lower()}; only its name can be edited.", subcode, title="Object Not Editable"
        )


def kept(params: Params, names: Iterable[str]) -> dict[str, Any]:
    """Parameters the emulator stores and gives back as they came, JSON text read into values."""
    found: dict[str, Any] = {}
    for name in names:
        if params.given(name):
            value = params[name]
            structured = isinstance(value, str) and value[:1] in "[{"
            found[name] = params.structure(name) if structured else value
    return found
