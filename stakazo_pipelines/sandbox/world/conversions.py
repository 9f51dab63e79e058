"""Conversions as single events: when each becomes visible, what it is worth, which window and segment it belongs to.

An event's properties hang on its own key, so a report only ever gains events as time passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from stakazo_pipelines.sandbox.world.nature import DELAYS, VALUE_CV
from stakazo_pipelines.sandbox.world.noise import Floats, Ints, Keys, Stream, derive, keys, poisson

ONE_DAY_CLICK, SEVEN_DAY_CLICK, ONE_DAY_VIEW = 0, 1, 2
_SIGMA = float(np.sqrt(np.log1p(VALUE_CV**2)))
_REPORTED, _VALUE, _WINDOW, _ARRIVAL, SEGMENT, HOUR = range(10, 16)


@dataclass(frozen=True, slots=True)
class Events:
    """One row per conversion. `ad` is the row of the ad, `day` the report day's index, `value` in minor units.

    `delay` is in whole days; `part` spreads arrivals over the day (0..23 hours after the local midnight); `window` is
    the narrowest attribution window that holds it (1d_click also counts in 7d_click).
    """

    ad: Ints
    day: Ints
    delay: Ints
    part: Ints
    window: Ints
    value: Ints
    key: Keys

    def __len__(self) -> int:
        return int(self.ad.size)

    def take(self, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Events":
        return Events(*(getattr(self, name)[rows] for name in self.__slots__))


def join(parts: Sequence[Events]) -> Events:
    """All events of the parts, in order."""
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Events(none, none, none, none, none, none, none.astype(np.uint64))
    return Events(*(np.concatenate([getattr(p, name) for p in parts]) for name in Events.__slots__))


def draw(
    seed: int, ads: Ints, day: int, mean: Floats, aov: Floats, delay: Floats, reported: float, latest: int = DELAYS
) -> Events:
    """Events of one report day from the expected number per ad (`mean`), only those of a delay below `latest`.

    Poisson per ad and delay; value log-normal around `aov` (both `(len(ads),)`); `reported` is the share tracking sees.
    """
    cell = keys(seed, Stream.ARRIVALS, ads[:, None], day, np.arange(latest)[None, :])
    count = poisson(mean[:, None] * delay[None, :latest], cell).ravel()
    which = np.repeat(np.arange(count.size), count)
    rank = np.arange(which.size) - np.repeat(np.cumsum(count) - count, count)
    ad, late = np.divmod(which, latest)
    key = keys(seed, Stream.EVENT, cell.ravel()[which].view(np.int64), rank)
    value = aov[ad] * np.exp(_SIGMA * ndtri(derive(key, _VALUE)) - _SIGMA**2 / 2)
    events = Events(
        ad=ad,
        day=np.full(ad.shape, day, dtype=np.int64),
        delay=late,
        part=np.floor(24 * derive(key, _ARRIVAL)).astype(np.int64),
        window=_window(derive(key, _WINDOW), late),
        value=np.maximum(np.rint(value), 1).astype(np.int64),
        key=key,
    )
    return events if reported >= 1 else events.take(derive(key, _REPORTED) < reported)


def _window(u: Floats, delay: Ints) -> Ints:
    """Views convert at once or not at all; what comes after a few days (plus reporting lag) followed an older click."""
    early = np.where(u < 0.74, ONE_DAY_CLICK, np.where(u < 0.86, SEVEN_DAY_CLICK, ONE_DAY_VIEW))
    late = np.where((u < 0.08) & (delay < 8), ONE_DAY_CLICK, SEVEN_DAY_CLICK)
    return np.where(delay <= 2, early, late).astype(np.int64)
