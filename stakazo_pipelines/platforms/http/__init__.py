"""One async HTTP layer for every ad platform: auth, pacing, retries, paging, redaction.

A platform adds a `Dialect` (how its errors and usage headers read) and a `Paginator`; it never handles sockets itself.
"""

from stakazo_pipelines.platforms.http.auth import BearerAuth, HeaderTokenAuth
from stakazo_pipelines.platforms.http.client import ApiClient
from stakazo_pipelines.platforms.http.limiter import Limiter, Quota, Rate
from stakazo_pipelines.platforms.http.messages import ApiReply, ApiRequest, Dialect, Usage
from stakazo_pipelines.platforms.http.pacer import Pacer
from stakazo_pipelines.platforms.http.paging import Paginator, pages
from stakazo_pipelines.platforms.http.retry import RetryRule

__all__ = [
    "ApiClient",
    "ApiReply",
    "ApiRequest",
    "BearerAuth",
    "Dialect",
    "HeaderTokenAuth",
    "Limiter",
    "Pacer",
    "Paginator",
    "Quota",
    "Rate",
    "RetryRule",
    "Usage",
    "pages",
]
