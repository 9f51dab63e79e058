"""Whatever JSON arrives, parsing ends in rows or quarantine, never in an accident."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.http import ApiReply, ApiRequest
from stakazo_pipelines.platforms.port import Account, Breakdown, EntityChange, InsightsQuery
from stakazo_pipelines.platforms.tiktok.changes import by_target
from stakazo_pipelines.platforms.tiktok.dialect import TikTokDialect
from stakazo_pipelines.platforms.tiktok.entities import creatives, parse_entities
from stakazo_pipelines.platforms.tiktok.money import RATIOS, WHOLE_UNIT_CURRENCIES, floors, from_wire, to_wire
from stakazo_pipelines.platforms.tiktok.reports import csv_rows
from stakazo_pipelines.platforms.tiktok.rows import collector
from stakazo_pipelines.vocabulary import EntityStatus, Level

ACCOUNT = Account("7001", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)
DAY = date(2026, 6, 1)
DIMENSIONS = {"ad_id": "31", "stat_time_hour": "2026-06-01 13:00:00"}
METRICS = {
    "spend": "1.00",
    "impressions": "10",
    "clicks": "1",
    "complete_payment": "1",
    "total_complete_payment_rate": "9.90",
    "campaign_id": "11",
    "adgroup_id": "21",
    "ad_name": "A",
    "reach": "-",
}
AD = {
    "ad_id": "31",
    "adgroup_id": "21",
    "advertiser_id": "7001",
    "ad_name": "n",
    "operation_status": "ENABLE",
    "secondary_status": "AD_STATUS_DELIVERY_OK",
    "video_id": None,
    "image_ids": ["p1"],
    "tiktok_item_id": None,
    "ad_text": "t",
    "create_time": "2026-05-12 08:45:09",
}
CAMPAIGN = {
    "campaign_id": "11",
    "operation_status": "ENABLE",
    "budget_optimize_on": True,
    "budget_mode": "BUDGET_MODE_DAY",
    "budget": 50.0,
    "modify_time": "2026-05-12 08:45:09",
}
words = st.text('aZé0²9-._+: {}[]"\n', max_size=12)  # a small alphabet: drawing from all of Unicode is slow to start
numbers = st.one_of(st.integers(), st.floats(), st.decimals().map(str), st.integers().map(str), st.just("9" * 5000))
scalars = st.one_of(st.none(), st.booleans(), numbers, words, st.datetimes().map(str), st.just("-"))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=2),
    max_leaves=6,
)


def drifting(row):
    return st.dictionaries(st.sampled_from(sorted(row)), values, max_size=4).map(lambda drift: {**row, **drift})


@given(drifting(DIMENSIONS) | values, drifting(METRICS) | values)
def test_a_hostile_report_row_is_kept_sane_or_quarantined(dimensions, metrics):
    rows = collector(InsightsQuery(ACCOUNT, Level.AD, DAY, DAY, (Breakdown.HOUR,)))
    rows.add([{"dimensions": dimensions, "metrics": metrics}])
    result = rows.result()
    assert len(result.rows) + len(result.quarantined) == 1
    for row in result.rows:
        assert row.day == DAY
        assert row.spend >= 0
        assert 0 <= row.conversions < Decimal(10) ** 12
        assert row.segments[Breakdown.HOUR] in {f"{hour:02}" for hour in range(24)}


@given(drifting(AD))
def test_a_hostile_ad_is_kept_or_quarantined(row):
    ads = parse_entities([row], Level.AD, ACCOUNT)
    deleted = str(row["secondary_status"]).endswith("_DELETE") or row["operation_status"] == "DELETE"
    assert len(ads.entities) + len(ads.quarantined) == 1 or deleted
    assert len(creatives(ads, ACCOUNT).entities) <= 1


@given(drifting(CAMPAIGN))
def test_a_hostile_campaign_is_kept_or_quarantined(row):
    found = parse_entities([row], Level.CAMPAIGN, ACCOUNT)
    assert len(found.entities) + len(found.quarantined) == 1
    for campaign in found.entities:
        assert campaign.budget is None or campaign.budget.money.amount > 0


@given(values, values, st.sampled_from([200, 400, 500]), words)
def test_a_hostile_envelope_never_breaks_the_dialect(code, message, status, header):
    for body in ({"code": code, "message": message, "request_id": message}, code):
        error = TikTokDialect().error(ApiRequest("GET", "x/"), ApiReply(status, {"date": header}, body))
        assert error is not None or int(code) in (0, 40012)


@given(words)
def test_a_hostile_file_becomes_rows(content):
    for row in csv_rows(content, ["a"]):
        assert isinstance(row, dict)


# Values -----------------------------------------------------------------------------------------------------------

currencies = st.sampled_from(sorted(RATIOS))


@given(currencies, st.integers(1, 10**11))
def test_a_budget_survives_the_wire_and_back(currency, minor):
    money = Money(Decimal(minor) / (1 if currency in WHOLE_UNIT_CURRENCIES else 100), currency)
    assert from_wire({"budget": to_wire(money, currency=currency)}, "budget", currency=currency) == money


@pytest.mark.parametrize(
    ("currency", "group", "campaign"),
    [("EUR", 20, 50), ("PLN", 80, 200), ("JPY", 2000, 5000), ("VND", 200_000, 500_000)],
)
def test_floors_follow_the_currencys_ratio(currency, group, campaign):
    assert floors(currency) == (Money(Decimal(group), currency), Money(Decimal(campaign), currency))


def test_an_unlisted_currency_is_refused():
    with pytest.raises(RejectedError, match="'XAU'"):
        floors("XAU")


@given(st.lists(st.sampled_from(["active", "paused", None]), max_size=60))
def test_every_status_change_is_sent_once_and_never_more_than_twenty_a_call(wanted):
    changes = {
        at: EntityChange(Level.AD, str(at), "7001", status=status and EntityStatus(status))
        for at, status in enumerate(wanted)
    }
    batches = by_target(changes)
    assert all(len(members) <= 20 for _, _, members in batches)
    assert all(changes[at].status is status for _, status, members in batches for at in members)
    assert sorted(at for _, _, members in batches for at in members) == [at for at, one in enumerate(wanted) if one]
