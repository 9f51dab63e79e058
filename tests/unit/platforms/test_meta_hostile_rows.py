"""Whatever JSON arrives, parsing ends in rows or quarantine, never in an accident."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.platforms.http import ApiReply, ApiRequest
from stakazo_pipelines.platforms.meta.dialect import MetaDialect
from stakazo_pipelines.platforms.meta.entities import parse_entities
from stakazo_pipelines.platforms.meta.rows import collector
from stakazo_pipelines.platforms.port import Account, Breakdown, InsightsQuery
from stakazo_pipelines.vocabulary import EntityStatus, Level

ACCOUNT = Account("101", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)
DAY = "2026-06-01"
ROW = {
    "account_id": "101",
    "campaign_id": "11",
    "adset_id": "21",
    "ad_id": "31",
    "date_start": DAY,
    "date_stop": DAY,
    "impressions": "10",
    "clicks": "1",
    "inline_link_clicks": "1",
    "inline_post_engagement": "1",
    "reach": "9",
    "spend": "1.00",
    "attribution_setting": "7d_click",
    "actions": [{"action_type": "purchase", "value": "1"}],
    "action_values": [{"action_type": "purchase", "value": "1"}],
    "country": "DE",
}
ENTITY = {
    "id": "21",
    "account_id": "101",
    "campaign_id": "11",
    "name": "n",
    "status": "ACTIVE",
    "daily_budget": "100",
    "learning_stage_info": {"status": "LEARNING"},
    "created_time": "2026-05-12T10:45:09-0700",
}
words = st.text('aZé0²9-._+: {}[]"\n', max_size=12)  # a small alphabet: drawing from all of Unicode is slow to start
numbers = st.one_of(st.integers(), st.floats(), st.decimals().map(str), st.integers().map(str), st.just("9" * 5000))
scalars = st.one_of(st.none(), st.booleans(), numbers, words, st.datetimes().map(str))
stats = st.dictionaries(st.sampled_from(["action_type", "value", "id", "name"]), scalars, max_size=3)
values = st.recursive(
    scalars | st.lists(stats, max_size=3), lambda inner: st.lists(inner, max_size=3) | stats, max_leaves=6
)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), values, max_size=4))
def test_a_hostile_insight_row_is_kept_sane_or_quarantined(drift):
    day = date.fromisoformat(DAY)
    rows = collector(InsightsQuery(ACCOUNT, Level.AD, day, day, (Breakdown.COUNTRY,)))
    rows.add([{**ROW, **drift}])
    result = rows.result()
    assert len(result.rows) + len(result.quarantined) == 1
    for row in result.rows:
        assert row.spend >= 0
        assert 0 <= row.conversions < Decimal(10) ** 12
        assert row.day == day


@given(st.dictionaries(st.sampled_from(sorted(ENTITY)), values, max_size=4))
def test_a_hostile_entity_is_kept_or_quarantined(drift):
    result = parse_entities([{**ENTITY, **drift}], Level.AD_GROUP, ACCOUNT)
    assert len(result.entities) + len(result.quarantined) == 1


@given(values, st.sampled_from([200, 400, 500]), words)
def test_a_hostile_error_body_is_an_error_all_the_same(payload, status, header):
    reply = ApiReply(
        status, {"x-app-usage": header, "x-business-use-case-usage": '{"1": [1, {"type": 2}]}'}, {"error": payload}
    )
    assert isinstance(MetaDialect().error(ApiRequest("GET", "x"), reply), PlatformError)
