"""What of the emulated LinkedIn API can be set: limits, versions, the clock of its throttle."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LinkedInOptions:
    """`daily_calls` is how many calls an endpoint takes a UTC day of the world, `calls` overrides it by endpoint.

    LinkedIn publishes no numbers. `element_limit` bounds an analytics answer: beyond it an error, or with `cut` the
    first elements only (reports differ). `value_limit` is how many metric values analytics gives out in 5 minutes of
    `clock`, which is real monotonic seconds. Versions outside oldest..newest are answered with 426; LinkedIn keeps one
    for about a year, the default reaches back to the oldest that current releases of public connectors send.
    """

    daily_calls: int = 100_000
    calls: Mapping[str, int] = field(default_factory=lambda: {"adAnalytics": 1_000_000})
    element_limit: int = 15_000
    cut: bool = False
    value_limit: int = 45_000_000
    oldest_version: str = "202502"
    newest_version: str = "202611"
    clock: Callable[[], float] = time.monotonic
