"""Counting what was sent to the platforms, for the tables of `run` and `simulate`."""

from datetime import datetime

from sqlalchemy import func, select

from stakazo_pipelines.operations import ActionStatus, Operations
from stakazo_pipelines.operations.tables import ActionRow


def sent_and_verified(operations: Operations, *, since: datetime) -> dict[str, tuple[int, int]]:
    """Changes sent since an instant, and those of them that were read back as asked, by account."""
    verified = func.count().filter(ActionRow.status == ActionStatus.VERIFIED)
    counted = (
        select(ActionRow.account_id, func.count(), verified)
        .where(ActionRow.sent_at >= since)
        .group_by(ActionRow.account_id)
    )
    with operations.read() as session:
        return {account: (sent, good) for account, sent, good in session.execute(counted)}
