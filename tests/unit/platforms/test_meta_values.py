"""Money on the wire, single values, and the arithmetic of ranges and batches."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.meta.changes import BATCH, batches
from stakazo_pipelines.platforms.meta.money import (
    HUNDREDTH_CURRENCIES,
    WHOLE_UNIT_CURRENCIES,
    from_wire,
    minor_units,
    to_wire,
)
from stakazo_pipelines.platforms.port import EntityChange
from stakazo_pipelines.platforms.spans import partition
from stakazo_pipelines.platforms.wire import WireError, amount, count, ident, instant
from stakazo_pipelines.vocabulary import Level

currencies = st.sampled_from(sorted(WHOLE_UNIT_CURRENCIES | HUNDREDTH_CURRENCIES))


@given(currencies, st.integers(min_value=1, max_value=10**14))
def test_a_budget_survives_the_wire_and_back(currency, minor):
    assert to_wire(from_wire(minor, currency=currency), currency=currency) == str(minor)


@pytest.mark.parametrize(("currency", "units"), [("EUR", 100), ("JPY", 1), ("HUF", 1), ("TWD", 1), ("BHD", 100)])
def test_offsets_are_metas_own(currency, units):
    assert minor_units(currency) == units


@pytest.mark.parametrize(
    ("money", "currency", "reason"),
    [
        (Money(Decimal("10.005"), "EUR"), "EUR", "whole number"),
        (Money(Decimal("10.5"), "JPY"), "JPY", "whole number"),
        (Money(Decimal(10), "USD"), "EUR", "account in EUR"),
        (Money(Decimal(10), "XXX"), "XXX", "unknown account currency"),
        (Money(Decimal(0), "EUR"), "EUR", "above zero"),
        (Money(Decimal(-1), "EUR"), "EUR", "above zero"),
    ],
)
def test_money_that_meta_cannot_take_is_refused_in_words(money, currency, reason):
    with pytest.raises(RejectedError, match=reason):
        to_wire(money, currency=currency)


@given(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(0, 400), st.integers(1, 120))
def test_a_range_is_partitioned_exactly(since, days, width):
    until = since + timedelta(days)
    spans = partition(since, until, width)
    covered = [first + timedelta(offset) for first, last in spans for offset in range((last - first).days + 1)]
    assert covered == [since + timedelta(offset) for offset in range(days + 1)]
    assert all((last - first).days < width for first, last in spans)


changes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 5), st.sampled_from([Level.AD_GROUP, Level.CAMPAIGN, Level.AD])),
    max_size=150,
)


@given(changes)
def test_batches_hold_every_change_once_in_order_and_one_ad_set_a_campaign(drawn):
    asked = [EntityChange(level, f"{level}{entity}", "1", name="n") for entity, _, level in drawn]
    campaign_of = {f"ad_group{entity}": f"c{campaign}" for entity, campaign, _ in drawn}
    planned = batches(asked, campaign_of)
    sent = [position for batch in planned for position in batch]
    assert sorted(sent) == list(range(len(asked)))
    for batch in planned:
        assert len(batch) <= BATCH
        ids = [asked[position].id for position in batch]
        assert len(set(ids)) == len(ids)
        campaigns = [campaign_of[asked[p].id] for p in batch if asked[p].level is Level.AD_GROUP]
        assert len(set(campaigns)) == len(campaigns)
    for entity in {change.id for change in asked}:
        order = [position for position in sent if asked[position].id == entity]
        assert order == sorted(order)


@pytest.mark.parametrize("value", ["ten", "", "1e3", "-1", "1.5", "²", True, [], -4, 1.5, {}])
def test_a_count_is_a_whole_number_or_an_error(value):
    with pytest.raises(WireError):
        count({"impressions": value}, "impressions")


@pytest.mark.parametrize(("value", "read"), [("10", 10), (10, 10), (10.0, 10), ("0", 0)])
def test_a_count_may_come_as_text_or_number(value, read):
    assert count({"n": value}, "n") == read


@pytest.mark.parametrize("value", ["ten", "", "NaN", "Infinity", "-0.01", "1e30", True, None, []])
def test_an_amount_is_a_sane_decimal_or_an_error(value):
    with pytest.raises(WireError):
        amount({"spend": value}, "spend")


def test_amounts_are_exact_decimals_of_at_most_six_places():
    assert amount({"v": "103.47"}, "v") == Decimal("103.47")
    assert amount({"v": 0.1}, "v") == Decimal("0.1")
    assert amount({"v": "33.33333333333"}, "v") == Decimal("33.333333")


def test_ids_never_pass_through_a_float():
    assert ident({"id": 120200000000000021}, "id") == "120200000000000021"
    with pytest.raises(WireError):
        ident({"id": 1.202e17}, "id")


def test_instants_become_utc():
    assert instant({"t": "2026-05-12T10:45:09-0700"}, "t") == datetime(2026, 5, 12, 17, 45, 9, tzinfo=UTC)
    assert instant({}, "t") is None
    with pytest.raises(WireError, match="offset"):
        instant({"t": "2026-05-12T10:45:09"}, "t")
