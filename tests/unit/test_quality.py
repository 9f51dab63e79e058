"""The checks give back exactly the rows that offend."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.quality import disordered, duplicated, negative, out_of_bounds, readiness, unreconciled

DAY = date(2026, 6, 29)


def report(*rows: tuple[str, int, float], reported_level: str = "account") -> pl.DataFrame:
    """Rows of (account, days before DAY, spend)."""
    return pl.DataFrame(
        [("meta", account, DAY - timedelta(days=back), spend, reported_level) for account, back, spend in rows],
        schema={
            "platform": pl.String,
            "account_id": pl.String,
            "date_day": pl.Date,
            "spend": pl.Float64,
            "reported_level": pl.String,
        },
        orient="row",
    )


def ready(account: pl.DataFrame, ads: pl.DataFrame, tolerance: float = 0.01) -> dict[str, str]:
    verdicts = readiness(account, {"ads": ads}, day=DAY, tolerance=tolerance, max_age_days=3)
    assert (verdicts["ready"] == (verdicts["reason"] == "")).all()
    return dict(zip(verdicts["account_id"], verdicts["reason"], strict=True))


def test_both_of_two_rows_with_one_key_are_shown():
    rows = report(("a", 0, 1.0), ("a", 0, 2.0), ("b", 0, 3.0))
    assert duplicated(rows, keys=["date_day", "account_id"])["spend"].to_list() == [1.0, 2.0]


def test_a_negative_measure_is_shown_and_a_missing_one_is_not():
    rows = pl.DataFrame({"spend": [1.0, -0.01, None], "clicks": [1, 1, 1]})
    assert negative(rows)["spend"].to_list() == [-0.01]


def test_an_estimate_outside_its_interval_below_zero_or_doubled_is_shown_and_a_missing_one_is_not():
    rows = [("fine", 1.0, 0.5, 2.0), ("under", 0.4, 0.5, 2.0), ("over", 2.1, 0.5, 2.0), ("negative", 1.0, -0.1, 2.0)]
    rows += [("twice", 1.0, 0.5, 2.0), ("twice", 1.0, 0.5, 2.0), ("missing", None, None, None)]
    estimates = pl.DataFrame(rows, schema=["arm_id", "roas", "roas_low", "roas_high"], orient="row")
    shown = disordered(estimates.with_columns(platform=pl.lit("meta"), account_id=pl.lit("1")))
    assert shown["arm_id"].to_list() == ["under", "over", "negative", "twice", "twice"]


def test_ads_that_add_up_to_their_account_are_no_gap():
    assert unreconciled(report(("a", 0, 10.0)), report(("a", 0, 4.0), ("a", 0, 6.0)), tolerance=0).is_empty()


def test_a_gap_is_a_fraction_of_the_larger_side():
    gaps = unreconciled(report(("a", 0, 10.0)), report(("a", 0, 8.0)), tolerance=0.1)
    assert gaps["gap"].to_list() == [0.2]


def test_a_day_that_one_grain_lacks_is_a_whole_gap():
    gaps = unreconciled(report(("a", 0, 10.0)), report(("a", 1, 10.0)), tolerance=0.5)
    assert gaps["gap"].to_list() == [1.0, 1.0]


def test_a_day_without_spend_on_either_side_is_no_gap():
    assert unreconciled(report(("a", 0, 0.0)), report(), tolerance=0).is_empty()


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1))
def test_a_gap_within_the_tolerance_is_never_shown(account, ads, tolerance):
    shown = unreconciled(report(("a", 0, account)), report(("a", 0, ads)), tolerance=tolerance)
    larger = max(account, ads)
    assert shown.is_empty() == (larger == 0 or abs(account - ads) / larger <= tolerance)


def budgets(*pairs: tuple[float, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"platform": "meta", "account_id": "a", "current_budget": now, "proposed_budget": then} for now, then in pairs]
    )


def test_a_step_of_just_the_cap_is_allowed_and_a_larger_one_is_shown():
    moves = budgets((100.0, 120.0), (100.0, 80.0), (100.0, 79.9), (100.0, 100.0))
    assert out_of_bounds(moves, step_cap=0.2, growth=1.0)["proposed_budget"].to_list() == [79.9]


def test_an_account_whose_total_grows_is_shown_whole():
    assert out_of_bounds(budgets((100.0, 110.0), (100.0, 95.0)), step_cap=0.2, growth=0.0001).height == 2


def test_a_proposal_of_nothing_is_shown():
    assert out_of_bounds(budgets((100.0, 0.0)), step_cap=1.0, growth=0.0).height == 1
    assert out_of_bounds(budgets((100.0, None), (100.0, 100.0)), step_cap=1.0, growth=0.0).height == 1


def test_an_account_with_recent_and_reconciled_days_is_ready():
    rows = report(("a", 0, 10.0), ("a", 1, 10.0))
    assert ready(rows, rows) == {"a": ""}


def test_an_account_that_stopped_reporting_is_not_ready_and_says_since_when():
    rows = report(("a", 4, 10.0), ("b", 3, 10.0))
    assert ready(rows, rows) == {"a": "last report is of 2026-06-25, 4 days before", "b": ""}


def test_one_day_that_does_not_add_up_keeps_only_its_own_account_back():
    account, ads = report(("a", 0, 10.0), ("b", 0, 10.0)), report(("a", 0, 10.0), ("b", 0, 9.0))
    assert ready(account, ads) == {"a": "", "b": "ads and account totals differ by 10.0 %"}


def test_the_widest_gap_of_any_grain_is_told():
    account, campaigns, ads = report(("a", 0, 10.0)), report(("a", 0, 7.0)), report(("a", 0, 9.0))
    verdicts = readiness(account, {"campaigns": campaigns, "ads": ads}, day=DAY, tolerance=0.01, max_age_days=3)
    assert verdicts["reason"].to_list() == ["campaigns and account totals differ by 30.0 %"]
    assert verdicts["gap"].to_list() == [0.3]


def test_an_export_without_ads_has_nothing_to_be_compared_with():
    summed = report(("a", 0, 10.0), reported_level="ad_group")
    assert ready(summed, report()) == {"a": ""}


def test_ads_that_were_not_fetched_beside_the_account_make_it_unready():
    assert "100.0 %" in ready(report(("a", 0, 10.0)), report())["a"]


def test_no_report_at_all_makes_nobody_ready():
    assert ready(report(), report()) == {}


def snapshots(*rows: tuple[str, str | None, datetime]) -> pl.DataFrame:
    """Rows of (account, time zone, when its snapshot was taken)."""
    columns = ("account_id", "timezone", "fetched_at")
    return pl.DataFrame([dict(zip(columns, row, strict=True)) | {"platform": "meta"} for row in rows])


def ready_with(known: pl.DataFrame) -> dict[str, str]:
    rows = report(("a", 0, 10.0))
    verdicts = readiness(rows, {"ads": rows}, day=DAY, tolerance=0.01, max_age_days=3, known=known)
    return dict(verdicts.select("account_id", "reason").iter_rows())


def test_an_account_that_exists_but_reported_nothing_lately_is_not_ready():
    noon = datetime(2026, 6, 30, 12, tzinfo=UTC)
    assert ready_with(snapshots(("a", "UTC", noon), ("b", "UTC", noon))) == {
        "a": "",
        "b": "no report in the 7 days up to 2026-06-29",
    }


def test_budgets_that_were_not_read_since_the_day_ended_are_not_acted_upon():
    midnight = datetime(2026, 6, 30, tzinfo=UTC)
    assert ready_with(snapshots(("a", "Europe/Berlin", midnight))) == {"a": ""}
    assert ready_with(snapshots(("a", "America/New_York", midnight))) == {
        "a": "its budgets were last read on 2026-06-30 00:00 UTC, before the day had ended"
    }


def test_a_snapshot_whose_time_zone_is_none_keeps_only_its_own_account_back():
    noon = datetime(2026, 6, 30, 12, tzinfo=UTC)
    rows = report(("a", 0, 10.0), ("b", 0, 10.0))
    for zone in ("Mars/Olympus", None):
        known = snapshots(("a", zone, noon), ("b", "UTC", noon))
        verdicts = readiness(rows, {"ads": rows}, day=DAY, tolerance=0.01, max_age_days=3, known=known)
        assert verdicts["ready"].to_list() == [False, True]
        assert "unknown time zone" in verdicts["reason"][0]
