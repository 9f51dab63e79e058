"""The operations database as a resource. Its URL may hold a password, so it is read from the environment when used."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import ConfigurableResource

from stakazo_pipelines.operations import Operations, open_operations
from stakazo_pipelines.settings import Settings


class OperationsResource(ConfigurableResource[None]):
    """SQLite in the project's home, or what DATABASE_URL names."""

    @contextmanager
    def open(self) -> Iterator[Operations]:
        """The database, migrated to its newest form; closed at the end."""
        operations = open_operations(Settings().operations_url)
        try:
            yield operations
        finally:
            operations.close()
