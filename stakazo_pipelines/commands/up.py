"""`stakazo up`: the Dagster UI with its daemon, and the sandbox unless a live token is set; all on loopback."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from stakazo_pipelines.commands.home import PROJECT_ROOT, prepare_home
from stakazo_pipelines.commands.sandbox import running_sandbox
from stakazo_pipelines.settings import Settings


def up(
    port: Annotated[int, typer.Option(help="The UI's port.")] = 3000,
    host: Annotated[str, typer.Option(help="The UI has no login: leave it on loopback unless a proxy guards it.")] = (
        "127.0.0.1"
    ),
    seed: Annotated[int, typer.Option(help="The sandbox's seed, where it starts anew.")] = 7,
    live: Annotated[bool, typer.Option(help="Read the real platforms instead of the sandbox.")] = False,
) -> None:
    """Start everything and stay until interrupted."""
    settings = Settings()
    prepare_home(settings)
    with ExitStack() as stack:
        if live:
            os.environ.pop("STAKAZO_SANDBOX_URL", None)
        else:
            url = stack.enter_context(
                running_sandbox(state=settings.home / "sandbox.jsonl", seed=seed, log=settings.home / "sandbox.log")
            )
            os.environ["STAKAZO_SANDBOX_URL"] = url
            typer.echo(f"sandbox: {url}")
        command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(PROJECT_ROOT / "workspace.yaml")]
        typer.echo(f"control tower: http://{host}:{port} (stop with Ctrl-C)")
        # A shell that starts us in the background has us ignore Ctrl-C, and our children inherit that: set it back.
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, signal.default_int_handler)
        # A session of its own: the terminal's Ctrl-C then reaches only us, and Dagster is asked to stop in order.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [*command, "--host", host, "--port", str(port)], cwd=settings.home.resolve(), start_new_session=True
        )
        try:
            process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
