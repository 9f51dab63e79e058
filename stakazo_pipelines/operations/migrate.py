"""Bring a database to the newest tables, by the Alembic revisions shipped in this package.

Concurrent first starts are safe: a file lock on SQLite, an advisory lock on PostgreSQL; the second finds it done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from stakazo_pipelines.operations.tables import VERSION_TABLE

SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_KEY = 7_236_501  # any number, the same in every process


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision; nothing happens when the database is there already."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with _alone(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
        if _current(connection) != ScriptDirectory.from_config(config).get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    with FileLock(f"{engine.url.database}.lock"):
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")  # kept in the file; cannot be set in a transaction
        finally:
            raw.close()
        yield
