"""One call that has been let in, and what a handler answers to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stakazo_pipelines.sandbox import emulation
from stakazo_pipelines.sandbox.emulation import Draw
from stakazo_pipelines.sandbox.tiktok.errors import invalid
from stakazo_pipelines.sandbox.tiktok.params import Params

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """`draw` asks for the faults of one stage; `base_url` is this server as the caller sees it."""

    params: Params
    draw: Draw
    base_url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` goes into the envelope; a `file` is the whole body instead."""

    data: Any
    code: int = 0
    message: str = "OK"
    headers: dict[str, str] = field(default_factory=dict)
    file: str | bytes | None = None


Handler = Callable[[Call], Answer]


def partial_success(data: dict[str, Any], errors: list[dict[str, str]]) -> Answer:
    """20001 when some items of a batch failed; `errors` says which."""
    if not errors:
        return Answer(data)
    return Answer({**data, "error_list": errors}, code=20001, message="Partial success.")


def read_page(params: Params, *, usual: int = 10) -> tuple[int, int]:
    """Page and page size."""
    page, size = params.integer("page", 1), params.integer("page_size", usual)
    if page < 1:
        raise invalid("page: Must be at least 1.")
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"page_size: Must be between 1 and {MAX_PAGE}.")
    return page, size


def page_info(page: int, size: int, total: int) -> dict[str, int]:
    return {"page": page, "page_size": size, "total_number": total, "total_page": -(-total // size)}


def failing(draw: Draw, count: int) -> set[int]:
    """Which items a partial success leaves out; a single item succeeds or fails whole."""
    return emulation.failing(draw, count) if count > 1 else set()
