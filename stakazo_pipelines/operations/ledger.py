"""What has been moved lately, summed from the journal of changes: the cumulative guardrails count against it.

Counted is every change that took effect or may have (sending, unverified, verified, and later reverted), rollbacks too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from stakazo_pipelines.operations.states import SPENT_ACTIONS
from stakazo_pipelines.operations.tables import ActionRow


@dataclass(frozen=True, slots=True)
class AccountLedger:
    """Fractions moved: per entity the sum of |relative change| in the last 24 hours, per account the sum of money moved
    over its budgets in its local day and month.
    """

    entity_24h: Mapping[str, float] = field(default_factory=dict)
    account_day: float = 0.0
    account_month: float = 0.0


def account_ledger(
    session: Session,
    platform: str,
    account_id: str,
    *,
    now: datetime,
    timezone: str,
    without: Collection[int] = (),
) -> AccountLedger:
    """One account at `now`; day and month are those of `timezone` (IANA). `without`: actions about to be sent again."""
    ours = (
        ActionRow.platform == platform,
        ActionRow.account_id == account_id,
        ActionRow.status.in_(SPENT_ACTIONS),
        ActionRow.id.not_in(without),
    )
    per_entity = (
        select(ActionRow.entity_id, func.sum(ActionRow.relative))
        .where(*ours, ActionRow.sent_at > now - timedelta(hours=24))
        .group_by(ActionRow.entity_id)
    )
    midnight = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return AccountLedger(
        entity_24h={entity: moved for entity, moved in session.execute(per_entity) if moved},
        account_day=_moved_since(session, midnight, ours),
        account_month=_moved_since(session, midnight.replace(day=1), ours),
    )


def _moved_since(session: Session, start: datetime, ours: tuple[ColumnElement[bool], ...]) -> float:
    return session.scalar(select(func.sum(ActionRow.share)).where(*ours, ActionRow.sent_at >= start)) or 0.0
