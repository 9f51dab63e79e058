"""Accounts and entities as LinkedIn sends them, in the port's words."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.errors import MalformedError, NotFoundError, RejectedError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.linkedin import money
from stakazo_pipelines.platforms.port import BudgetPeriod
from stakazo_pipelines.platforms.wire import WireError
from stakazo_pipelines.vocabulary import EntityStatus, Level


def test_accounts_are_read_and_a_strange_currency_stops_only_its_own(linkedin, golden):
    accounts = linkedin.run(lambda _: httpx.Response(200, json=golden("accounts")), lambda li: li.accounts())
    good, unpaid, odd, closed = accounts
    assert (good.id, good.currency, good.timezone, good.minor_units) == ("500", "EUR", "UTC", 100)
    assert (good.status, good.problem) == (EntityStatus.ACTIVE, "")
    assert good.min_daily_budget == Money(Decimal(10), "EUR")
    assert good.min_campaign_budget == Money(Decimal(30), "EUR")
    assert (unpaid.minor_units, unpaid.status) == (1, EntityStatus.PAUSED)
    assert "XAU" in odd.problem
    assert odd.min_daily_budget is None
    assert (closed.name, closed.status) == ("503", EntityStatus.ARCHIVED)


def test_the_headers_name_version_and_protocol(linkedin, golden):
    linkedin.run(lambda _: httpx.Response(200, json=golden("accounts")), lambda li: li.accounts())
    (request,) = linkedin.requests
    assert request.headers["linkedin-version"] == "202607"
    assert request.headers["x-restli-protocol-version"] == "2.0.0"
    assert request.headers["authorization"].startswith("Bearer ")
    assert str(request.url) == "https://api.example/rest/adAccounts?q=search&pageSize=1000"


def test_an_account_with_a_problem_is_not_worked_on(linkedin, golden):
    async def use(li):
        odd = (await li.accounts())[2]
        with pytest.raises(RejectedError, match="XAU"):
            await li.entities(odd, Level.CAMPAIGN)

    linkedin.run(lambda _: httpx.Response(200, json=golden("accounts")), use)
    assert len(linkedin.requests) == 1


def test_groups_have_a_daily_budget_only_where_they_spread_it(linkedin, golden, account):
    answer = httpx.Response(200, json=golden("groups"))
    found = linkedin.run(lambda _: answer, lambda li: li.entities(account, Level.CAMPAIGN))
    spread, capped = found.entities
    assert (spread.id, spread.parent_id, spread.native_type) == ("611", "500", "sponsoredCampaignGroup")
    assert (spread.budget.money, spread.budget.period) == (Money(Decimal("120.00"), "EUR"), BudgetPeriod.DAILY)
    assert spread.created_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert spread.updated_at == datetime(2026, 6, 2, tzinfo=UTC)
    assert (capped.status, capped.delivery) == (EntityStatus.PAUSED, "DRAFT,STOPPED,CAMPAIGN_GROUP_START_DATE_HOLD")
    assert (capped.budget.money.amount, capped.budget.period) == (Decimal("5000.00"), BudgetPeriod.LIFETIME)
    assert [(bad.field, bad.native["id"]) for bad in found.quarantined] == [("account", 613), ("status", 614)]


def test_campaigns_are_ad_groups_with_their_group_as_parent(linkedin, golden, account):
    answer = httpx.Response(200, json=golden("campaigns"))
    found = linkedin.run(lambda _: answer, lambda li: li.entities(account, Level.AD_GROUP))
    daily, spread_over = found.entities
    assert (daily.id, daily.parent_id, daily.native_type) == ("711", "612", "sponsoredCampaign")
    assert (daily.budget.money, daily.budget.period) == (Money(Decimal("50.00"), "EUR"), BudgetPeriod.DAILY)
    assert (daily.objective, daily.optimization_goal) == ("WEBSITE_CONVERSION", "MAX_CONVERSION")
    assert daily.delivery == "STOPPED,CAMPAIGN_GROUP_STATUS_HOLD"
    assert (spread_over.status, spread_over.budget, spread_over.delivery) == (
        EntityStatus.PAUSED,
        None,
        "COMPLETED,STOPPED",
    )
    reasons = {bad.native["id"]: bad.field for bad in found.quarantined}
    assert reasons == {713: "dailyBudget.currencyCode", 714: "campaignGroup"}


def test_creatives_are_ads_that_refer_to_posts(linkedin, golden, account):
    answer = httpx.Response(200, json=golden("creatives"))
    found = linkedin.run(lambda _: answer, lambda li: li.entities(account, Level.AD))
    assert found.quarantined == ()
    shown = {ad.id: (ad.parent_id, ad.creative_id, ad.status, ad.delivery) for ad in found.entities}
    assert shown == {
        "811": ("711", "6912345678901234567", EntityStatus.ACTIVE, "RUNNABLE"),
        "812": ("711", "6912345678901234567", EntityStatus.PAUSED, "STOPPED,CAMPAIGN_STOPPED"),
        "813": ("711", "6912345678901234999", EntityStatus.PAUSED, "DRAFT,UNDER_REVIEW"),
        "814": ("711", None, EntityStatus.ACTIVE, "RUNNABLE"),
    }


def test_a_post_shown_by_two_ads_is_one_creative(linkedin, golden, account):
    answer = httpx.Response(200, json=golden("creatives"))
    found = linkedin.run(lambda _: answer, lambda li: li.entities(account, Level.CREATIVE))
    assert found.quarantined == ()
    assert [(post.id, post.native_type) for post in found.entities] == [
        ("6912345678901234567", "share"),
        ("6912345678901234999", "ugcPost"),
    ]


@pytest.mark.parametrize(
    ("level", "query"),
    [
        (
            Level.CAMPAIGN,
            "q=search&search=(status:(values:List(ACTIVE,PAUSED,ARCHIVED,CANCELED,DRAFT)))&pageSize=1000",
        ),
        (
            Level.AD_GROUP,
            "q=search&search=(status:(values:List(ACTIVE,PAUSED,ARCHIVED,CANCELED,DRAFT,COMPLETED)))&pageSize=1000",
        ),
        (Level.AD, "q=criteria&intendedStatuses=List(ACTIVE,PAUSED,ARCHIVED,CANCELED,DRAFT)&pageSize=100"),
    ],
)
def test_what_is_listed_leaves_out_the_deleted(linkedin, listed, account, level, query):
    linkedin.run(lambda _: listed([]), lambda li: li.entities(account, level))
    assert linkedin.queries() == [query]
    assert linkedin.requests[0].headers["x-restli-method"] == "FINDER"


def test_pages_are_followed_by_their_cursor_to_the_end(linkedin, listed, golden, account):
    rows = golden("campaigns")["elements"]
    pages = {"": listed(rows[:1], "ab+/="), "ab%2B%2F%3D": listed([], "c"), "c": listed(rows[1:2], "")}

    def answer(request):
        return pages[request.url.query.decode().partition("&pageToken=")[2]]

    found = linkedin.run(answer, lambda li: li.entities(account, Level.AD_GROUP))
    assert [entity.id for entity in found.entities] == ["711", "712"]


def test_pages_that_lead_back_are_an_error(linkedin, listed, account):
    with pytest.raises(MalformedError, match="lead back"):
        linkedin.run(lambda _: listed([], "again"), lambda li: li.entities(account, Level.CAMPAIGN))


def test_one_entity_is_read_by_its_key(linkedin, golden, account):
    row = golden("creatives")["elements"][0]
    ad = linkedin.run(lambda _: httpx.Response(200, json=row), lambda li: li.read(account, Level.AD, "811"))
    assert ad.id == "811"
    assert linkedin.calls() == ["GET /rest/adAccounts/500/creatives/urn%3Ali%3AsponsoredCreative%3A811"]


def test_what_is_not_there_or_cannot_be_read_is_told_apart(linkedin, account):
    gone = httpx.Response(404, json={"message": "no", "status": 404, "serviceErrorCode": 100})
    with pytest.raises(NotFoundError):
        linkedin.run(lambda _: gone, lambda li: li.read(account, Level.CAMPAIGN, "1"))
    with pytest.raises(MalformedError, match="status"):
        linkedin.run(lambda _: httpx.Response(200, json={"id": 1}), lambda li: li.read(account, Level.CAMPAIGN, "1"))
    with pytest.raises(NotFoundError):
        linkedin.run(lambda _: gone, lambda li: li.read(account, Level.CAMPAIGN, "1/../2"))


def test_a_post_no_ad_shows_yet_is_read_by_itself(linkedin, listed, account):
    def answer(request):
        path = request.url.raw_path.decode()
        if "creatives" in path:
            assert "contentReferences=List(urn%3Ali%3Ashare%3A77,urn%3Ali%3AugcPost%3A77)" in path
            return listed([])
        if path.endswith("/posts/urn%3Ali%3AugcPost%3A77"):
            return httpx.Response(200, json={"id": "urn:li:ugcPost:77", "adContext": {"dscName": "Film [t]"}})
        return httpx.Response(404, json={"message": "no", "status": 404})

    post = linkedin.run(answer, lambda li: li.read(account, Level.CREATIVE, "77"))
    assert (post.id, post.native_type, post.name) == ("77", "ugcPost", "Film [t]")


def test_money_is_text_with_the_currencys_decimals():
    assert money.to_wire(Money(Decimal("12.5"), "EUR"), currency="EUR") == {"amount": "12.50", "currencyCode": "EUR"}
    assert money.to_wire(Money(Decimal(1500), "JPY"), currency="JPY") == {"amount": "1500", "currencyCode": "JPY"}


@pytest.mark.parametrize(
    ("amount", "currency"), [("12.505", "EUR"), ("0", "EUR"), ("-3", "EUR"), ("10", "USD"), ("1.5", "JPY")]
)
def test_money_that_does_not_fit_is_refused(amount, currency):
    with pytest.raises(RejectedError):
        money.to_wire(Money(Decimal(amount), currency), currency="JPY" if currency == "JPY" else "EUR")


@pytest.mark.parametrize("given", ["50", {"amount": "x", "currencyCode": "EUR"}, {"amount": "5"}, {"amount": "-1"}])
def test_money_that_cannot_be_read_is_an_error(given):
    with pytest.raises(WireError):
        money.from_wire({"dailyBudget": given}, "dailyBudget", currency="EUR")
