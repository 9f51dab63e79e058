"""What time it is, as a resource."""

from datetime import datetime

from dagster import ConfigurableResource

from stakazo_pipelines.clock import present


class ClockResource(ConfigurableResource[None]):
    """`sandbox_url` is None for the real clock."""

    sandbox_url: str | None = None

    def now(self) -> datetime:
        """The present instant, aware UTC. Raises TransientError when the sandbox does not answer."""
        return present(self.sandbox_url)
