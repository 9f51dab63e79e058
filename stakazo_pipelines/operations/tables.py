"""The tables. `events` and `controls` are append-only (triggers refuse updates and deletes)."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from stakazo_pipelines.operations.column_types import ExactDecimal, Instant, words
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.vocabulary import Level

_Serial = BigInteger().with_variant(Integer(), "sqlite")

# Dagster may keep its own tables, and its own alembic_version, in the same PostgreSQL database.
VERSION_TABLE = "stakazo_version"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it from the class
        datetime: Instant(),
        Decimal: ExactDecimal(),
        dict[str, Any]: JSON(),
        PlanStatus: words(PlanStatus),
        ActionStatus: words(ActionStatus),
        Level: words(Level),
    }


class DecisionRow(Base):
    """One candidate of one cycle and what the arbiter made of it, with what was known then. Written once."""

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "platform", "account_id", "as_of"),)

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    cycle: Mapped[str] = mapped_column(String(128), index=True)
    as_of: Mapped[date]
    at: Mapped[datetime]
    platform: Mapped[str] = mapped_column(String(32))
    account_id: Mapped[str] = mapped_column(String(64))
    level: Mapped[Level]
    entity_id: Mapped[str] = mapped_column(String(64))
    module: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    before: Mapped[str] = mapped_column(String(64))
    after: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str | None] = mapped_column(String(3))
    expected_gain: Mapped[float | None]
    expected_gain_low: Mapped[float | None]
    expected_gain_high: Mapped[float | None]
    rule: Mapped[str] = mapped_column(String(128))
    thresholds: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]


class PlanRow(Base):
    """One plan of one account. The partial unique index is the execution lock; `lease_until` says it is still held."""

    __tablename__ = "plans"
    __table_args__ = (
        UniqueConstraint("digest", "repetition"),
        Index(
            "uq_plans_one_executing_per_account",
            "platform",
            "account_id",
            unique=True,
            sqlite_where=text("status = 'executing'"),
            postgresql_where=text("status = 'executing'"),
        ),
        Index(None, "platform", "account_id", "as_of"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    repetition: Mapped[int]  # how many plans of this very digest came before
    platform: Mapped[str] = mapped_column(String(32))
    account_id: Mapped[str] = mapped_column(String(64))
    account: Mapped[dict[str, Any]]  # currency, time zone and smallest unit as they were when it was made
    as_of: Mapped[date]
    status: Mapped[PlanStatus]
    reason: Mapped[str] = mapped_column(Text, default="")  # why it ended as it did, in words
    budget_total: Mapped[Decimal]  # all active daily budgets of the account before
    total_before: Mapped[Decimal]  # daily budgets of the entities it changes
    total_after: Mapped[Decimal]
    undoes: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    executor: Mapped[str | None] = mapped_column(String(255))
    lease_until: Mapped[datetime | None]  # wall clock, also where the domain's clock is simulated
    actions: Mapped[list["ActionRow"]] = relationship(
        back_populates="plan", order_by="ActionRow.position", cascade="all, delete-orphan"
    )


class ActionRow(Base):
    """One field of one entity, from `before` to `after` (plain digits for money, words for a status)."""

    __tablename__ = "plan_actions"
    __table_args__ = (
        UniqueConstraint("plan_id", "position"),
        Index(None, "platform", "account_id", "sent_at"),
        Index(None, "entity_id"),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"))
    position: Mapped[int]
    platform: Mapped[str] = mapped_column(String(32))
    account_id: Mapped[str] = mapped_column(String(64))
    level: Mapped[Level]
    entity_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text)
    field: Mapped[str] = mapped_column(String(32))
    before: Mapped[str] = mapped_column(String(64))
    after: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str | None] = mapped_column(String(3))
    relative: Mapped[float]  # |after - before| / before, what the entity's 24 h cap counts
    share: Mapped[float]  # money moved / the account's budgets, what the account's caps count
    rule: Mapped[str] = mapped_column(String(128), default="")
    expected_gain: Mapped[float | None]
    status: Mapped[ActionStatus]
    attempts: Mapped[int] = mapped_column(default=0)
    observed: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(Text)
    undoes_action: Mapped[int | None] = mapped_column(ForeignKey("plan_actions.id"))
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    plan: Mapped[PlanRow] = relationship(back_populates="actions")


class ApprovalRow(Base):
    """Who let this very digest through, and until when."""

    __tablename__ = "approvals"

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    who: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]
    expires_at: Mapped[datetime]


class EventRow(Base):
    """The journal. Append-only; `kind` is in the past tense."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "platform", "account_id", "at"),)

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    platform: Mapped[str] = mapped_column(String(32), default="")
    account_id: Mapped[str] = mapped_column(String(64), default="")
    entity_id: Mapped[str] = mapped_column(String(64), default="")
    plan_id: Mapped[str | None] = mapped_column(String(64), index=True)
    action_id: Mapped[int | None] = mapped_column(_Serial)
    who: Mapped[str] = mapped_column(String(128), default="")
    before: Mapped[str | None] = mapped_column(String(64))
    after: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ControlRow(Base):
    """The stop switch: the newest row of a scope is in force. Append-only, so its history is whole."""

    __tablename__ = "controls"
    __table_args__ = (Index(None, "scope", "id"),)

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    scope: Mapped[str] = mapped_column(String(128))  # "*", "meta" or "meta/<account id>"
    stopped: Mapped[bool]
    who: Mapped[str] = mapped_column(String(128))
    why: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class HoldRow(Base):
    """An entity that must be left alone (with all below it), until released or until `until`."""

    __tablename__ = "holds"
    __table_args__ = (Index(None, "platform", "account_id"),)

    id: Mapped[int] = mapped_column(_Serial, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))  # human_hold, experiment_hold, learning_hold
    platform: Mapped[str] = mapped_column(String(32))
    account_id: Mapped[str] = mapped_column(String(64))
    level: Mapped[Level]
    entity_id: Mapped[str] = mapped_column(String(64))
    who: Mapped[str] = mapped_column(String(128))
    why: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    until: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None] = mapped_column(String(128))
