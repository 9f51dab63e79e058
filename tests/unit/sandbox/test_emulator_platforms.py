"""A world on several platforms behind the port: Meta shows its own only, the control endpoints cover all."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from stakazo_pipelines.sandbox.persistence import EventFile
from stakazo_pipelines.sandbox.server import create_app
from stakazo_pipelines.sandbox.world import PLATFORMS, World, WorldConfig

CONFIG = WorldConfig(accounts=6, campaigns=6, ad_groups=12, ads=24, history_days=20, platforms=PLATFORMS)
RATES = "USD:1,EUR:1.087,GBP:1.266,JPY:0.00667"


@pytest.fixture(scope="module")
def wide_world() -> World:
    return World(CONFIG)


@pytest.fixture
def wide(api: Any, wide_world: World) -> Any:
    """The API helper over the world of three platforms."""
    return type(api)(create_app(copy.deepcopy(wide_world), token=api.token))


def strangers(world: World) -> set[str]:
    """Ids of accounts, campaigns, ad groups, ads and creatives that are not Meta's."""
    others = {account.id for account in world.accounts.values() if account.platform != "meta"}
    stores = (world.campaigns, world.ad_groups, world.ads, world.creatives)
    return others | {e.id for store in stores for e in store.values() if e.account_id in others}


def test_meta_lists_its_own_accounts_only(wide: Any) -> None:
    listed = wide.pages("/me/adaccounts", fields="account_id")
    assert {row["account_id"] for row in listed} == {a.id for a in wide.world.accounts.values() if a.platform == "meta"}


def test_meta_knows_nothing_of_other_platforms_entities(wide: Any) -> None:
    world = wide.world
    other = next(a for a in world.accounts.values() if a.platform == "tiktok").id
    ids = [
        next(e.id for e in s.values() if e.account_id == other) for s in (world.campaigns, world.ad_groups, world.ads)
    ]
    written = len(world.journal)
    for path in (f"/act_{other}", f"/act_{other}/campaigns", f"/act_{other}/insights", *(f"/{i}" for i in ids)):
        assert wide.get(path).json()["error"]["code"] == 100, path
    for entity_id in ids:
        assert "error" in wide.post(f"/{entity_id}", status="PAUSED").json()
        assert "error" in wide.delete(f"/{entity_id}").json()
    [answer] = wide.batch([{"method": "POST", "relative_url": ids[1], "body": "status=PAUSED"}]).json()
    assert "error" in json.loads(answer["body"])
    assert len(world.journal) == written


def test_meta_builds_nothing_on_entities_of_another_platform(wide: Any) -> None:
    world, own = wide.world, wide.tree()
    campaign = next(c.id for c in world.campaigns.values() if world.accounts[c.account_id].platform == "linkedin")
    creative = next(c.id for c in world.creatives.values() if world.accounts[c.account_id].platform == "linkedin")
    account = f"/act_{own['account']}"
    adset = {"name": "A", "campaign_id": campaign, "daily_budget": 5000, "optimization_goal": "OFFSITE_CONVERSIONS",
             "billing_event": "IMPRESSIONS", "targeting": {"geo_locations": {"countries": ["US"]}}}  # fmt: skip
    assert "error" in wide.post(f"{account}/adsets", **adset).json()
    ad = {"name": "A", "adset_id": own["adset"], "creative": {"creative_id": creative}}
    assert "error" in wide.post(f"{account}/ads", **ad).json()


def test_nothing_of_other_platforms_shows_in_meta_lists(wide: Any) -> None:
    hidden = strangers(wide.world)
    for account in [a.id for a in wide.world.accounts.values() if a.platform == "meta"]:
        for edge in ("campaigns", "adsets", "ads", "adcreatives"):
            rows = wide.pages(f"/act_{account}/{edge}", fields="id", limit=100)
            assert rows
            assert not {row["id"] for row in rows} & hidden


@pytest.mark.parametrize(
    ("path", "platform"),
    [
        ("/v26.0/me/adaccounts", "meta"),
        ("/me", "meta"),
        ("/open_api/v1.3/campaign/get/", "tiktok"),
        ("/rest/adAccounts", "linkedin"),
        ("/rest/adAccounts/5/adCampaigns", "linkedin"),
    ],
)
def test_every_path_is_of_one_platform(wide: Any, path: str, platform: str) -> None:
    wide.request("GET", path)
    assert wide.kernel.requests.platforms == {platform: 1}


def test_a_fault_without_a_platform_hits_all_three(wide: Any) -> None:
    assert wide.request("POST", "/sandbox/faults", json={"kind": "server_error", "body": "html"}).status_code == 201
    for path in ("/v26.0/me/adaccounts", "/open_api/v1.3/campaign/get/", "/rest/adAccounts"):
        answer = wide.request("GET", path)
        assert (answer.status_code, answer.text[:6]) == (500, "<html>"), path


