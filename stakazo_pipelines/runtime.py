"""What a terminal command needs, opened from the environment: the counterpart of the Dagster resources."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

from stakazo_pipelines.clock import present
from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.operations import Operations, open_operations
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.platforms.registry import open_platform
from stakazo_pipelines.policy import Policy, load_policy
from stakazo_pipelines.settings import Settings


class Runtime:
    """Opens things; keeps none open."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def policy(self) -> Policy:
        return load_policy(self.settings.policy_file)

    def lake(self) -> Lake:
        lake = Lake(self.settings.lake_root)
        lake.ensure_layout()
        return lake

    def now(self) -> datetime:
        return present(self.settings.sandbox_url)

    @contextmanager
    def operations(self) -> Iterator[Operations]:
        operations = open_operations(self.settings.operations_url)
        try:
            yield operations
        finally:
            operations.close()

    @asynccontextmanager
    async def platform(self, name: str) -> AsyncIterator[AdPlatform]:
        """The adapter of a platform; closed at the end. Raises ConfigError where policy leaves the platform out."""
        if name not in self.policy().platforms:
            raise ConfigError(f"{name} is switched off: `platforms` in {self.settings.policy_file} leaves it out")
        platform = open_platform(name, base_url=self.settings.base_url(name), token=self.settings.token(name))
        try:
            yield platform
        finally:
            await platform.aclose()
