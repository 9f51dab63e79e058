"""Pages: cursors with an opaque token on the search finders, start and count on the older ones."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from stakazo_pipelines.sandbox.emulation import turned_page
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.errors import bad_param
from stakazo_pipelines.sandbox.linkedin.restli import encode

T = TypeVar("T")
_DEFAULT, _MOST = 100, 1000


def cursor_page(call: Call, items: Sequence[T], view: Callable[[T], Any], *, most: int = _MOST) -> dict[str, Any]:
    """`elements` and, where there is more, `metadata.nextPageToken`."""
    size = call.number("pageSize", min(_DEFAULT, most), least=1, most=most)
    first = turned_page(call.draw, _offset(call.text("pageToken")), size, len(items))
    metadata = {} if first + size >= len(items) else {"nextPageToken": _token(first + size)}
    return {"elements": [view(item) for item in items[first : first + size]], "metadata": metadata}


def index_page(call: Call, items: Sequence[T], view: Callable[[T], Any], *, default: int = 10) -> dict[str, Any]:
    """`elements` and `paging` with links to the neighbours."""
    size = call.number("count", default, least=1, most=_MOST)
    start = call.number("start", 0)
    first = turned_page(call.draw, start, size, len(items))
    links = []
    if start + size < len(items):
        query = "&".join(
            f"{name}={encode(value)}" for name, value in call.params.items() if name not in ("start", "count")
        )
        links.append({"type": "application/json", "rel": "next",
                      "href": f"{call.path}?{query}&start={start + size}&count={size}"})  # fmt: skip
    paging = {"start": start, "count": size, "total": len(items), "links": links}
    return {"elements": [view(item) for item in items[first : first + size]], "paging": paging}


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"page:{offset}".encode()).decode().rstrip("=")


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        kind, _, offset = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_param("pageToken", "is not a token of this search") from error
    if kind != "page" or not offset.isdigit():
        raise bad_param("pageToken", "is not a token of this search")
    return int(offset)
