"""Keep every decision with what was known then, and read back the holds and switches the arbiter needs."""

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from stakazo_pipelines.decisions.candidate import ActionKind, Decision, EntityRef, Hold, Module, Stop, Switch, Value
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import controls
from stakazo_pipelines.operations.column_types import decimal_text
from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.states import ActionStatus
from stakazo_pipelines.operations.tables import ActionRow, DecisionRow
from stakazo_pipelines.vocabulary import EntityStatus


def record_decisions(
    operations: Operations, decisions: Iterable[Decision], *, cycle: str, as_of: date, now: datetime
) -> int:
    """Store one cycle's decisions at once; how many. A cycle already on record is left as it is (0)."""
    with operations.begin() as unit:
        if unit.session.scalar(select(DecisionRow.id).where(DecisionRow.cycle == cycle).limit(1)) is not None:
            return 0
        rows = [_row(decision, cycle, as_of, now) for decision in decisions]
        unit.session.add_all(rows)
        unit.commit()
    return len(rows)


def current_holds(operations: Operations, platform: str, account_id: str, *, now: datetime) -> tuple[Hold, ...]:
    """The holds in force on an account's entities."""
    with operations.read() as session:
        return tuple(
            Hold(EntityRef(row.platform, row.account_id, row.level, row.entity_id), Module(row.kind), row.who, row.why)
            for row in controls.holds_in_force(session, platform, account_id, now)
        )


def current_stops(operations: Operations) -> tuple[Stop, ...]:
    """Every stop switch that is on."""
    with operations.read() as session:
        return tuple(Stop(row.scope, row.who, row.why, row.at) for row in controls.stops_in_force(session))


def last_switches(operations: Operations, platform: str, account_id: str) -> dict[EntityRef, Switch]:
    """The last verified pause or resume of each entity, for the arbiter's hysteresis."""
    with operations.read() as session:
        rows = _verified_switches(session, platform, account_id)
    return {
        EntityRef(row.platform, row.account_id, row.level, row.entity_id): Switch(
            ActionKind.PAUSE if row.after == EntityStatus.PAUSED else ActionKind.RESUME, row.sent_at
        )
        for row in rows
        if row.sent_at is not None
    }


def _verified_switches(session: Session, platform: str, account_id: str) -> list[ActionRow]:
    wanted = select(ActionRow).where(
        ActionRow.platform == platform,
        ActionRow.account_id == account_id,
        ActionRow.field == "status",
        ActionRow.status.in_([ActionStatus.VERIFIED, ActionStatus.REVERTED]),
    )
    return list(session.scalars(wanted.order_by(ActionRow.sent_at, ActionRow.id)))


def _row(decision: Decision, cycle: str, as_of: date, now: datetime) -> DecisionRow:
    candidate = decision.candidate
    gain = candidate.gain
    return DecisionRow(
        cycle=cycle,
        as_of=as_of,
        at=now,
        platform=candidate.entity.platform,
        account_id=candidate.entity.account_id,
        level=candidate.entity.level,
        entity_id=candidate.entity.id,
        module=candidate.module,
        action=candidate.kind,
        outcome=decision.outcome,
        reason=decision.reason,
        before=_text(candidate.before),
        after=_text(candidate.after),
        currency=candidate.after.currency if isinstance(candidate.after, Money) else None,
        expected_gain=gain.mean if gain else None,
        expected_gain_low=gain.low if gain else None,
        expected_gain_high=gain.high if gain else None,
        rule=candidate.rule,
        thresholds=dict(candidate.thresholds),
        inputs=dict(candidate.inputs),
    )


def _text(value: Value) -> str:
    return decimal_text(value.amount) if isinstance(value, Money) else value.value
