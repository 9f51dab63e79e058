"""The sandbox's own endpoints: clock, truth, outcome, journal, requests, incidents."""

from typing import Any

import pytest


def test_health_and_clock_tell_where_the_world_stands(api: Any) -> None:
    assert api.request("GET", "/sandbox/health").json()["status"] == "ok"
    clock = api.request("GET", "/sandbox/clock").json()
    assert clock["now"] == clock["start"]
    assert (clock["seed"], clock["days_advanced"]) == (7, 0.0)
    moved = api.request("POST", "/sandbox/clock", json={"advance_days": 2}).json()
    assert moved["days_advanced"] == 2.0
    assert api.request("POST", "/sandbox/clock", json={"to": "2026-07-03T00:00:00Z"}).json()["days_advanced"] == 2.5


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"to": "2026-06-01T00:00:00Z"}, "backwards"),
        ({"advance_days": -1}, "backwards"),
        ({"to": "2036-06-01T00:00:00Z"}, "may not pass"),
        ({"to": "tomorrow"}, "ISO 8601"),
        ({}, "one of"),
        ({"advance_days": 1, "advance_hours": 1}, "one of"),
    ],
)
def test_impossible_clock_moves_are_refused_in_words(api: Any, body: dict[str, Any], word: str) -> None:
    response = api.request("POST", "/sandbox/clock", json=body)
    assert response.status_code == 400
    assert word in response.json()["error"]
    assert api.request("GET", "/sandbox/clock").json()["days_advanced"] == 0.0


def test_truth_and_outcome_are_json(api: Any) -> None:
    api.request("POST", "/sandbox/clock", json={"advance_days": 3})
    assert api.request("GET", "/sandbox/truth").json()
    asked = {"since": "2026-06-30", "until": "2026-07-02"}
    assert api.request("GET", "/sandbox/outcome", params=asked).json()
    assert api.request("GET", "/sandbox/outcome", params={"since": "x"}).status_code == 400


def test_the_journal_tells_each_write_once(api: Any) -> None:
    adset = api.adset()
    before = adset.daily_budget
    api.post(f"/{adset.id}", daily_budget=before + 300)
    [write] = api.request("GET", "/sandbox/journal").json()["writes"]
    assert (write["level"], write["id"], write["fields"], write["before"]) == (
        "ad_group",
        adset.id,
        {"daily_budget": before + 300},
        {"daily_budget": before},
    )
    everything = api.request("GET", "/sandbox/journal", params={"actor": "all"}).json()["writes"]
    assert len(everything) > 1


def test_requests_are_counted_by_class_without_secrets(api: Any) -> None:
    adset = api.adset()
    api.get(f"/act_{api.account()}/insights")
    api.batch([{"method": "POST", "relative_url": adset.id, "body": "name=N"}])
    response = api.request("GET", "/sandbox/requests")
    assert api.token not in response.text
    counts = response.json()["counts"]
    assert counts["meta GET /act_{id}/insights"] == 1
    assert counts["meta POST /"] == 1
    assert counts["meta batched POST /{id}"] == 1


def test_an_incident_can_be_scheduled(api: Any) -> None:
    incident = {"kind": "delivery_stop", "account_id": api.account(), "entity_id": api.adset().id,
                "start": "2026-07-01T00:00:00+00:00", "end": "2026-07-02T00:00:00+00:00"}  # fmt: skip
    assert api.request("POST", "/sandbox/incidents", json=incident).status_code == 201
    listed = api.request("GET", "/sandbox/incidents").json()["incidents"]
    assert incident["entity_id"] in {known["entity_id"] for known in listed}
    assert api.request("POST", "/sandbox/incidents", json={**incident, "kind": "flood"}).status_code == 400
    assert api.request("POST", "/sandbox/incidents", json={"kind": "flood"}).status_code == 400


def test_paths_of_no_platform_are_404(api: Any) -> None:
    assert api.request("GET", "/somewhere").status_code == 404
