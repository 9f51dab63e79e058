"""A small memory of reports and tables, bounded by rows: the pages of one answer are cut from one computation."""

from collections.abc import Hashable, Sized
from typing import Generic, TypeVar

T = TypeVar("T", bound=Sized)


class RowCache(Generic[T]):
    """Keeps the newest values as long as they hold at most `rows` rows together; always the last one."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._kept: dict[Hashable, T] = {}

    def get(self, key: Hashable) -> T | None:
        return self._kept.get(key)

    def put(self, key: Hashable, value: T) -> None:
        self._kept.pop(key, None)
        self._kept[key] = value
        while len(self._kept) > 1 and sum(len(kept) for kept in self._kept.values()) > self._rows:
            del self._kept[next(iter(self._kept))]
