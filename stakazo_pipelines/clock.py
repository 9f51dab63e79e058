"""What time it is: the sandbox's own time where we run on the sandbox, the machine's otherwise."""

from datetime import UTC, datetime
from functools import cache

import httpx

from stakazo_pipelines.errors import TransientError


def present(sandbox_url: str | None) -> datetime:
    """The present instant, aware UTC. Raises TransientError when the sandbox does not answer."""
    if sandbox_url is None:
        return datetime.now(UTC)
    try:
        answer = _client().get(f"{sandbox_url}/sandbox/clock").raise_for_status()
    except httpx.HTTPError as error:
        raise TransientError(
            f"the sandbox at {sandbox_url} does not tell the time ({type(error).__name__}); is it running?"
        ) from None
    return datetime.fromisoformat(answer.json()["now"])


@cache
def _client() -> httpx.Client:
    """One for the process: every journal entry asks for the time, and a new client costs more than the question."""
    return httpx.Client(timeout=30)
