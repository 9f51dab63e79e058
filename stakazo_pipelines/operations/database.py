"""Opening the operations database and its unit of work.

Errors of the driver become OperationsError with a message that holds no password.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from stakazo_pipelines.errors import ConfigError, OperationsError
from stakazo_pipelines.operations.column_types import canonical_json
from stakazo_pipelines.operations.migrate import migrate

BUSY_SECONDS = 15.0


class UnitOfWork:
    """One transaction. Nothing is kept unless `commit` is called."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def commit(self) -> None:
        self.session.commit()


class Operations:
    """The open database. Safe to share between threads; every unit of work has its own connection."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._reader = engine.execution_options(read_only=True)
        self._name = name

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        """A unit of work that may write. On SQLite it takes the write lock at once, so that it never fails half-way."""
        with self._session(self._engine) as session:
            yield UnitOfWork(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view that blocks no writer and is never committed."""
        with self._session(self._reader) as session:
            yield session

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except SQLAlchemyError as error:
            raise OperationsError(f"{self._name}: {_reason(error)}") from None


def open_operations(url: URL, *, busy_seconds: float = BUSY_SECONDS) -> Operations:
    """Connect, bring the tables to their newest form, and return the database.

    Several processes may do so at once on a fresh database. `busy_seconds` is how long a SQLite writer waits for
    another. Raises OperationsError when the database cannot be reached, ConfigError for an URL that cannot work.
    """
    name = describe(url)
    engine = _engine(url, busy_seconds)
    try:
        if url.get_backend_name() == "sqlite":
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        migrate(engine)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        engine.dispose()
        raise OperationsError(f"{name}: {_reason(error)}") from None
    return Operations(engine, name)


def describe(url: URL) -> str:
    """Where the database is, without user, password or options."""
    if url.get_backend_name() == "sqlite":
        return f"operations database {url.database}"
    where = url.query.get("host", url.host or "localhost")
    return f"operations database {url.database} on {where}"


def _engine(url: URL, busy_seconds: float) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, json_serializer=canonical_json, pool_pre_ping=True)
    if not url.database or url.database == ":memory:":
        raise ConfigError("the operations database must be a file or a PostgreSQL server: memory forgets what was sent")
    engine = create_engine(url, json_serializer=canonical_json, connect_args={"timeout": busy_seconds})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not guessed by the driver
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # an intention must be on disk before its write goes out


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a write can fail with "locked" without waiting; an immediate one queues.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _reason(error: SQLAlchemyError | sqlite3.Error | OSError) -> str:
    """The driver's own words: SQLAlchemy's would add statements and parameters."""
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    if "database is locked" in text:
        return "locked by another process for too long; try again, or stop the process that holds it"
    return text
