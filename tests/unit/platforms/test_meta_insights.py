"""Insights: parsing, quarantine, paging, splitting, asynchronous reports."""

import json
from datetime import date, timedelta
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.errors import MalformedError, RejectedError, ReportFailedError, TransientError
from stakazo_pipelines.platforms.port import Account, Breakdown, InsightsQuery
from stakazo_pipelines.vocabulary import EntityStatus, Level

DAY = date(2026, 6, 1)
TOO_MUCH = httpx.Response(400, json={"error": {"message": "reduce", "code": 100, "error_subcode": 1487534}})


def answer(body, status=200):
    return httpx.Response(status, json=body)


def row(day="2026-06-01", ad="31", **more):
    base = {
        "account_id": "101",
        "campaign_id": "11",
        "adset_id": "21",
        "ad_id": ad,
        "date_start": day,
        "date_stop": day,
    }
    return {**base, "impressions": "10", "clicks": "1", "spend": "1.00", **more}


def page(*rows, after=None):
    paging = (
        {"cursors": {"after": after}, "next": "https://x/?access_token=t"} if after else {"cursors": {"after": "z"}}
    )
    return {"data": list(rows), "paging": paging}


def read(meta, account, handler, *, days=2, level=Level.AD, breakdowns=(), **options):
    query = InsightsQuery(account, level, DAY, DAY + timedelta(days - 1), tuple(breakdowns))
    return meta.run(handler, lambda platform: platform.insights(query), **options)


def only(meta, account, *rows, **options):
    return read(meta, account, lambda _: answer(page(*rows)), **options)


def span(request):
    asked = json.loads(request.url.params["time_range"])
    return date.fromisoformat(asked["since"]), date.fromisoformat(asked["until"])


def test_a_page_reads_as_unified_rows(meta, account, golden):
    result = read(meta, account, lambda _: answer(golden("insights_ad")))
    first, second = result.rows
    assert (first.day, first.campaign_id, first.ad_group_id, first.ad_id) == (DAY, "11", "21", "31")
    assert (first.impressions, first.clicks, first.link_clicks, first.reach) == (12034, 311, 240, 9800)
    assert (first.spend, first.conversions, first.conversions_value) == (Decimal("103.47"), 8, Decimal("450.55"))
    assert (first.video_plays, first.engagements, first.attribution_window) == (3100, 420, "7d_click")
    assert (second.conversions, second.conversions_value, second.video_plays) == (0, 0, 0)
    assert (second.link_clicks, second.reach, second.engagements) == (None, None, None)
    assert second.attribution_window == "7d_click_1d_view"
    assert result.quarantined == ()


def test_one_call_asks_for_a_range_by_day_without_ratios_or_token(meta, account):
    only(meta, account, days=28)
    assert meta.calls() == ["GET /v26.0/act_101/insights"]
    params = meta.requests[0].url.params
    assert (params["level"], params["time_increment"], params["limit"]) == ("ad", "1", "500")
    assert json.loads(params["time_range"]) == {"since": "2026-06-01", "until": "2026-06-28"}
    assert not {"cpc", "ctr", "cpm", "purchase_roas", "frequency"} & set(params["fields"].split(","))
    assert "access_token" not in params
    assert meta.requests[0].headers["authorization"].startswith("Bearer ")


def test_purchases_are_chosen_by_priority_and_never_added(meta, account):
    stats = [{"action_type": kind, "value": "5"} for kind in ("onsite_web_purchase", "purchase", "lead")]
    assert only(meta, account, row(actions=stats)).rows[0].conversions == 5
    assert only(meta, account, row(actions=stats[2:])).rows[0].conversions == 0


def test_levels_carry_the_ids_down_to_their_own(meta, account):
    reported = only(meta, account, {**row(), "campaign_name": "C"}, level=Level.CAMPAIGN).rows[0]
    assert (reported.campaign_id, reported.campaign_name, reported.ad_group_id, reported.ad_id) == (
        "11",
        "C",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"impressions": "many"}, "impressions"),
        ({"clicks": None}, "clicks"),
        ({"spend": "-1"}, "spend"),
        ({"spend": "1,50"}, "spend"),
        ({"ad_id": None}, "ad_id"),
        ({"account_id": "999"}, "account_id"),
        ({"date_start": None}, "date_start"),
        ({"date_start": "2026-07-01"}, "date_start"),
        ({"date_start": "01.06.2026"}, "date_start"),
        ({"date_stop": "2026-06-02"}, "date_stop"),
        ({"actions": "none"}, "actions"),
        ({"actions": [{"action_type": "purchase", "value": "x"}]}, "value"),
        ({"actions": [{"action_type": "lead"}, {"action_type": "lead"}]}, "actions"),
        ({"actions": [{"action_type": []}]}, "actions"),
        ({"reach": "?"}, "reach"),
    ],
)
def test_a_malformed_row_is_quarantined_and_the_others_go_on(meta, account, broken, field):
    result = only(meta, account, row(ad="1"), {**row(), **broken}, row(ad="2"))
    assert [good.ad_id for good in result.rows] == ["1", "2"]
    (bad,) = result.quarantined
    assert bad.field == field
    assert bad.reason
    assert bad.native["ad_id"] == {**row(), **broken}["ad_id"]
    assert "account 101" in bad.where


