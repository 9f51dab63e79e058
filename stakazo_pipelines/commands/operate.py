"""What an operator does: look, approve, undo, stop, resume, hold."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import ColumnElement, select

from stakazo_pipelines.errors import OperationsError
from stakazo_pipelines.operations import Operations, controls
from stakazo_pipelines.operations.tables import PlanRow
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.publishing.store import PlanResult
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings

Who = Annotated[str, typer.Option(help="Who does this; goes on record.", default_factory=getpass.getuser)]
Why = Annotated[str, typer.Option(help="Why; goes on record.")]
Scope = Annotated[str, typer.Option(help='"*" for everything, a platform ("meta"), or an account ("meta/act_1").')]


def status() -> None:
    """What is on, what waits for a person, and how the newest plans went."""
    runtime, console = Runtime(Settings()), Console()
    with runtime.operations() as operations, operations.read() as session:
        stops = controls.stops_in_force(session)
        for stop in stops:
            console.print(
                f"[bold red]STOPPED[/] {stop.scope} by {stop.who} at {stop.at:%Y-%m-%d %H:%M} UTC: {stop.why}"
            )
        if not stops:
            console.print("no stop is in force")
        plans = session.scalars(select(PlanRow).order_by(PlanRow.created_at.desc(), PlanRow.id).limit(12)).all()
        table = Table("plan", "account", "day", "status", "changes", "budget moved", "why", title="newest plans")
        for plan in plans:
            moved = sum(action.share for action in plan.actions)
            table.add_row(
                plan.id, f"{plan.platform}/{plan.account_id}", str(plan.as_of), plan.status.value,
                str(len(plan.actions)), f"{moved:.1%}", plan.reason,
            )  # fmt: skip
    console.print(table)
    lake = runtime.lake()
    for name in ("roas_estimates", "budget_allocations"):
        days = lake.asset_days(name)
        console.print(f"{name}: newest day {days[-1] if days else 'none yet: run `make run` or materialize it'}")


def approve(digest: Annotated[str, typer.Argument(help="The plan's digest, as the plan shows it.")], who: Who) -> None:
    """Approve the plan of this digest and carry it out."""
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        plan = _plan_by(operations, PlanRow.digest == digest)
        result = asyncio.run(
            _with_publisher(runtime, operations, plan.platform, lambda publisher: _approve(publisher, digest, who))
        )
    _print_result(result)


def rollback(
    plan: Annotated[str, typer.Argument(help="The plan's id, as `stakazo status` shows it.")],
    who: Who,
    force: Annotated[bool, typer.Option(help="Also where the platform no longer holds our value.")] = False,
) -> None:
    """Put back on the platform what a plan changed."""
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        row = _plan_by(operations, PlanRow.id == plan)
        result = asyncio.run(
            _with_publisher(
                runtime, operations, row.platform, lambda publisher: publisher.rollback(plan, who=who, force=force)
            )
        )
    _print_result(result)


def stop(why: Why, who: Who, scope: Scope = "*") -> None:
    """Stop every write at once; read before each write by every process."""
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        controls.stop(operations, who=who, why=why, now=runtime.now(), scope=scope)
    typer.echo(f"stopped: {scope}. Take it back with `stakazo resume --scope '{scope}'`.")


def resume(why: Why, who: Who, scope: Scope = "*") -> None:
    """Take back a stop of this scope."""
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        controls.resume(operations, who=who, why=why, now=runtime.now(), scope=scope)
    typer.echo(f"resumed: {scope}")


def _plan_by(operations: Operations, which: ColumnElement[bool]) -> PlanRow:
    with operations.read() as session:
        plan = session.scalars(select(PlanRow).where(which).order_by(PlanRow.created_at.desc())).first()
    if plan is None:
        raise OperationsError("no such plan; `stakazo status` lists the newest ones")
    return plan


async def _approve(publisher: Publisher, digest: str, who: str) -> PlanResult:
    return await publisher.execute(publisher.approve(digest, who).plan_id)


async def _with_publisher(
    runtime: Runtime, operations: Operations, platform: str, act: Callable[[Publisher], Awaitable[PlanResult]]
) -> PlanResult:
    policy = runtime.policy()
    async with runtime.platform(platform) as api:
        publisher = Publisher(
            api,
            operations,
            policy=policy,
            autonomy_of=lambda account: policy.autonomy_of(
                platform, account, sandbox=runtime.settings.sandbox_url is not None
            ),
            now=runtime.now,
        )
        return await act(publisher)


def _print_result(result: PlanResult) -> None:
    table = Table("entity", "field", "before", "after", "status", "observed", title=f"plan {result.plan_id}")
    for action in result.actions:
        change = action.change
        table.add_row(
            f"{change.entity.level} {change.entity.id}", change.field.value, str(change.before), str(change.after),
            action.status.value, action.observed or "",
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(f"{result.status.value}{': ' + result.reason if result.reason else ''}")
