"""UTC hours against an account's local days: which report day and local hour an hour of the world belongs to.

Hours are counted from a fixed origin; days from the world's first report day. Days of 23 and 25 hours are real.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from stakazo_pipelines.sandbox.world.noise import Ints

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LocalDay:
    """One report day: its UTC hours [first, last) and their local labels 0..23."""

    first: int
    last: int
    labels: Ints


@dataclass(slots=True)
class Calendar:
    """Hour 0 is `origin`: 14 hours before the first report day begins in UTC, so no zone's midnight is before it."""

    first_day: date
    timezone: str
    origin: datetime = field(init=False)
    _days: dict[int, LocalDay] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.first_day
        self.origin = datetime(first.year, first.month, first.day, tzinfo=UTC) - 14 * HOUR

    def hour_of(self, at: datetime) -> int:
        """Number of hours begun since the origin (a started hour counts whole)."""
        return -((self.origin - at) // HOUR)

    def instant(self, hour: int) -> datetime:
        return self.origin + hour * HOUR

    def index(self, day: date) -> int:
        return day.toordinal() - self.first_day.toordinal()

    def report_day(self, index: int) -> date:
        return self.first_day + timedelta(days=index)

    def local_date(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.timezone)).date()

    def day_at(self, hour: int) -> int:
        """Index of the local day that holds this hour."""
        return self.index(self.local_date(self.instant(hour)))

    def day(self, index: int) -> LocalDay:
        found = self._days.get(index)
        if found is None:
            zone = ZoneInfo(self.timezone)
            first, last = (self.hour_of(self._midnight(zone, index + i)) for i in (0, 1))
            labels = [self.instant(h).astimezone(zone).hour for h in range(first, last)]
            found = self._days[index] = LocalDay(first, last, np.asarray(labels, dtype=np.int64))
        return found

    def _midnight(self, zone: ZoneInfo, index: int) -> datetime:
        day = self.report_day(index)
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
