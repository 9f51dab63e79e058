"""`stakazo …`: the same commands for the terminal. This file only puts them together."""

import sys

import typer
from rich.console import Console

from stakazo_pipelines.commands.audit import audit
from stakazo_pipelines.commands.build import build
from stakazo_pipelines.commands.importing import import_command
from stakazo_pipelines.commands.operate import approve, history, hold, release, resume, rollback, status, stop
from stakazo_pipelines.commands.plan import plan
from stakazo_pipelines.commands.run import run
from stakazo_pipelines.commands.sandbox import sandbox_app
from stakazo_pipelines.commands.simulate import simulate
from stakazo_pipelines.commands.up import up
from stakazo_pipelines.errors import StakazoError

_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The autopilot for paid social advertising.",
)
_app.command()(run)
_app.command()(up)
_app.command()(simulate)
_app.command()(plan)
_app.command("import")(import_command)
for _command in (build, audit, status, history, approve, rollback, hold, release, stop, resume):
    _app.command()(_command)
_app.add_typer(sandbox_app, name="sandbox")


def app() -> None:
    """Run a command; an error of ours is one clear message and exit code 1, never a traceback."""
    try:
        _app()
    except StakazoError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False)
        sys.exit(1)
