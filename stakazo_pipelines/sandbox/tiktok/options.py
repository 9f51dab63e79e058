"""What can be set about the emulator: the developer app's rate limits, and rules that public sources leave open."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests a second, a minute, a day (UTC) that one app may make to one endpoint."""

    qps: int
    qpm: int
    qpd: int


LEVELS: Mapping[str, Limit] = {
    "basic": Limit(10, 600, 864_000),
    "advanced": Limit(20, 1_200, 1_728_000),
    "premium": Limit(30, 1_800, 2_592_000),
    "ultimate": Limit(50, 3_000, 4_320_000),
}
_AD_CREATE: Mapping[str, Limit] = {
    "basic": Limit(5, 150, 86_400),
    "advanced": Limit(10, 200, 1_728_000),
    "premium": Limit(10, 300, 2_592_000),
    "ultimate": Limit(15, 300, 4_320_000),
}
_TASK_CREATE = Limit(2, 60, 4_500)


@dataclass(frozen=True, slots=True)
class TikTokOptions:
    """How strict the emulator is.

    `level` is the app's tier (`LEVELS`; None switches rate limits off) and `limits` overrides single endpoints, by path
    without the version ("/ad/get/"). `advertiser_qps` is the limit behind 40133, whose size TikTok does not publish.
    `clock` gives seconds since the epoch for the limits; a monotonic clock does as well, its day begins somewhere else.
    `report_ids` is how many ids a synchronous report may hold before the newest are cut out of it, `async_polls` how
    many looks a report task takes. `spend_rule` is the 105 % rule, `budget_floors` the smallest budgets, and
    `decimals_for_many` keeps decimals in reports over several advertisers, where TikTok's page says there are none.
    """

    level: str | None = "ultimate"
    limits: Mapping[str, Limit] = field(default_factory=dict)
    advertiser_qps: int | None = None
    clock: Callable[[], float] = time.time
    report_ids: int = 20_000
    async_polls: int = 2
    spend_rule: bool = True
    budget_floors: bool = True
    decimals_for_many: bool = False

    def limit(self, path: str) -> Limit | None:
        """The limit of an endpoint, None when there is none."""
        if path in self.limits:
            return self.limits[path]
        if self.level is None:
            return None
        special = {"/ad/create/": _AD_CREATE[self.level], "/report/task/create/": _TASK_CREATE}
        return special.get(path, LEVELS[self.level])
