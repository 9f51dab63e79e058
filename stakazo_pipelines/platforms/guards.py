"""What every adapter asks before it sends anything."""

from collections.abc import Collection

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.port import Account, InsightsQuery
from stakazo_pipelines.vocabulary import Level


def check_usable(account: Account, platform: str) -> None:
    """Raises RejectedError for an account that cannot be worked on."""
    if account.problem:
        raise RejectedError(f"account {account.id} cannot be worked on: {account.problem}", platform)


def check_query(query: InsightsQuery, levels: Collection[Level], platform: str) -> None:
    """Raises RejectedError for a level that has no reports, or a range that ends before it begins."""
    if query.level not in levels:
        raise RejectedError(f"there are no insights at level {query.level}", platform)
    if query.since > query.until:
        raise RejectedError(f"the range ends before it begins: {query.since}..{query.until}", platform)
