"""A small LinkedIn world behind the emulator, called in memory through one synchronous helper."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.linkedin import LinkedInOptions
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.world import World, WorldConfig

TOKEN = "secret-token"
SMALL = WorldConfig(accounts=4, campaigns=12, ad_groups=24, ads=60, history_days=40, platforms=("linkedin", "meta"))
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "LinkedIn-Version": "202607",
    "X-Restli-Protocol-Version": "2.0.0",
}
TARGETING = {
    "include": {
        "and": [
            {"or": {"urn:li:adTargetingFacet:locations": ["urn:li:geo:103644278"]}},
            {"or": {"urn:li:adTargetingFacet:interfaceLocales": ["urn:li:locale:en_US"]}},
        ]
    }
}


@dataclass
class Api:
    """Calls the application without a socket; paths below /rest, queries as they stand in the URL."""

    app: Starlette
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))

    @property
    def kernel(self) -> Kernel:
        kernel: Kernel = self.app.state.kernel
        return kernel

    @property
    def world(self) -> World:
        return self.kernel.world

    @property
    def account(self) -> str:
        """The US dollar account."""
        found = [a for a in self.world.accounts.values() if a.platform == "linkedin" and a.currency == "USD"]
        return found[0].id

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://sandbox.test", trust_env=False
            ) as client:
                return await client.request(method, url, **options)

        return asyncio.run(send())

    def call(self, method: str, path: str, query: str = "", restli: str = "", **options: Any) -> httpx.Response:
        headers = {**self.headers, **({"X-RestLi-Method": restli} if restli else {}), **options.pop("headers", {})}
        return self.request(method, f"/rest/{path}{'?' if query else ''}{query}", headers=headers, **options)

    def get(self, path: str, query: str = "", restli: str = "") -> httpx.Response:
        return self.call("GET", path, query, restli)

    def create(self, path: str, body: Any, restli: str = "CREATE") -> httpx.Response:
        return self.call("POST", path, "", restli, json=body)

    def patch(self, path: str, **changes: Any) -> httpx.Response:
        return self.call("POST", path, "", "PARTIAL_UPDATE", json={"patch": {"$set": changes}})

    def fault(self, kind: str, **spec: Any) -> None:
        response = self.request("POST", "/sandbox/faults", json={"platform": "linkedin", "kind": kind, **spec})
        assert response.status_code == 201, response.text

    def below(self, resource: str) -> str:
        return f"adAccounts/{self.account}/{resource}"

    def group_body(self, **changes: Any) -> dict[str, Any]:
        body = {"account": f"urn:li:sponsoredAccount:{self.account}", "name": "New group", "status": "ACTIVE"}
        return body | changes

    def campaign_body(self, group: str, **changes: Any) -> dict[str, Any]:
        body: dict[str, Any] = {
            "account": f"urn:li:sponsoredAccount:{self.account}",
            "campaignGroup": f"urn:li:sponsoredCampaignGroup:{group}",
            "name": "New campaign",
            "status": "ACTIVE",
            "type": "SPONSORED_UPDATES",
            "objectiveType": "WEBSITE_VISIT",
            "costType": "CPM",
            "optimizationTargetType": "MAX_CLICK",
            "dailyBudget": {"amount": "50.00", "currencyCode": "USD"},
            "targetingCriteria": TARGETING,
            "offsiteDeliveryEnabled": False,
            "politicalIntent": "NOT_POLITICAL",
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    def post_body(self, **changes: Any) -> dict[str, Any]:
        return {
            "author": f"urn:li:organization:{self.account}",
            "commentary": "See for yourself",
            "visibility": "PUBLIC",
            "distribution": {"feedDistribution": "NONE"},
            "lifecycleState": "PUBLISHED",
            "content": {"article": {"source": "https://shop.example/", "title": "Read on"}},
            "adContext": {"dscAdAccount": f"urn:li:sponsoredAccount:{self.account}", "dscName": "New post"},
            **changes,
        }

    def made(self, path: str, body: Any) -> str:
        """The id of an entity that is created without complaint."""
        response = self.create(path, body)
        assert response.status_code == 201, response.text
        assert response.content == b""
        return response.headers["x-restli-id"]

    def tree(self, **campaign: Any) -> dict[str, str]:
        """A group, a campaign, a post and a creative, made through the API."""
        group = self.made(self.below("adCampaignGroups"), self.group_body())
        made = self.made(self.below("adCampaigns"), self.campaign_body(group, **campaign))
        post = self.made("posts", self.post_body())
        body = {
            "campaign": f"urn:li:sponsoredCampaign:{made}",
            "content": {"reference": post},
            "intendedStatus": "ACTIVE",
        }
        creative = self.made(self.below("creatives"), body)
        return {"group": group, "campaign": made, "post": post, "creative": creative}

    def running(self) -> Any:
        """An active campaign of the account with a daily budget of its own, as the world has it."""
        for campaign in self.world.ad_groups.values():
            if campaign.account_id == self.account and campaign.status == "ACTIVE" and campaign.daily_budget:
                return campaign
        raise AssertionError("the small world has no such campaign")


@pytest.fixture(scope="session")
def grown_world() -> World:
    return World(SMALL)


@pytest.fixture
def make_api(grown_world: World) -> Callable[..., Api]:
    """Makes an API over a copy of the small world; options as `create_app` takes them."""

    def make(options: LinkedInOptions | None = None, state_file: Path | None = None) -> Api:
        return Api(create_app(copy.deepcopy(grown_world), token=TOKEN, state_file=state_file, linkedin=options))

    return make


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()