def test_what_is_no_object_is_quarantined(meta, account):
    assert only(meta, account, "row", row()).quarantined[0].reason == "not an object"


def test_a_page_sent_twice_counts_once(meta, account):
    pages = iter([page(row(ad="1"), after="a"), page(row(ad="1"), after="b"), page(row(ad="2"))])
    result = read(meta, account, lambda _: answer(next(pages)))
    assert [good.ad_id for good in result.rows] == ["1", "2"]
    assert "dropped" in result.quarantined[0].reason


def test_of_two_versions_of_a_row_neither_counts(meta, account):
    result = only(meta, account, row(), row(spend="2.00"), row(), row(day="2026-06-02"))
    assert [good.day for good in result.rows] == [date(2026, 6, 2)]
    assert len(result.quarantined) == 3


def test_pages_are_followed_by_cursor_even_past_an_empty_one(meta, account):
    pages = iter([page(row(ad="1"), after="a"), page(after="b"), page(row(ad="2"))])
    assert len(read(meta, account, lambda _: answer(next(pages))).rows) == 2
    assert [request.url.params.get("after") for request in meta.requests] == [None, "a", "b"]


def test_pages_in_a_circle_or_without_cursor_are_malformed(meta, account):
    with pytest.raises(MalformedError, match="already read"):
        read(meta, account, lambda _: answer(page(after="a")))
    with pytest.raises(MalformedError, match="no cursor"):
        read(meta, account, lambda _: answer({"data": [], "paging": {"next": "https://x"}}))
    with pytest.raises(MalformedError, match="no list of data"):
        read(meta, account, lambda _: answer({"rows": []}))


def test_breakdowns_become_segments(meta, account):
    found = only(meta, account, row(age="18-24", gender="female"), breakdowns=(Breakdown.AGE, Breakdown.GENDER))
    assert found.rows[0].segments == {Breakdown.AGE: "18-24", Breakdown.GENDER: "female"}
    assert json.loads(meta.requests[0].url.params["breakdowns"]) == ["age", "gender"]


def test_the_same_ad_in_two_segments_is_two_rows(meta, account):
    assert len(only(meta, account, row(age="18-24"), row(age="25-34"), breakdowns=(Breakdown.AGE,)).rows) == 2


def test_hours_are_two_digits_and_reach_is_not_asked_for(meta, account):
    key = "hourly_stats_aggregated_by_advertiser_time_zone"
    rows = [row(**{key: "13:00:00 - 13:59:59"}), row(**{key: "soon"})]
    result = only(meta, account, *rows, breakdowns=(Breakdown.HOUR,))
    assert result.rows[0].segments == {Breakdown.HOUR: "13"}
    assert result.quarantined[0].field == key
    assert "reach" not in meta.requests[0].url.params["fields"].split(",")


def test_a_late_conversion_without_its_segment_is_kept(meta, account):
    late, bad = row(impressions="0"), row(ad="32")
    result = only(meta, account, late, bad, breakdowns=(Breakdown.COUNTRY,))
    assert result.rows[0].segments == {Breakdown.COUNTRY: "unknown"}
    assert len(result.quarantined) == 1


def test_what_meta_cannot_answer_is_refused_without_a_call(meta, account):
    with pytest.raises(RejectedError, match="age with gender"):
        only(meta, account, breakdowns=(Breakdown.AGE, Breakdown.COUNTRY))
    with pytest.raises(RejectedError, match="level creative"):
        only(meta, account, level=Level.CREATIVE)
    with pytest.raises(RejectedError, match="before it begins"):
        only(meta, account, days=0)
    unknown = Account("101", "x", "XXX", "UTC", 0, EntityStatus.ACTIVE, problem="unknown currency")
    with pytest.raises(RejectedError, match="unknown currency"):
        only(meta, unknown)
    assert meta.requests == []


def limited_to(days):
    """A server that answers at most so many days at once, one row a day."""

    def handler(request):
        since, until = span(request)
        if (until - since).days >= days:
            return TOO_MUCH
        return answer(page(*(row(day=str(since + timedelta(n))) for n in range((until - since).days + 1))))

    return handler


