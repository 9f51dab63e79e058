"""Waiting for a report that a platform makes in its own time: looks with growing waits, given up loudly at a bound."""

from collections.abc import Awaitable, Callable

from stakazo_pipelines.errors import ReportFailedError

_FIRST_WAIT, _GROWTH, _LONGEST_WAIT = 2.0, 1.6, 60.0
# The platform's word for where the report stands, and whether it ended well; None while it has not ended.
Progress = tuple[str, bool | None]


async def ends_well(
    look: Callable[[], Awaitable[Progress]],
    *,
    sleep: Callable[[float], Awaitable[None]],
    max_seconds: float,
    report: str,
    platform: str,
) -> bool:
    """Whether the report succeeded or failed. Raises ReportFailedError where it does neither within `max_seconds`."""
    waited, wait = 0.0, _FIRST_WAIT
    status = "not seen yet"
    while waited < max_seconds:
        status, outcome = await look()
        if outcome is not None:
            return outcome
        await sleep(wait)
        waited += wait
        wait = min(wait * _GROWTH, _LONGEST_WAIT)
    raise ReportFailedError(f"{report} is still '{status}' after {waited:.0f} s; run the day again later", platform)
