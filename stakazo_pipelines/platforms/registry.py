"""Which platforms there are: a name to the factory that opens it from a base URL and a token."""

from collections.abc import Mapping
from typing import Protocol

import httpx
from pydantic import SecretStr

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.platforms.linkedin import LinkedInAdPlatform
from stakazo_pipelines.platforms.meta import MetaAdPlatform
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.platforms.tiktok import TikTokAdPlatform


class PlatformFactory(Protocol):
    """Opens a platform; the caller closes it with `aclose`."""

    def __call__(
        self, *, base_url: str, token: SecretStr | str, transport: httpx.AsyncBaseTransport | None = None
    ) -> AdPlatform: ...


PLATFORMS: Mapping[str, PlatformFactory] = {
    "linkedin": LinkedInAdPlatform,
    "meta": MetaAdPlatform,
    "tiktok": TikTokAdPlatform,
}


def open_platform(
    name: str, *, base_url: str, token: SecretStr | str, transport: httpx.AsyncBaseTransport | None = None
) -> AdPlatform:
    """Raises ConfigError for a name nobody registered or a base URL that is none."""
    if name not in PLATFORMS:
        raise ConfigError(f"unknown platform {name!r}; there are: {', '.join(sorted(PLATFORMS))}")
    return PLATFORMS[name](base_url=base_url, token=token, transport=transport)
