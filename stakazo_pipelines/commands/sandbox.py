"""`stakazo sandbox serve`, and a sandbox as a child process for `run` and `up`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.settings import SANDBOX_TOKEN

_ANNOUNCEMENT = "sandbox listening on "

sandbox_app = typer.Typer(no_args_is_help=True, help="The simulated advertising world.")


@sandbox_app.callback()
def _sandbox() -> None:
    """Keeps `serve` a sub-command while it is the only one."""


@sandbox_app.command("serve")
def serve_command(
    port: Annotated[int, typer.Option(help="0 takes any free port.")] = 8700,
    seed: Annotated[int, typer.Option(help="The same seed and the same writes give the same world.")] = 7,
    token: Annotated[str, typer.Option(help="The only access token the sandbox accepts.")] = SANDBOX_TOKEN,
    state: Annotated[Path | None, typer.Option(help="Keep the world's history in this file and go on from it.")] = None,
) -> None:
    """Serve the world on loopback until interrupted."""
    from stakazo_pipelines.sandbox.server import serve  # the world's imports are only for those who serve it

    serve(port=port, seed=seed, token=token, state_file=state)


@contextmanager
def running_sandbox(*, state: Path, seed: int, log: Path, platforms: Sequence[str] = ()) -> Iterator[str]:
    """A sandbox in a process of its own on a free loopback port; gives its URL and stops it at the end.

    `platforms` restricts a new world to some; none named: the world that was kept, else one on all.
    """
    command = [sys.executable, "-m", "stakazo_pipelines.sandbox.server", "--port", "0", "--seed", str(seed)]
    command += ["--token", SANDBOX_TOKEN, "--state", str(state)]
    command += ["--platforms", ",".join(platforms)] if platforms else []
    state.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True, env=dict(os.environ)
        )
    try:
        yield _announced_url(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _announced_url(process: "subprocess.Popen[str]", log: Path) -> str:
    if process.stdout is None:
        raise ConfigError("the sandbox was started without a pipe to its output")
    for line in process.stdout:
        if line.startswith(_ANNOUNCEMENT):
            return line.removeprefix(_ANNOUNCEMENT).strip()
    raise ConfigError(f"the sandbox did not start; see {log}")
