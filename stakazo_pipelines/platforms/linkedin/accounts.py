"""Ad accounts: which there are, and whether the token may see one.

LinkedIn answers a report that the token may not see with an empty list, so an empty report is believed only for an
account that the search for accounts shows.
"""

from collections.abc import Mapping, Sequence

from stakazo_pipelines.errors import PermissionDeniedError, RejectedError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.linkedin import money, urns
from stakazo_pipelines.platforms.linkedin.fields import ACCOUNT_PAGE, STATUS_FROM_WIRE
from stakazo_pipelines.platforms.linkedin.finders import find
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.platforms.rows import collect_accounts
from stakazo_pipelines.platforms.wire import text
from stakazo_pipelines.vocabulary import EntityStatus

_PATH = "adAccounts"


async def list_accounts(client: ApiClient) -> Sequence[Account]:
    """Every ad account of the token; one that cannot be worked on says why in `problem`."""
    return collect_accounts(await find(client, _PATH, {"q": "search"}, page_size=ACCOUNT_PAGE), parse_account)


async def confirm(client: ApiClient, account: Account) -> None:
    """Raises PermissionDeniedError for an account that the token cannot see (any more)."""
    search = {"id": {"values": [urns.urn(urns.ACCOUNT, urns.checked(account.id))]}}
    rows = await find(client, _PATH, {"q": "search", "search": search}, page_size=ACCOUNT_PAGE, account=account.id)
    if not any(isinstance(row, dict) and str(row.get("id")) == account.id for row in rows):
        raise PermissionDeniedError(
            f"account {account.id}: reports are empty and the token cannot see the account; give its member a role",
            "linkedin",
        )


def parse_account(row: Mapping[str, object]) -> Account:
    """One ad account; its report days are UTC. Raises WireError where not even the id can be read."""
    account_id = urns.number_of(row, "id", urns.ACCOUNT)
    currency = text(row, "currency")
    problem, units, floors = "", 0, None
    try:
        units = money.minor_units(currency)
        floors = money.floors(currency)
    except RejectedError as error:
        problem = error.message
    return Account(
        id=account_id,
        name=text(row, "name") or account_id,
        currency=currency,
        timezone="UTC",
        minor_units=units,
        status=_status(row),
        min_daily_budget=floors[0] if floors else None,
        min_campaign_budget=floors[1] if floors else None,
        problem=problem,
    )


def _status(row: Mapping[str, object]) -> EntityStatus:
    """An active account that may not serve (unpaid bill, used-up budget) stands still."""
    status = STATUS_FROM_WIRE.get(text(row, "status"), EntityStatus.PAUSED)
    serving = row.get("servingStatuses")
    held = isinstance(serving, list) and serving and "RUNNABLE" not in serving
    return EntityStatus.PAUSED if held and status is EntityStatus.ACTIVE else status
