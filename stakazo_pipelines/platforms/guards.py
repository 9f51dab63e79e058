"""What every adapter asks before it sends anything."""

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.port import Account


def check_usable(account: Account, platform: str) -> None:
    """Raises RejectedError for an account that cannot be worked on."""
    if account.problem:
        raise RejectedError(f"account {account.id} cannot be worked on: {account.problem}", platform)
