"""Accounts and entities: levels, budgets, statuses, what is quarantined, reading one, deleting."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.errors import AuthError, MalformedError, NotFoundError, RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, Media, MediaKind
from stakazo_pipelines.vocabulary import EntityStatus, Level


def answer(body, status=200):
    return httpx.Response(status, json=body)


GONE = answer({"error": {"message": "does not exist", "code": 100, "error_subcode": 33}}, 400)


def test_accounts_read_with_currency_zone_and_floor(meta, golden):
    euro, yen, other = meta.run(lambda _: answer(golden("accounts")), lambda platform: platform.accounts())
    assert (euro.id, euro.currency, euro.timezone, euro.minor_units) == ("101", "EUR", "Europe/Berlin", 100)
    assert euro.min_daily_budget == Money(Decimal(1), "EUR")
    assert (yen.minor_units, yen.min_daily_budget, yen.status) == (1, Money(Decimal(150), "JPY"), EntityStatus.PAUSED)
    assert "XXX" in other.problem
    assert "Mars/Olympus" in other.problem
    assert not euro.problem


def test_an_account_without_an_id_is_left_out_aloud(meta, golden, caplog):
    body = golden("accounts")
    del body["data"][0]["account_id"]
    assert len(meta.run(lambda _: answer(body), lambda platform: platform.accounts())) == 2
    assert "account_id" in caplog.text


def test_an_expired_token_is_told_at_once(meta, golden):
    with pytest.raises(AuthError, match="make a new one"):
        meta.run(lambda _: answer(golden("error_expired"), 400), lambda platform: platform.accounts())
    assert len(meta.requests) == 1
    assert meta.clock.slept == []


def test_ad_sets_read_as_ad_groups(meta, account, golden):
    result = meta.run(lambda _: answer(golden("adsets")), lambda platform: platform.entities(account, Level.AD_GROUP))
    first, second, third = result.entities
    assert (first.id, first.parent_id, first.native_type) == ("120200000000000021", "120200000000000011", "adset")
    assert (first.status, first.delivery, first.in_learning) == (EntityStatus.ACTIVE, "CAMPAIGN_PAUSED", True)
    assert first.budget == Budget(Money(Decimal("25.50"), "EUR"), BudgetPeriod.DAILY)
    assert first.created_at == datetime(2026, 5, 12, 17, 45, 9, tzinfo=UTC)
    assert second.budget == Budget(Money(Decimal(1000), "EUR"), BudgetPeriod.LIFETIME)
    assert (third.budget, third.status) == (None, EntityStatus.ARCHIVED)
    assert [(bad.field, bad.native["name"]) for bad in result.quarantined] == [
        ("daily_budget", "Broken"),
        ("campaign_id", "Orphan"),
    ]


def test_archived_ones_are_asked_for_and_deleted_ones_are_not(meta, account):
    meta.run(lambda _: answer({"data": []}), lambda platform: platform.entities(account, Level.AD))
    asked = json.loads(meta.requests[0].url.params["effective_status"])
    assert {"ARCHIVED", "ADSET_PAUSED", "PENDING_REVIEW"} <= set(asked)
    assert "DELETED" not in asked


def test_ads_carry_their_creative_and_creatives_need_no_status(meta, account):
    ad = {"id": "1", "adset_id": "2", "status": "ACTIVE", "creative": {"id": "9"}}
    found = meta.run(lambda _: answer({"data": [ad]}), lambda platform: platform.entities(account, Level.AD))
    assert (found.entities[0].creative_id, found.entities[0].parent_id) == ("9", "2")
    creative = {"id": "9", "account_id": "101"}
    found = meta.run(
        lambda _: answer({"data": [creative]}), lambda platform: platform.entities(account, Level.CREATIVE)
    )
    assert found.entities[0].parent_id == "101"


def test_an_entity_listed_twice_counts_once_and_one_of_another_account_not_at_all(meta, account):
    rows = [{"id": "1", "status": "ACTIVE"}, {"id": "1", "status": "PAUSED"}, {"id": "2", "account_id": "5"}]
    result = meta.run(lambda _: answer({"data": rows}), lambda platform: platform.entities(account, Level.CAMPAIGN))
    assert [(entity.id, entity.status) for entity in result.entities] == [("1", EntityStatus.PAUSED)]
    assert len(result.quarantined) == 2


def test_pages_shrink_while_they_are_too_large(meta, account):
    def handler(request):
        if int(request.url.params["limit"]) > 25:
            return answer({"error": {"message": "reduce", "code": 100, "error_subcode": 1487534}}, 400)
        return answer({"data": [{"id": "1", "status": "ACTIVE"}]})

    assert len(meta.run(handler, lambda platform: platform.entities(account, Level.CAMPAIGN)).entities) == 1
    assert [request.url.params["limit"] for request in meta.requests] == ["500", "100", "25"]


def test_reading_what_is_not_there_says_so(meta, account):
    with pytest.raises(NotFoundError, match="account 101: GET 55"):
        meta.run(lambda _: GONE, lambda platform: platform.read(account, Level.CAMPAIGN, "55"))
    with pytest.raises(NotFoundError, match="not an id"):
        meta.run(lambda _: GONE, lambda platform: platform.read(account, Level.CAMPAIGN, "../me"))


def test_reading_what_cannot_be_trusted_is_an_error_not_a_guess(meta, account):
    body = {"id": "55", "status": "SLEEPING"}
    with pytest.raises(MalformedError, match="status: unknown"):
        meta.run(lambda _: answer(body), lambda platform: platform.read(account, Level.CAMPAIGN, "55"))


def test_deleting_the_deleted_is_no_error(meta, account):
    meta.run(lambda _: GONE, lambda platform: platform.delete(account, Level.AD, "55"))

    def already(request):
        if request.method == "DELETE":
            return answer({"error": {"message": "deleted", "code": 100, "error_subcode": 1487056}}, 400)
        return answer({"id": "55", "adset_id": "1", "status": "DELETED"})

    meta.run(already, lambda platform: platform.delete(account, Level.AD, "55"))


def test_a_refused_delete_is_an_error(meta, account):
    refused = answer({"error": {"message": "no", "code": 100, "error_subcode": 1}}, 400)
    with pytest.raises(RejectedError):
        meta.run(lambda _: refused, lambda platform: platform.delete(account, Level.AD, "55"))


def test_an_image_upload_gives_its_hash(meta, account):
    body = {"images": {"a.png": {"hash": "abc", "url": "https://x"}}}
    found = meta.run(
        lambda _: answer(body), lambda platform: platform.upload(account, Media(MediaKind.IMAGE, "a.png", b"\x89"))
    )
    assert found == "abc"
    assert b'filename="a.png"' in meta.requests[0].content