@pytest.mark.parametrize("days", [1, 2, 5, 28])
def test_a_range_that_is_too_much_is_split_without_gap_or_overlap(meta, account, days):
    result = read(meta, account, limited_to(days), days=28)
    assert [good.day for good in result.rows] == [DAY + timedelta(n) for n in range(28)]
    assert result.quarantined == ()


def test_the_width_that_worked_is_used_for_the_next_query(meta, account):
    query = InsightsQuery(account, Level.AD, DAY, DAY + timedelta(27))

    async def twice(platform):
        await platform.insights(query)
        first = len(meta.requests)
        await platform.insights(query)
        return first, len(meta.requests) - first

    assert meta.run(limited_to(7), twice) == (7, 4)


def test_code_one_that_retries_do_not_cure_means_too_much(meta, account):
    def handler(request):
        since, until = span(request)
        if since != until:
            return answer({"error": {"message": "Please reduce", "code": 1}}, 500)
        return answer(page(row(day=str(since))))

    assert len(read(meta, account, handler).rows) == 2


def test_other_faults_that_retries_do_not_cure_are_not_split(meta, account):
    with pytest.raises(TransientError, match="gave up"):
        read(meta, account, lambda _: answer({"error": {"message": "busy", "code": 2}}, 500))
    assert len({str(request.url) for request in meta.requests}) == 1


def reporting(states, rows=()):
    """Synchronous answers are too much; jobs go through the states in turn."""
    left = list(states)

    def handler(request):
        if request.url.path.endswith("/act_101/insights"):
            return answer({"report_run_id": "77"}) if request.method == "POST" else TOO_MUCH
        if request.url.path.endswith("/77/insights"):
            return answer(page(*rows))
        state = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(state, httpx.Response):
            return state
        return answer({"id": "77", "async_status": state[0], "async_percent_completion": state[1]})

    return handler


def test_a_day_that_is_too_much_comes_by_asynchronous_report(meta, account):
    missing = answer({"error": {"message": "no such object", "code": 100, "error_subcode": 33}}, 400)
    states = [missing, ("Job Not Started", 0), ("Job Running", 40), ("Job Completed", 90), ("Job Completed", 100)]
    result = read(meta, account, reporting(states, [row()]), days=1)
    assert len(result.rows) == 1
    assert meta.calls().count("POST /v26.0/act_101/insights") == 1
    assert meta.clock.slept == sorted(meta.clock.slept)
    assert len(meta.clock.slept) == 4


def test_a_failed_job_is_started_once_more(meta, account):
    result = read(meta, account, reporting([("Job Failed", 0), ("Job Completed", 100)], [row()]), days=1)
    assert len(result.rows) == 1
    assert meta.calls().count("POST /v26.0/act_101/insights") == 2


def test_a_job_that_fails_twice_is_split_by_campaign(meta, account):
    jobs = reporting([("Job Failed", 0)])

    def handler(request):
        if request.method == "GET" and request.url.params.get("level") == "campaign":
            return answer(page(row(), row(campaign_id="12")))
        if request.url.path.split("/")[2] in ("11", "12"):
            return answer(page(row(ad=request.url.path.split("/")[2])))
        return jobs(request)

    assert [good.ad_id for good in read(meta, account, handler, days=1).rows] == ["11", "12"]


def test_an_account_report_that_fails_twice_says_so(meta, account):
    with pytest.raises(ReportFailedError, match="failed twice"):
        read(meta, account, reporting([("Job Failed", 0)]), days=1, level=Level.ACCOUNT)


def test_a_stuck_job_is_given_up(meta, account):
    with pytest.raises(ReportFailedError, match="account 101: report 77 is still 'Job Running'"):
        read(meta, account, reporting([("Job Running", 0)]), days=1, max_report_seconds=300.0)
    assert 300 <= sum(meta.clock.slept) <= 360


def test_throttling_waits_as_long_as_the_header_says(meta, account):
    usage = {"101": [{"type": "ads_insights", "call_count": 100, "estimated_time_to_regain_access": 3}]}
    error = {"error": {"message": "too many calls", "code": 80000, "error_subcode": 2446079}}
    answers = iter(
        [httpx.Response(400, json=error, headers={"x-business-use-case-usage": json.dumps(usage)}), answer(page(row()))]
    )
    assert len(read(meta, account, lambda _: next(answers)).rows) == 1
    assert meta.clock.slept == [180.0]


def test_a_torn_page_is_read_again(meta, account):
    answers = iter([httpx.Response(200, text='{"data":[{"account_id":"10'), answer(page(row()))])
    assert len(read(meta, account, lambda _: next(answers)).rows) == 1
