"""Insights: one walk a span, parsing, breakdowns, asynchronous reports for what is too long."""

import json
from datetime import date, timedelta
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.errors import MalformedError, RejectedError, ReportFailedError
from stakazo_pipelines.platforms.port import Breakdown, InsightsQuery
from stakazo_pipelines.vocabulary import Level

DAY = date(2026, 6, 1)
METRICS = {
    "spend": "1.00",
    "impressions": "10",
    "clicks": "1",
    "complete_payment": "1",
    "total_complete_payment_rate": "9.90",
    "campaign_id": "11",
    "campaign_name": "C",
    "adgroup_id": "21",
    "adgroup_name": "G",
    "ad_name": "A",
}


def row(day="2026-06-01 00:00:00", ad="31", dims=None, **metrics):
    return {"dimensions": {"ad_id": ad, "stat_time_day": day, **(dims or {})}, "metrics": {**METRICS, **metrics}}


def query(account, *, days=2, level=Level.AD, breakdowns=()):
    return InsightsQuery(account, level, DAY, DAY + timedelta(days - 1), tuple(breakdowns))


def read(tiktok, account, handler, *, max_report_seconds=3600.0, **options):
    asked = query(account, **options)
    return tiktok.run(handler, lambda platform: platform.insights(asked), max_report_seconds=max_report_seconds)


@pytest.fixture
def only(tiktok, account, page):
    return lambda *rows, **options: read(tiktok, account, lambda _: page(*rows), **options)


def test_a_page_reads_as_unified_rows(tiktok, account, golden, ok):
    result = read(tiktok, account, lambda _: ok(golden("report_ad")["data"]))
    assert result.quarantined == ()
    first = result.rows[0]
    assert (first.day, first.ad_id) == (DAY, "1801234567890123457")
    assert (first.campaign_id, first.ad_group_id) == ("1801234567890123001", "1801234567890123101")
    assert (first.campaign_name, first.ad_group_name, first.ad_name) == ("Spring", "Broad", "Film A")
    assert (first.impressions, first.clicks, first.reach, first.link_clicks) == (12034, 311, 9800, None)
    assert (first.spend, first.conversions, first.conversions_value) == (Decimal("103.47"), 8, Decimal("450.55"))
    assert (first.video_plays, first.engagements, first.attribution_window) == (3100, 420, "7d_click_1d_view")


def test_a_dash_is_not_reported_and_zero_is_zero(tiktok, account, golden, ok):
    second = read(tiktok, account, lambda _: ok(golden("report_ad")["data"])).rows[1]
    assert (second.reach, second.engagements, second.campaign_name) == (None, None, None)
    assert (second.video_plays, second.spend, second.conversions, second.conversions_value) == (0, 0, 0, 0)


def test_one_call_asks_for_thirty_days_with_names_and_deleted_ones_and_without_ratios(tiktok, account, page):
    read(tiktok, account, lambda _: page(), days=30)
    assert tiktok.calls() == ["GET report/integrated/get/"]
    params = dict(tiktok.requests[0].url.params)
    metrics = json.loads(params.pop("metrics"))
    assert {"campaign_id", "campaign_name", "adgroup_id", "adgroup_name", "ad_name", "spend", "reach"} <= set(metrics)
    assert not {"ctr", "cpc", "cpm", "conversion_rate", "complete_payment_roas", "frequency"} & set(metrics)
    assert params == {
        "advertiser_id": "7001",
        "report_type": "BASIC",
        "data_level": "AUCTION_AD",
        "dimensions": '["ad_id","stat_time_day"]',
        "start_date": "2026-06-01",
        "end_date": "2026-06-30",
        "filtering": '[{"field_name":"ad_status","filter_type":"IN","filter_value":"[\\"STATUS_ALL\\"]"}]',
        "page": "1",
        "page_size": "1000",
    }


def test_longer_ranges_are_cut_into_spans_of_thirty_days_and_hours_into_days(tiktok, account, page):
    read(tiktok, account, lambda _: page(), days=61)
    read(tiktok, account, lambda _: page(), days=2, breakdowns=[Breakdown.HOUR])
    spans = [(request.url.params["start_date"], request.url.params["end_date"]) for request in tiktok.requests]
    assert spans == [
        ("2026-06-01", "2026-06-30"),
        ("2026-07-01", "2026-07-30"),
        ("2026-07-31", "2026-07-31"),
        ("2026-06-01", "2026-06-01"),
        ("2026-06-02", "2026-06-02"),
    ]


