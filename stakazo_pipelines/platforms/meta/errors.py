"""Meta's error codes onto the error tree, as one table. Decided on code and subcode, never on the text.

Source: Meta's pages "Marketing API Error Codes", "Handling Errors" and "Rate Limiting".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from stakazo_pipelines.errors import (
    AuthError,
    MalformedError,
    NotFoundError,
    PermissionDeniedError,
    PlatformError,
    RejectedError,
    ThrottledError,
    TooMuchDataError,
    TransientError,
)

HOUR = 3600.0
TOO_LARGE_OR_UNKNOWN = "1"  # Meta uses code 1 both for a passing fault and for "reduce the amount of data"
DELETED_SUBCODES = frozenset({"1487056", "1487566", "1885088"})  # only the name of a deleted object may change


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code means. `wait` is how long a limit lasts when no header says so."""

    kind: type[PlatformError]
    advice: str = ""
    wait: float | None = None


_PASSING = Verdict(TransientError)
_LIMIT = Verdict(ThrottledError)
_TOO_MUCH = Verdict(TooMuchDataError, "ask for a shorter range")
_AUTH = Verdict(AuthError, "a person must renew the access token")
_FORBIDDEN = Verdict(PermissionDeniedError, "give the token's user access to the object (ads_read, ads_management)")
_REFUSED = Verdict(RejectedError)
_AUTH_BY_SUBCODE = {
    458: "the app was removed: authorise it again",
    459: "Facebook wants the user to log in once (checkpoint)",
    460: "the password was changed: make a new token",
    463: "the token has expired: make a new one",
    464: "the user is not confirmed",
    467: "the token is no longer valid: make a new one",
    492: "the user has lost the page's role",
}

_BY_SUBCODE: Mapping[tuple[int, int], Verdict] = {
    (1, 1504018): _TOO_MUCH,  # the query timed out: a smaller one may not
    (17, 1885172): Verdict(ThrottledError, "the spend cap may change 10 times a day", 24 * HOUR),
    (100, 33): Verdict(NotFoundError, "check the id, and that the token's user may see the object"),
    (100, 1487534): _TOO_MUCH,
    (613, 1487225): Verdict(ThrottledError, "too many ads created for the spend limit", HOUR),
    (613, 1487632): Verdict(ThrottledError, "an ad set's budget may change 4 times an hour", HOUR),
} | {(190, subcode): Verdict(AuthError, advice) for subcode, advice in _AUTH_BY_SUBCODE.items()}

_BY_CODE: Mapping[int, Verdict] = (
    dict.fromkeys((1, 2, 104, 960, 1150, 5000, 3910001), _PASSING)
    | dict.fromkeys((4, 17, 32, 341, 613), _LIMIT)
    | dict.fromkeys((*range(80000, 80007), 80008, 80009, 80014), _LIMIT)
    | dict.fromkeys((102, 190), _AUTH)
    | dict.fromkeys((3, 10, *range(200, 300)), _FORBIDDEN)
    | {
        368: Verdict(RejectedError, "blocked by a policy of Meta: a person must look"),
        2635: Verdict(RejectedError, "this version of the API has ended: upgrade the adapter"),
        3018: Verdict(RejectedError, "reports reach back 37 months: start later"),
    }
)


def verdict(code: int, subcode: int | None, *, transient: bool, status: int) -> Verdict:
    """The most specific line of the table; an unknown code is judged by `is_transient` and the HTTP status."""
    found = _BY_SUBCODE.get((code, subcode)) if subcode is not None else None
    found = found or _BY_CODE.get(code)
    if found is not None:
        # Meta's own flag turns a refusal into "try again", never the other way round.
        return _PASSING if transient and found.kind is RejectedError else found
    return _PASSING if transient or status >= 500 else _REFUSED


def error_from(payload: object, *, status: int, request_id: str, server_wait: float) -> PlatformError:
    """The error that `{"error": payload}` stands for. `server_wait` is what the usage headers ask for, in seconds."""
    if not isinstance(payload, dict) or not isinstance(payload.get("code"), int):
        kind = TransientError if status >= 500 else MalformedError
        return kind("an error without a code", "meta", request_id=request_id, status=status)
    code: int = payload["code"]
    raw_subcode = payload.get("error_subcode")
    subcode = raw_subcode if isinstance(raw_subcode, int) else None
    found = verdict(code, subcode, transient=payload.get("is_transient") is True, status=status)
    facts = {
        "platform": "meta",
        "code": str(code),
        "subcode": "" if subcode is None else str(subcode),
        "request_id": str(payload.get("fbtrace_id") or request_id),
    }
    message = _message(payload, found.advice)
    if found.kind is ThrottledError:
        wait = max(server_wait, found.wait or 0.0)
        return ThrottledError(message, **facts, status=status, retry_after=wait or None)
    return found.kind(message, **facts, status=status)


def _message(payload: Mapping[str, object], advice: str) -> str:
    parts = [str(payload.get("message") or "no message")]
    title, text = payload.get("error_user_title"), payload.get("error_user_msg")
    parts += [str(part) for part in (title, text) if part]
    blamed = _blamed(payload.get("error_data"))
    parts += [f"field {blamed}"] if blamed else []
    parts += [advice] if advice else []
    return "; ".join(parts)


def _blamed(data: object) -> str:
    """The fields Meta blames: `error_data.blame_field_specs`, an object or its JSON text."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            return ""
    specs = data.get("blame_field_specs") if isinstance(data, dict) else None
    if not isinstance(specs, list):
        return ""
    return ", ".join(".".join(str(step) for step in path) for path in specs if isinstance(path, list))
