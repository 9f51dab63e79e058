"""Scores of published intervals: right where they are right, and a collapse is told from bad luck."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.scoring.noise import learn_noise
from stakazo_pipelines.scoring.predictive import Noise, with_noise
from stakazo_pipelines.scoring.record import (
    LEVELS,
    SCORES_SCHEMA,
    by_day,
    by_group,
    matured,
    score_intervals,
    standing,
)

SETTINGS = {"min_scored": 50, "least": 0.7, "confidence": 0.99}


def scored(made):
    return score_intervals(made.estimates, made.reports, day=made.day, seed=1)


def weeks(published, count, **options):
    """Scores of estimates made a week apart."""
    first = published().day
    made = [published(day=first + timedelta(days=7 * week), seed=week, **options) for week in range(count)]
    return pl.concat(scored(one) for one in made)


@pytest.mark.parametrize("rate", [0.1, 1.0, 20.0])
def test_honest_intervals_cover_what_they_say_however_few_the_conversions(published, rate):
    scores = scored(published(rate=rate, arms=1500))
    assert scores.height == 1500
    for level in LEVELS:
        assert scores[f"covered_{level * 100:.0f}"].mean() == pytest.approx(level, abs=0.04)


def test_an_interval_is_read_at_the_spend_that_came(published):
    for moved in (0.5, 2.0):
        scores = scored(published(moved=moved, arms=800))
        assert scores["covered_90"].mean() == pytest.approx(0.9, abs=0.04)
        assert by_group(scores)["bias"][0] == pytest.approx(0.0, abs=0.05)
        # Less is earned per unit where more is spent: at the budget's own ROAS the same arms would look biased.
        naive = (scores["published_roas"].sum() / scores["realised_roas"].sum()) - 1
        assert abs(naive) > 0.15


def test_too_narrow_and_biased_intervals_are_seen(published):
    narrow = scored(published(sd=0.6, believed_sd=0.05, rate=50, arms=600))
    assert narrow["covered_90"].mean() < 0.5
    high = by_group(scored(published(error=0.4, rate=50)))
    assert high["bias"][0] == pytest.approx(np.exp(0.4) - 1, abs=0.08)
    assert high["crps"][0] > by_group(scored(published(rate=50)))["crps"][0]


def test_nothing_is_scored_before_the_truth_has_matured(published):
    assert scored(published(age=27)).is_empty()
    made = published()
    without_the_last = made.reports.filter(pl.col("date_day") < made.day + timedelta(days=7))
    assert score_intervals(made.estimates, without_the_last, day=made.day, seed=1).is_empty()


def test_an_account_that_is_late_does_not_hold_up_the_others(published):
    made = published()
    late = pl.when((pl.col("account_id") == "acc0") & (pl.col("date_day") == made.day + timedelta(days=7))).then(20)
    reports = made.reports.with_columns(age_days=late.otherwise("age_days"))
    found = score_intervals(made.estimates, reports, day=made.day, seed=1)
    assert set(found["account_id"]) == {"acc1", "acc2"}


def test_an_arm_that_was_paused_or_without_value_is_not_scored(published):
    made = published()
    paused = (pl.col("arm_id") == "a0") & (pl.col("date_day") > made.day + timedelta(days=3))
    estimates = made.estimates.frame.with_columns(
        log_value_mean=pl.when(pl.col("arm_id") == "a1").then(None).otherwise("log_value_mean")
    )
    found = score_intervals(type(made.estimates)(estimates), made.reports.filter(~paused), day=made.day, seed=1)
    assert {"a0", "a1"}.isdisjoint(found["arm_id"])
    assert found.height == made.estimates.frame.height - 2


def test_many_arms_are_sampled(published):
    assert scored(published(arms=2500, rate=0.5)).height == 2000


def test_a_week_of_an_arm_is_added_up_day_by_day(published):
    made = published(arms=3)
    row = matured(made.reports, made.day).row(0, named=True)
    assert sum(row[f"spend_{day}"] for day in range(1, 8)) == pytest.approx(row["spend_came"])
    assert row["delivered_days"] == 7


def test_the_noise_of_reports_is_learned_from_them(published):
    made = published(arms=400, rate=15.0)
    noise = learn_noise(made.reports, made.estimates.frame)
    assert noise.dispersion == pytest.approx(0.15, abs=0.04)
    assert noise.value_cv == pytest.approx(0.7, abs=0.1)
    assert float(np.median(noise.unit_value)) == pytest.approx(40.0, rel=0.05)


def test_with_too_little_to_learn_from_the_defaults_stand(published):
    made = published(arms=2)
    few = made.reports.filter(pl.col("date_day") > made.day + timedelta(days=5))
    noise = learn_noise(few, made.estimates.frame)
    assert (noise.dispersion, noise.value_cv) == (0.1, 0.8)
    nobody = learn_noise(few.clear(), made.estimates.frame)
    assert np.isnan(nobody.unit_value).all()


def test_noise_keeps_the_mean_and_has_the_stated_variance():
    rng = np.random.default_rng(5)
    noise = Noise(dispersion=0.2, value_cv=0.5, unit_value=np.array([10.0]))
    drawn = with_noise(np.full((200_000, 1), 300.0), np.array([7.0]), noise, rng)
    mean_count = 30.0
    variance = 100 * (mean_count * (1 + 0.25) + 0.2 / 7 * mean_count**2)
    assert drawn.mean() == pytest.approx(300.0, rel=0.01)
    assert drawn.var() == pytest.approx(variance, rel=0.03)


def test_figures_stand_by_platform_state_and_age_under_those_of_all(published):
    made = scored(published())
    tiktok = made.with_columns(platform=pl.lit("tiktok"), history_days=pl.lit(5, dtype=pl.Int64))
    groups = by_group(pl.concat([made, tiktok]))
    assert groups["platform"].to_list() == ["all", "meta", "tiktok", "meta", "tiktok"]
    assert groups["intervals"].to_list() == [600, 300, 300, 300, 300]
    assert groups["history"].to_list()[3:] == ["14 days or more", "under 14 days"]
    assert by_day(made)["intervals"].to_list() == [300]


def test_without_any_score_there_is_nothing_to_judge():
    none = pl.DataFrame(schema=SCORES_SCHEMA)
    assert by_group(none).is_empty()
    assert by_day(none).is_empty()
    assert standing(none, **SETTINGS) == []


def test_honest_intervals_never_count_as_collapsed(published):
    (meta,) = standing(weeks(published, 4, arms=100), **SETTINGS)
    assert not meta.collapsed
    assert meta.scored == 400
    assert "holds" in str(meta)


def test_a_collapse_is_seen_with_confidence_and_not_before_there_is_enough(published):
    broken = weeks(published, 4, arms=100, sd=0.8, believed_sd=0.03, rate=50)
    (meta,) = standing(broken, **SETTINGS)
    assert meta.collapsed
    assert meta.highest < 0.7
    assert "has collapsed" in str(meta)
    (few,) = standing(broken.head(20), **SETTINGS)
    assert not few.collapsed
    assert "too few" in str(few)
    assert standing(broken.with_columns(state=pl.lit("insufficient")), **SETTINGS) == []


def test_one_bad_week_of_a_few_accounts_is_not_a_collapse(published):
    good, bad = weeks(published, 3, arms=60), published(seed=9, arms=60, error=1.5, rate=50)
    last = good["day"].max() + timedelta(days=7)
    both = pl.concat([good, scored(bad).with_columns(day=pl.lit(last))])
    assert not any(one.collapsed for one in standing(both, **SETTINGS))
