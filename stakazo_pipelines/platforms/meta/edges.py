"""Reading edges and nodes: cursors, page size, and the shape every answer must have.

`paging.next` is a URL that carries the token, so it is only asked whether it exists; the cursor beside it is followed.
"""

import dataclasses
from collections.abc import Mapping

from stakazo_pipelines.errors import MalformedError, TooMuchDataError, TransientError
from stakazo_pipelines.platforms.http import ApiClient, ApiReply, ApiRequest, pages
from stakazo_pipelines.platforms.meta.errors import TOO_LARGE_OR_UNKNOWN

LIMITS = (500, 100, 25)  # rows a page; the next smaller one when the server says that it is too much


class CursorPaginator:
    """Follows `paging.cursors.after` while `paging.next` is there; a short or empty page ends nothing."""

    def __init__(self) -> None:
        self._after = ""
        self._seen: set[str] = set()

    @property
    def has_next(self) -> bool:
        return bool(self._after)

    def update_state(self, reply: ApiReply) -> None:
        """Raises MalformedError where it goes on without a cursor, or to a page already read."""
        self._after = ""
        paging = reply.body.get("paging") if isinstance(reply.body, dict) else None
        if not isinstance(paging, dict) or not paging.get("next"):
            return
        cursors = paging.get("cursors")
        after = cursors.get("after") if isinstance(cursors, dict) else None
        if not isinstance(after, str) or not after:
            raise MalformedError("more pages are promised, but there is no cursor to them", "meta")
        if after in self._seen:
            raise MalformedError("the pages lead back to one already read", "meta")
        self._seen.add(after)
        self._after = after

    def update_request(self, request: ApiRequest) -> ApiRequest:
        return dataclasses.replace(request, params={**request.params, "after": self._after})


async def read_edge(
    client: ApiClient, path: str, params: Mapping[str, str], *, account: str, limit: int
) -> list[object]:
    """Every row of an edge, all pages. Raises MalformedError when an answer has no list of data."""
    request = ApiRequest("GET", path, account, params={**params, "limit": str(limit)}, repeatable=True)
    rows: list[object] = []
    async for reply in pages(client.send, request, CursorPaginator()):
        data = reply.body.get("data") if isinstance(reply.body, dict) else None
        if not isinstance(data, list):
            raise MalformedError(f"account {account}: GET {path}: the answer has no list of data", "meta")
        rows += data
    return rows


async def list_edge(client: ApiClient, path: str, params: Mapping[str, str], *, account: str = "") -> list[object]:
    """As `read_edge`, from the start again with smaller pages while the server finds them too large."""
    for limit in LIMITS[:-1]:
        try:
            return await read_edge(client, path, params, account=account, limit=limit)
        except (TooMuchDataError, TransientError) as error:
            if not is_too_much(error):
                raise
    return await read_edge(client, path, params, account=account, limit=LIMITS[-1])


async def read_node(client: ApiClient, node: str, fields: str, *, account: str) -> Mapping[str, object]:
    """One object. Raises NotFoundError, MalformedError."""
    reply = await client.send(ApiRequest("GET", node, account, params={"fields": fields}, repeatable=True))
    if not isinstance(reply.body, dict):
        raise MalformedError(f"account {account}: GET {node}: the answer is not an object", "meta")
    return reply.body


def is_too_much(error: TooMuchDataError | TransientError) -> bool:
    """Too much data, said plainly or by the code that Meta also uses for it (and that retries did not cure)."""
    return isinstance(error, TooMuchDataError) or error.code == TOO_LARGE_OR_UNKNOWN
