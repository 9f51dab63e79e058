"""One call on the API as Rest.li sees it: a resource path with keys, a Rest.li method, decoded parameters, a body."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stakazo_pipelines.sandbox.emulation import Draw
from stakazo_pipelines.sandbox.linkedin.errors import LinkedInError, bad_param
from stakazo_pipelines.sandbox.linkedin.restli import Value

_VERBS = {
    "GET": "GET", "BATCH_GET": "GET", "GET_ALL": "GET", "FINDER": "GET", "BATCH_FINDER": "GET",
    "CREATE": "POST", "BATCH_CREATE": "POST", "PARTIAL_UPDATE": "POST", "BATCH_PARTIAL_UPDATE": "POST",
    "ACTION": "POST", "UPDATE": "PUT", "BATCH_UPDATE": "PUT", "DELETE": "DELETE", "BATCH_DELETE": "DELETE",
}  # fmt: skip


def no_faults(_stage: str) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Call:
    """`path` is decoded, as it is logged; `parts` are its segments behind /rest, keys decoded.

    `verb` is the HTTP method once query tunnelling is undone, `stated` the X-RestLi-Method header.
    """

    verb: str
    path: str
    parts: tuple[Any, ...]
    base_url: str
    stated: str = ""
    params: dict[str, Value] = field(default_factory=dict)
    body: Any = None
    draw: Draw = no_faults

    @property
    def resource(self) -> str:
        """Name of the resource: the last segment that is one."""
        parts = self.parts
        return str(parts[2] if len(parts) > 2 and parts[0] == "adAccounts" else parts[0] if parts else "")

    def method(self, *, has_key: bool) -> str:
        """The Rest.li method: what the header says where it fits, else what the request looks like."""
        if self.stated:
            if _VERBS.get(self.stated) != self.verb:
                raise LinkedInError(400, "PARAM_INVALID", f"X-RestLi-Method {self.stated} does not go with {self.verb}")
            return self.stated
        if self.verb == "GET":
            if has_key:
                return "GET"
            return "FINDER" if "q" in self.params else "BATCH_GET" if "ids" in self.params else "GET_ALL"
        if self.verb == "POST":
            if has_key:
                return "PARTIAL_UPDATE_UNSTATED"
            return "ACTION" if "action" in self.params else "CREATE"
        if self.verb == "DELETE":
            return "DELETE" if has_key else "BATCH_DELETE"
        return "UPDATE" if self.verb == "PUT" else self.verb

    def text(self, name: str) -> str | None:
        """A plain parameter; one written as `(value:X)` counts as X. Raises PARAM_INVALID for structure."""
        value = self.params.get(name)
        if isinstance(value, dict) and set(value) == {"value"}:
            value = value["value"]
        if value is not None and not isinstance(value, str):
            raise bad_param(name, "must be a plain value")
        return value

    def number(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit()) or int(value) < least:
            raise bad_param(name, f"must be a whole number of at least {least}")
        if most is not None and int(value) > most:
            raise bad_param(name, f"Specified {name} is larger than {most}")
        return int(value)

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        value = self.text(name)
        known = set(allowed)
        if value is not None and value not in known:
            raise bad_param(name, f"{value} is not one of {', '.join(sorted(known))}")
        return value or default

    def only(self, *names: str) -> None:
        """Refuses parameters that the finder does not know."""
        for name in self.params:
            if name not in names:
                raise bad_param(name, "is not a parameter of this request", "QUERY_PARAM_NOT_ALLOWED")

    def fields(self) -> list[str] | None:
        """The projection, None for everything."""
        text = self.text("fields")
        return None if text is None else [name.strip() for name in text.split(",") if name.strip()]

    def mapping(self) -> dict[str, Any]:
        if not isinstance(self.body, dict):
            raise LinkedInError(400, "PARAM_INVALID", "The request body must be a JSON object")
        return self.body
