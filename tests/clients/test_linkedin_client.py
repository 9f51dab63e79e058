"""LinkedIn's own Rest.li client, unmodified, against the sandbox.

It has one setting for where to send: its constant of the versioned base URL, read at each call. It tunnels long reads;
its tunnelled writes (0.3.0) fail inside the client before anything is sent, so the emulator's own tests make those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

pytest.importorskip("linkedin_api", reason="the clients group is not installed (make setup-clients)")

from linkedin_api.clients.restli.client import RestliClient
from linkedin_api.common import constants
from linkedin_api.common.errors import ResponseFormattingError

VERSION = "202607"
CAMPAIGN = "/adAccounts/{account}/adCampaigns"
GROUP = "/adAccounts/{account}/adCampaignGroups"
CREATIVE = "/adAccounts/{account}/creatives"
TARGETING = {
    "include": {
        "and": [
            {"or": {"urn:li:adTargetingFacet:locations": ["urn:li:geo:103644278"]}},
            {"or": {"urn:li:adTargetingFacet:interfaceLocales": ["urn:li:locale:en_US"]}},
        ]
    }
}


@dataclass
class LinkedIn:
    """The client with what every call repeats: token, version and the account in the path."""

    client: RestliClient
    token: str
    account: str = ""

    def __call__(self, method: str, resource: str, *, keys: dict[str, Any] | None = None, **given: Any) -> Any:
        path_keys = ({"account": self.account} if "{account}" in resource else {}) | (keys or {})
        return getattr(self.client, method)(
            resource_path=resource, path_keys=path_keys, access_token=self.token, version_string=VERSION, **given
        )

    def urn(self, kind: str, number: object) -> str:
        return f"urn:li:{kind}:{number}"

    def found(self, resource: str, **criteria: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self(
            "finder", resource, finder_name="search", query_params={"search": criteria, "pageSize": 1000}
        ).elements
        return rows

    def campaign_body(self, group: str, **changes: Any) -> dict[str, Any]:
        return {
            "account": self.urn("sponsoredAccount", self.account),
            "campaignGroup": self.urn("sponsoredCampaignGroup", group),
            "name": "By the client",
            "status": "DRAFT",
            "type": "SPONSORED_UPDATES",
            "costType": "CPM",
            "optimizationTargetType": "MAX_CLICK",
            "objectiveType": "WEBSITE_VISIT",
            "dailyBudget": {"amount": "50.00", "currencyCode": "USD"},
            "targetingCriteria": TARGETING,
            "offsiteDeliveryEnabled": False,
            "politicalIntent": "NOT_POLITICAL",
            **changes,
        }

    def group(self) -> str:
        """A new campaign group."""
        body = {"account": self.urn("sponsoredAccount", self.account), "name": "By the client", "status": "ACTIVE"}
        made = self("create", GROUP, entity=body)
        assert made.status_code == 201
        return str(made.entity_id)


@pytest.fixture
def linkedin(sandbox_url: str, sandbox_token: str, monkeypatch: pytest.MonkeyPatch) -> LinkedIn:
    monkeypatch.setattr(constants, "VERSIONED_BASE_URL", f"{sandbox_url}/rest")
    client = RestliClient()
    client.session.trust_env = False
    api = LinkedIn(client, sandbox_token)
    accounts = api.found("/adAccounts", status={"values": ["ACTIVE", "DRAFT"]}, test=False)
    api.account = str(next(row["id"] for row in accounts if row["currency"] == "USD"))
    return api


def test_a_finder_takes_complex_parameters(linkedin: LinkedIn) -> None:
    rows = linkedin.found(CAMPAIGN, status={"values": ["ACTIVE", "PAUSED"]}, test=False)
    assert rows
    by_id = linkedin.found(CAMPAIGN, id={"values": [linkedin.urn("sponsoredCampaign", rows[0]["id"])]})
    assert [row["id"] for row in by_id] == [rows[0]["id"]]
    assert linkedin.found(CAMPAIGN, name={"values": ["No such, name: (really)"]}) == []


def test_a_finder_pages_by_token(linkedin: LinkedIn) -> None:
    seen: list[int] = []
    params: dict[str, Any] = {"pageSize": 3}
    while True:
        page = linkedin("finder", CAMPAIGN, finder_name="search", query_params=params)
        seen += [row["id"] for row in page.elements]
        token = page.response.json()["metadata"].get("nextPageToken")
        if token is None:
            break
        params["pageToken"] = token
    assert seen == [row["id"] for row in linkedin.found(CAMPAIGN)]


def test_an_entity_is_read_with_a_projection(linkedin: LinkedIn) -> None:
    response = linkedin(
        "get", "/adAccounts/{id}", keys={"id": linkedin.account}, query_params={"fields": "id,currency"}
    )
    assert response.status_code == 200
    assert response.entity == {"id": int(linkedin.account), "currency": "USD"}


def test_a_batch_is_read_by_urns(linkedin: LinkedIn) -> None:
    rows = linkedin("finder", CREATIVE, finder_name="criteria", query_params={"pageSize": 2}).elements
    ids = [row["id"] for row in rows]
    response = linkedin("batch_get", CREATIVE, ids=ids)
    assert [row["id"] for row in response.results.values()] == ids
    assert response.errors == {}


def test_a_user_is_read_by_a_complex_key(linkedin: LinkedIn) -> None:
    (row, *_) = linkedin("finder", "/adAccountUsers", finder_name="authenticatedUser").elements
    key = {"account": row["account"], "user": row["user"]}
    assert linkedin("get", "/adAccountUsers/{key}", keys={"key": key}).entity["role"] == "ACCOUNT_BILLING_ADMIN"


def test_everything_of_a_collection_is_read(linkedin: LinkedIn) -> None:
    facets = linkedin("get_all", "/adTargetingFacets").elements
    assert "locations" in {facet["facetName"] for facet in facets}


def test_a_campaign_is_made_changed_and_deleted(linkedin: LinkedIn) -> None:
    made = linkedin("create", CAMPAIGN, entity=linkedin.campaign_body(linkedin.group()))
    assert (made.status_code, made.entity) == (201, None)
    one = {"resource": CAMPAIGN + "/{id}", "keys": {"id": made.entity_id}}
    budget = {"amount": "75.00", "currencyCode": "USD"}
    changed = linkedin("partial_update", **one, patch_set_object={"name": "Renamed", "dailyBudget": budget})
    assert changed.status_code == 204
    entity = linkedin("get", **one).entity
    assert (entity["name"], entity["dailyBudget"]) == ("Renamed", budget)
    assert linkedin("delete", **one).status_code == 204
    assert linkedin("get", **one).status_code == 404


def test_a_post_is_made_and_shown_by_a_creative(linkedin: LinkedIn) -> None:
    owner = linkedin.urn("organization", linkedin.account)
    post = {
        "author": owner,
        "commentary": "By the client",
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "NONE"},
        "lifecycleState": "PUBLISHED",
        "adContext": {"dscAdAccount": linkedin.urn("sponsoredAccount", linkedin.account)},
    }
    made = linkedin("create", "/posts", entity=post)
    assert made.decoded_entity_id.startswith("urn:li:share:")
    assert linkedin("get", "/posts/{id}", keys={"id": made.decoded_entity_id}).entity["author"] == owner
    campaign = linkedin("create", CAMPAIGN, entity=linkedin.campaign_body(linkedin.group())).entity_id
    body = {
        "campaign": linkedin.urn("sponsoredCampaign", campaign),
        "content": {"reference": made.decoded_entity_id},
        "intendedStatus": "DRAFT",
    }
    creative = linkedin("create", CREATIVE, entity=body).decoded_entity_id
    assert linkedin("get", CREATIVE + "/{id}", keys={"id": creative}).entity["review"]["status"] == "PENDING"


def test_batches_create_change_and_delete(linkedin: LinkedIn) -> None:
    group = linkedin.group()
    bodies = [linkedin.campaign_body(group, name=f"By the client {i}") for i in range(2)]
    made = linkedin("batch_create", CAMPAIGN, entities=[*bodies, {"name": "wrong"}]).elements
    assert [item.status for item in made] == [201, 201, 400]
    assert made[2].error["code"] == "MULTIPLE_VALIDATIONS_FAILED"
    ids = [item.id for item in made[:2]]
    names = [{"name": "One"}, {"name": "Other"}]
    changed = linkedin("batch_partial_update", CAMPAIGN, ids=ids, patch_set_objects=names)
    assert {key: result.status for key, result in changed.results.items()} == dict.fromkeys(ids, 204)
    assert [linkedin("get", CAMPAIGN + "/{id}", keys={"id": i}).entity["name"] for i in ids] == ["One", "Other"]
    gone = linkedin("batch_delete", CAMPAIGN, ids=ids)
    assert {key: result.status for key, result in gone.results.items()} == dict.fromkeys(ids, 204)


def test_creatives_are_changed_in_a_batch_by_urn(linkedin: LinkedIn) -> None:
    rows = linkedin("finder", CREATIVE, finder_name="criteria", query_params={"pageSize": 2}).elements
    ids = [row["id"] for row in rows]
    changed = linkedin("batch_partial_update", CREATIVE, ids=ids, patch_set_objects=[{"name": "Same"}] * 2)
    assert [result.status for result in changed.results.values()] == [204, 204]
    assert {linkedin("get", CREATIVE + "/{id}", keys={"id": i}).entity["name"] for i in ids} == {"Same"}


def test_an_action_starts_an_upload(linkedin: LinkedIn) -> None:
    owner = linkedin.urn("organization", linkedin.account)
    response = linkedin(
        "action",
        "/images",
        action_name="initializeUpload",
        action_params={"initializeUploadRequest": {"owner": owner}},
    )
    assert response.value["image"].startswith("urn:li:image:")
    put = linkedin.client.session.put(response.value["uploadUrl"], data=b"pixels", timeout=10)
    assert put.status_code == 201
    entity = linkedin("get", "/images/{id}", keys={"id": response.value["image"]}).entity
    assert entity["status"] == "AVAILABLE"


@pytest.fixture
def report(linkedin: LinkedIn, control: Any) -> Callable[..., Any]:
    """Asks for a week of adAnalytics."""
    today: date = control.now.date()
    week = {
        name: {"year": day.year, "month": day.month, "day": day.day}
        for name, day in (("start", today - timedelta(days=6)), ("end", today))
    }

    def ask(finder: str, **params: Any) -> Any:
        fields = "dateRange,pivotValues,impressions,costInLocalCurrency"
        query = {"dateRange": week, "timeGranularity": "DAILY", "fields": fields, **params}
        return linkedin("finder", "/adAnalytics", finder_name=finder, query_params=query)

    return ask


def test_analytics_by_campaign_and_statistics_by_creative_agree(linkedin: LinkedIn, report: Callable[..., Any]) -> None:
    accounts = [linkedin.urn("sponsoredAccount", linkedin.account)]
    by_campaign = report("analytics", pivot="CAMPAIGN", accounts=accounts)
    by_creative = report("statistics", pivots=["CREATIVE", "CAMPAIGN", "CAMPAIGN_GROUP"], accounts=accounts)
    assert by_campaign.paging.start == 0
    costs = [
        sum(Decimal(row["costInLocalCurrency"]) for row in answer.elements) for answer in (by_campaign, by_creative)
    ]
    assert costs[0] == costs[1] > 0
    assert all(len(row["pivotValues"]) == 3 for row in by_creative.elements)


def test_a_long_query_is_tunnelled(linkedin: LinkedIn, report: Callable[..., Any]) -> None:
    known = [linkedin.urn("sponsoredCampaign", row["id"]) for row in linkedin.found(CAMPAIGN)]
    unknown = [linkedin.urn("sponsoredCampaign", number) for number in range(10**17, 10**17 + 120)]
    short = report("analytics", pivot="CAMPAIGN", campaigns=known)
    long = report("analytics", pivot="CAMPAIGN", campaigns=[*known, *unknown])
    assert long.response.request.method == "POST"
    assert "?" not in long.url
    assert long.elements == short.elements != []


def test_errors_carry_linkedins_codes(linkedin: LinkedIn) -> None:
    one = {"resource": CAMPAIGN + "/{id}", "keys": {"id": linkedin.found(CAMPAIGN)[0]["id"]}}
    refused = linkedin(
        "partial_update", **one, patch_set_object={"dailyBudget": {"amount": "50.00", "currencyCode": "SEK"}}
    )
    assert (refused.status_code, refused.entity["code"]) == (400, "CURRENCY_MISMATCH")
    missing = linkedin("get", CAMPAIGN + "/{id}", keys={"id": 7})
    assert (missing.status_code, missing.entity["status"]) == (404, 404)
    stranger = LinkedIn(linkedin.client, "wrong", linkedin.account)("get", **one)
    assert (stranger.status_code, stranger.entity["serviceErrorCode"]) == (401, 65600)
    old = linkedin.client.get(
        resource_path="/adAccounts/{id}",
        path_keys={"id": linkedin.account},
        access_token=linkedin.token,
        version_string="202301",
    )
    assert (old.status_code, old.entity["code"]) == (426, "NONEXISTENT_VERSION")


def test_a_throttle_tells_of_the_day_and_nothing_of_the_wait(linkedin: LinkedIn, control: Any) -> None:
    control.fault("throttle", path="adCampaigns", platform="linkedin", times=1)
    response = linkedin("finder", CAMPAIGN, finder_name="search")
    assert response.status_code == 429
    assert response.elements is None
    assert "retry-after" not in response.headers


def test_a_cut_body_is_an_error_of_the_client(linkedin: LinkedIn, control: Any) -> None:
    control.fault("truncated_json", path="adCampaigns", platform="linkedin", times=1)
    with pytest.raises(ResponseFormattingError):
        linkedin("finder", CAMPAIGN, finder_name="search")
