"""Walking a list page by page. How the next page is asked for is the platform's: a paginator with two methods."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from stakazo_pipelines.errors import MalformedError
from stakazo_pipelines.platforms.http.messages import ApiReply, ApiRequest

MAX_PAGES = 10_000


class Paginator(Protocol):
    """Holds where the walk stands. Body cursors, page numbers and header links all fit."""

    @property
    def has_next(self) -> bool: ...

    def update_state(self, reply: ApiReply) -> None:
        """Learn from an answer whether and where it goes on. Raises MalformedError when it cannot tell."""
        ...

    def update_request(self, request: ApiRequest) -> ApiRequest:
        """The request of the next page."""
        ...


async def pages(
    send: Callable[[ApiRequest], Awaitable[ApiReply]], request: ApiRequest, paginator: Paginator
) -> AsyncIterator[ApiReply]:
    """Every page of a list, in order. Raises MalformedError rather than walking in circles for ever."""
    for _ in range(MAX_PAGES):
        reply = await send(request)
        yield reply
        paginator.update_state(reply)
        if not paginator.has_next:
            return
        request = paginator.update_request(request)
    raise MalformedError(f"{request.title}: still more pages after {MAX_PAGES}; narrow the query")
