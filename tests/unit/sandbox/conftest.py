"""A small world behind the emulator, called in memory through one synchronous helper."""

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.meta import MetaOptions
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.world import World, WorldConfig

TOKEN = "secret-token"
SMALL = WorldConfig(accounts=3, campaigns=6, ad_groups=12, ads=24, history_days=40)


CAMPAIGN = {
    "name": "New campaign",
    "objective": "OUTCOME_SALES",
    "status": "ACTIVE",
    "special_ad_categories": [],
    "is_adset_budget_sharing_enabled": False,
}
ADSET = {
    "name": "New ad set",
    "status": "ACTIVE",
    "daily_budget": 5000,
    "optimization_goal": "OFFSITE_CONVERSIONS",
    "billing_event": "IMPRESSIONS",
    "targeting": {"geo_locations": {"countries": ["US"]}, "age_min": 25},
    "promoted_object": {"pixel_id": "1", "custom_event_type": "PURCHASE"},
}
CREATIVE = {
    "name": "New creative",
    "object_story_spec": {
        "page_id": "5",
        "link_data": {
            "link": "https://shop.example/",
            "message": "Text",
            "name": "Title",
            "image_hash": "abc",
            "call_to_action": {"type": "SHOP_NOW"},
        },
    },
}


@dataclass
class Api:
    """Calls the application without a socket. Lists and objects become JSON text, as the SDK sends them."""

    app: Starlette
    token: str = TOKEN

    @property
    def kernel(self) -> Kernel:
        kernel: Kernel = self.app.state.kernel
        return kernel

    @property
    def world(self) -> World:
        return self.kernel.world

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://sandbox.test", trust_env=False
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.request("GET", f"/v26.0{path}", params=encoded({"access_token": self.token, **params}))

    def post(self, path: str, **params: Any) -> httpx.Response:
        return self.request("POST", f"/v26.0{path}", params={"access_token": self.token}, data=encoded(params))

    def delete(self, path: str, **params: Any) -> httpx.Response:
        return self.request("DELETE", f"/v26.0{path}", params=encoded({"access_token": self.token, **params}))

    def batch(self, items: list[dict[str, Any]], **params: Any) -> httpx.Response:
        return self.post("/", batch=items, **params)

    def fault(self, kind: str, **spec: Any) -> dict[str, Any]:
        response = self.request("POST", "/sandbox/faults", json={"platform": "meta", "kind": kind, **spec})
        assert response.status_code == 201, response.text
        described: dict[str, Any] = response.json()
        return described

    def pages(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All rows of a list, following `paging.next`."""
        response = self.get(path, **params)
        rows: list[dict[str, Any]] = []
        while True:
            body = response.json()
            rows += body["data"]
            following = body.get("paging", {}).get("next")
            if following is None:
                return rows
            response = self.request("GET", following)

    def account(self, currency: str = "USD") -> str:
        return next(account.id for account in self.world.accounts.values() if account.currency == currency)

    def tree(self) -> dict[str, str]:
        """Ids of a campaign, ad set, creative and ad made through the API in the US dollar account."""
        account = self.account()
        campaign = self.post(f"/act_{account}/campaigns", **CAMPAIGN).json()["id"]
        adset = self.post(f"/act_{account}/adsets", **ADSET, campaign_id=campaign).json()["id"]
        creative = self.post(f"/act_{account}/adcreatives", **CREATIVE).json()["id"]
        ad = {"name": "New ad", "adset_id": adset, "creative": {"creative_id": creative}, "status": "ACTIVE"}
        made = self.post(f"/act_{account}/ads", **ad).json()["id"]
        return {"account": account, "campaign": campaign, "adset": adset, "creative": creative, "ad": made}

    def adset(self, currency: str = "USD") -> Any:
        """An active ad set of an account that holds a daily budget of its own."""
        for adset in self.world.ad_groups.values():
            campaign = self.world.campaigns[adset.campaign_id]
            if adset.account_id != self.account(currency) or adset.status != "ACTIVE":
                continue
            if adset.daily_budget is not None and campaign.status == "ACTIVE":
                return adset
        raise AssertionError("the small world has no such ad set")


def encoded(params: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value)
        for name, value in params.items()
    }


@pytest.fixture(scope="session")
def grown_world() -> World:
    return World(SMALL)


@pytest.fixture
def make_api(grown_world: World) -> Callable[..., Api]:
    """Makes an API over a copy of the small world; options as `create_app` takes them."""

    def make(*, meta: MetaOptions | None = None, state_file: Path | None = None) -> Api:
        return Api(create_app(copy.deepcopy(grown_world), token=TOKEN, state_file=state_file, meta=meta))

    return make


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


@pytest.fixture
def golden() -> Callable[..., None]:
    """Compares with a golden file under golden/, ids and the like replaced by the names given."""

    def check(name: str, value: Any, **names: str) -> None:
        text = json.dumps(value)
        for placeholder, found in names.items():
            text = text.replace(found, f"<{placeholder}>")
        path = Path(__file__).parent / "golden" / f"{name}.json"
        assert json.loads(text) == json.loads(path.read_text())

    return check
