"""Look again at writes that the platform accepted but did not show in time. Reads only; nothing is sent."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.plans import get_plan, move_action, move_plan, plans_with
from stakazo_pipelines.operations.states import PLAN_MOVES, ActionStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.publishing.reading import Verdict, after_sending, look
from stakazo_pipelines.publishing.store import PlanResult, account_of, change_of, outcome_of, result_of, summary


async def recheck(
    platform: AdPlatform, operations: Operations, account_id: str, *, now: Callable[[], datetime]
) -> tuple[PlanResult, ...]:
    """Settle the account's unverified actions where the platform now shows a value; the plans this changed."""
    with operations.read() as session:
        plans = plans_with(session, platform.name, account_id, ActionStatus.UNVERIFIED)
    changed = [await _recheck_plan(platform, operations, plan, now) for plan in plans]
    return tuple(result for result in changed if result is not None)


async def _recheck_plan(
    platform: AdPlatform, operations: Operations, plan: PlanRow, now: Callable[[], datetime]
) -> PlanResult | None:
    changes = {action.id: change_of(action) for action in plan.actions if action.status is ActionStatus.UNVERIFIED}
    seen = await look(platform, account_of(plan), changes)
    settled = False
    with operations.begin() as unit:
        row = get_plan(unit.session, plan.id, lock=True)
        before = summary([action.status for action in row.actions])
        for action in row.actions:
            if action.id not in changes or action.status is not ActionStatus.UNVERIFIED:
                continue
            verdict = after_sending(changes[action.id], seen[action.id])
            if verdict is not None and (other := _made_by(unit.session, action, verdict)):
                why = f"plan {other} has made this change since; it counts there, once"
                verdict = Verdict(ActionStatus.CONFLICT, why)
            if verdict is not None:
                settled = True
                observed = seen[action.id].text
                move_action(unit.session, action, verdict.status, now(), observed=observed, error=verdict.error)
        if not settled:
            return None
        states = [action.status for action in row.actions]
        status = outcome_of(states)
        if status in PLAN_MOVES[row.status]:
            move_plan(unit.session, row, status, now(), reason=row.reason.replace(before, summary(states), 1))
        unit.commit()
        return result_of(row)


def _made_by(session: Session, action: ActionRow, verdict: Verdict) -> str | None:
    """The plan whose verified write of the same value explains what is seen; None when it must be this one.

    A change that did not show is planned again. Counted twice, one cut would pay for two raises.
    """
    if verdict.status is not ActionStatus.VERIFIED:
        return None
    same = (
        ActionRow.platform == action.platform,
        ActionRow.account_id == action.account_id,
        ActionRow.level == action.level,
        ActionRow.entity_id == action.entity_id,
        ActionRow.field == action.field,
        ActionRow.after == action.after,
        ActionRow.id != action.id,
        ActionRow.status == ActionStatus.VERIFIED,
        ActionRow.settled_at >= action.sent_at,
    )
    return session.scalar(select(ActionRow.plan_id).where(*same).order_by(ActionRow.id.desc()).limit(1))
