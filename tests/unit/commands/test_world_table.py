"""What was earned beside what could have been."""

import math
import re

import polars as pl
import pytest

from stakazo_pipelines.commands.world import AccountOutcome, intervals_that_hold, outcome_table


def outcome(value: float, *, alone: float = 100.0, best: float = 120.0) -> AccountOutcome:
    return AccountOutcome("1", "EUR", 50.0, value, 50.0, alone, best, 2.0)


def test_the_gain_is_over_leaving_budgets_alone():
    assert outcome(110.0).gain == pytest.approx(0.1)
    assert outcome(110.0).captured == pytest.approx(0.5)


def test_a_loss_is_a_negative_share_of_what_was_possible():
    assert outcome(95.0).captured == pytest.approx(-0.25)


def test_where_nothing_can_be_gained_no_share_is_captured():
    assert math.isnan(outcome(100.0, best=100.0).captured)


def test_the_table_has_a_row_an_account_with_its_changes():
    table = outcome_table([outcome(110.0)], {"1": (7, 6)}, title="a week")
    assert table.row_count == 1
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells[0] == "1 EUR"
    assert {"+10.0%", "+20.0%", "50%"} <= set(cells)
    assert re.findall(r"\d+", cells[-1]) == ["6", "7"]  # verified, of those sent


def test_an_account_without_changes_shows_none():
    table = outcome_table([outcome(110.0)], {}, title="a week")
    assert set(re.findall(r"\d+", next(iter(table.columns[-1].cells)))) == {"0"}


def test_only_arms_that_are_acted_upon_are_scored_against_the_truth():
    estimates = pl.DataFrame(
        {
            "arm_id": ["in", "out", "unknown", "young"],
            "state": ["ok", "ok", "ok", "immature"],
            "roas_low": [1.0, 1.0, 1.0, 1.0],
            "roas_high": [2.0, 2.0, 2.0, 2.0],
        }
    )
    truth = [{"arm_id": "in", "roas": 1.5}, {"arm_id": "out", "roas": 2.5}, {"arm_id": "young", "roas": 9.0}]
    assert intervals_that_hold(estimates, [*truth, {"arm_id": "unknown", "roas": None}]) == [True, False]
