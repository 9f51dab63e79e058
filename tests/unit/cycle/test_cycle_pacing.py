"""Flights: an account's total follows its flight, as far as growth allows; what is not known asks for nothing."""

from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest

from stakazo_pipelines.currency import parse_rates
from stakazo_pipelines.cycle.pacing import FLIGHT_DAYS, flights_since, paced_totals
from stakazo_pipelines.cycle.portfolio import allocate_portfolio
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.policy import AccountPolicy, FlightPolicy, GuardrailPolicy, Policy
from stakazo_pipelines.vocabulary import EntityStatus

DAY = date(2026, 6, 29)
EURO, YEN = ("meta", "1"), ("meta", "2")
KNOWN = {
    EURO: Account("1", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE),
    YEN: Account("2", "Shop", "JPY", "Asia/Tokyo", 1, EntityStatus.ACTIVE),
}
RATES = parse_rates(
    "date_from,currency,units_per_usd\n2026-01-01,USD,1\n2026-01-01,EUR,0.92\n2026-01-01,JPY,150\n", source="rates.csv"
)


def flying(total=Decimal(9_000), last=date(2026, 6, 30), growth=0.0001, **more):
    flight = FlightPolicy(first=date(2026, 6, 1), last=last, total=total, **more)
    return Policy(
        accounts={"meta/1": AccountPolicy(flight=flight)}, guardrails=GuardrailPolicy(max_budget_growth=growth)
    )


def days(amounts, account="1"):
    return pl.DataFrame(
        [("meta", account, DAY - timedelta(days=age), amount) for age, amount in enumerate(amounts)],
        schema=FLIGHT_DAYS,
        orient="row",
    )


def paced(policy, rows, day=DAY):
    return paced_totals(policy, rows, day, minor_units={EURO: 100, YEN: 1})


def test_the_last_day_is_planned_to_spend_what_is_left():
    [(key, found)] = paced(flying(), days([300.0] * 29)).items()
    assert key == EURO
    assert found.total == Decimal(300)
    assert "has spent 8,700.00 of 9,000.00" in found.words


def test_weekends_that_count_double_get_twice_as_much():
    policy = flying(total=Decimal(1_000), last=date(2026, 7, 5), weekdays=(1, 1, 1, 1, 1, 2, 2))
    on_tuesday = paced(policy, days([0.0]))[EURO].total
    on_saturday = paced(policy, days([0.0]), DAY + timedelta(days=4))[EURO].total
    assert (on_tuesday, on_saturday) == (Decimal(125), Decimal(500))


def test_what_the_platform_may_deliver_too_much_is_kept_back_on_the_last_day():
    found = paced(flying(over_delivery=1.25), days([300.0] * 29))[EURO]
    assert found.total == Decimal(240)


def test_days_before_the_flight_and_of_other_accounts_do_not_count():
    rows = pl.concat([days([300.0] * 60), days([999.0] * 10, "2")])
    assert paced(flying(), rows)[EURO].total == Decimal(300)


@pytest.mark.parametrize(
    ("rows", "day", "words"),
    [
        (days([]), DAY, "is known, so it is not paced"),
        (days([1.0]), date(2026, 7, 15), "is not on"),
        (days([]), date(2026, 5, 1), "is not on"),
    ],
)
def test_an_unknown_or_distant_flight_keeps_the_budgets_and_says_so(rows, day, words):
    found = paced(flying(), rows, day)[EURO]
    assert found.total is None
    assert words in found.words


def test_only_flights_that_have_begun_are_read():
    assert flights_since(flying(), DAY) == date(2026, 6, 1)
    assert flights_since(flying(), date(2026, 5, 31)) is None
    assert flights_since(Policy(), DAY) is None


def allocate(estimates, arms, policy, rows):
    result = allocate_portfolio(
        estimates, arms, policy, DAY, accounts=KNOWN, ledgers={}, unready={}, rates=RATES, sandbox=True, spent=rows
    )
    return result, {one.account_id: one for one in result.accounts}


def test_a_flights_total_is_met_to_the_cent_and_takes_no_money_from_other_accounts(estimates, arms):
    policy = flying(total=Decimal("8973.33"))
    result, accounts = allocate(estimates, arms, policy, days([300.0] * 29))
    assert accounts["1"].proposed_total == pytest.approx(273.33)
    assert accounts["2"].proposed_total == pytest.approx(30_000)
    [move] = [move for move in result.portfolio.accounts if move.account_id == "1"]
    assert "its flight has spent" in move.reason


def test_a_flight_that_asks_for_more_than_policy_lets_grow_comes_as_near_as_it_may(estimates, arms):
    behind = days([250.0] * 29)
    _, kept = allocate(estimates, arms, flying(total=Decimal(7_600)), behind)
    assert kept["1"].proposed_total == pytest.approx(300.03)
    assert "out of reach" in kept["1"].reason
    _, grown = allocate(estimates, arms, flying(total=Decimal(7_600), growth=0.2), behind)
    assert grown["1"].proposed_total == pytest.approx(350)
