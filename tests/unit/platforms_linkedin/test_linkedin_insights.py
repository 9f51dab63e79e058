"""Daily reports: what is asked for, how rows read, and how too much is split."""

import re
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import unquote

import httpx
import pytest

from stakazo_pipelines.errors import PermissionDeniedError, RejectedError, TooMuchDataError
from stakazo_pipelines.platforms.linkedin import analytics
from stakazo_pipelines.platforms.linkedin.rows import joined
from stakazo_pipelines.platforms.port import Breakdown, InsightsQuery
from stakazo_pipelines.vocabulary import Level

JULY = date(2026, 7, 1)
FIELDS = {"impressions": 5, "clicks": 1, "costInLocalCurrency": "1.0", "externalWebsiteConversions": 0}


def report(rows):
    return httpx.Response(200, json={"paging": {"start": 0, "count": 10, "links": []}, "elements": rows})


def day_of(day):
    parts = {"year": day.year, "month": day.month, "day": day.day}
    return {"start": parts, "end": parts}


def row(day, *urns, **more):
    return {"dateRange": day_of(day), "pivotValues": list(urns), **FIELDS, **more}


def asked(request):
    """The request's parameters, structure decoded as far as the tests look."""
    text = unquote((request.url.query or request.content).decode())
    params = dict(part.partition("=")[::2] for part in text.split("&"))
    years = re.findall(r"\(year:(\d+),month:(\d+),day:(\d+)\)", params.get("dateRange", ""))
    params["span"] = tuple(date(*map(int, found)) for found in years)
    return params


def campaigns_in(params):
    return re.findall(r"urn:li:sponsoredCampaign:(\d+)", params.get("campaigns", ""))


def query(account, level=Level.AD, since=JULY, until=JULY, breakdowns=()):
    return InsightsQuery(account, level, since, until, breakdowns)


def test_ads_are_reported_with_their_parents(linkedin, golden, account):
    answer = httpx.Response(200, json=golden("analytics_creative"))
    wanted = query(account, until=date(2026, 7, 2))
    result = linkedin.run(lambda _: answer, lambda li: li.insights(wanted))
    first, second = result.rows
    assert result.quarantined == ()
    assert (first.day, first.account_id, first.campaign_id, first.ad_group_id, first.ad_id) == (
        JULY,
        "500",
        "612",
        "711",
        "811",
    )
    assert (first.impressions, first.clicks, first.link_clicks, first.reach) == (2040, 31, 24, 1500)
    assert first.spend == Decimal("19.918334")
    assert (first.conversions, first.conversions_value) == (Decimal(2), Decimal("180.50"))
    assert (first.engagements, first.video_plays) == (40, 0)
    assert first.attribution_window == "30d_click_7d_view"
    assert (second.conversions, second.conversions_value) == (0, 0)
    assert linkedin.queries()[0] == (
        "q=statistics&pivots=List(CREATIVE,CAMPAIGN,CAMPAIGN_GROUP)&timeGranularity=DAILY"
        "&dateRange=(start:(year:2026,month:7,day:1),end:(year:2026,month:7,day:2))"
        "&accounts=List(urn%3Ali%3AsponsoredAccount%3A500)"
        "&fields=dateRange,pivotValues,impressions,clicks,costInLocalCurrency,externalWebsiteConversions,"
        "conversionValueInLocalCurrency,landingPageClicks,totalEngagements,videoViews,approximateMemberReach,"
        "oneClickLeads"
    )
    assert len(linkedin.requests) == 1


