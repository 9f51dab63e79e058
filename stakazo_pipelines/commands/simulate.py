"""`stakazo simulate`: many days of the closed loop on a fresh sandbox, to see what a policy is worth."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stakazo_pipelines.clock import present
from stakazo_pipelines.commands.changes import sent_and_verified
from stakazo_pipelines.commands.sandbox import running_sandbox
from stakazo_pipelines.commands.world import Results, SandboxWorld, intervals_that_hold, outcome_table, results
from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.operations import open_operations
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.platforms.registry import open_platform
from stakazo_pipelines.policy import Policy, load_policy
from stakazo_pipelines.settings import Settings
from stakazo_pipelines.simulation import Desk, SimulatedDay, Simulation


def simulate(
    days: Annotated[int, typer.Option(help="Days of the loop.")] = 30,
    policy: Annotated[Path | None, typer.Option(help="Policy file to try (default: the project's).")] = None,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 7,
    history_days: Annotated[int, typer.Option(help="Days of history to learn from.")] = 120,
) -> None:
    """Simulate the loop and compare with leaving budgets alone and with the best possible, in the world's truth."""
    settings, console = Settings(), Console()
    rules = load_policy(policy or settings.policy_file)

    def tell(day: SimulatedDay) -> None:
        console.print(f"{day.day}: {day.verified} of {day.changes} changes verified")

    result = simulate_world(rules, days=days, seed=seed, history_days=history_days, on_day=tell)
    title = f"{days} days, seed {seed}: expected results in the world's own truth"
    console.print(outcome_table(result.results, result.changes, title=title))
    console.print(f"90 % intervals of ROAS that held the true one: {result.coverage:.1%}")


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What it came to, changes sent and verified by account, and the share of ROAS intervals that held the truth."""

    results: Results
    changes: dict[str, tuple[int, int]]
    coverage: float


def simulate_world(
    policy: Policy,
    *,
    days: int,
    seed: int,
    history_days: int,
    on_day: Callable[[SimulatedDay], None] = lambda _: None,
) -> SimulationResult:
    """Run the loop on a world of its own, on the policy's platforms, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="stakazo-") as folder:
        home = Path(folder)
        fresh = {"state": home / "sandbox.jsonl", "log": home / "sandbox.log"}
        with running_sandbox(seed=seed, platforms=policy.platforms, **fresh) as url:
            world, settings = SandboxWorld(url), Settings(sandbox_url=url, home=home, database_url=None)
            operations = open_operations(settings.operations_url)
            started = present(url)
            rates, held = load_rates(), list[bool]()

            def score(estimates: Estimates) -> None:
                held.extend(intervals_that_hold(estimates.frame, world.truth()))

            async def play() -> None:
                async with AsyncExitStack() as opened:
                    platforms: dict[str, AdPlatform] = {}
                    for name in policy.platforms:
                        platforms[name] = open_platform(name, base_url=url, token=settings.token(name))
                        opened.push_async_callback(platforms[name].aclose)
                    desk = Desk(
                        platforms,
                        Lake(home / "lake"),
                        operations,
                        policy,
                        rates,
                        now=lambda: present(url),
                        on_estimates=score,
                    )
                    loop = Simulation(desk, advance=world.advance_day)
                    await loop.run(days, history_days=history_days, on_day=on_day)

            try:
                asyncio.run(play())
                first = started.date()
                last, currency = first + timedelta(days=days - 1), policy.portfolio.reporting_currency
                found = results(world, first, last, rates=rates, currency=currency)
                changes = sent_and_verified(operations, since=started)
                return SimulationResult(found, changes, coverage=sum(held) / len(held) if held else float("nan"))
            finally:
                operations.close()
