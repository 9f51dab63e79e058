"""Listing the entities of a level that are not deleted, all pages."""

from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.linkedin import restli, urns
from stakazo_pipelines.platforms.linkedin.fields import LISTED_STATES, collection, resource_of
from stakazo_pipelines.platforms.linkedin.finders import find
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.vocabulary import Level


async def list_level(client: ApiClient, account: Account, level: Level, *, parent_id: str = "") -> list[object]:
    """Rows as they came; of one parent where it is given (campaign groups have none but the account)."""
    page_size = resource_of(level).page_size
    params: dict[str, restli.Value]
    if level is Level.AD:
        params = {"q": "criteria", "intendedStatuses": LISTED_STATES[level]}
        if parent_id:
            params["campaigns"] = [urns.urn(urns.CAMPAIGN, parent_id)]
    else:
        search: dict[str, restli.Value] = {"status": {"values": LISTED_STATES[level]}}
        if parent_id and level is Level.AD_GROUP:
            search["campaignGroup"] = {"values": [urns.urn(urns.GROUP, parent_id)]}
        params = {"q": "search", "search": search}
    return await find(client, collection(account, level), params, page_size=page_size, account=account.id)
