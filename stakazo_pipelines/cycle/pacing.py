"""Totals of accounts that have a flight: what each is to spend a day so that it ends on its total.

A day's total is what is asked for: allocation and publishing hold its rise to guardrails.max_budget_growth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from stakazo_pipelines import marts
from stakazo_pipelines.allocation.pacing import Flight, pace
from stakazo_pipelines.cycle.accounts import AccountKey
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.policy import FlightPolicy, Policy

REPORT = "ad_reporting__account_report"
FLIGHT_DAYS = {"platform": pl.String, "account_id": pl.String, "date_day": pl.Date, "spend": pl.Float64}


@dataclass(frozen=True, slots=True)
class Paced:
    """total: the daily budgets together, in the account's major units; None keeps today's. words: where it stands."""

    total: Decimal | None
    words: str


def flights_since(policy: Policy, day: date) -> date | None:
    """The first day of the earliest flight that has begun by `day`; None without one."""
    flights = [own.flight for own in policy.accounts.values() if own.flight is not None]
    return min((flight.first for flight in flights if flight.first <= day), default=None)


def flight_spend(lake: Lake, policy: Policy, day: date) -> pl.DataFrame:
    """Account days (`FLIGHT_DAYS`) from the marts, up to `day`, since the first flight began."""
    since = flights_since(policy, day)
    return pl.DataFrame(schema=FLIGHT_DAYS) if since is None else marts.read_mart(lake, REPORT, since, day)


def paced_totals(
    policy: Policy, days: pl.DataFrame, day: date, *, minor_units: Mapping[AccountKey, int]
) -> dict[AccountKey, Paced]:
    """What the flights of policy's accounts ask for on the day after `day`.

    days: rows with the columns of `FLIGHT_DAYS`, such as `flight_spend` gives. A flight that has begun and of which no
    day is known asks for nothing: missing is not zero.
    """
    found: dict[AccountKey, Paced] = {}
    for key, units in minor_units.items():
        flight = policy.account(*key).flight
        if flight is None:
            continue
        platform, account_id = key
        mine = days.filter(
            pl.col("platform") == platform,
            pl.col("account_id") == account_id,
            pl.col("date_day").is_between(flight.first, day),
        )
        if mine.is_empty() and flight.first <= day:
            found[key] = Paced(None, f"none of its flight's days since {flight.first} is known, so it is not paced")
            continue
        spent = sum((Decimal(str(amount)) for amount in mine["spend"].drop_nulls()), Decimal(0))
        found[key] = _paced(flight, spent, day + timedelta(days=1), units)
    return found


def _paced(policy: FlightPolicy, spent: Decimal, on: date, units: int) -> Paced:
    if not policy.first <= on <= policy.last:
        return Paced(None, f"its flight of {policy.first} to {policy.last} is not on")
    flight = Flight(policy.first, policy.last, int(policy.total * units), tuple(policy.weekdays), policy.over_delivery)
    plan = pace(flight, on, round(spent * units))
    words = (
        f"its flight has spent {spent:,.2f} of {policy.total:,.2f} by {on - timedelta(days=1)} and plans "
        f"{Decimal(plan.today) / units:,.2f} on {on}"
    )
    return Paced(Decimal(plan.budget) / units, "; ".join(filter(None, [words, plan.reason])))
