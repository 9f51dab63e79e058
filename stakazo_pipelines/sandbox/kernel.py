"""What all emulators on one port share: the world, its event file, the faults, and writes that come into force late."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from stakazo_pipelines.sandbox.faults import FaultTable
from stakazo_pipelines.sandbox.persistence import EventFile, EventFileError
from stakazo_pipelines.sandbox.world import Incident, Level, World, WorldError


@dataclass(slots=True)
class _Deferred:
    """An accepted update that acts later: after so many further requests, or at an instant of the world's clock."""

    level: Level
    id: str
    fields: dict[str, Any]
    after_requests: int | None
    at: datetime | None


@dataclass(slots=True)
class RequestLog:
    """The last requests (never a query or a header, so never a token) and how many there were of each class."""

    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=2000))
    counts: Counter[str] = field(default_factory=Counter)
    platforms: Counter[str] = field(default_factory=Counter)
    total: int = 0

    def clear(self) -> None:
        self.recent.clear()
        self.counts.clear()
        self.platforms.clear()
        self.total = 0

    def add(self, platform: str, method: str, path: str, path_class: str, *, batched: bool = False) -> None:
        self.total += 1
        self.platforms[platform] += 1
        self.recent.append(
            {"seq": self.total, "platform": platform, "method": method, "path": path, "batched": batched}
        )
        self.counts[f"{platform} {'batched ' if batched else ''}{method} {path_class}"] += 1


class Kernel:
    """All writes and clock moves go through here, and onto disk, before anybody is told of them."""

    def __init__(self, world: World, state_file: Path | None = None) -> None:
        self.world = world
        self.faults = FaultTable()
        self.requests = RequestLog()
        self.boot = world.now
        self._events = EventFile(state_file)
        self._deferred: list[_Deferred] = []
        self._notes: list[dict[str, Any]] = []
        self._replay()

    # Writes -----------------------------------------------------------------------------------------------------

    def create(self, level: Level, **fields: Any) -> Any:
        entity = self.world.create(level, **fields)
        self._events.append({"event": "world", "id": entity.id, **self.world.log[-1]})
        return entity

    def update(self, level: Level, entity_id: str, **fields: Any) -> None:
        self.world.update(level, entity_id, **fields)
        self._events.append({"event": "world", **self.world.log[-1]})

    def defer(
        self, level: Level, entity_id: str, fields: dict[str, Any], *, requests: int | None, hours: float | None
    ) -> None:
        """Take an update that comes into force after so many requests or hours (lost if the server dies first)."""
        at = self.world.now + timedelta(hours=hours) if hours is not None else None
        self._deferred.append(_Deferred(level, entity_id, fields, requests, at))

    def add_incident(self, incident: Incident) -> None:
        """Schedule an incident. Raises WorldError."""
        self.world.add_incident(incident)
        self._events.append({"event": "world", **self.world.log[-1]})

    def tick(self) -> None:
        """A request has come in: apply the deferred updates whose turn it is."""
        for write in self._deferred:
            if write.after_requests is not None:
                write.after_requests -= 1
        self._apply_due(_due_by_requests)

    def advance(self, to: datetime) -> None:
        """Move the world's clock, stopping where deferred updates are due. Raises WorldError."""
        if to < self.world.now:
            raise WorldError(
                f"the clock stands at {self.world.now.isoformat()} and does not run backwards to {to.isoformat()}"
            )
        if to > self.world.config.today_limit:
            raise WorldError(f"the clock may not pass {self.world.config.today_limit.isoformat()}")
        for due in sorted(write.at for write in self._deferred if write.at is not None and write.at <= to):
            self._advance(due)
            self._apply_due(partial(_due_by, due))
        self._advance(to)

    def note(self, platform: str, data: Mapping[str, Any]) -> None:
        """Keep something of a platform's own (an uploaded image, a report run) across a restart."""
        event = {"event": "note", "platform": platform, "data": dict(data)}
        self._notes.append(event)
        self._events.append(event)

    def notes(self, platform: str) -> list[dict[str, Any]]:
        return [event["data"] for event in self._notes if event["platform"] == platform]

    def close(self) -> None:
        self._events.close()

    # Inside -----------------------------------------------------------------------------------------------------

    def _advance(self, to: datetime) -> None:
        if to == self.world.now:
            return
        self.world.advance(to)
        self._events.append({"event": "world", **self.world.log[-1]})

    def _apply_due(self, due: Callable[[_Deferred], bool]) -> None:
        ready = [write for write in self._deferred if due(write)]
        self._deferred = [write for write in self._deferred if not due(write)]
        for write in ready:
            self.update(write.level, write.id, **write.fields)

    def _replay(self) -> None:
        # Until when the clock may run is not part of which world it is: it moves on with the real day.
        config = {name: value for name, value in self.world.config.to_json().items() if name != "today_limit"}
        header = {"event": "config", "config": config}
        events = self._events.read()
        if not events:
            self._events.append(header)
            return
        # A file from before there were several platforms does not name them: it is of a world of Meta's alone.
        if {"platforms": ["meta"], **events[0].get("config", {})} != config:
            raise EventFileError(f"the event file belongs to another world: {events[0]}")
        for event in events[1:]:
            if event["event"] == "note":
                self._notes.append(event)
            else:
                self.world.apply(event if event["op"] != "create" else {k: event[k] for k in ("op", "level", "fields")})
                if event["op"] == "create" and self.world.journal[-1].id != event["id"]:
                    raise EventFileError(f"replay made {self.world.journal[-1].id} where the file says {event['id']}")


def _due_by(instant: datetime, write: _Deferred) -> bool:
    return write.at is not None and write.at <= instant


def _due_by_requests(write: _Deferred) -> bool:
    return write.after_requests is not None and write.after_requests < 0
