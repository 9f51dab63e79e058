"""Accounts and entities: parsing, open words, budgets under CBO and not, paging that holds together."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from stakazo_pipelines.errors import AuthError, MalformedError, NotFoundError, RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod
from stakazo_pipelines.platforms.registry import open_platform
from stakazo_pipelines.vocabulary import EntityStatus, Level


def listed(tiktok, account, level, handler):
    return tiktok.run(handler, lambda platform: platform.entities(account, level))


def golden_list(tiktok, account, level, golden, ok, name):
    return listed(tiktok, account, level, lambda _: ok(golden(name)["data"]))


def budget(amount, period=BudgetPeriod.DAILY):
    return Budget(Money(Decimal(amount), "EUR"), period)


def row(number, **more):
    return {"campaign_id": str(number), "campaign_name": "n", "operation_status": "ENABLE", **more}


# Accounts ---------------------------------------------------------------------------------------------------------


def directory(ok, golden, info=None):
    def handler(request):
        if request.url.path.endswith("/oauth2/advertiser/get/"):
            names = [{"advertiser_id": str(7000 + n), "advertiser_name": f"Shop {n}"} for n in (1, 2, 3)]
            return ok({"list": names})
        return (info or (lambda _: ok(golden("advertiser_info")["data"])))(request)

    return handler


def test_accounts_carry_their_zone_currency_and_floors(tiktok, ok, golden):
    first, second, third = tiktok.run(directory(ok, golden), lambda platform: platform.accounts())
    assert (first.id, first.name, first.currency, first.timezone) == ("7001", "Shop DE", "EUR", "Europe/Berlin")
    assert (first.minor_units, first.status, first.problem) == (100, EntityStatus.ACTIVE, "")
    assert (first.min_daily_budget, first.min_campaign_budget) == (Money(Decimal(20), "EUR"), Money(Decimal(50), "EUR"))
    assert (second.timezone, second.minor_units, second.status) == ("Asia/Tokyo", 1, EntityStatus.PAUSED)
    assert second.min_daily_budget == Money(Decimal(2000), "JPY")
    assert "'XAU'" in third.problem
    assert "Mars/Olympus" in third.problem
    asked = tiktok.requests[1].url.params
    assert json.loads(asked["advertiser_ids"]) == ["7001", "7002", "7003"]


def test_the_app_of_a_live_token_names_itself_and_only_the_token_is_the_header(tiktok, ok, golden):
    tiktok.run(directory(ok, golden), lambda platform: platform.accounts(), token="123:app-secret-01:tok-0123456789")
    first, second = tiktok.requests
    assert dict(first.url.params) == {"app_id": "123", "secret": "app-secret-01"}
    assert {request.headers["access-token"] for request in (first, second)} == {"tok-0123456789"}
    assert "secret" not in second.url.params


def test_the_apps_secret_never_shows(tiktok, ok):
    with pytest.raises(AuthError) as caught:
        tiktok.run(
            lambda _: ok(code=40101, message="app-secret-01 and tok-0123456789 do not match"),
            lambda platform: platform.accounts(),
            token="123:app-secret-01:tok-0123456789",
        )
    assert "app-secret-01" not in str(caught.value)
    assert "tok-0123456789" not in str(caught.value)


@pytest.mark.parametrize(("code", "kind"), [(40002, RejectedError), (40101, AuthError)])
def test_a_bare_token_that_tiktok_does_not_take_says_what_is_missing(tiktok, ok, code, kind):
    with pytest.raises(kind, match="app_id:secret:access_token"):
        tiktok.run(lambda _: ok(code=code, message="app_id"), lambda platform: platform.accounts())


def test_a_wrong_token_is_told_without_that_advice(tiktok, ok):
    with pytest.raises(AuthError) as caught:
        tiktok.run(lambda _: ok(code=40105, message="wrong token"), lambda platform: platform.accounts())
    assert "app_id" not in caught.value.message


def test_one_advertiser_without_permission_leaves_the_others(tiktok, ok, golden):
    def info(request):
        ids = json.loads(request.url.params["advertiser_ids"])
        if "7002" in ids:
            return ok(code=40001, message="No permission to operate advertiser 7002.")
        known = golden("advertiser_info")["data"]["list"]
        return ok({"list": [one for one in known if one["advertiser_id"] in ids]})

    accounts = tiktok.run(directory(ok, golden, info), lambda platform: platform.accounts())
    assert [account.id for account in accounts] == ["7001", "7002", "7003"]
    assert "No permission" in accounts[1].problem
    assert accounts[0].problem == ""


def test_an_advertiser_that_tiktok_keeps_silent_about_is_kept_with_its_problem(tiktok, ok, golden):
    accounts = tiktok.run(directory(ok, golden, lambda _: ok({"list": [None]})), lambda platform: platform.accounts())
    assert all("tells nothing" in account.problem for account in accounts)


# Entities ---------------------------------------------------------------------------------------------------------


def test_a_campaign_holds_a_budget_only_under_cbo(tiktok, account, golden, ok):
    found = golden_list(tiktok, account, Level.CAMPAIGN, golden, ok, "campaigns").entities
    assert {one.id: one.budget for one in found} == {"11": None, "12": budget("120"), "13": None}
    capped = found[0]
    assert capped.native["budget"] == 500.0
    assert (capped.objective, capped.delivery, capped.status) == (
        "WEB_CONVERSIONS",
        "CAMPAIGN_STATUS_ENABLE",
        EntityStatus.ACTIVE,
    )
    assert (capped.parent_id, capped.native_type, capped.in_learning) == ("7001", "campaign", False)
    assert capped.created_at == datetime(2026, 5, 12, 8, 40, tzinfo=UTC)
    assert found[2].status is EntityStatus.PAUSED


def test_ad_groups_hold_daily_or_lifetime_budgets_and_none_under_cbo(tiktok, account, golden, ok):
    result = golden_list(tiktok, account, Level.AD_GROUP, golden, ok, "adgroups")
    assert result.quarantined == ()
    first, second, third = result.entities
    assert (first.id, first.parent_id, first.budget, first.optimization_goal) == ("21", "11", budget("50"), "CONVERT")
    assert (second.budget, second.status) == (None, EntityStatus.PAUSED)
    assert third.budget == budget("1200.5", BudgetPeriod.LIFETIME)
    assert (third.status, third.delivery) == (EntityStatus.PAUSED, "ADGROUP_STATUS_A_WORD_OF_TOMORROW")
    assert third.created_at is None


def test_the_creatives_are_the_different_contents_of_the_ads(tiktok, account, golden, ok):
    ads = golden_list(tiktok, account, Level.AD, golden, ok, "ads").entities
    assert [ad.creative_id for ad in ads] == ["v10033g50000abc", "v10033g50000abc", "p1,p2", "7300000000000000001"]
    shown = golden_list(tiktok, account, Level.CREATIVE, golden, ok, "ads").entities
    assert [one.id for one in shown] == ["v10033g50000abc", "p1,p2", "7300000000000000001"]
    assert (shown[0].name, shown[0].parent_id, shown[0].status) == ("Buy it", "7001", EntityStatus.ACTIVE)
    assert shown[0].native["landing_page_url"] == "https://shop.example"
    assert "ad_id" not in shown[0].native
    assert shown[2].name == "Spark"


def test_lists_ask_for_what_is_not_deleted_in_pages_of_a_thousand(tiktok, account, page):
    listed(tiktok, account, Level.AD_GROUP, lambda _: page())
    (request,) = tiktok.requests
    assert request.url.path == "/open_api/v1.3/adgroup/get/"
    assert dict(request.url.params) == {
        "advertiser_id": "7001",
        "filtering": '{"primary_status":"STATUS_NOT_DELETE"}',
        "page": "1",
        "page_size": "1000",
    }


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"campaign_id": None}, "campaign_id"),
        ({"campaign_id": 1.5}, "campaign_id"),
        ({"advertiser_id": "9"}, "advertiser_id"),
        ({"operation_status": None}, "operation_status"),
        ({"operation_status": 1}, "operation_status"),
        ({"budget_optimize_on": "yes"}, "budget_optimize_on"),
        ({"budget_optimize_on": True, "budget_mode": "BUDGET_MODE_DAY", "budget": "many"}, "budget"),
        ({"budget_optimize_on": True, "budget_mode": "BUDGET_MODE_DAY", "budget": -1}, "budget"),
        ({"create_time": "2026-05-12T08:40:00Z"}, "create_time"),
    ],
)
def test_an_entity_that_cannot_be_read_is_quarantined(tiktok, account, page, broken, field):
    result = listed(tiktok, account, Level.CAMPAIGN, lambda _: page(row(1), row(2, **broken)))
    assert [one.id for one in result.entities] == ["1"]
    assert [bad.field for bad in result.quarantined] == [field]


def test_children_of_what_was_deleted_are_deleted(tiktok, account, page):
    group = {"adgroup_id": "21", "campaign_id": "11", "operation_status": "ENABLE"}
    rows = [{**group, "secondary_status": "ADGROUP_STATUS_CAMPAIGN_DELETE"}]
    assert listed(tiktok, account, Level.AD_GROUP, lambda _: page(*rows)).entities == ()


# Paging -----------------------------------------------------------------------------------------------------------


def paged(page, size, rows, *, wrong=None):
    """A list in pages; `wrong` gives another page's number to serve, by call."""
    served = []

    def handler(request):
        asked = int(request.url.params["page"])
        served.append(asked)
        shown = (wrong or {}).get(len(served), asked)
        part = rows[(shown - 1) * size : shown * size]
        return page(*part, number=asked, of=-(-len(rows) // size), total=len(rows))

    return handler


def test_all_pages_are_read_in_order(tiktok, account, page):
    result = listed(tiktok, account, Level.CAMPAIGN, paged(page, 2, [row(n) for n in range(5)]))
    assert [one.id for one in result.entities] == ["0", "1", "2", "3", "4"]
    assert [request.url.params["page"] for request in tiktok.requests] == ["1", "2", "3"]


def test_a_page_served_twice_in_place_of_another_is_noticed_and_the_list_read_again(tiktok, account, page):
    handler = paged(page, 2, [row(n) for n in range(5)], wrong={2: 1})
    result = listed(tiktok, account, Level.CAMPAIGN, handler)
    assert len(result.entities) == 5
    assert result.quarantined == ()
    assert len(tiktok.requests) == 6


def test_pages_that_never_fit_together_fail_loudly(tiktok, account, page):
    handler = paged(page, 2, [row(n) for n in range(5)], wrong=dict.fromkeys(range(99), 1))
    with pytest.raises(MalformedError, match="do not fit together"):
        listed(tiktok, account, Level.CAMPAIGN, handler)


def test_another_page_than_the_one_asked_for_is_asked_for_again(tiktok, account, page):
    answers = iter([page(row(1), number=2, of=1), page(row(1))])
    assert len(listed(tiktok, account, Level.CAMPAIGN, lambda _: next(answers)).entities) == 1


def test_a_list_without_rows_or_page_info_is_malformed(tiktok, account, ok):
    for data in ({}, {"list": []}, {"page_info": {"page": 1, "total_page": 1, "total_number": 0}}, []):
        with pytest.raises(MalformedError):
            listed(tiktok, account, Level.CAMPAIGN, lambda _, data=data: ok(data))


# Single reads -----------------------------------------------------------------------------------------------------


def test_one_entity_is_read_by_its_id_even_when_deleted(tiktok, account, page):
    gone = row(14, operation_status="DELETE", secondary_status="CAMPAIGN_STATUS_DELETE")
    found = tiktok.run(lambda _: page(gone), lambda platform: platform.read(account, Level.CAMPAIGN, "14"))
    assert found.status is EntityStatus.DELETED
    rule = json.loads(tiktok.requests[0].url.params["filtering"])
    assert rule == {"campaign_ids": ["14"], "primary_status": "STATUS_ALL"}


def test_what_is_not_there_or_no_id_is_not_found(tiktok, account, page, golden, ok):
    for wanted in ("99", "x/../y", "²"):
        with pytest.raises(NotFoundError):
            tiktok.run(lambda _: page(), lambda platform, one=wanted: platform.read(account, Level.AD, one))
    with pytest.raises(NotFoundError):
        tiktok.run(
            lambda _: ok(golden("ads")["data"]), lambda platform: platform.read(account, Level.CREATIVE, "nothing")
        )


def test_an_entity_that_cannot_be_read_alone_is_malformed(tiktok, account, page):
    with pytest.raises(MalformedError, match="operation_status"):
        tiktok.run(
            lambda _: page(row(1, operation_status=None)),
            lambda platform: platform.read(account, Level.CAMPAIGN, "1"),
        )


def test_an_account_with_a_problem_is_refused_without_a_call(tiktok):
    broken = Account("7003", "x", "XAU", "UTC", 0, EntityStatus.ACTIVE, problem="unknown currency")
    with pytest.raises(RejectedError, match="unknown currency"):
        tiktok.run(lambda _: None, lambda platform: platform.entities(broken, Level.AD))
    assert tiktok.requests == []


def test_the_registry_opens_tiktok():
    platform = open_platform("tiktok", base_url="https://tiktok.example", token="t")
    assert (platform.name, platform.capabilities.validate_only) == ("tiktok", False)


def test_reads_of_one_moment_are_one_call(tiktok, account, golden, ok):
    async def use(platform):
        names = ("21", "22", "99", "23")
        reads = [platform.read(account, Level.AD_GROUP, name) for name in names]
        return await asyncio.gather(*reads, return_exceptions=True)

    first, second, missing, third = tiktok.run(lambda _: ok(golden("adgroups")["data"]), use)
    assert [first.id, second.id, third.id] == ["21", "22", "23"]
    assert isinstance(missing, NotFoundError)
    assert tiktok.calls() == ["GET adgroup/get/"]


def test_an_id_that_spoils_a_common_read_leaves_the_others_readable(tiktok, account, golden, ok):
    def handler(request):
        if "99" in request.url.params["filtering"]:
            return ok(code=40002, message="adgroup_ids: 99 is no ad group of this advertiser")
        return ok(golden("adgroups")["data"])

    async def use(platform):
        reads = [platform.read(account, Level.AD_GROUP, name) for name in ("21", "99")]
        return await asyncio.gather(*reads, return_exceptions=True)

    found, refused = tiktok.run(handler, use)
    assert found.id == "21"
    assert isinstance(refused, RejectedError)
