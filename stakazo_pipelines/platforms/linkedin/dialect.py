"""How LinkedIn's answers read: error bodies in two shapes, throttles without a wait, and no usage headers. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from stakazo_pipelines.errors import PlatformError, TooMuchDataError
from stakazo_pipelines.platforms.http.messages import ApiReply, ApiRequest, Usage
from stakazo_pipelines.platforms.linkedin.errors import error_from, is_known

ANALYTICS = "adAnalytics"
DAILY_LIMIT = 101  # serviceErrorCode of the daily limits; they end at 00:00 UTC
UNKNOWN_DAY_WAIT = 3600.0  # the daily wait where no Date header tells the time: ask again in an hour
# The limit on metric values counts five minutes; LinkedIn wants more than those waited.
DATA_WAIT = 310.0
# Whether it is that limit or the day's is said in words only; taken for the day's, a report would wait till midnight.
_DATA_WORDS = "data request limit"


class LinkedInDialect:
    """Implements `Dialect` for the versioned Marketing API."""

    name = "linkedin"

    def error(self, request: ApiRequest, reply: ApiReply) -> PlatformError | None:
        """A report refused without a code that says why may be too large: whether it is, splitting it shows."""
        if reply.status < 400:
            return None
        error = error_from(
            reply.body, status=reply.status, request_id=_request_id(reply.headers), wait=_wait(request, reply)
        )
        if reply.status == 400 and _is_report(request) and not is_known(error.code):
            return TooMuchDataError(
                error.message, "linkedin", error.code, error.subcode, error.request_id, error.status
            )
        return error

    def usage(self, request: ApiRequest, reply: ApiReply) -> Sequence[Usage]:
        """Nothing: LinkedIn tells of a limit only by refusing."""
        return ()


def _is_report(request: ApiRequest) -> bool:
    return request.path.partition("?")[0] == ANALYTICS


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("x-li-request-id") or headers.get("x-li-uuid", "")


def _wait(request: ApiRequest, reply: ApiReply) -> float:
    """Seconds that a throttle lasts: five minutes for the limit on report data, else the rest of the day."""
    body = reply.body if isinstance(reply.body, dict) else {}
    worded = _DATA_WORDS in str(body.get("message") or "")
    if _is_report(request) and (worded or body.get("serviceErrorCode") != DAILY_LIMIT):
        return DATA_WAIT
    return until_midnight(reply.headers.get("date", ""))


def until_midnight(date_header: str) -> float:
    """Seconds from the server's own time to the next 00:00 UTC."""
    try:
        now = parsedate_to_datetime(date_header)
    except (TypeError, ValueError):
        return UNKNOWN_DAY_WAIT
    now = now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(1)
    return (midnight - now).total_seconds()
