"""Plans, their actions, approvals and the execution lock, as rows; every move goes through the tables of states.py."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from stakazo_pipelines.errors import OperationsError, PublishError
from stakazo_pipelines.operations.journal import record_action, record_plan
from stakazo_pipelines.operations.states import (
    ACTION_MOVES,
    OPEN_PLANS,
    PLAN_MOVES,
    ActionStatus,
    PlanStatus,
    moved,
)
from stakazo_pipelines.operations.tables import ActionRow, ApprovalRow, PlanRow

FINISHED = frozenset(
    {
        PlanStatus.OBSERVED,
        PlanStatus.VERIFIED,
        PlanStatus.PARTLY_VERIFIED,
        PlanStatus.FAILED,
        PlanStatus.STOPPED,
        PlanStatus.EXPIRED,
        PlanStatus.ROLLED_BACK,
    }
)


def add_plan(session: Session, plan: PlanRow) -> PlanRow:
    """Store a proposed plan with its actions under an id made of its digest and how often it came before."""
    plan.repetition = session.scalar(select(func.count()).where(PlanRow.digest == plan.digest)) or 0
    plan.id = f"{plan.digest[:16]}-{plan.repetition}"
    session.add(plan)
    session.flush()
    record_plan(session, "plan_proposed", plan.created_at, plan, detail={"actions": len(plan.actions)})
    return plan


def get_plan(session: Session, plan_id: str, *, lock: bool = False) -> PlanRow:
    """One plan with its actions. Raises OperationsError when there is none."""
    plan = session.get(PlanRow, plan_id, with_for_update=lock or None)
    if plan is None:
        raise OperationsError(f"there is no plan {plan_id}")
    return plan


def open_plans(session: Session, platform: str, account_id: str) -> list[PlanRow]:
    """Plans of an account that still may write or wait for someone, oldest first."""
    wanted = select(PlanRow).where(
        PlanRow.platform == platform, PlanRow.account_id == account_id, PlanRow.status.in_(OPEN_PLANS)
    )
    return list(session.scalars(wanted.order_by(PlanRow.created_at, PlanRow.id)))


def approved_plans(session: Session, platform: str, as_of: date) -> list[PlanRow]:
    """Plans of a report day that are approved and not begun, oldest first."""
    wanted = select(PlanRow).where(
        PlanRow.platform == platform, PlanRow.as_of == as_of, PlanRow.status == PlanStatus.APPROVED
    )
    loaded = wanted.order_by(PlanRow.created_at, PlanRow.id).options(selectinload(PlanRow.actions))
    return list(session.scalars(loaded))


def awaiting_plan(session: Session, digest: str) -> PlanRow | None:
    """The plan of this digest that waits for approval."""
    wanted = select(PlanRow).where(PlanRow.digest == digest, PlanRow.status == PlanStatus.AWAITING_APPROVAL)
    return session.scalar(wanted.order_by(PlanRow.repetition.desc()).with_for_update())


def executing_plans(session: Session, platform: str, account_id: str | None = None) -> list[PlanRow]:
    """Plans whose lock is taken, alive or abandoned."""
    wanted = select(PlanRow).where(PlanRow.platform == platform, PlanRow.status == PlanStatus.EXECUTING)
    if account_id is not None:
        wanted = wanted.where(PlanRow.account_id == account_id)
    return list(session.scalars(wanted.order_by(PlanRow.created_at, PlanRow.id)))


def plans_with(session: Session, platform: str, account_id: str, status: ActionStatus) -> list[PlanRow]:
    """Finished plans of an account that have an action in this state, oldest first."""
    wanted = (
        select(PlanRow)
        .where(PlanRow.platform == platform, PlanRow.account_id == account_id, PlanRow.status.in_(FINISHED))
        .where(PlanRow.actions.any(ActionRow.status == status))
    )
    return list(session.scalars(wanted.order_by(PlanRow.created_at, PlanRow.id).options(selectinload(PlanRow.actions))))


def actions_by_id(session: Session, ids: Collection[int]) -> list[ActionRow]:
    """These actions, in the order they go out."""
    return list(session.scalars(select(ActionRow).where(ActionRow.id.in_(list(ids))).order_by(ActionRow.position)))


def action_states(session: Session, plan_id: str) -> dict[int, ActionStatus]:
    """The state of every action of a plan by its id, in the order they go out."""
    wanted = select(ActionRow.id, ActionRow.status).where(ActionRow.plan_id == plan_id).order_by(ActionRow.position)
    return {row.id: row.status for row in session.execute(wanted)}


def move_plan(
    session: Session, plan: PlanRow, status: PlanStatus, at: datetime, *, reason: str = "", who: str = ""
) -> None:
    """Move a plan and journal it. Raises IllegalTransitionError."""
    plan.status = moved(f"plan {plan.id}", plan.status, status, PLAN_MOVES)
    plan.reason = reason or plan.reason
    if status in FINISHED:
        plan.finished_at, plan.executor, plan.lease_until = at, None, None
    record_plan(session, f"plan_{_PAST.get(status, status)}", at, plan, who=who, detail={"reason": reason})


_PAST = {
    PlanStatus.AWAITING_APPROVAL: "submitted",
    PlanStatus.EXECUTING: "started",
}


def move_action(
    session: Session,
    action: ActionRow,
    status: ActionStatus,
    at: datetime,
    *,
    observed: str | None = None,
    error: str | None = None,
) -> None:
    """Move an action and journal it. `error` is a redacted message. Raises IllegalTransitionError."""
    action.status = moved(f"action {action.id} of {action.entity_id}", action.status, status, ACTION_MOVES)
    action.error = error
    if observed is not None:
        action.observed = observed
    action.settled_at = at
    detail = {"observed": observed, "error": error}
    record_action(session, f"write_{status}", at, action, detail={key: text for key, text in detail.items() if text})


def intend(session: Session, action: ActionRow, at: datetime) -> None:
    """Put on record that a write goes out now, for the first time or again."""
    again = action.status is ActionStatus.SENDING
    if not again:
        action.status = moved(f"action {action.id}", action.status, ActionStatus.SENDING, ACTION_MOVES)
    action.attempts += 1
    action.sent_at = at
    record_action(session, "write_repeated" if again else "write_intended", at, action)


def approve_plan(session: Session, plan: PlanRow, *, who: str, at: datetime, lifetime: timedelta) -> None:
    """Bind an approval to the plan's digest."""
    session.add(ApprovalRow(plan_id=plan.id, digest=plan.digest, who=who, at=at, expires_at=at + lifetime))
    move_plan(session, plan, PlanStatus.APPROVED, at, who=who)


def approval_of(session: Session, plan: PlanRow) -> ApprovalRow | None:
    """The newest approval of this plan."""
    wanted = select(ApprovalRow).where(ApprovalRow.plan_id == plan.id)
    return session.scalar(wanted.order_by(ApprovalRow.id.desc()).limit(1))


def lock_plan(session: Session, plan: PlanRow, *, executor: str, at: datetime, lease_until: datetime) -> None:
    """Take the account's execution lock for an approved plan, or take over an abandoned one of the same plan.

    Raises PublishError when another plan of the account holds it: the partial unique index lets one in.
    """
    if plan.status is PlanStatus.EXECUTING:
        record_plan(session, "plan_taken_over", at, plan, detail={"from": plan.executor, "by": executor})
    else:
        move_plan(session, plan, PlanStatus.EXECUTING, at)
    plan.executor, plan.lease_until = executor, lease_until
    account = f"{plan.platform}/{plan.account_id}"
    try:
        session.flush()
    except IntegrityError:
        raise PublishError(f"{account}: another plan is being published") from None
