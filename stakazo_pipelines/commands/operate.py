"""What an operator does: look, approve, undo, stop, resume, hold."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy import ColumnElement, select

from stakazo_pipelines.cycle.maturity import told_maturity
from stakazo_pipelines.decisions.candidate import Module
from stakazo_pipelines.errors import ConfigError, OperationsError, UnfundedError
from stakazo_pipelines.operations import Operations, controls
from stakazo_pipelines.operations.journal import events_of
from stakazo_pipelines.operations.plans import get_plan
from stakazo_pipelines.operations.tables import PlanRow
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.publishing.store import PlanResult, result_of
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings
from stakazo_pipelines.vocabulary import Level

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
    if mature := told_maturity(lake):
        day, platforms = mature
        for row in platforms.iter_rows(named=True):
            console.print(
                f"{row['group']}: mature as of {row['mature_as_of']}; of {day} "
                f"{1 - row['reported_1']:.0%} of the conversions are still to come",
                highlight=False,
            )


def history(plan: Annotated[str, typer.Argument(help="The plan's id, as `stakazo status` shows it.")]) -> None:
    """A plan's digest, changes and everything that happened to them."""
    runtime, console = Runtime(Settings()), Console()
    with runtime.operations() as operations:
        _plan_by(operations, PlanRow.id == plan)
        with operations.read() as session:
            result = result_of(get_plan(session, plan))
            events = events_of(session, plan)
    console.print(f"digest {result.digest}", soft_wrap=True)
    _print_result(result)
    table = Table("at (UTC)", "what", "entity", "before", "after", "who", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for event in events:
        moment, who = f"{event.at:%m-%d %H:%M:%S}", event.who
        table.add_row(moment, event.kind, event.entity_id, event.before or "", event.after or "", who)
    console.print(table)


def hold(
    account: Annotated[str, typer.Argument(help='Platform and account, such as "meta/1002003400".')],
    level: Annotated[Level, typer.Argument(help="campaign or ad_group; all below it is held too.")],
    entity: Annotated[str, typer.Argument(help="The entity's id.")],
    why: Why,
    who: Who,
) -> None:
    """Keep the modules off an entity until it is released; only a risk pause or a stop passes."""
    platform, _, account_id = account.partition("/")
    if not account_id:
        raise ConfigError(f"{account!r} names no account; write platform/account, such as meta/1002003400")
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        number = controls.hold(
            operations, kind=Module.HUMAN_HOLD, platform=platform, account_id=account_id, level=level,
            entity_id=entity, who=who, why=why, now=runtime.now(),
        )  # fmt: skip
    typer.echo(f"held; take it back with `stakazo release {number}`")


def release(number: Annotated[int, typer.Argument(help="The hold's number, as `hold` gave it.")], who: Who) -> None:
    """End a hold."""
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        controls.release(operations, number, who=who, now=runtime.now())
    typer.echo(f"released: {number}")


def approve(digest: Annotated[str, typer.Argument(help="The plan's digest, as the plan shows it.")], who: Who) -> None:
    """Approve the plan of this digest and carry it out, and what was approved before and its cuts now pay for."""
    runtime = Runtime(Settings())
    with runtime.operations() as operations:
        plan = _plan_by(operations, PlanRow.digest == digest)
        try:
            result = asyncio.run(
                _with_publisher(runtime, operations, plan.platform, lambda publisher: _approve(publisher, digest, who))
            )
        except UnfundedError as error:
            typer.echo(f"{error}. Approving a plan that frees money, or `funded_raises`, carries it out.")
            return
        _print_result(result)
        asyncio.run(_publish_waiting(runtime, operations, plan.as_of))


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


async def _publish_waiting(runtime: Runtime, operations: Operations, day: date) -> None:
    from stakazo_pipelines.cycle.changes import publish_waiting, waiting_plans  # takes a second: only this needs it

    policy, sandbox = runtime.policy(), runtime.settings.sandbox_url is not None
    async with AsyncExitStack() as opened:
        waiting = [name for name in policy.platforms if waiting_plans(operations, policy, name, day)]
        apis = [await opened.enter_async_context(runtime.platform(name)) for name in waiting]
        reports = await publish_waiting(apis, operations, policy, day=day, now=runtime.now, sandbox=sandbox)
    for name, report in reports.items():
        for result in report.plans:
            if result.account_id not in report.waiting:
                _print_result(result)
        for account, why in {**report.failed, **report.left_alone, **report.waiting}.items():
            typer.echo(f"{name}/{account}: {why}")


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
