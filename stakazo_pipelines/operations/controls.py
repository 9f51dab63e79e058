"""The stop switch and the holds. Kept in the database so that every process reads the same switch."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from stakazo_pipelines.errors import OperationsError
from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.journal import record
from stakazo_pipelines.operations.tables import ControlRow, HoldRow
from stakazo_pipelines.vocabulary import Level

EVERYTHING = "*"


def stop(operations: Operations, *, who: str, why: str, now: datetime, scope: str = EVERYTHING) -> None:
    """Stop all writes in a scope: "*", a platform ("meta") or one account ("meta/<id>"). Stopping twice is fine."""
    _switch(operations, scope=scope, stopped=True, who=who, why=why, now=now)


def resume(operations: Operations, *, who: str, why: str, now: datetime, scope: str = EVERYTHING) -> None:
    """Take back a stop of this very scope; a stop of another scope stays in force."""
    _switch(operations, scope=scope, stopped=False, who=who, why=why, now=now)


def stops_in_force(session: Session) -> list[ControlRow]:
    """The newest row of each scope, where it says stop."""
    newest = select(func.max(ControlRow.id)).group_by(ControlRow.scope)
    wanted = select(ControlRow).where(ControlRow.id.in_(newest), ControlRow.stopped)
    return list(session.scalars(wanted.order_by(ControlRow.scope)))


def stop_in_force(session: Session, platform: str, account_id: str) -> ControlRow | None:
    """The stop that covers this account, widest scope first; None when writes may go out."""
    scopes = {EVERYTHING, platform, f"{platform}/{account_id}"}
    return next((row for row in stops_in_force(session) if row.scope in scopes), None)


def hold(
    operations: Operations,
    *,
    kind: str,
    platform: str,
    account_id: str,
    level: Level,
    entity_id: str,
    who: str,
    why: str,
    now: datetime,
    until: datetime | None = None,
) -> int:
    """Keep modules off an entity and all below it; the hold's id."""
    with operations.begin() as unit:
        row = HoldRow(
            kind=kind,
            platform=platform,
            account_id=account_id,
            level=level,
            entity_id=entity_id,
            who=who,
            why=why,
            at=now,
            until=until,
        )
        unit.session.add(row)
        record(
            unit.session, "entity_held", now, platform=platform, account_id=account_id, entity_id=entity_id, who=who,
            detail={"kind": kind, "why": why},
        )  # fmt: skip
        unit.commit()
        return row.id


def release(operations: Operations, hold_id: int, *, who: str, now: datetime) -> None:
    """End a hold. Raises OperationsError when there is none, or it has ended."""
    with operations.begin() as unit:
        row = unit.session.get(HoldRow, hold_id, with_for_update=True)
        if row is None or row.released_at is not None:
            raise OperationsError(f"no hold {hold_id} is in force")
        row.released_at, row.released_by = now, who
        record(
            unit.session, "hold_released", now, platform=row.platform, account_id=row.account_id,
            entity_id=row.entity_id, who=who,
        )  # fmt: skip
        unit.commit()


def holds_in_force(session: Session, platform: str, account_id: str, now: datetime) -> list[HoldRow]:
    """Holds of an account that are neither released nor run out, oldest first."""
    wanted = select(HoldRow).where(
        HoldRow.platform == platform,
        HoldRow.account_id == account_id,
        HoldRow.released_at.is_(None),
        or_(HoldRow.until.is_(None), HoldRow.until > now),
    )
    return list(session.scalars(wanted.order_by(HoldRow.id)))


def _switch(operations: Operations, *, scope: str, stopped: bool, who: str, why: str, now: datetime) -> None:
    with operations.begin() as unit:
        unit.session.add(ControlRow(scope=scope, stopped=stopped, who=who, why=why, at=now))
        record(unit.session, "stopped" if stopped else "resumed", now, who=who, detail={"scope": scope, "why": why})
        unit.commit()
