"""What was earned beside what could have been."""

import io
import math
import re
from dataclasses import replace

import polars as pl
import pytest
from rich.console import Console

from stakazo_pipelines.commands.world import AccountOutcome, Outcome, Results, intervals_that_hold, outcome_table


def outcome(value: float, *, alone: float = 100.0, best: float = 120.0) -> Outcome:
    return Outcome(50.0, value, 50.0, alone, best, 25.0, 50.0)


def account(platform: str, account_id: str, currency: str, result: Outcome) -> AccountOutcome:
    return AccountOutcome(platform, account_id, currency, result)


def test_the_gain_is_over_leaving_budgets_alone():
    assert outcome(110.0).gain == pytest.approx(0.1)
    assert outcome(110.0).captured == pytest.approx(0.5)


def test_a_loss_is_a_negative_share_of_what_was_possible():
    assert outcome(95.0).captured == pytest.approx(-0.25)


def test_where_nothing_can_be_gained_no_share_is_captured():
    assert math.isnan(outcome(100.0, best=100.0).captured)


@pytest.fixture
def found() -> Results:
    """Two platforms, one with accounts in two currencies."""
    accounts = [
        account("meta", "1", "EUR", outcome(110.0)),
        account("meta", "2", "USD", outcome(100.0)),
        account("tiktok", "3", "USD", outcome(100.0)),
    ]
    return Results(accounts, "USD", {"EUR": 2.0, "USD": 1.0}, best_value=500.0)


def test_amounts_of_several_currencies_are_added_up_in_one(found):
    together = found.together(found.accounts[:2])
    assert (together.spend, together.value, together.alone_value) == (150.0, 320.0, 300.0)
    assert together.best_value == 360.0
    assert found.everything.possible == pytest.approx(500 / 400 - 1)  # money may move between the accounts


def test_the_table_has_a_row_an_account_a_platform_and_one_of_all(found):
    table = outcome_table(found, {"1": (7, 6), "2": (1, 1)}, title="a week")
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert [row[0].strip() for row in rows] == ["meta, USD", "1 EUR", "2 USD", "tiktok, USD", "3 USD", "all, USD"]
    assert "+10.0%" in rows[1]
    assert [row[-3:-1] for row in rows[:-1]] == [("", "")] * 5
    assert rows[-1][-3:-1] == ("+25.0%", "20%")
    assert [re.findall(r"\d+", row[-1]) for row in rows] == [  # verified, of those sent
        ["7", "8"], ["6", "7"], ["1", "1"], ["0", "0"], ["0", "0"], ["7", "8"],
    ]  # fmt: skip


def test_the_table_fits_a_terminal(found):
    yen = account("linkedin", "1002003407", "JPY", outcome(112.3) * 2_345_678.9)
    wide = replace(found, accounts=[yen, *found.accounts], worths={**found.worths, "JPY": 0.01})
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(outcome_table(wide, {"1002003407": (1309, 1309)}, title="a week"))
    assert max(len(line.rstrip()) for line in console.export_text().splitlines()) <= 80


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
