"""Cursors and pages. A cursor is opaque and remembers the key it stands behind: rows added meanwhile move nothing."""

import base64
import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stakazo_pipelines.sandbox.meta.call import Call
from stakazo_pipelines.sandbox.meta.errors import invalid, reduce_data

DEFAULT_LIMIT = 25
MAX_LIMIT = 1000
_IGNORED = frozenset({"after", "before", "limit", "access_token", "appsecret_proof"})


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list that one answer carries: positions [start, stop)."""

    start: int
    stop: int
    paging: dict[str, Any]


def read_limit(call: Call) -> int:
    """Page size. Raises code 1 when more is asked for than the server is willing to gather."""
    limit = call.params.integer("limit")
    if limit is None:
        return DEFAULT_LIMIT
    if limit < 1:
        raise invalid("Param limit must be a positive integer", field_name="limit")
    if limit > MAX_LIMIT:
        raise reduce_data()
    return limit


def paginate(call: Call, path: str, keys: Sequence[int], limit: int) -> Window:
    """Choose the page of a list whose rows have these strictly ascending keys; build cursors and links.

    The faults `duplicated_page` (next leads to this page once more) and `missing_page` (next leaps over one) act here.
    """
    query = _fingerprint(call, path)
    after, repeated = _position(call, "after", query)
    before, _ = _position(call, "before", query)
    if before is not None:
        stop = bisect_left(keys, before)
        start = max(0, stop - limit)
    else:
        start = 0 if after is None else bisect_right(keys, after)
        stop = min(len(keys), start + limit)
    if start >= stop:
        return Window(start, start, {})
    paging: dict[str, Any] = {
        "cursors": {"before": _cursor(keys[start], query), "after": _cursor(keys[stop - 1], query)}
    }
    if stop < len(keys):
        following = paging["cursors"]["after"]
        for hit in () if repeated else call.draw("paged"):
            if hit.kind == "duplicated_page":
                following = _cursor(keys[start] - 1, query, repeated=True)
            else:
                following = _cursor(keys[min(stop + limit, len(keys)) - 1], query)
        paging["next"] = call.url(path, after=following, limit=str(limit))
        paging["cursors"]["after"] = following
    if start > 0:
        paging["previous"] = call.url(path, before=paging["cursors"]["before"], limit=str(limit))
    return Window(start, stop, paging)


def _fingerprint(call: Call, path: str) -> str:
    text = path + "".join(f"&{name}={call.params[name]}" for name in sorted(call.params) if name not in _IGNORED)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _cursor(key: int, query: str, *, repeated: bool = False) -> str:
    text = f"{key}:{query}{':r' if repeated else ''}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") + "ZD"


def _position(call: Call, name: str, query: str) -> tuple[int | None, bool]:
    if not call.params.given(name):
        return None, False
    try:
        bare = call.params.text(name).removesuffix("ZD")
        text = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode()
        key, fingerprint, *flags = text.split(":")
        position = int(key)
    except ValueError as error:
        raise _bad_cursor(name) from error
    if fingerprint != query:
        raise _bad_cursor(name)
    return position, flags == ["r"]


def _bad_cursor(name: str) -> Exception:
    return invalid("Invalid cursors values for after or before", field_name=name)
