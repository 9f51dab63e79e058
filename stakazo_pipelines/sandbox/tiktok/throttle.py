"""Rate limits of the developer app by endpoint: a second's breach ends with it, a minute's shuts out for five.

Time is real and given as a callable, because throttling protects the real server and not the simulated one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stakazo_pipelines.sandbox.tiktok.errors import TikTokError
from stakazo_pipelines.sandbox.tiktok.options import Limit

SUSPENSION_S = 300.0
_PERIODS = {"QPS": 1, "QPM": 60, "QPD": 86_400}


@dataclass(slots=True)
class _Meter:
    """Requests counted in the current second, minute and day."""

    window: dict[str, int] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)
    suspended_until: float = 0.0

    def add(self, now: float) -> None:
        for name, length in _PERIODS.items():
            window = int(now // length)
            if self.window.get(name) != window:
                self.window[name], self.count[name] = window, 0
            self.count[name] += 1


@dataclass(slots=True)
class Throttle:
    """`limit` gives an endpoint's limit; `advertiser_qps` holds for one advertiser on one endpoint."""

    clock: Callable[[], float]
    limit: Callable[[str], Limit | None]
    advertiser_qps: int | None = None
    _meters: dict[str, _Meter] = field(default_factory=dict)

    def admit(self, path: str, advertiser_id: str) -> None:
        """Count a request. Raises 40100 over the app's limit, 40133 over the advertiser's."""
        now = self.clock()
        limit = self.limit(path)
        if limit is not None:
            self._admit_app(path, limit, now)
        if self.advertiser_qps is not None and advertiser_id:
            meter = self._meters.setdefault(f"{advertiser_id} {path}", _Meter())
            meter.add(now)
            if meter.count["QPS"] > self.advertiser_qps:
                raise advertiser_throttled(advertiser_id, meter.count["QPS"], self.advertiser_qps)

    def _admit_app(self, path: str, limit: Limit, now: float) -> None:
        meter = self._meters.setdefault(path, _Meter())
        if now < meter.suspended_until:
            raise app_throttled("QPM")
        meter.add(now)
        for name, most in (("QPD", limit.qpd), ("QPM", limit.qpm), ("QPS", limit.qps)):
            if meter.count[name] > most:
                if name == "QPM":
                    meter.suspended_until = now + SUSPENSION_S
                raise app_throttled(name)


def app_throttled(period: str) -> TikTokError:
    return TikTokError(40100, f"Too many requests. The app has reached its {period} limit for current path.")


def advertiser_throttled(advertiser_id: str, seen: int, most: int) -> TikTokError:
    return TikTokError(
        40133,
        f"Advertiser ({advertiser_id})'s QPS ({seen}) reaches QPS limit {most} for current path, "
        "request is temporarily restricted.",
    )
