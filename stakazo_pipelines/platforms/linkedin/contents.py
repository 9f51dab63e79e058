"""The posts that creatives show: which URN an id stands for, and which are there by name.

The port knows a post by its number only; whether it is a `share` or a `ugcPost`, LinkedIn has to say.
"""

from collections.abc import Mapping
from functools import partial

from stakazo_pipelines.errors import NotFoundError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.linkedin import restli, urns
from stakazo_pipelines.platforms.linkedin.entities import parse_content, parse_post
from stakazo_pipelines.platforms.linkedin.fields import RESOURCES, collection
from stakazo_pipelines.platforms.linkedin.finders import find, find_counted, get_one
from stakazo_pipelines.platforms.port import Account, Entity
from stakazo_pipelines.platforms.wire import trusted
from stakazo_pipelines.vocabulary import Level

POSTS = "posts"
_PAGE = 100


class Contents:
    """Looks posts up through one client."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def reference(self, account: Account, creative_id: str) -> str:
        """The URN that an ad refers to. A URN given is taken as it is. Raises NotFoundError."""
        if creative_id.startswith("urn:"):
            return creative_id
        entity = await self.read(account, creative_id)
        return urns.urn(entity.native_type, entity.id)

    async def read(self, account: Account, creative_id: str) -> Entity:
        """From an ad that shows it, else from the post itself. Raises NotFoundError, MalformedError."""
        candidates = [urns.urn(kind, urns.checked(creative_id)) for kind in urns.POSTS]
        ads = await find(
            self._client,
            collection(account, Level.AD),
            {"q": "criteria", "contentReferences": candidates},
            page_size=RESOURCES[Level.AD].page_size,
            account=account.id,
        )
        what = f"account {account.id}: creative {creative_id}"
        shown = next((ad for ad in ads if isinstance(ad, dict)), None)
        if shown is not None:
            return trusted(lambda: parse_content(shown, account), what, "linkedin")
        for candidate in candidates:
            try:
                post = await get_one(self._client, f"{POSTS}/{restli.encode(candidate)}", account=account.id)
            except NotFoundError:
                continue
            return trusted(partial(parse_post, post, account), what, "linkedin")
        raise NotFoundError(f"account {account.id}: no post {creative_id}", "linkedin")

    async def named(self, account: Account) -> Mapping[str, str]:
        """Number and name of the posts made for ads of the account."""
        params = {"q": "dscAdAccount", "dscAdAccount": urns.urn(urns.ACCOUNT, account.id)}
        rows = await find_counted(self._client, POSTS, params, count=_PAGE, account=account.id)
        named = {}
        for row in rows:
            parts = urns.split(row.get("id")) if isinstance(row, dict) else None
            context = row.get("adContext") if isinstance(row, dict) else None
            if parts and isinstance(context, dict):
                named[parts[1]] = str(context.get("dscName") or "")
        return named
