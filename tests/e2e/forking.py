"""Steps as forks of one process that has imported what all of them import: python forking.py SOCKET

Every home's steps are a process of their own, with its own environment, which a test may kill. Importing Dagster, dbt
and SciPy takes longer than most steps do, and nothing of it depends on the environment; what does the fork imports.
"""

import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

IMPORTED = (
    "alembic.context", "dagster", "dagster_dbt", "dbt.adapters.duckdb", "dbt.cli.main", "duckdb", "httpx",
    "matplotlib.backends.backend_agg", "matplotlib.figure", "numpy", "openpyxl", "polars", "pydantic_settings", "rich",
    "scipy.optimize", "scipy.special", "sqlalchemy.dialects.postgresql", "sqlalchemy.orm", "typer", "yaml",
)  # fmt: skip
_LONGEST = 1 << 20


class Forked:
    """A fork, to be handled as a subprocess.Popen is."""

    def __init__(self, server: Path, script: Path, arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        told = {"script": str(script), "arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}
        reading, writing = os.pipe()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(str(server))
        socket.send_fds(self._server, [json.dumps(told).encode()], [writing])
        os.close(writing)
        self._answers = self._server.makefile("r")
        self.pid = int(self._answers.readline())
        self.stdout = os.fdopen(reading, "r")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        if self.returncode is None:
            try:
                ended = self._server.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            assert ended, "the server is gone"
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._server.close()
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float) -> str:
        """All that it prints until its end; after `timeout` seconds it is killed."""
        alarm = threading.Timer(timeout, self.kill)
        alarm.start()
        try:
            with self.stdout:
                said = self.stdout.read()
            self.wait()
        finally:
            alarm.cancel()
        return said


def serve(where: str) -> None:
    """Fork for whoever connects, until the end of standard input."""
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the keepers end
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(where)
    listening.listen()
    print("ready", flush=True)  # noqa: T201
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _keep(connection)
        connection.close()


def _keep(connection: socket.socket) -> None:
    """Tell the pid of the fork, wait for its end, and tell its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, [output], *_ = socket.recv_fds(connection, _LONGEST, 1)
    told = json.loads(message)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(told, output)
    os.close(output)
    connection.sendall(b"%d\n" % pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    connection.sendall(b"%d\n" % status)
    os._exit(0)


def _run(told: Mapping[str, object], output: int) -> None:
    status: object = 0
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update(told["env"])  # type: ignore[call-overload]
        os.chdir(str(told["cwd"]))
        sys.argv = [str(told["script"]), *told["arguments"]]  # type: ignore[misc]
        runpy.run_path(str(told["script"]), run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
