"""LinkedIn's names for things: `urn:li:<kind>:<number>`. The port knows the number, the wire the URN. Pure."""

import re
from collections.abc import Mapping

from stakazo_pipelines.errors import NotFoundError
from stakazo_pipelines.platforms.wire import WireError, ident

ACCOUNT = "sponsoredAccount"
GROUP = "sponsoredCampaignGroup"
CAMPAIGN = "sponsoredCampaign"
CREATIVE = "sponsoredCreative"
GEO = "geo"
POSTS = ("share", "ugcPost")  # what a creative may refer to; ids of posts are numbers within their kind

_URN = re.compile(r"urn:li:([A-Za-z]+):([0-9]+)", re.ASCII)


def urn(kind: str, number: str) -> str:
    return f"urn:li:{kind}:{number}"


def split(value: object) -> tuple[str, str] | None:
    """(kind, number) of a URN whose key is a number, else None."""
    found = _URN.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else None


def number_of(row: Mapping[str, object], field: str, kind: str) -> str:
    """The number in a required URN of this kind; a bare number is taken as well. Raises WireError."""
    value = ident(row, field)
    if value.isascii() and value.isdigit():
        return value
    parts = split(value)
    if parts is None or parts[0] != kind:
        raise WireError(field, f"not a {kind}: {value[:60]!r}")
    return parts[1]


def checked(number: str) -> str:
    """An id that is none must not become another path. Raises NotFoundError."""
    if not number.isascii() or not number.isdigit():
        raise NotFoundError(f"{number[:40]!r} is not an id of LinkedIn", "linkedin")
    return number
