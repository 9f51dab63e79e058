"""Things that go wrong on a schedule: seeded ones in history, others added by hand. All act by the hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.world.calendar import Calendar
from stakazo_pipelines.sandbox.world.entities import WorldError
from stakazo_pipelines.sandbox.world.noise import Floats, Ints

KINDS = ("tracking_outage", "delivery_stop", "cpc_jump", "spend_runaway", "creative_rejected")


@dataclass(frozen=True, slots=True)
class Incident:
    """`entity_id` names an ad group (an ad for creative_rejected); None hits the whole account.

    `magnitude`: tracking_outage, the share of conversions never reported, on every report day it touches; cpc_jump, the
    factor on prices; spend_runaway, the factor on spend (at most 1.75 of the budget a day); unused otherwise.
    """

    kind: str
    account_id: str
    entity_id: str | None
    start: datetime
    end: datetime
    magnitude: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise WorldError(f"no incident of kind {self.kind!r}: one of {', '.join(KINDS)}")
        if self.end <= self.start:
            raise WorldError("an incident must end after it starts")
        if self.kind == "creative_rejected" and self.entity_id is None:
            raise WorldError("creative_rejected needs the id of an ad")
        if self.kind == "tracking_outage" and (self.entity_id is not None or not 0 <= self.magnitude <= 1):
            raise WorldError("tracking_outage hits an account, with a magnitude of 0 to 1")
        if self.kind == "cpc_jump" and self.magnitude <= 0:
            raise WorldError("cpc_jump needs a positive magnitude")
        if self.kind == "spend_runaway" and not 0 <= self.magnitude <= 1.7:
            raise WorldError("spend_runaway needs a magnitude of at most 1.7")

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in plain.items()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Incident":
        return Incident(**{**data, **{k: datetime.fromisoformat(data[k]) for k in ("start", "end")}})


@dataclass(frozen=True, slots=True)
class Effects:
    """Factors on spend and on price by hour and ad group, `(hours, groups)`."""

    delivery: Floats
    price: Floats


def effects(incidents: Sequence[Incident], calendar: Calendar, first: int, last: int, groups: Ints) -> Effects:
    """What the incidents do to the hours [first, last)."""
    delivery, price = np.ones((last - first, groups.size)), np.ones((last - first, groups.size))
    for incident in incidents:
        start, end = _span(incident, calendar, first, last)
        if start >= end or incident.kind in ("tracking_outage", "creative_rejected"):
            continue
        hit = slice(None) if incident.entity_id is None else groups == int(incident.entity_id)
        if incident.kind == "cpc_jump":
            price[start:end, hit] *= incident.magnitude
        else:
            delivery[start:end, hit] *= incident.magnitude if incident.kind == "spend_runaway" else 0.0
    return Effects(delivery, price)


def reported_share(incidents: Sequence[Incident], calendar: Calendar, first: int, last: int) -> float:
    """Share of a report day's conversions that tracking will ever report."""
    share = 1.0
    for incident in incidents:
        start, end = _span(incident, calendar, first, last)
        if incident.kind == "tracking_outage" and start < end:
            share *= 1.0 - incident.magnitude
    return share


def rejected(incidents: Sequence[Incident], calendar: Calendar, hour: int, ads: Ints) -> npt.NDArray[np.bool_]:
    """Which ads the platform refuses to show in this hour."""
    out = np.zeros(ads.shape, dtype=np.bool_)
    for incident in incidents:
        start, end = _span(incident, calendar, hour, hour + 1)
        if incident.kind == "creative_rejected" and start < end and incident.entity_id is not None:
            out |= ads == int(incident.entity_id)
    return out


def _span(incident: Incident, calendar: Calendar, first: int, last: int) -> tuple[int, int]:
    start, end = calendar.hour_of(incident.start), calendar.hour_of(incident.end)
    return max(start, first) - first, min(end, last) - first
