"""How Meta's answers read: the error envelope, `success: false`, and the four usage headers. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence

from stakazo_pipelines.errors import PlatformError, RejectedError
from stakazo_pipelines.platforms.http.messages import ApiReply, ApiRequest, Usage
from stakazo_pipelines.platforms.http.pacer import APP
from stakazo_pipelines.platforms.meta.errors import error_from

_PERCENTAGES = ("call_count", "total_cputime", "total_time")


class MetaDialect:
    """Implements `Dialect` for the Graph API."""

    name = "meta"

    def error(self, request: ApiRequest, reply: ApiReply) -> PlatformError | None:
        """Also for HTTP 200 with an error body, and for writes answered with `success: false`."""
        body = reply.body if isinstance(reply.body, dict) else {}
        if "error" in body:
            return error_from(
                body["error"],
                status=reply.status,
                request_id=reply.headers.get("x-fb-trace-id", ""),
                server_wait=max((usage.regain_seconds for usage in self.usage(request, reply)), default=0.0),
            )
        if body.get("success") in (False, "false"):
            return RejectedError("the platform answered success=false", "meta", status=reply.status)
        return None

    def usage(self, request: ApiRequest, reply: ApiReply) -> Sequence[Usage]:
        """Every limit the answer tells about; headers that cannot be read are left out."""
        return list(_usages(request.account, reply.headers))


def _usages(account: str, headers: Mapping[str, str]) -> Iterator[Usage]:
    app = _header(headers, "x-app-usage")
    if app:
        yield Usage(APP, _highest(app))
    insights = _header(headers, "x-fb-ads-insights-throttle")
    if insights:
        yield Usage(APP, _number(insights.get("app_id_util_pct")) / 100)
        yield Usage(account, _number(insights.get("acc_id_util_pct")) / 100)
    score = _header(headers, "x-ad-account-usage")
    if score:
        used = _number(score.get("acc_id_util_pct")) / 100
        # The reset time is sent at any utilisation; only a used-up score makes it a wait.
        yield Usage(account, used, _number(score.get("reset_time_duration")) if used >= 1 else 0.0)
    for entries in _header(headers, "x-business-use-case-usage").values():
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                minutes = _number(entry.get("estimated_time_to_regain_access"))
                yield Usage(account, _highest(entry), minutes * 60)


def _header(headers: Mapping[str, str], name: str) -> Mapping[str, object]:
    try:
        value = json.loads(headers.get(name, "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _highest(entry: Mapping[str, object]) -> float:
    return max(_number(entry.get(key)) for key in _PERCENTAGES) / 100


def _number(value: object) -> float:
    return max(float(value), 0.0) if isinstance(value, int | float) else 0.0
