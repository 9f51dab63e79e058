"""Single calls and whole lists: JSON-encoded query values, the `data` envelope, pages by number.

TikTok's pages are no snapshot: a list is read again when a page is another than the one asked for, or when the pages
together do not hold as many rows as the list says it has.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from stakazo_pipelines.errors import MalformedError
from stakazo_pipelines.platforms.http import ApiClient, ApiReply, ApiRequest, pages
from stakazo_pipelines.platforms.wire import to_form

PAGE_SIZE = 1000
FILTER_IDS = 100  # ids that one filter may hold
_WALKS = 3
Row = Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Extent:
    """How large a list says it is, from the answer to its first page."""

    rows: int
    pages: int
    cut: bool  # only the newest 20,000 ids were looked at


class TooLongError(Exception):
    """The list has more pages than the caller wants to read one by one. Never leaves this room."""

    def __init__(self, extent: Extent) -> None:
        super().__init__(f"{extent.pages} pages")
        self.extent = extent


class _DriftError(Exception):
    """The pages of one walk do not fit together."""


class PagePaginator:
    """Counts pages up to `page_info.total_page`."""

    def __init__(self) -> None:
        self._page = 1
        self._pages = 1

    @property
    def has_next(self) -> bool:
        return self._page <= self._pages

    def update_state(self, reply: ApiReply) -> None:
        """Raises _DriftError for a page that was not asked for."""
        extent, page = _extent(reply)
        if page != self._page:
            raise _DriftError(f"asked for page {self._page}, got page {page}")
        self._pages = extent.pages
        self._page += 1

    def update_request(self, request: ApiRequest) -> ApiRequest:
        return dataclasses.replace(request, params={**request.params, "page": str(self._page)})


async def get(client: ApiClient, path: str, params: Mapping[str, object], *, account: str) -> Row:
    """The `data` of a read. Raises MalformedError when there is none."""
    request = ApiRequest("GET", path, account, params=_encoded(params), repeatable=True)
    return data_of(await client.send(request), request)


async def post(
    client: ApiClient, path: str, body: Mapping[str, object], *, account: str, repeatable: bool = False
) -> Row:
    """The `data` of a write ({} where it says nothing). The advertiser is added to the body."""
    request = ApiRequest("POST", path, account, json={"advertiser_id": account, **body}, repeatable=repeatable)
    reply = await client.send(request)
    data = reply.body.get("data") if isinstance(reply.body, dict) else None
    return data if isinstance(data, dict) else {}


async def read_list(
    client: ApiClient, path: str, params: Mapping[str, object], *, account: str, most_pages: int | None = None
) -> list[object]:
    """Every row of a list. Raises TooLongError beyond `most_pages` or 20,000 ids, MalformedError for drifting pages."""
    query = {"advertiser_id": account, **params, "page": 1, "page_size": PAGE_SIZE}
    request = ApiRequest("GET", path, account, params=_encoded(query), repeatable=True)
    drift, rows, total = "", list[object](), 0
    for _ in range(_WALKS):
        try:
            rows, total = await _walk(client, request, most_pages)
        except _DriftError as error:
            drift, rows, total = str(error), [], 1
            continue
        found = len({_identity(row) for row in rows})
        if found >= total:
            return rows
        drift = f"{found} different rows of {total}"
    # Several versions of one row, walk after walk, are not the pages' fault: whoever reads the rows sees to them.
    if len({repr(row) for row in rows}) >= total:
        return rows
    raise MalformedError(f"account {account}: GET {path}: the pages do not fit together: {drift}", "tiktok")


async def read_by_ids(
    client: ApiClient, path: str, field: str, ids: Iterable[str], *, account: str, status: str
) -> list[object]:
    """The rows with these ids, as many in one call as a filter may hold."""
    wanted = sorted(set(ids))
    rows: list[object] = []
    for start in range(0, len(wanted), FILTER_IDS):
        rule = {field: wanted[start : start + FILTER_IDS], "primary_status": status}
        rows += await read_list(client, path, {"filtering": rule}, account=account)
    return rows


def data_of(reply: ApiReply, request: ApiRequest) -> Row:
    """Raises MalformedError when the answer has no object of data."""
    data = reply.body.get("data") if isinstance(reply.body, dict) else None
    if not isinstance(data, dict):
        raise MalformedError(f"account {request.account}: {request.title}: the answer has no data", "tiktok")
    return data


async def _walk(client: ApiClient, request: ApiRequest, most_pages: int | None) -> tuple[list[object], int]:
    """The rows of one walk over the pages, and how many rows the list says it has."""
    rows: list[object] = []
    last = Extent(0, 0, False)
    async for reply in pages(client.send, request, PagePaginator()):
        last, _ = _extent(reply)
        if most_pages is not None and (last.cut or last.pages > most_pages):
            raise TooLongError(last)
        found = data_of(reply, request).get("list")
        if not isinstance(found, list):
            raise MalformedError(f"account {request.account}: {request.title}: the answer has no list", "tiktok")
        rows += found
    return rows, last.rows


def _extent(reply: ApiReply) -> tuple[Extent, int]:
    """What `page_info` says, and the page it speaks of. Raises MalformedError."""
    data = reply.body.get("data") if isinstance(reply.body, dict) else None
    info = data.get("page_info") if isinstance(data, dict) else None
    numbers = [info.get(key) for key in ("total_number", "total_page", "page")] if isinstance(info, dict) else []
    whole = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool) and number >= 0]
    if len(whole) != 3:
        raise MalformedError("a list without a usable page_info", "tiktok")
    return Extent(whole[0], whole[1], "x-tt-ads-throttle" in reply.headers), whole[2]


def _identity(row: object) -> object:
    """What tells rows apart: a report row's dimensions, an entity as it is."""
    dimensions = row.get("dimensions") if isinstance(row, dict) else None
    if isinstance(dimensions, dict) and all(isinstance(value, str) for value in dimensions.values()):
        return tuple(dimensions.values())
    return repr(row)


def _encoded(params: Mapping[str, object]) -> dict[str, str]:
    return {key: to_form(value) for key, value in params.items()}
