"""What was moved lately, in the shape the allocator's guardrails take."""

from collections.abc import Collection
from datetime import datetime

from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.ledger import account_ledger
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.publishing.funding import growth_today


def change_ledger(
    operations: Operations, platform: str, accounts: Collection[Account], *, now: datetime
) -> ChangeLedger:
    """Sums of published changes: entities over the last 24 hours, accounts over their local day and month so far."""
    with operations.read() as session:
        sums = {
            account.id: account_ledger(session, platform, account.id, now=now, timezone=account.timezone)
            for account in accounts
        }
        grown = {
            account.id: growth_today(session, platform, account.id, now=now, timezone=account.timezone)
            for account in accounts
        }
    return ChangeLedger(
        entity_24h={entity: moved for one in sums.values() for entity, moved in one.entity_24h.items()},
        account_day={account: one.account_day for account, one in sums.items()},
        account_month={account: one.account_month for account, one in sums.items()},
        account_growth={account: float(growth) for account, growth in grown.items() if growth},
    )
