"""The track record in the lake: scored once matured, kept, and waited for where reports are late."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from dagster import asset, materialize

from assets.partitions import RANGE_RUNS, REPORT_DAYS
from assets.track_record import track_record
from resources import LakeResource, PolicyResource
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.cycle.track_record import MATURED_AFTER, SCORES, matured_scores
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lake.files import write_frame
from stakazo_pipelines.marts.tables import MART_SCHEMAS, day_file
from stakazo_pipelines.measurement.calibrated import calibrated
from stakazo_pipelines.measurement.estimate import SCHEMA
from stakazo_pipelines.measurement.incrementality import Factors
from stakazo_pipelines.policy import Policy

MADE = date(2026, 3, 2)
TODAY = MADE + timedelta(days=MATURED_AFTER)
ARMS, ACCOUNTS, ROAS = 40, 4, 2.0
MART = "ad_reporting__ad_group_report"


def reports(lake, first, last, *, age=28, roas=ROAS):
    """Ad group days of imported accounts (no entities) at that age."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        rng = np.random.default_rng(day.toordinal())
        count = rng.poisson(5.0, ARMS).astype(float)
        own = {
            "date_day": [day] * ARMS,
            "platform": ["meta"] * ARMS,
            "account_id": [f"acc{index % ACCOUNTS}" for index in range(ARMS)],
            "campaign_id": ["c"] * ARMS,
            "ad_group_id": [f"g{index}" for index in range(ARMS)],
            "currency": ["USD"] * ARMS,
            "age_days": [age] * ARMS,
            "impressions": [1000] * ARMS,
            "spend": [100.0] * ARMS,
            "conversions": count,
            "conversions_value": count * 20.0 * roas,
        }
        blank = dict.fromkeys(MART_SCHEMAS[MART]) | own
        frame = pl.DataFrame(blank, strict=False).cast(pl.Schema(dict(MART_SCHEMAS[MART])))
        write_frame(day_file(lake, MART, day), frame)


def publish(lake, day, *, roas=ROAS):
    """Estimates as on that day, right about the mean."""
    columns = dict.fromkeys(SCHEMA) | {
        "arm_id": [f"g{index}" for index in range(ARMS)],
        "account_id": [f"acc{index % ACCOUNTS}" for index in range(ARMS)],
        "campaign_id": "c", "platform": "meta", "currency": "USD", "as_of": day + timedelta(days=1), "state": "ok",
        "budget": 100.0, "days": 60, "conversions": 300.0, "spend": 6000.0, "last_day": day, "maturity": 1.0,
        "roas": roas, "roas_low": roas * 0.9, "roas_high": roas * 1.1,
        "ref_spend": 100.0, "log_value_mean": float(np.log(100 * roas)), "log_value_sd": 0.05,
        "elasticity_mean": 0.6, "elasticity_sd": 0.1, "curve_corr": 0.0,
    }  # fmt: skip
    frame = pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    lake.write_asset(ESTIMATES, day, frame)


@asset(deps=[track_record], partitions_def=REPORT_DAYS, backfill_policy=RANGE_RUNS)
def below() -> None:
    """Stands for the allocation."""


@pytest.fixture
def lake(tmp_path):
    opened = Lake(tmp_path / "lake")
    reports(opened, MADE - timedelta(days=40), MADE + timedelta(days=7))
    return opened


def test_an_estimate_is_scored_on_the_day_that_its_truth_matures_and_not_before(lake):
    publish(lake, MADE)
    assert matured_scores(lake, Policy(), TODAY - timedelta(days=1)).is_empty()
    scores = matured_scores(lake, Policy(), TODAY)
    assert scores.height == ARMS
    assert scores["covered_90"].mean() > 0.75
    assert lake.asset_days(SCORES) == [MADE]


def test_estimates_that_lift_tests_made_incremental_are_scored_as_what_reports_tell(lake):
    publish(lake, MADE)
    plain = matured_scores(lake, Policy(), TODAY)
    factors = Factors(np.full(ARMS, -0.7), np.full(ARMS, 0.09), np.ones(ARMS, dtype=np.int64), told=True)
    published = lake.read_asset(ESTIMATES, MADE)
    lake.write_asset(ESTIMATES, MADE, calibrated(published, factors, target=1.0))
    scores = matured_scores(lake, Policy(), TODAY)
    assert scores["covered_90"].mean() == plain["covered_90"].mean()
    for name in ("predicted_roas", "published_roas", "published_low", "published_high"):
        np.testing.assert_allclose(scores[name], plain[name], rtol=1e-6, err_msg=name)


def test_missed_days_are_caught_up_and_scored_ones_are_kept(lake):
    for back in (0, 3, 9):
        publish(lake, MADE - timedelta(days=back))
    scores = matured_scores(lake, Policy(), TODAY)
    assert scores["day"].n_unique() == 3
    old = MADE - timedelta(days=9)
    lake.write_asset(SCORES, old, lake.read_asset(SCORES, old).head(5))
    again = matured_scores(lake, Policy(), TODAY)
    assert again.filter(pl.col("day") == old).height == 5


def test_what_is_older_than_the_window_is_no_longer_looked_at(lake):
    publish(lake, MADE)
    window = Policy().track_record.window_days
    assert matured_scores(lake, Policy(), TODAY + timedelta(days=window)).is_empty()


def test_reports_that_are_not_mature_yet_are_waited_for(lake):
    publish(lake, MADE)
    reports(lake, MADE + timedelta(days=7), MADE + timedelta(days=7), age=14)
    assert matured_scores(lake, Policy(), TODAY).is_empty()
    assert lake.asset_days(SCORES) == []
    reports(lake, MADE + timedelta(days=7), MADE + timedelta(days=7), age=28)
    assert matured_scores(lake, Policy(), TODAY + timedelta(days=2)).height == ARMS


@pytest.fixture
def run(lake, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("")

    def once(day):
        resources = {"lake": LakeResource(root=str(lake.root)), "policy": PolicyResource(path=str(path))}
        result = materialize(
            [track_record, below], partition_key=day.isoformat(), resources=resources, raise_on_error=False
        )
        (check,) = result.get_asset_check_evaluations()
        assert bool(result.asset_materializations_for_node("below")) == check.passed
        return check, result.asset_materializations_for_node("track_record")[0].metadata

    return once


def test_in_the_first_weeks_the_check_passes_and_says_that_nothing_has_matured(run):
    check, metadata = run(TODAY)
    assert check.passed
    assert "no estimate has matured yet" in metadata["standing"].value
    assert metadata["coverage_over_time"].value.startswith("![Coverage")


def test_a_collapse_of_coverage_fails_the_check_that_blocks(lake, run):
    for week in range(4):
        publish(lake, MADE - timedelta(days=7 * week), roas=6.0)
    check, metadata = run(TODAY)
    assert not check.passed
    assert check.blocking
    assert "meta: coverage has collapsed" in metadata["standing"].value
    assert metadata["intervals_scored"].value == 4 * ARMS


def test_good_intervals_pass_the_check(lake, run):
    for week in range(4):
        publish(lake, MADE - timedelta(days=7 * week))
    check, metadata = run(TODAY)
    assert check.passed
    assert "coverage holds" in metadata["standing"].value
