"""How TikTok's answers read: an envelope with a code inside HTTP 200, silent on limits; and what it allows. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.platforms.http import ApiReply, ApiRequest, Rate, Usage
from stakazo_pipelines.platforms.tiktok.errors import PARTIAL, error_from

# A little longer than TikTok's second and minute: what leaves here in 1.00 s may arrive there in 0.98 s.
_SECOND, _MINUTE = 1.05, 61.0
_RATES: Sequence[Rate] = (Rate(10, _SECOND), Rate(600, _MINUTE))
_EXCEPTIONS: Mapping[str, Sequence[Rate]] = {
    "ad/create/": (Rate(5, _SECOND), Rate(150, _MINUTE)),
    "report/task/create/": (Rate(2, _SECOND), Rate(60, _MINUTE)),
}


class TikTokDialect:
    """Implements `Dialect`."""

    name = "tiktok"

    def error(self, request: ApiRequest, reply: ApiReply) -> PlatformError | None:
        """A partly failed status update is no error: its answer says which entries failed."""
        if isinstance(reply.body, str) and request.plain:
            return None
        body = reply.body if isinstance(reply.body, dict) else {}
        code = body.get("code")
        if code == PARTIAL and request.path.endswith("status/update/"):
            return None
        at = _date(reply.headers.get("date", ""))
        return error_from(code, body.get("message"), status=reply.status, request_id=body.get("request_id"), at=at)

    def usage(self, request: ApiRequest, reply: ApiReply) -> Sequence[Usage]:
        """Nothing: TikTok tells of a limit only by refusing."""
        return ()


class BasicQuota:
    """Implements `Quota`: the limits of an app at TikTok's basic level, per endpoint (page "Rate limits")."""

    def limits(self, request: ApiRequest) -> tuple[str, Sequence[Rate]]:
        """One counter an endpoint; the whole app shares it."""
        return request.path, _EXCEPTIONS.get(request.path, _RATES)


def _date(header: str) -> datetime | None:
    """The instant of a Date header, or None."""
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