def test_the_journal_says_whose_write_it_was(wide: Any) -> None:
    group = next(g for g in wide.world.ad_groups.values() if wide.world.owner("ad_group", g.id).platform == "linkedin")
    wide.kernel.update("ad_group", group.id, name="Renamed")
    wide.post(f"/{wide.adset().id}", name="Renamed too")
    writes = wide.request("GET", "/sandbox/journal").json()["writes"]
    assert [write["platform"] for write in writes] == ["linkedin", "meta"]
    assert writes[0]["account_id"] == group.account_id
    [only] = wide.request("GET", "/sandbox/journal", params={"platform": "linkedin"}).json()["writes"]
    assert only["id"] == group.id


def test_requests_are_counted_per_platform(wide: Any) -> None:
    wide.get("/me/adaccounts")
    wide.get("/me/adaccounts")
    assert wide.request("GET", "/sandbox/requests").json()["platforms"] == {"meta": 2}
    wide.request("DELETE", "/sandbox/requests")
    assert wide.request("GET", "/sandbox/requests").json()["platforms"] == {}


def test_the_portfolio_is_told_in_the_reporting_currency(wide: Any) -> None:
    wide.request("POST", "/sandbox/clock", json={"advance_days": 4})
    asked = {"since": "2026-07-01", "until": "2026-07-02", "rates": RATES}
    found = wide.request("GET", "/sandbox/portfolio", params=asked).json()
    assert found["best"]["value"] >= found["status_quo"]["value"] == pytest.approx(found["actual"]["value"])
    assert set(found["best"]["accounts"]) == set(wide.world.accounts)


@pytest.mark.parametrize("rates", ["", "USD", "USD:one", "USD:1,EUR:1.087,GBP:1.266", "USD:1,EUR:-1,GBP:1,JPY:1"])
def test_a_portfolio_without_all_rates_is_refused_in_words(wide: Any, rates: str) -> None:
    wide.request("POST", "/sandbox/clock", json={"advance_days": 4})
    asked = {"since": "2026-07-01", "until": "2026-07-02", "rates": rates}
    response = wide.request("GET", "/sandbox/portfolio", params=asked)
    assert response.status_code == 400
    assert "rate" in response.json()["error"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_incident_of_every_kind_can_be_posted_for_every_platform(wide: Any, platform: str) -> None:
    world = wide.world
    account = next(a.id for a in world.accounts.values() if a.platform == platform)
    group = next(g.id for g in world.ad_groups.values() if g.account_id == account)
    ad = next(a.id for a in world.ads.values() if a.account_id == account)
    bodies: list[dict[str, Any]] = [
        {"kind": "tracking_outage", "entity_id": None, "magnitude": 0.5},
        {"kind": "spend_runaway", "entity_id": group, "magnitude": 1.5},
        {"kind": "cpc_jump", "entity_id": None, "magnitude": 2},
        {"kind": "creative_rejected", "entity_id": ad},
        {"kind": "delivery_stop", "entity_id": group},
    ]
    times = {"start": "2026-07-01T00:00:00+00:00", "end": "2026-07-02T00:00:00+00:00"}
    for body in bodies:
        answer = wide.request("POST", "/sandbox/incidents", json={"account_id": account, **times, **body})
        assert answer.status_code == 201, answer.text
    answer = wide.request(
        "POST", "/sandbox/incidents", json={"account_id": account, **times, **bodies[4], "entity_id": "5"}
    )
    assert answer.status_code == 400


def test_an_event_file_remembers_the_platforms(api: Any, tmp_path: Path) -> None:
    state = tmp_path / "world.jsonl"
    config = WorldConfig(accounts=3, campaigns=3, ad_groups=3, ads=3, history_days=5, platforms=PLATFORMS)
    first = type(api)(create_app(World(config), token=api.token, state_file=state))
    group = next(iter(first.world.ad_groups))
    first.kernel.update("ad_group", group, name="Kept")
    [header, *_] = EventFile(state).read()
    again = create_app(World(WorldConfig.from_json(header["config"])), token=api.token, state_file=state)
    assert again.state.kernel.world.ad_groups[group].name == "Kept"


def test_an_event_file_from_before_there_were_platforms_still_works(api: Any, tmp_path: Path) -> None:
    config = WorldConfig(accounts=1, campaigns=1, ad_groups=1, ads=1, history_days=5)
    old = {name: value for name, value in config.to_json().items() if name not in ("platforms", "today_limit")}
    state = tmp_path / "world.jsonl"
    EventFile(state).append({"event": "config", "config": old})
    assert create_app(World(config), token=api.token, state_file=state).state.kernel.world.now == config.start