def test_levels_carry_the_ids_down_to_their_own(tiktok, account, page):
    metrics = {**METRICS, "campaign_name": "C"}
    at = {"campaign_id": "11", "stat_time_day": "2026-06-02 00:00:00"}
    (reported,) = read(
        tiktok, account, lambda _: page({"dimensions": at, "metrics": metrics}), level=Level.CAMPAIGN
    ).rows
    assert (reported.campaign_id, reported.campaign_name, reported.ad_group_id, reported.ad_id) == (
        "11",
        "C",
        None,
        None,
    )
    whole = {"advertiser_id": "7001", "stat_time_day": "2026-06-02 00:00:00"}
    (total,) = read(
        tiktok, account, lambda _: page({"dimensions": whole, "metrics": METRICS}), level=Level.ACCOUNT
    ).rows
    assert (total.campaign_id, total.ad_id, total.spend) == (None, None, 1)
    assert "filtering" not in tiktok.requests[-1].url.params


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (row(impressions="many"), "impressions"),
        (row(clicks="-"), "clicks"),
        (row(spend="-"), "spend"),
        (row(spend="-1"), "spend"),
        (row(spend="1,50"), "spend"),
        (row(complete_payment=None), "complete_payment"),
        (row(campaign_id="-"), "campaign_id"),
        (row(adgroup_id=None), "adgroup_id"),
        (row(reach="?"), "reach"),
        (row(ad=""), "ad_id"),
        (row(day="2026-07-01 00:00:00"), "stat_time_day"),
        (row(day="2026-06-01 13:00:00"), "stat_time_day"),
        (row(day="2026-06-01T00:00:00"), "stat_time_day"),
        (row(day=None), "stat_time_day"),
        ({"dimensions": {}, "metrics": METRICS}, "stat_time_day"),
        ({"metrics": METRICS}, "dimensions"),
        ({"dimensions": row()["dimensions"], "metrics": []}, "metrics"),
        ("row", ""),
    ],
)
def test_a_malformed_row_is_quarantined_and_the_others_go_on(only, broken, field):
    result = only(row(ad="1"), broken, row(ad="2"))
    assert [good.ad_id for good in result.rows] == ["1", "2"]
    (bad,) = result.quarantined
    assert (bad.field, bad.native) == (field, broken)
    assert bad.reason
    assert "account 7001" in bad.where


def test_a_row_of_another_advertiser_is_quarantined(tiktok, account, page):
    foreign = {"dimensions": {"advertiser_id": "9", "stat_time_day": "2026-06-01 00:00:00"}, "metrics": METRICS}
    result = read(tiktok, account, lambda _: page(foreign), level=Level.ACCOUNT)
    assert (result.rows, result.quarantined[0].field) == ((), "advertiser_id")


def test_of_two_versions_of_a_row_neither_counts(only):
    result = only(row(), row(spend="2.00"), row(day="2026-06-02 00:00:00"), row(ad="32"))
    assert sorted(good.ad_id for good in result.rows) == ["31", "32"]
    assert len(result.quarantined) == 2


def test_breakdowns_become_segments_in_the_words_of_all_platforms(tiktok, only):
    found = only(
        row(dims={"age": "AGE_18_24", "gender": "FEMALE"}),
        row(dims={"age": "AGE_55_100", "gender": "MALE"}),
        row(dims={"age": "NONE", "gender": "-"}),
        breakdowns=(Breakdown.AGE, Breakdown.GENDER),
    )
    assert [tuple(one.segments.values()) for one in found.rows] == [
        ("18-24", "female"),
        ("55+", "male"),
        ("unknown", "unknown"),
    ]
    params = tiktok.requests[0].url.params
    assert params["report_type"] == "AUDIENCE"
    assert json.loads(params["dimensions"]) == ["ad_id", "stat_time_day", "age", "gender"]


def test_countries_stay_codes_and_a_missing_segment_is_quarantined(only):
    found = only(row(dims={"country_code": "DE"}), row(ad="32"), breakdowns=(Breakdown.COUNTRY,))
    assert found.rows[0].segments == {Breakdown.COUNTRY: "DE"}
    assert found.quarantined[0].field == "country_code"


def test_hours_are_two_digits(tiktok, account, page):
    rows = [
        row(dims={"stat_time_hour": f"2026-06-01 {clock}"}, ad=str(at))
        for at, clock in enumerate(["13:00:00", "24:00:00", ""])
    ]
    result = read(tiktok, account, lambda _: page(*rows), days=1, breakdowns=(Breakdown.HOUR,))
    assert [(good.day, good.segments) for good in result.rows] == [(DAY, {Breakdown.HOUR: "13"})]
    assert [bad.field for bad in result.quarantined] == ["stat_time_hour"] * 2
    params = tiktok.requests[0].url.params
    assert (params["report_type"], params["dimensions"]) == ("BASIC", '["ad_id","stat_time_hour"]')


def test_what_tiktok_cannot_answer_is_refused_without_a_call(tiktok, account, page):
    refused = [
        {"breakdowns": (Breakdown.AGE, Breakdown.COUNTRY)},
        {"breakdowns": (Breakdown.PLACEMENT,)},
        {"breakdowns": (Breakdown.AGE, Breakdown.AGE)},
        {"level": Level.CREATIVE},
        {"days": 0},
    ]
    for options in refused:
        with pytest.raises(RejectedError):
            read(tiktok, account, lambda _: page(), **options)
    assert tiktok.requests == []


