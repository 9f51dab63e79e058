"""The event file: every write and clock advance as one JSON line, on disk before the caller hears of success.

A server that was killed replays the file and stands where it stood. A last line torn by the kill is cut off.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EventFileError(ValueError):
    """The event file does not belong to this world, or is damaged elsewhere than at its end."""


class EventFile:
    """Append-only JSON lines. `path` None keeps nothing (a world that may be forgotten)."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._descriptor: int | None = None

    def read(self) -> list[dict[str, Any]]:
        """All whole events, oldest first. Cuts a torn last line off the file. Raises EventFileError."""
        if self.path is None or not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with self.path.open("r+b") as file:
                file.truncate(whole)
        events: list[dict[str, Any]] = []
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                event = json.loads(line)
            except ValueError as error:
                raise EventFileError(f"{self.path}: line {number} is not JSON: {error}") from error
            if not isinstance(event, dict) or "event" not in event:
                raise EventFileError(f"{self.path}: line {number} is not an event")
            events.append(event)
        return events

    def append(self, event: Mapping[str, Any]) -> None:
        """Write one event and wait until it is on disk."""
        if self.path is None:
            return
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        line = (json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
