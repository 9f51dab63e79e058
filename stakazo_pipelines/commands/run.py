"""`stakazo run`: the main job on the embedded sandbox, a week long, every step a Dagster run; and what it was worth."""

import os
import time
from datetime import date, timedelta
from typing import Annotated

import typer
from rich.console import Console

from stakazo_pipelines.commands.changes import sent_and_verified
from stakazo_pipelines.commands.home import prepare_home
from stakazo_pipelines.commands.sandbox import running_sandbox
from stakazo_pipelines.commands.world import SandboxWorld, outcome_table, results
from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.ingest import LAST_ZONE, last_complete_day
from stakazo_pipelines.marts import mart_days
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings


def run(
    days: Annotated[int, typer.Option(help="Days to advance the world, deciding anew on each.")] = 7,
    history_days: Annotated[int, typer.Option(help="Days of history to backfill where they are missing.")] = 120,
    seed: Annotated[int, typer.Option(help="The world's seed, where it starts anew.")] = 7,
) -> None:
    """Backfill, estimate, allocate, publish and verify, day by day; then compare with leaving budgets alone."""
    settings = Settings()
    prepare_home(settings)
    home = settings.home
    with running_sandbox(state=home / "sandbox.jsonl", seed=seed, log=home / "sandbox.log") as url:
        os.environ["STAKAZO_SANDBOX_URL"] = url
        _run_on(url, Runtime(Settings()), days=days, history_days=history_days)


def _run_on(url: str, runtime: Runtime, *, days: int, history_days: int) -> None:
    # Dagster and the assets read the environment when they are imported, so they come after it is set.
    from dagster import DagsterInstance

    from sensors.drive import Driver
    from stakazo_pipelines.definitions import defs

    console, started = Console(), time.monotonic()
    world, began = SandboxWorld(url), runtime.now()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {what}")

    with DagsterInstance.get() as instance:
        driver = Driver(defs, instance, runtime.policy(), say, log=runtime.settings.home / "run.log")
        newest = _newest_day(runtime)
        missing = _missing_days(runtime, newest, history_days)
        if missing:
            driver.backfill(missing[0], missing[-1])
        driver.refit_population()
        first = newest + timedelta(days=1)
        driver.decide(newest)
        for _ in range(days):
            world.advance_day()
            newest = _newest_day(runtime)
            driver.daily_ingest(newest)
            driver.decide(newest)
    with runtime.operations() as operations:
        changes = sent_and_verified(operations, since=began)
    title = f"{first} to {newest}: expected results in the world's own truth"
    currency = runtime.policy().portfolio.reporting_currency
    found = results(world, first, newest, rates=load_rates(), currency=currency)
    console.print(outcome_table(found, changes, title=title))
    console.print(f"{time.monotonic() - started:.0f} s in all. See every run, plot and decision with: make up")


def _newest_day(runtime: Runtime) -> date:
    return last_complete_day(runtime.now(), LAST_ZONE)


def _missing_days(runtime: Runtime, newest: date, history_days: int) -> list[date]:
    """Days without a mart: a run killed after it read a day and before it built it has to do both again."""
    wanted = [newest - timedelta(days=back) for back in range(history_days)]
    return sorted(set(wanted) - set(mart_days(runtime.lake(), "ad_reporting__ad_report")))
