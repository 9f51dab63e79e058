"""The ad platforms as a resource. Tokens are read from the environment at the moment of use, so none is ever shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dagster import ConfigurableResource

from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.platforms.registry import open_platform
from stakazo_pipelines.settings import Settings


class PlatformsResource(ConfigurableResource[None]):
    """`sandbox_url` is None for the live hosts; tokens are named by the environment (META_ACCESS_TOKEN, …)."""

    sandbox_url: str | None = None

    @property
    def sandbox(self) -> bool:
        return self.sandbox_url is not None

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[AdPlatform]:
        """The adapter of a platform; its connections close at the end. Raises ConfigError without a token."""
        settings = Settings(sandbox_url=self.sandbox_url)
        platform = open_platform(name, base_url=settings.base_url(name), token=settings.token(name))
        try:
            yield platform
        finally:
            await platform.aclose()
