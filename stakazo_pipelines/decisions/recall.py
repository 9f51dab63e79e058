"""Read a cycle's decisions back as they were made: what is published is what is on record."""

from decimal import Decimal

from sqlalchemy import select

from stakazo_pipelines.decisions.candidate import (
    ActionKind,
    Candidate,
    Decision,
    EntityRef,
    Gain,
    Module,
    Outcome,
    Value,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.tables import DecisionRow
from stakazo_pipelines.vocabulary import EntityStatus


def decisions_of(operations: Operations, cycle: str) -> tuple[Decision, ...]:
    """A cycle's decisions in the order they were made; none for a cycle that is not on record."""
    with operations.read() as session:
        rows = session.scalars(select(DecisionRow).where(DecisionRow.cycle == cycle).order_by(DecisionRow.id))
        return tuple(_decision(row) for row in rows)


def _decision(row: DecisionRow) -> Decision:
    gain = None
    if row.expected_gain is not None and row.expected_gain_low is not None and row.expected_gain_high is not None:
        gain = Gain(row.expected_gain, row.expected_gain_low, row.expected_gain_high)
    candidate = Candidate(
        module=Module(row.module),
        entity=EntityRef(row.platform, row.account_id, row.level, row.entity_id),
        kind=ActionKind(row.action),
        before=_value(row.before, row.currency),
        after=_value(row.after, row.currency),
        rule=row.rule,
        gain=gain,
        thresholds=row.thresholds,
        inputs=row.inputs,
    )
    return Decision(candidate, Outcome(row.outcome), row.reason)


def _value(text: str, currency: str | None) -> Value:
    return EntityStatus(text) if currency is None else Money(Decimal(text), currency)
