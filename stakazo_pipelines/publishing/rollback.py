"""The plan that undoes a plan: every verified change, the other way round, and nothing else."""

from dataclasses import replace

from stakazo_pipelines.decisions.candidate import Value
from stakazo_pipelines.errors import PublishError
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations.states import ActionStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.publishing.plan import ChangePlan, PlannedChange, in_order
from stakazo_pipelines.publishing.reading import look
from stakazo_pipelines.publishing.store import account_of, change_of, worth_of


def inverse_plan(plan: PlanRow) -> ChangePlan:
    """From the journal: what was verified goes back. Raises PublishError when nothing of the plan stands."""
    verified = [action for action in plan.actions if action.status is ActionStatus.VERIFIED]
    if not verified:
        raise PublishError(f"plan {plan.id} is {plan.status}: nothing of it is left to undo")
    return ChangePlan(
        platform=plan.platform,
        account=account_of(plan),
        as_of=plan.as_of,
        changes=in_order(_inverse(action) for action in verified),
        budget_total=plan.budget_total,
        undoes=plan.id,
        worth=worth_of(plan),
    )


async def forced(plan: ChangePlan, platform: AdPlatform) -> ChangePlan:
    """The same plan starting from whatever the platform holds now, so that a foreign value is no conflict."""
    seen = await look(platform, plan.account, dict(enumerate(plan.changes)))
    return replace(plan, changes=in_order(_from(change, seen[at].value) for at, change in enumerate(plan.changes)))


def _inverse(action: ActionRow) -> PlannedChange:
    done = change_of(action)
    return replace(
        done,
        before=done.after,
        after=done.before,
        relative=_relative(done.after, done.before),
        rule=f"rollback of {done.rule}" if done.rule else "rollback",
        expected_gain=None,
        undoes_action=action.id,
    )


def _from(change: PlannedChange, held: Value | None) -> PlannedChange:
    if held is None or held == change.before:
        return change
    return replace(change, before=held, relative=_relative(held, change.after))


def _relative(before: Value, after: Value) -> float:
    if not isinstance(before, Money) or not isinstance(after, Money):
        return 0.0
    return float(abs(after.amount - before.amount) / before.amount) if before.amount else 1.0
