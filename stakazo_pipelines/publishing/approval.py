"""Who may let a plan through: a person for this very digest, or policy where the account is autonomous."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from stakazo_pipelines.errors import ApprovalError
from stakazo_pipelines.operations.plans import approval_of, approve_plan, awaiting_plan, move_plan
from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.operations.tables import PlanRow
from stakazo_pipelines.publishing.store import load_plan
from stakazo_pipelines.vocabulary import Autonomy

BY_POLICY = "policy:autonomous"


def submit(session: Session, plan: PlanRow, autonomy: Autonomy, *, at: datetime, lifetime: timedelta) -> None:
    """Take a proposed plan as far as the account's autonomy goes."""
    if autonomy is Autonomy.OBSERVE:
        move_plan(session, plan, PlanStatus.OBSERVED, at)
        return
    if not plan.actions:
        move_plan(session, plan, PlanStatus.VERIFIED, at, reason=plan.reason or "nothing to change")
        return
    move_plan(session, plan, PlanStatus.AWAITING_APPROVAL, at)
    if autonomy is Autonomy.AUTONOMOUS:
        approve_plan(session, plan, who=BY_POLICY, at=at, lifetime=lifetime)


def approve_waiting(session: Session, digest: str, *, who: str, at: datetime, lifetime: timedelta) -> PlanRow:
    """A person's approval of the plan that waits under this digest. Raises ApprovalError when there is none."""
    plan = awaiting_plan(session, digest)
    if plan is None:
        raise ApprovalError(f"no plan with digest {digest[:16]} waits for approval")
    load_plan(plan)
    if plan.created_at + lifetime <= at:
        move_plan(session, plan, PlanStatus.EXPIRED, at, reason="approved too late", who=who)
    else:
        approve_plan(session, plan, who=who, at=at, lifetime=lifetime)
    return plan


def approval_problem(session: Session, plan: PlanRow, autonomy: Autonomy, *, at: datetime) -> str | None:
    """Why this plan may not write now; None when it may.

    A rollback that a person asked for needs no autonomy: it only puts back what was there.
    """
    approval = approval_of(session, plan)
    if approval is None or approval.digest != plan.digest:
        return "there is no approval of this digest"
    if approval.expires_at <= at:
        return f"the approval by {approval.who} expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
    if plan.undoes is not None:
        return None
    if autonomy is Autonomy.OBSERVE:
        return "the account's autonomy is now observe"
    if approval.who == BY_POLICY and autonomy is not Autonomy.AUTONOMOUS:
        return f"it was approved by policy, but the account's autonomy is now {autonomy}"
    return None