@pytest.mark.parametrize(
    ("level", "urns", "ids"),
    [
        (Level.ACCOUNT, ["urn:li:sponsoredAccount:500"], (None, None, None)),
        (Level.CAMPAIGN, ["urn:li:sponsoredCampaignGroup:6"], ("6", None, None)),
        # The kinds tell the URNs apart, whatever their order.
        (Level.AD_GROUP, ["urn:li:sponsoredCampaignGroup:6", "urn:li:sponsoredCampaign:7"], ("6", "7", None)),
    ],
)
def test_every_level_names_its_own_and_what_is_above(linkedin, account, level, urns, ids):
    (found,) = linkedin.run(lambda _: report([row(JULY, *urns)]), lambda li: li.insights(query(account, level))).rows
    assert (found.campaign_id, found.ad_group_id, found.ad_id) == ids


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"clicks": "many"}, "clicks"),
        ({"impressions": -1}, "impressions"),
        ({"impressions": None}, "impressions"),
        ({"costInLocalCurrency": "NaN"}, "costInLocalCurrency"),
        ({"externalWebsiteConversions": None}, "externalWebsiteConversions"),
        ({"externalWebsiteConversions": 2}, "conversionValueInLocalCurrency"),
        ({"dateRange": day_of(date(2026, 6, 30))}, "dateRange"),
        ({"dateRange": {"start": day_of(JULY)["start"], "end": day_of(date(2026, 7, 2))["end"]}}, "dateRange"),
        ({"dateRange": "July"}, "dateRange"),
        ({"pivotValues": ["urn:li:sponsoredAccount:501"]}, "pivotValues"),
        ({"pivotValues": ["urn:li:sponsoredCampaign:1"]}, "pivotValues"),
        ({"pivotValues": None}, "pivotValues"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_quarantined(linkedin, account, change, field):
    bad = {**row(JULY, "urn:li:sponsoredAccount:500"), **change}
    result = linkedin.run(lambda _: report([bad]), lambda li: li.insights(query(account, Level.ACCOUNT)))
    assert result.rows == ()
    assert [one.field for one in result.quarantined] == [field]


def test_spans_end_where_reach_is_no_more_reported(linkedin, account):
    since = JULY - timedelta(199)
    linkedin.run(
        lambda request: report([row(asked(request)["span"][0], "urn:li:sponsoredAccount:500")]),
        lambda li: li.insights(query(account, Level.ACCOUNT, since, JULY)),
    )
    spans = [asked(request)["span"] for request in linkedin.requests]
    assert [(last - first).days + 1 for first, last in spans] == [92, 92, 16]
    assert spans[0][0] == since


@pytest.mark.parametrize("cut", [True, False], ids=["cut off", "refused"])
def test_too_many_rows_are_split_down_to_campaigns(linkedin, account, monkeypatch, cut):
    monkeypatch.setattr(analytics, "MOST_ROWS", 8)
    ads = {campaign: [f"{campaign}{ad}" for ad in range(3)] for campaign in range(1, 6)}  # 15 ads a day

    def answer(request):
        params = asked(request)
        first, last = params["span"]
        if "ALL" in params["timeGranularity"]:
            return report([{"pivotValues": [f"urn:li:sponsoredCampaign:{campaign}"]} for campaign in ads])
        campaigns = [int(one) for one in campaigns_in(params)] or list(ads)
        rows = [
            row(
                first + timedelta(offset),
                f"urn:li:sponsoredCreative:{ad}",
                f"urn:li:sponsoredCampaign:{campaign}",
                "urn:li:sponsoredCampaignGroup:9",
            )
            for offset in range((last - first).days + 1)
            for campaign in campaigns
            for ad in ads[campaign]
        ]
        if len(rows) < 8:
            return report(rows)
        return report(rows[:8]) if cut else httpx.Response(400, json={"message": "too many", "status": 400})

    result = linkedin.run(answer, lambda li: li.insights(query(account, until=JULY + timedelta(3))))
    assert len(result.rows) == 4 * 15
    assert len({(one.day, one.ad_id) for one in result.rows}) == 4 * 15
    assert result.quarantined == ()


def test_the_width_that_worked_is_kept(linkedin, account, monkeypatch):
    monkeypatch.setattr(analytics, "MOST_ROWS", 3)

    def answer(request):
        first, last = asked(request)["span"]
        days = (last - first).days + 1
        return report([row(first + timedelta(i), "urn:li:sponsoredAccount:500") for i in range(days)][:3])

    async def twice(li):
        await li.insights(query(account, Level.ACCOUNT, JULY, JULY + timedelta(3)))
        before = len(linkedin.requests)
        await li.insights(query(account, Level.ACCOUNT, JULY, JULY + timedelta(3)))
        return len(linkedin.requests) - before

    assert linkedin.run(answer, twice) == 2


def test_a_refusal_that_splitting_does_not_cure_is_told(linkedin, account):
    refused = httpx.Response(400, json={"message": "never", "status": 400})
    with pytest.raises(TooMuchDataError, match="never"):
        linkedin.run(lambda _: refused, lambda li: li.insights(query(account, Level.ACCOUNT)))


def test_long_lists_of_campaigns_travel_in_the_body(linkedin, account, monkeypatch):
    monkeypatch.setattr(analytics, "MOST_ROWS", 500)

    def answer(request):
        params = asked(request)
        if "ALL" in params["timeGranularity"]:
            return report([{"pivotValues": [f"urn:li:sponsoredCampaign:{7_000_000 + i}"]} for i in range(400)])
        wanted = campaigns_in(params)
        rows = [
            row(JULY, f"urn:li:sponsoredCampaign:{one}", "urn:li:sponsoredCampaignGroup:9")
            for one in wanted or range(500)
        ]
        return report(rows)

    result = linkedin.run(answer, lambda li: li.insights(query(account, Level.AD_GROUP)))
    assert len(result.rows) == 400
    tunnelled = [request for request in linkedin.requests if request.method == "POST"]
    assert len(tunnelled) == 2
    assert {request.headers["x-http-method-override"] for request in tunnelled} == {"GET"}
    assert {request.url.query for request in tunnelled} == {b""}


def test_an_empty_report_is_believed_only_of_an_account_that_is_seen(linkedin, listed, account):
    def answer(request):
        return report([]) if "adAnalytics" in request.url.path else listed([{"id": 500}])

    assert linkedin.run(answer, lambda li: li.insights(query(account))).rows == ()
    looked = [text for text in linkedin.queries() if text.startswith("q=search")]
    assert looked == ["q=search&search=(id:(values:List(urn%3Ali%3AsponsoredAccount%3A500)))&pageSize=1000"]


def test_an_empty_report_of_an_account_out_of_sight_is_a_lack_of_permission(linkedin, listed, account):
    with pytest.raises(PermissionDeniedError, match="500"):
        linkedin.run(
            lambda request: report([]) if "adAnalytics" in request.url.path else listed([{"id": 501}]),
            lambda li: li.insights(query(account)),
        )


def test_countries_come_without_the_value_and_with_parents_from_a_second_look(linkedin, account):
    def answer(request):
        params = asked(request)
        if "ALL" in params["timeGranularity"]:
            return report([{"pivotValues": ["urn:li:sponsoredCampaign:7", "urn:li:sponsoredCampaignGroup:6"]}])
        assert params["pivots"] == "List(CREATIVE,CAMPAIGN,MEMBER_COUNTRY_V2)"
        assert "conversionValue" not in params["fields"]
        assert "MemberReach" not in params["fields"]
        ad = ("urn:li:sponsoredCreative:8", "urn:li:sponsoredCampaign:7")
        return report([row(JULY, *ad, "urn:li:geo:101282230"), row(JULY, *ad, "urn:li:geo:42")])

    result = linkedin.run(answer, lambda li: li.insights(query(account, breakdowns=(Breakdown.COUNTRY,))))
    assert result.quarantined == ()
    assert [(one.campaign_id, one.segments[Breakdown.COUNTRY]) for one in result.rows] == [("6", "DE"), ("6", "geo:42")]


def test_what_linkedin_cannot_answer_is_refused_before_it_is_sent(linkedin, account):
    asked_for = [
        query(account, Level.CREATIVE),
        query(account, since=JULY, until=JULY - timedelta(1)),
        query(account, breakdowns=(Breakdown.HOUR,)),
        query(account, breakdowns=(Breakdown.COUNTRY, Breakdown.AGE)),
    ]
    for wanted in asked_for:
        with pytest.raises(RejectedError):
            linkedin.run(lambda _: report([]), lambda li, wanted=wanted: li.insights(wanted))
    assert linkedin.requests == []


def test_the_data_limit_is_waited_for(linkedin, account):
    limit = httpx.Response(429, json={"message": "The data request limit has been exceeded.", "status": 429})
    answers = iter([limit, report([row(JULY, "urn:li:sponsoredAccount:500")])])
    result = linkedin.run(lambda _: next(answers), lambda li: li.insights(query(account, Level.ACCOUNT)))
    assert len(result.rows) == 1
    assert linkedin.clock.slept == [310.0]


def test_many_metrics_are_asked_for_in_parts_of_twenty_fields():
    metrics = [f"metric{i}" for i in range(40)]
    groups = analytics.field_groups(metrics, by_member=False)
    assert [name for group in groups for name in group] == metrics
    assert [len(group) for group in groups] == [18, 18, 4]


def test_the_parts_of_a_row_are_joined_and_a_row_left_out_of_one_has_none_of_it():
    a, b = {"dateRange": day_of(JULY), "pivotValues": ["x"]}, {"dateRange": day_of(JULY), "pivotValues": ["y"]}
    parts = [
        (["clicks", "cost"], [{**a, "clicks": 1}, "odd"]),
        (["likes"], [{**a, "likes": 2}, {**b, "likes": 3}]),
    ]
    assert joined(parts) == [
        # `cost` was asked for in a row that came: its lack stays a lack.
        {**a, "clicks": 1, "likes": 2},
        {**b, "clicks": 0, "cost": 0, "likes": 3},
        "odd",
    ]
