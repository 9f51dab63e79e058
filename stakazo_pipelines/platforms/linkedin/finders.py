"""Reading collections and single entities: the finders' cursors, and the shape every answer must have."""

from collections.abc import Mapping

from stakazo_pipelines.errors import MalformedError
from stakazo_pipelines.platforms.http import ApiClient, ApiReply, ApiRequest, pages
from stakazo_pipelines.platforms.linkedin import restli


class TokenPaginator:
    """Follows `metadata.nextPageToken` until there is none; a short or empty page ends nothing."""

    def __init__(self, path: str, params: Mapping[str, restli.Value], account: str) -> None:
        self._path = path
        self._params = params
        self._account = account
        self._token = ""
        self._seen: set[str] = set()

    @property
    def has_next(self) -> bool:
        return bool(self._token)

    def update_state(self, reply: ApiReply) -> None:
        """Raises MalformedError for a cursor that is none, or one that leads back."""
        metadata = reply.body.get("metadata") if isinstance(reply.body, dict) else None
        token = metadata.get("nextPageToken") if isinstance(metadata, dict) else None
        if token is not None and not isinstance(token, str):
            raise MalformedError("more pages are promised, but the cursor to them is not text", "linkedin")
        if token and token in self._seen:
            raise MalformedError("the pages lead back to one already read", "linkedin")
        self._token = token or ""
        self._seen.add(self._token)

    def update_request(self, request: ApiRequest) -> ApiRequest:
        """Written anew: whether it fits a URL may change with the cursor."""
        params = {**self._params, "pageToken": self._token}
        return restli.get(self._path, params, account=self._account, finder=True)


class OffsetPaginator:
    """Counts `start` on while pages are full: the finders that know no cursor."""

    def __init__(self, path: str, params: Mapping[str, restli.Value], account: str, count: int) -> None:
        self._path = path
        self._params = params
        self._account = account
        self._count = count
        self._start = 0
        self.has_next = False

    def update_state(self, reply: ApiReply) -> None:
        got = len(elements(reply, self._path, self._account))
        self._start += got
        self.has_next = got >= self._count

    def update_request(self, request: ApiRequest) -> ApiRequest:
        params = {**self._params, "start": self._start, "count": self._count}
        return restli.get(self._path, params, account=self._account, finder=True)


async def find(
    client: ApiClient, path: str, params: Mapping[str, restli.Value], *, page_size: int, account: str = ""
) -> list[object]:
    """Every element of a finder with cursors, all pages."""
    asked = {**params, "pageSize": page_size}
    request = restli.get(path, asked, account=account, finder=True)
    return await _walk(client, request, TokenPaginator(path, asked, account), path, account)


async def find_counted(
    client: ApiClient, path: str, params: Mapping[str, restli.Value], *, count: int, account: str
) -> list[object]:
    """As `find`, for finders with `start` and `count`."""
    request = restli.get(path, {**params, "start": 0, "count": count}, account=account, finder=True)
    return await _walk(client, request, OffsetPaginator(path, params, account, count), path, account)


async def get_one(client: ApiClient, path: str, *, account: str) -> Mapping[str, object]:
    """One object. Raises NotFoundError, MalformedError."""
    reply = await client.send(restli.get(path, {}, account=account))
    if not isinstance(reply.body, dict):
        raise MalformedError(f"account {account}: GET {path}: the answer is not an object", "linkedin")
    return reply.body


def elements(reply: ApiReply, path: str, account: str) -> list[object]:
    """Raises MalformedError when an answer has no list of elements."""
    rows = reply.body.get("elements") if isinstance(reply.body, dict) else None
    if not isinstance(rows, list):
        raise MalformedError(f"account {account}: GET {path}: the answer has no list of elements", "linkedin")
    return rows


async def _walk(
    client: ApiClient, request: ApiRequest, paginator: TokenPaginator | OffsetPaginator, path: str, account: str
) -> list[object]:
    rows: list[object] = []
    async for reply in pages(client.send, request, paginator):
        rows += elements(reply, path, account)
    return rows
