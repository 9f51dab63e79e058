"""`stakazo audit`: the daily engine against full Bayesian sampling, by hand."""

from typing import Annotated

import typer
from rich.console import Console

from stakazo_pipelines.commands.home import prepare_home
from stakazo_pipelines.cycle.audit import MOST_ARMS
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings


def audit(
    arms: Annotated[
        int, typer.Option(min=2, help="Sample so many arms, drawn by conversions where there are more.")
    ] = MOST_ARMS,
) -> None:
    """Sample the full model (PyMC) on the newest data and compare every arm with the daily estimate. Takes minutes."""
    settings, console = Settings(), Console()
    prepare_home(settings)
    # Dagster and the assets read the environment when they are imported, so they come after it is set.
    from dagster import DagsterInstance

    from sensors.drive import Driver
    from stakazo_pipelines.definitions import defs

    with DagsterInstance.get() as instance:
        driver = Driver(defs, instance, Runtime(settings).policy(), console.print, log=settings.home / "run.log")
        found = driver.audit(arms)
    for name, (passed, words) in found.items():
        console.print(f"{'passed' if passed else 'WARNING'}  {name.replace('_', ' ')}{f': {words}' if words else ''}")
    console.print("Figures and plots: the asset engine_audit, with make up")
