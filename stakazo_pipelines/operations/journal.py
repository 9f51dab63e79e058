"""The append-only journal: one event for everything that happened, in the same transaction as its effect."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from stakazo_pipelines.operations.tables import ActionRow, EventRow, PlanRow


def record(
    session: Session,
    kind: str,
    at: datetime,
    *,
    platform: str = "",
    account_id: str = "",
    entity_id: str = "",
    who: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Append an event that belongs to no plan."""
    session.add(
        EventRow(
            at=at,
            kind=kind,
            platform=platform,
            account_id=account_id,
            entity_id=entity_id,
            who=who,
            detail=dict(detail or {}),
        )
    )


def record_plan(
    session: Session,
    kind: str,
    at: datetime,
    plan: PlanRow,
    *,
    who: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Append an event of a plan."""
    session.add(
        EventRow(
            at=at,
            kind=kind,
            platform=plan.platform,
            account_id=plan.account_id,
            plan_id=plan.id,
            who=who,
            detail={"digest": plan.digest, **(detail or {})},
        )
    )


def record_action(
    session: Session, kind: str, at: datetime, action: ActionRow, *, detail: Mapping[str, object] | None = None
) -> None:
    """Append an event of one write, with the values before and after."""
    session.add(
        EventRow(
            at=at,
            kind=kind,
            platform=action.platform,
            account_id=action.account_id,
            entity_id=action.entity_id,
            plan_id=action.plan_id,
            action_id=action.id,
            before=action.before,
            after=action.after,
            detail={"field": action.field, "attempt": action.attempts, **(detail or {})},
        )
    )


def events_of(session: Session, plan_id: str) -> list[EventRow]:
    """A plan's history, oldest first."""
    return list(session.scalars(select(EventRow).where(EventRow.plan_id == plan_id).order_by(EventRow.id)))
