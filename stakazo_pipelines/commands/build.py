"""`stakazo build`: the assets over the days that were imported, as Dagster runs, without asking any platform."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.commands.home import prepare_home
from stakazo_pipelines.commands.importing import parse_day
from stakazo_pipelines.cycle.budgets import ALLOCATIONS
from stakazo_pipelines.marts import read_mart
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings


def build(
    since: Annotated[str, typer.Argument(help="First report day, such as 2026-01-05.")],
    until: Annotated[str, typer.Argument(help="Last report day; estimates and proposals are made for it.")],
) -> None:
    """Rebuild the marts of some days; estimate, allocate and decide on the last. Nothing is published."""
    settings, console = Settings(), Console()
    first, last = parse_day(since, "since"), parse_day(until, "until")
    prepare_home(settings)
    # Dagster and the assets read the environment when they are imported, so they come after it is set.
    from dagster import DagsterInstance

    from sensors.drive import Driver
    from stakazo_pipelines.definitions import defs

    runtime = Runtime(settings)
    with DagsterInstance.get() as instance:
        driver = Driver(defs, instance, runtime.policy(), console.print, log=settings.home / "run.log")
        driver.rebuild_marts(first, last)
        driver.estimate(last)
    lake = runtime.lake()
    totals = Table(
        "platform",
        "account",
        "days",
        "spend",
        "conversions",
        "value",
        "arms",
        "moves",
        title="built",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    rows = read_mart(lake, "ad_reporting__ad_group_report", first, last)
    proposals = lake.read_asset(ALLOCATIONS, last)
    for (platform, account), own in rows.group_by("platform", "account_id", maintain_order=True):
        arms = proposals.filter(platform=platform, account_id=account)
        moves = arms.filter(arms["proposed_budget"] != arms["current_budget"])
        totals.add_row(
            str(platform), str(account), str(own["date_day"].n_unique()), f"{own['spend'].sum():,.2f}",
            f"{own['conversions'].sum():,.0f}", f"{own['conversions_value'].sum():,.2f}", str(arms.height),
            str(moves.height),
        )  # fmt: skip
    console.print(totals)
