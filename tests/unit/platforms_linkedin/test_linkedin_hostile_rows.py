"""Whatever JSON arrives, parsing ends in rows or quarantine, never in an accident."""

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.platforms.http import ApiReply, ApiRequest
from stakazo_pipelines.platforms.linkedin.accounts import parse_account
from stakazo_pipelines.platforms.linkedin.dialect import LinkedInDialect
from stakazo_pipelines.platforms.linkedin.entities import parse_contents, parse_entities
from stakazo_pipelines.platforms.linkedin.rows import collector, joined
from stakazo_pipelines.platforms.port import Account, Breakdown, InsightsQuery
from stakazo_pipelines.platforms.wire import WireError
from stakazo_pipelines.vocabulary import EntityStatus, Level

ACCOUNT = Account("500", "Shop", "EUR", "UTC", 100, EntityStatus.ACTIVE)
DAY = date(2026, 7, 1)
PARTS = {"year": 2026, "month": 7, "day": 1}
ROW = {
    "dateRange": {"start": PARTS, "end": PARTS},
    "pivotValues": ["urn:li:sponsoredCampaign:7", "urn:li:sponsoredCampaignGroup:6", "urn:li:geo:101282230"],
    "impressions": 10,
    "clicks": 1,
    "costInLocalCurrency": "1.00",
    "externalWebsiteConversions": 1,
    "landingPageClicks": 1,
    "totalEngagements": 1,
    "videoViews": 1,
}
CAMPAIGN = {
    "id": 7,
    "account": "urn:li:sponsoredAccount:500",
    "campaignGroup": "urn:li:sponsoredCampaignGroup:6",
    "name": "n",
    "status": "ACTIVE",
    "objectiveType": "LEAD_GENERATION",
    "dailyBudget": {"amount": "50.00", "currencyCode": "EUR"},
    "totalBudget": {"amount": "500.00", "currencyCode": "EUR"},
    "servingStatuses": ["RUNNABLE"],
    "changeAuditStamps": {"created": {"time": 1780272000000}, "lastModified": {"time": 1780272000000}},
}
CREATIVE = {
    "id": "urn:li:sponsoredCreative:8",
    "account": "urn:li:sponsoredAccount:500",
    "campaign": "urn:li:sponsoredCampaign:7",
    "content": {"reference": "urn:li:share:9"},
    "intendedStatus": "ACTIVE",
    "name": "n",
    "isServing": True,
    "servingHoldReasons": [],
    "createdAt": 1780272000000,
}
words = st.text('aZé0²9-._+: {}[]"\n', max_size=12)
numbers = st.one_of(st.integers(), st.floats(), st.decimals().map(str), st.integers().map(str), st.just("9" * 5000))
urns = st.sampled_from(["urn:li:sponsoredCampaign:1", "urn:li:geo:x", "urn:li:share:2", "urn:li:", "urn"])
scalars = st.one_of(st.none(), st.booleans(), numbers, words, urns)
keys = st.sampled_from(["start", "end", "year", "month", "day", "amount", "currencyCode", "reference", "time"])
values = st.recursive(
    scalars | st.lists(scalars, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), values, max_size=4))
def test_a_hostile_report_row_is_kept_sane_or_quarantined(drift):
    kept = collector(InsightsQuery(ACCOUNT, Level.AD_GROUP, DAY, DAY, (Breakdown.COUNTRY,)))
    kept.add(joined([(["impressions"], [{**ROW, **drift}]), (["videoViews"], [ROW["impressions"]])]))
    result = kept.result()
    assert len(result.rows) + len(result.quarantined) == 2
    for row in result.rows:
        assert row.spend >= 0
        assert 0 <= row.conversions < Decimal(10) ** 12
        assert row.day == DAY


@pytest.mark.parametrize(("level", "good"), [(Level.AD_GROUP, CAMPAIGN), (Level.AD, CREATIVE)])
@given(data=st.data())
def test_a_hostile_entity_is_kept_or_quarantined(level, good, data):
    drift = data.draw(st.dictionaries(st.sampled_from(sorted(good)), values, max_size=4))
    result = parse_entities([{**good, **drift}], level, ACCOUNT)
    assert len(result.entities) + len(result.quarantined) == 1


@given(values)
def test_a_hostile_content_is_kept_quarantined_or_none(content):
    result = parse_contents([{**CREATIVE, "content": content}, CREATIVE, content], ACCOUNT)
    assert "9" in {entity.id for entity in result.entities}


@given(st.dictionaries(st.sampled_from(["id", "name", "status", "currency", "servingStatuses"]), values, max_size=4))
def test_a_hostile_account_is_read_or_left_out(drift):
    row = {"id": 500, "name": "n", "status": "ACTIVE", "currency": "EUR", "servingStatuses": ["RUNNABLE"]}
    with contextlib.suppress(WireError):
        assert parse_account({**row, **drift}).id.isdigit()


@given(values, st.sampled_from([400, 401, 409, 429, 500]), words)
def test_a_hostile_error_body_is_an_error_all_the_same(payload, status, header):
    for body in (payload, {"message": payload, "code": payload, "errorDetails": {"inputErrors": payload}}):
        reply = ApiReply(status, {"date": header, "x-li-uuid": header}, body)
        assert isinstance(LinkedInDialect().error(ApiRequest("GET", "adAnalytics"), reply), PlatformError)
