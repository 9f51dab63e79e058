from datetime import date

import numpy as np
import pytest

from stakazo_pipelines.measurement.maturity import DEFAULT_MATURITY, MATURE_AGE, MaturityCurve
from stakazo_pipelines.measurement.maturity_report import (
    PRIOR_NAME,
    assumed_of_a_table,
    mature_as_of,
    still_to_come,
    summary,
    told,
    wide_groups,
)

DAY = date(2026, 6, 30)
STEPS = MaturityCurve(tuple(np.interp(np.arange(MATURE_AGE + 1), [0, 10, 28], [0.4, 0.9, 1.0])), (0.1,) * 28 + (0.0,))


@pytest.mark.parametrize(
    ("threshold", "last"), [(0.2, date(2026, 6, 30)), (0.9, date(2026, 6, 21)), (1.0, date(2026, 6, 3))]
)
def test_mature_as_of_is_the_last_day_with_enough_reported(threshold: float, last: date) -> None:
    assert mature_as_of(STEPS, day=DAY, threshold=threshold) == last
    age = (DAY - last).days + 1
    assert STEPS.fraction(age) >= threshold
    assert age == 1 or STEPS.fraction(age - 1) < threshold


def test_less_and_less_is_to_come_the_older_the_day_is_and_the_band_holds_it() -> None:
    frame = still_to_come({"meta": STEPS, "tiktok": DEFAULT_MATURITY}, day=DAY)
    assert frame.height == 28
    for _, part in frame.group_by("group"):
        newest_first = part.sort("date_day", descending=True)
        assert newest_first["date_day"][0] == DAY
        assert newest_first["to_come"].is_sorted(descending=True)
        assert (part["to_come_low"] <= part["to_come"]).all()
        assert (part["to_come"] <= part["to_come_high"]).all()
        assert part["to_come_high"].max() < 1
    assert still_to_come({}, day=DAY).is_empty()


def test_without_vintages_the_prior_is_told_and_named_as_such() -> None:
    [row] = summary({}, day=DAY, threshold=0.9).to_dicts()
    assert (row["group"], row["conversions"]) == (PRIOR_NAME, 0)
    assert row["reported_1_low"] < row["reported_1"] < row["reported_1_high"]
    assert list(wide_groups({})) == [PRIOR_NAME]


def test_single_accounts_are_left_out_of_the_wide_groups() -> None:
    curves = dict.fromkeys(("meta", "meta · 7d", "meta · 7d · sales", "meta · 7d · sales · a1"), STEPS)
    assert list(wide_groups(curves)) == ["meta"]
    assert list(wide_groups(curves, parts=3)) == ["meta", "meta · 7d", "meta · 7d · sales"]


def test_the_sentence_names_the_share_and_the_day() -> None:
    words = told(STEPS, day=DAY, threshold=0.9)
    assert "55% of the conversions of 2026-06-30 are still to come" in words
    assert "mature as of 2026-06-21 (90% reported)" in words


def test_a_young_table_says_what_is_assumed_and_an_old_one_nothing() -> None:
    [words] = assumed_of_a_table(DAY, DAY, threshold=0.9)
    assert "45% of the conversions of 2026-06-29" in words
    assert assumed_of_a_table(date(2026, 6, 1), DAY, threshold=0.9) == []
