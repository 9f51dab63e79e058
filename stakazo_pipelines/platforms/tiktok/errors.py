"""TikTok's return codes onto the error tree, as one table. They come inside HTTP 200; the text only tells limits apart.

Source: TikTok's pages "Return codes" and "Rate limits".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stakazo_pipelines.errors import (
    AuthError,
    MalformedError,
    NotFoundError,
    NotNowError,
    PermissionDeniedError,
    PlatformError,
    RejectedError,
    ReportFailedError,
    ThrottledError,
    TooMuchDataError,
    TransientError,
)

OK = 0
PARTIAL = 20001  # a batch of which some failed; the answer says which
NO_CHANGE = 40012  # what was asked for is so already
DUPLICATE = "40050"  # the `request_id` has been used
NOT_EXECUTED = frozenset({"40202", "40700", "60001"})  # passing faults that come before anything is written
SAME_NAME = "40911"  # a file of this name is there already

SECOND = 1.0
MINUTES_5 = 300.0
DAY = 86_400.0
INVALID = 40002  # parameter error: only the text says which, and it is the only sign of the two rules below
_LEVEL = re.compile(r"\bQP([SMD])\b", re.IGNORECASE)
# A budget may not fall below 105 % of what is spent today, nor change in the last five minutes of the day.
_NOT_NOW = re.compile(r"105\s?%.*spen|23:55", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code means. `wait` is how long a limit lasts when its text does not tell which one it is."""

    kind: type[PlatformError]
    advice: str = ""
    wait: float | None = None


_PASSING = Verdict(TransientError)
_LIMIT = Verdict(ThrottledError)
_AUTH = Verdict(AuthError, "a person must authorise the app again and renew the access token")
_FORBIDDEN = Verdict(PermissionDeniedError, "give the token's user and app access to the advertiser")
_REFUSED = Verdict(RejectedError)
_GONE = Verdict(NotFoundError)

_BY_CODE: Mapping[int, Verdict] = (
    dict.fromkeys((40016, 40100, 40132), _LIMIT)
    | dict.fromkeys((40201, 40202, 40700, 40901, 50000, 50002, 60001), _PASSING)
    | dict.fromkeys((40902, 40903, 40912, 40913), _PASSING)  # a file's address could not be fetched
    | dict.fromkeys((40101, 40102, 40103, 40104, 40105, 40106, *range(40107, 40111), *range(40112, 40118)), _AUTH)
    | dict.fromkeys((40001, 40003, 40118, 40119, 40124, 40125, 40130, 40131), _FORBIDDEN)
    | dict.fromkeys((40007, 40300, 40301), _GONE)
    | dict.fromkeys((40000, 40002, 40050, 40052, 40053, 40065, 40502, *range(40904, 40912), 40914, 40915), _REFUSED)
    | dict.fromkeys((40008, 40009, 40013, 40014), Verdict(RejectedError, "TikTok's own sandbox has no such thing"))
    | dict.fromkeys((40006, 40051, 41001, 41002), Verdict(RejectedError, "this version has ended: upgrade the adapter"))
    | dict.fromkeys((40010, 40400), Verdict(RejectedError, "check the base URL"))
    | {
        40011: Verdict(TooMuchDataError, "ask for fewer ids at once"),
        40133: Verdict(ThrottledError, wait=SECOND),
        40200: Verdict(ReportFailedError, "start the task again"),
        40900: Verdict(RejectedError, "the file does not match its signature"),
        41000: Verdict(PermissionDeniedError, "TikTok does not serve this country"),
    }
)


def verdict(code: int) -> Verdict:
    """The line of the table; 50000 and above passes (TikTok's own services), anything else unknown is a refusal."""
    found = _BY_CODE.get(code)
    if found is not None:
        return found
    return _PASSING if code >= 50000 else _REFUSED


def error_from(
    code: object, message: object, *, status: int, request_id: object, at: datetime | None
) -> PlatformError | None:
    """The error that a code stands for; None for a success. `at` is the server's time of the answer, if it gave one."""
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:9])
    if isinstance(code, bool) or not isinstance(code, int):
        kind = TransientError if status >= 500 else MalformedError
        return kind("an answer without a code", "tiktok", status=status)
    if code in (OK, NO_CHANGE):
        return None
    found = verdict(code)
    said = message if isinstance(message, str) and message else "no message"
    text = f"{said}; {found.advice}" if found.advice else said
    request = request_id if isinstance(request_id, str) else ""
    if code == INVALID and _NOT_NOW.search(said):
        return NotNowError(text, "tiktok", str(code), "", request, status)
    if found.kind is ThrottledError:
        wait = limit_wait(said, at) or found.wait
        return ThrottledError(text, "tiktok", str(code), "", request, status, retry_after=wait)
    return found.kind(text, "tiktok", str(code), "", request, status)


def limit_wait(message: str, at: datetime | None) -> float | None:
    """Seconds until the limit that the text names ends: QPS a second, QPM five minutes, QPD until midnight UTC."""
    named = {level.upper() for level in _LEVEL.findall(message)}
    if "D" in named:
        return DAY if at is None else (_midnight_after(at) - at).total_seconds()
    if "M" in named:
        return MINUTES_5
    return SECOND if "S" in named else None


def _midnight_after(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