# Asynchronous reports ---------------------------------------------------------------------------------------------

HEADER = ",".join(["ad_id", "stat_time_day", *METRICS])


def csv(*rows):
    return "\r\n".join([HEADER, *rows]) + "\r\n"


def line(day, ad="31"):
    return f'{ad},{day} 00:00:00,1.00,10,1,1,9.90,11,"C, with comma",21,G,A'


class Server:
    """Too many rows for pages; tasks go through `states` in turn, then `files` are what is downloaded."""

    def __init__(self, ok, states, files, *, total=200_000, pages=200, header=False):
        self.ok = ok
        self.states = list(states)
        self.files = list(files)
        self.total, self.pages = total, pages
        self.header = {"x_tt_ads_throttle": "1"} if header else {}
        self.tasks = 0

    def __call__(self, request):
        path = request.url.path.removeprefix("/open_api/v1.3/")
        if path == "report/integrated/get/":
            info = {"page": 1, "page_size": 1000, "total_number": self.total, "total_page": self.pages}
            return self.ok({"list": [], "page_info": info}, **self.header)
        if path == "report/task/create/":
            self.tasks += 1
            return self.ok({"task_id": str(self.tasks)})
        if path == "report/task/check/":
            return self.ok({"status": self.states.pop(0) if len(self.states) > 1 else self.states[0]})
        found = self.files.pop(0) if len(self.files) > 1 else self.files[0]
        return (
            httpx.Response(200, text=found, headers={"content-type": "text/csv"}) if isinstance(found, str) else found
        )


def test_a_query_cut_at_twenty_thousand_ids_comes_by_task(tiktok, account, ok):
    server = Server(ok, ["QUEUING", "PROCESSING", "SUCCESS"], [csv(line(DAY))], total=1, header=True)
    (reported,) = read(tiktok, account, server).rows
    assert (reported.ad_id, reported.campaign_name, reported.spend) == ("31", "C, with comma", 1)
    (body,) = tiktok.bodies("report/task/create/")
    assert body["enable_report_title_translation"] is False
    assert (body["advertiser_id"], body["output_format"]) == ("7001", "CSV_STRING")
    assert "filtering" not in body
    assert len(tiktok.clock.slept) == 2


def test_too_many_pages_come_by_task_and_a_short_file_is_downloaded_again(tiktok, account, ok):
    lines = [line(DAY, str(ad)) for ad in range(50)]
    server = Server(
        ok, ["SUCCESS"], [csv(*lines[:-3]), ok(code=40201, message="not ready"), csv(*lines)], total=50, pages=101
    )
    assert len(read(tiktok, account, server).rows) == 50


def test_a_file_that_stays_too_short_fails_loudly(tiktok, account, ok):
    with pytest.raises(MalformedError, match="has 1 whole rows of at least 200000"):
        read(tiktok, account, Server(ok, ["SUCCESS"], [csv(line(DAY))]))


def test_a_torn_line_of_a_file_is_quarantined(tiktok, account, ok):
    server = Server(ok, ["SUCCESS"], [csv(line(DAY), "32,2026-06-01 00")], total=1, header=True)
    result = read(tiktok, account, server)
    assert (len(result.rows), len(result.quarantined)) == (1, 1)


def test_a_failed_task_is_started_once_more_then_the_range_is_halved(tiktok, account, ok):
    states = ["FAILED", "CANCELED", "SUCCESS", "SUCCESS"]
    files = [csv(line(DAY)), csv(line(DAY + timedelta(1)))]
    server = Server(ok, states, files, total=1, header=True)
    assert [good.day for good in read(tiktok, account, server).rows] == [DAY, DAY + timedelta(1)]
    spans = [(body["start_date"], body["end_date"]) for body in tiktok.bodies("report/task/create/")]
    both = ("2026-06-01", "2026-06-02")
    assert spans == [both, both, ("2026-06-01", "2026-06-01"), ("2026-06-02", "2026-06-02")]


def test_a_day_whose_task_fails_twice_says_so(tiktok, account, ok):
    with pytest.raises(ReportFailedError, match="failed twice"):
        read(tiktok, account, Server(ok, ["FAILED"], [""], header=True), days=1)


def test_a_stuck_task_is_given_up(tiktok, account, ok):
    server = Server(ok, ["PROCESSING"], [""], header=True)
    with pytest.raises(ReportFailedError, match="still 'PROCESSING'"):
        read(tiktok, account, server, max_report_seconds=300.0)
    assert 300 <= sum(tiktok.clock.slept) <= 360


def test_a_task_in_an_unknown_state_is_malformed(tiktok, account, ok):
    with pytest.raises(MalformedError, match="unknown state"):
        read(tiktok, account, Server(ok, ["DREAMING"], [""], header=True))
