"""Keeps tokens out of everything that is written: log lines, error messages, quarantined rows.

Two nets: what looks like a token (a `…token=` parameter, a Bearer header, Meta's EAA…) and the very token in use.
"""

import logging
import re
from collections.abc import Iterable

import httpx

_STARS = "***"
_LOOKS_SECRET = re.compile(
    r"((?:[a-z_]*token|appsecret_proof|client_secret)(?:=|%3D|[\"']\s*:\s*[\"']))[^\s&\"',;)}\]]+"
    r"|(bearer\s+)[^\s\"',;]+"
    r"|\bEAA[A-Za-z0-9]{8,}",
    re.IGNORECASE,
)
_URL_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")


class Redactor:
    """Removes URL queries and tokens from a text. The secrets it knows are never shown by its repr."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Very short secrets would star out ordinary words.
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 8)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _STARS)
        text = _URL_QUERY.sub(r"\1", text)
        return _LOOKS_SECRET.sub(lambda hit: (hit[1] or hit[2] or "") + _STARS, text)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"


class UrlQueryFilter(logging.Filter):
    """Cuts the query off the URLs in httpx's own log records; records are kept, not dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_bare(arg) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


def quiet_httpx() -> None:
    """Put the filter on httpx's logger, once a process."""
    logger = logging.getLogger("httpx")
    if not any(isinstance(existing, UrlQueryFilter) for existing in logger.filters):
        logger.addFilter(UrlQueryFilter())


def _bare(url: httpx.URL) -> str:
    return str(url.copy_with(query=None, fragment=None, username=None, password=None))
