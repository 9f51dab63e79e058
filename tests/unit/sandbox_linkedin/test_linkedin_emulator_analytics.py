"""adAnalytics against the world's own report: pivots, periods, facets, fields, limits."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stakazo_pipelines.sandbox.linkedin import LinkedInOptions

KEYS = "dateRange,pivotValues"
FIELDS = f"{KEYS},impressions,clicks,costInLocalCurrency,externalWebsiteConversions,conversionValueInLocalCurrency"


def span(since: date, until: date | None = None) -> str:
    ends = {"start": since, **({"end": until} if until else {})}
    parts = ",".join(f"{name}:(year:{day.year},month:{day.month},day:{day.day})" for name, day in ends.items())
    return f"dateRange=({parts})"


def query(api: Any, pivot: str = "CAMPAIGN", granularity: str = "DAILY", more: str = "", days: int = 5) -> str:
    today = api.world.now.date()
    account = f"accounts=List(urn%3Ali%3AsponsoredAccount%3A{api.account})"
    pivots = f"q=statistics&pivots=List({pivot})" if "," in pivot else f"q=analytics&pivot={pivot}"
    return f"{pivots}&timeGranularity={granularity}&{span(today - timedelta(days=days), today)}&{account}{more}"


def elements(api: Any, *given: Any, fields: str = FIELDS, **named: Any) -> list[dict[str, Any]]:
    response = api.get("adAnalytics", f"{query(api, *given, **named)}&fields={fields}")
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["elements"]
    return rows


def cost(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["costInLocalCurrency"]) for row in rows), Decimal(0))


def test_rows_are_those_of_the_world(api: Any) -> None:
    today = api.world.now.date()
    report = api.world.report(api.account, "ad_group", today - timedelta(days=5), today)
    expected = {
        (f"urn:li:sponsoredCampaign:{number}", str(day)): (int(shown), f"{spend:.2f}", int(bought), f"{value:.2f}")
        for number, day, shown, spend, bought, value in zip(
            *(report[c] for c in ("ad_group_id", "day", "impressions", "spend", "purchases", "purchase_value")),
            strict=True,
        )
    }
    found = {
        (row["pivotValues"][0], day_of(row)): (
            row["impressions"],
            row["costInLocalCurrency"],
            row["externalWebsiteConversions"],
            row["conversionValueInLocalCurrency"],
        )
        for row in elements(api)
    }
    assert found == expected
    assert found


def day_of(row: dict[str, Any]) -> str:
    assert row["dateRange"]["start"] == row["dateRange"]["end"]
    return str(date(*(row["dateRange"]["start"][part] for part in ("year", "month", "day"))))


@pytest.mark.parametrize("pivot", ["ACCOUNT", "COMPANY", "CAMPAIGN_GROUP", "CAMPAIGN", "CREATIVE", "SHARE"])
@pytest.mark.parametrize("granularity", ["ALL", "DAILY", "MONTHLY", "YEARLY"])
def test_every_cut_adds_up_to_the_same_cost(api: Any, pivot: str, granularity: str) -> None:
    rows = elements(api, pivot, granularity, days=35)
    assert cost(rows) == cost(elements(api, "ACCOUNT", "ALL", days=35)) > 0
    assert len({(str(row["dateRange"]), str(row["pivotValues"])) for row in rows}) == len(rows)


def test_months_end_where_the_range_does(api: Any) -> None:
    rows = elements(api, "ACCOUNT", "MONTHLY", days=35)
    spans = [tuple(f"{end['year']}-{end['month']}-{end['day']}" for end in row["dateRange"].values()) for row in rows]
    assert spans == [("2026-5-26", "2026-5-31"), ("2026-6-1", "2026-6-30")]


def test_several_pivots_name_the_parents_of_each_row(api: Any) -> None:
    for row in elements(api, "CREATIVE,CAMPAIGN,CAMPAIGN_GROUP"):
        creative, campaign, group = (urn.rsplit(":", 1)[-1] for urn in row["pivotValues"])
        ad = api.world.ads[creative]
        assert (ad.ad_group_id, ad.campaign_id) == (campaign, group)


def test_facets_cut_by_and_their_values_by_or(api: Any) -> None:
    campaigns = sorted({row["pivotValues"][0] for row in elements(api)})
    facet = f"&campaigns=List({','.join(urn.replace(':', '%3A') for urn in campaigns[:2])})"
    rows = elements(api, more=facet)
    assert {row["pivotValues"][0] for row in rows} == set(campaigns[:2])
    number = campaigns[0].rsplit(":", 1)[-1]
    other = next(group for group in api.world.campaigns if group != api.world.ad_groups[number].campaign_id)
    assert elements(api, more=f"{facet}&campaignGroups=List(urn%3Ali%3AsponsoredCampaignGroup%3A{other})") != rows
    wide = elements(api, "ACCOUNT", more=facet)
    assert cost(wide) == cost(rows)


def test_shares_find_the_creatives_that_show_them(api: Any) -> None:
    share = elements(api, "SHARE")[0]["pivotValues"][0]
    rows = elements(api, "CREATIVE", more=f"&shares=List({share.replace(':', '%3A')})")
    assert {api.world.ads[row["pivotValues"][0].rsplit(":", 1)[-1]].creative_id for row in rows} == {
        share.split(":")[-1]
    }


def test_countries_come_later_without_small_rows_and_without_value(api: Any) -> None:
    rows = elements(api, "MEMBER_COUNTRY_V2")
    assert {row["pivotValues"][0].rsplit(":", 1)[0] for row in rows} == {"urn:li:geo"}
    assert all("conversionValueInLocalCurrency" not in row and row["impressions"] >= 3 for row in rows)
    days = {day_of(row) for row in rows}
    yesterday = api.world.now.date() - timedelta(days=1)
    assert max(days) == str(yesterday)  # it is noon: yesterday has just become known
    whole = {day_of(row): row["impressions"] for row in elements(api, "ACCOUNT")}
    shown = {day: sum(row["impressions"] for row in rows if day_of(row) == day) for day in days}
    assert all(whole[day] - 12 <= shown[day] <= whole[day] for day in days)


@pytest.mark.parametrize("pivot", ["MEMBER_JOB_TITLE", "IMPRESSION_DEVICE_TYPE"])
def test_a_pivot_that_the_world_cannot_fill_is_empty(api: Any, pivot: str) -> None:
    assert elements(api, pivot) == []


def test_without_fields_there_are_impressions_and_clicks(api: Any) -> None:
    rows = api.get("adAnalytics", query(api)).json()["elements"]
    assert {tuple(row) for row in rows} == {("impressions", "clicks")}


def test_counts_are_numbers_and_money_is_text(api: Any) -> None:
    row = elements(api, fields="clicks,costInLocalCurrency,costInUsd,likes,sends,averageDwellTime")[0]
    assert isinstance(row["clicks"], int)
    assert isinstance(row["costInLocalCurrency"], str)
    assert Decimal(row["costInUsd"]) == Decimal(row["costInLocalCurrency"])
    assert row["sends"] == 0
    assert "averageDwellTime" not in row


def test_other_accounts_and_none_give_nothing_rather_than_an_error(api: Any) -> None:
    meta = next(account.id for account in api.world.accounts.values() if account.platform == "meta")
    days = span(api.world.now.date() - timedelta(days=5))
    for account in (meta, "5"):
        facet = f"accounts=List(urn%3Ali%3AsponsoredAccount%3A{account})"
        response = api.get("adAnalytics", f"q=analytics&pivot=ACCOUNT&timeGranularity=DAILY&{days}&{facet}")
        assert response.json() == {"paging": {"start": 0, "count": 10, "links": []}, "elements": []}


def test_an_open_range_runs_until_today(api: Any) -> None:
    account = f"accounts=List(urn%3Ali%3AsponsoredAccount%3A{api.account})"
    days = span(api.world.now.date() - timedelta(days=5))
    open_ended = f"q=analytics&pivot=CAMPAIGN&timeGranularity=DAILY&{days}&{account}&fields={FIELDS}"
    assert api.get("adAnalytics", open_ended).json()["elements"] == elements(api)


def test_elements_can_be_sorted(api: Any) -> None:
    rows = elements(api, more="&sortBy=(field:COST_IN_LOCAL_CURRENCY,order:DESCENDING)")
    costs = [Decimal(row["costInLocalCurrency"]) for row in rows]
    assert costs == sorted(costs, reverse=True)


def test_reach_is_not_the_sum_of_its_days(api: Any) -> None:
    fields = f"{KEYS},approximateMemberReach"
    (whole,) = elements(api, "ACCOUNT", "ALL", fields=fields)
    daily = [row["approximateMemberReach"] for row in elements(api, "ACCOUNT", fields=fields)]
    assert max(daily) < whole["approximateMemberReach"] < sum(daily)
    assert api.get("adAnalytics", query(api, days=95) + f"&fields={fields}").status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        f"&fields={','.join(['impressions'] * 18 + KEYS.split(',') + ['clicks'])}",
        "&fields=pivot",
        "&fields=nonsense",
        "&sortBy=(field:NAME)",
        "&campaigns=List()",
        "&campaigns=List(urn%3Ali%3Aorganization%3A1)",
        "&surprise=1",
    ],
)
def test_what_analytics_does_not_know_is_refused(api: Any, more: str) -> None:
    assert api.get("adAnalytics", query(api, more=more)).status_code == 400


@pytest.mark.parametrize("missing", ["pivot", "timeGranularity", "dateRange", "accounts"])
def test_analytics_needs_its_parameters(api: Any, missing: str) -> None:
    parts = [part for part in query(api).split("&") if not part.startswith(f"{missing}=")]
    assert api.get("adAnalytics", "&".join(parts)).status_code == 400


def test_too_many_elements_are_refused_or_cut(make_api: Callable[..., Any]) -> None:
    refused = make_api(LinkedInOptions(element_limit=3))
    response = refused.get("adAnalytics", query(refused))
    assert (response.status_code, response.json()["message"]) == (400, "Request would return too many entities. ")
    cut = make_api(LinkedInOptions(element_limit=3, cut=True))
    assert len(elements(cut)) == 3


def test_metric_values_are_throttled_for_five_minutes(make_api: Callable[..., Any]) -> None:
    clock = [0.0]
    api = make_api(LinkedInOptions(value_limit=3 * len(elements(make_api())), clock=lambda: clock[0]))
    fields = f"&fields={KEYS},impressions,clicks"
    assert api.get("adAnalytics", query(api) + fields).status_code == 200
    response = api.get("adAnalytics", query(api) + fields)
    assert response.status_code == 429
    assert response.json()["message"].startswith("The data request limit has been exceeded.")
    assert "retry-after" not in response.headers
    clock[0] = 301.0
    assert api.get("adAnalytics", query(api) + fields).status_code == 200


def test_days_are_utc_and_spend_stays_near_the_budget(api: Any) -> None:
    api.request("POST", "/sandbox/clock", json={"advance_hours": 13})
    campaign = api.running()
    urn = f"urn%3Ali%3AsponsoredCampaign%3A{campaign.id}"
    rows = elements(api, more=f"&campaigns=List({urn})", days=1)
    assert {day_of(row) for row in rows} >= {"2026-07-01", "2026-06-30"}
    spent = max(Decimal(row["costInLocalCurrency"]) for row in rows)
    assert spent * 100 <= Decimal(campaign.daily_budget) * Decimal("1.25")


def test_conversions_arrive_in_past_days(api: Any) -> None:
    def bought() -> int:
        rows = elements(api, "ACCOUNT", days=int((api.world.now.date() - date(2026, 6, 24)).days))
        early = [row for row in rows if day_of(row) <= "2026-06-30"]
        return sum(row["externalWebsiteConversions"] for row in early)

    before = bought()
    api.request("POST", "/sandbox/clock", json={"advance_days": 6})
    assert bought() > before


def test_the_report_of_a_quiet_account_is_empty(api: Any) -> None:
    past = api.world.config.first_day - timedelta(days=30)
    account = f"accounts=List(urn%3Ali%3AsponsoredAccount%3A{api.account})"
    asked = f"q=analytics&pivot=ACCOUNT&timeGranularity=ALL&{span(past, past + timedelta(days=3))}&{account}"
    assert api.get("adAnalytics", asked).json()["elements"] == []
