"""A small world of TikTok advertisers behind the emulator, called in memory through one synchronous helper."""

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
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.tiktok import TikTokOptions
from stakazo_pipelines.sandbox.world import Account, World, WorldConfig

TOKEN = "secret-token"
SMALL = WorldConfig(accounts=3, campaigns=6, ad_groups=12, ads=24, history_days=40, platforms=("tiktok",))

CAMPAIGN = {"campaign_name": "New campaign", "objective_type": "WEB_CONVERSIONS", "budget_mode": "BUDGET_MODE_INFINITE"}
ADGROUP = {
    "adgroup_name": "New ad group",
    "promotion_type": "WEBSITE",
    "optimization_goal": "CONVERT",
    "billing_event": "OCPM",
    "budget_mode": "BUDGET_MODE_DAY",
    "budget": 50.0,
    "schedule_type": "SCHEDULE_FROM_NOW",
    "location_ids": ["6252001"],
    "age_groups": ["AGE_25_34"],
}
AD = {
    "ad_name": "New ad",
    "identity_type": "CUSTOMIZED_USER",
    "identity_id": "7000000000000000001",
    "ad_format": "SINGLE_VIDEO",
    "ad_text": "See why people choose it",
    "call_to_action": "SHOP_NOW",
    "landing_page_url": "https://shop.example/",
}


@dataclass
class Api:
    """Calls the application without a socket; arrays and objects of a query become JSON text."""

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
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test", trust_env=False) as http:
                return await http.request(method, path, **options)

        return asyncio.run(send())

    def raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.request(method, f"/open_api/v1.3{path}", headers={"Access-Token": self.token}, **options)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        body: dict[str, Any] = self.raw("GET", path, params=encoded(params)).json()
        return body

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        body: dict[str, Any] = self.raw("POST", path, json=params).json()
        return body

    def data(self, body: dict[str, Any]) -> Any:
        assert (body["code"], body["message"]) == (0, "OK"), body
        return body["data"]

    def account(self, currency: str = "USD") -> Account:
        return next(account for account in self.world.accounts.values() if account.currency == currency)

    def list(self, level: str, account: Account, **params: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            data = self.data(self.get(f"/{level}/get/", advertiser_id=account.id, page=page, **params))
            rows += data["list"]
            if page >= data["page_info"]["total_page"]:
                return rows
            page += 1

    def one(self, level: str, entity_id: str, account: Account | None = None) -> dict[str, Any]:
        filtering = {f"{level}_ids": [entity_id], "primary_status": "STATUS_ALL"}
        [row] = self.list(level, account or self.account(), filtering=filtering)
        return row

    def adgroup(self, currency: str = "USD") -> Any:
        """An active ad group of an account that holds a daily budget of its own."""
        for group in self.world.ad_groups.values():
            campaign = self.world.campaigns[group.campaign_id]
            owned = group.account_id == self.account(currency).id and group.status == campaign.status == "ACTIVE"
            if owned and group.daily_budget is not None:
                return group
        raise AssertionError("the small world has no such ad group")

    def video_id(self) -> str:
        account = self.account()
        return next(c.video_id for c in self.world.creatives.values() if c.account_id == account.id and c.video_id)

    def tree(self, **ad: Any) -> dict[str, str]:
        """Ids of a campaign, ad group and ad made through the API in the US dollar account."""
        owner = self.account().id
        campaign = self.data(self.post("/campaign/create/", advertiser_id=owner, **CAMPAIGN))["campaign_id"]
        made = self.post("/adgroup/create/", advertiser_id=owner, campaign_id=campaign, **ADGROUP)
        adgroup = self.data(made)["adgroup_id"]
        shown = {**AD, "video_id": self.video_id(), **ad}
        made = self.post("/ad/create/", advertiser_id=owner, adgroup_id=adgroup, creatives=[shown])
        return {"advertiser": owner, "campaign": campaign, "adgroup": adgroup, "ad": self.data(made)["ad_ids"][0]}

    def report(self, currency: str = "USD", **params: Any) -> dict[str, Any]:
        """A basic report by ad and day of the account, unless told otherwise."""
        usual = {
            "advertiser_id": self.account(currency).id,
            "report_type": "BASIC",
            "data_level": "AUCTION_AD",
            "dimensions": ["ad_id", "stat_time_day"],
            "metrics": ["spend", "impressions"],
            "start_date": "2026-06-20",
            "end_date": "2026-06-26",
            "page_size": 1000,
        }
        chosen = {name: value for name, value in {**usual, **params}.items() if value is not None}
        return self.get("/report/integrated/get/", **chosen)

    def fault(self, kind: str, **spec: Any) -> None:
        response = self.request("POST", "/sandbox/faults", json={"platform": "tiktok", "kind": kind, **spec})
        assert response.status_code == 201, response.text

    def advance(self, **step: Any) -> None:
        response = self.request("POST", "/sandbox/clock", json=step)
        assert response.status_code == 200, response.text


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
    """Makes an API over a copy of the small world."""

    def make(*, options: TikTokOptions | None = None, state_file: Path | None = None) -> Api:
        options = options or TikTokOptions(level=None)
        return Api(create_app(copy.deepcopy(grown_world), token=TOKEN, state_file=state_file, tiktok=options))

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
