"""A flight ends exactly on its total when it is followed, whatever its days; and is put right when it is not."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.pacing import Flight, pace
from stakazo_pipelines.errors import AllocationError

MONDAY = date(2026, 6, 1)
weights = st.tuples(*[st.sampled_from([0.0, 0.3, 1.0, 1.7, 1e6])] * 6, st.just(1.0))


@st.composite
def flights(draw):
    first = MONDAY + timedelta(days=draw(st.integers(0, 40)))
    return Flight(
        first=first,
        last=first + timedelta(days=draw(st.integers(7, 62))),
        total=draw(st.integers(0, 10**10)),
        weekday=draw(weights),
        over_delivery=draw(st.sampled_from([1.0, 1.25, 1.75, 2.0])),
    )


@settings(max_examples=150, deadline=None)
@given(flights())
def test_a_flight_that_is_followed_ends_exactly_on_its_total(flight):
    spent = 0
    for day in flight.days(flight.first):
        plan = pace(flight, day, spent)
        assert sum(plan.rest) == plan.left == flight.total - spent
        assert plan.today >= 0
        assert plan.budget <= plan.today
        spent += plan.today
    assert spent == flight.total


@settings(max_examples=150, deadline=None)
@given(flights(), st.lists(st.floats(0, 1), min_size=70, max_size=70))
def test_whatever_a_platform_delivers_within_its_factor_the_total_is_not_passed(flight, luck):
    spent = 0
    for day, chance in zip(flight.days(flight.first), luck, strict=False):
        plan = pace(flight, day, spent)
        assert min(plan.today, plan.budget, *plan.rest) >= 0
        assert sum(plan.rest) == flight.total - spent
        spent += int(plan.budget * flight.over_delivery * chance)
    assert spent <= flight.total


@settings(max_examples=100, deadline=None)
@given(flights(), st.integers(0, 3 * 10**10), st.integers(-10, 120))
def test_nothing_is_ever_negative(flight, spent, day):
    plan = pace(flight, MONDAY + timedelta(days=day), spent)
    assert min(plan.today, plan.budget, plan.left, plan.overspent, *plan.rest, 0) == 0


def test_weekdays_count_as_much_as_they_are_told_to():
    flight = Flight(MONDAY, MONDAY + timedelta(days=6), 800, weekday=(1, 1, 1, 1, 2, 2, 0))
    assert pace(flight, MONDAY, 0).rest == (100, 100, 100, 100, 200, 200, 0)


def test_a_day_that_delivered_too_much_is_made_up_for_by_all_days_left():
    flight = Flight(MONDAY, MONDAY + timedelta(days=4), 500)
    assert pace(flight, MONDAY + timedelta(days=1), 180).rest == (80, 80, 80, 80)


def test_the_last_days_budget_leaves_room_for_over_delivery():
    flight = Flight(MONDAY, MONDAY + timedelta(days=1), 200, over_delivery=1.25)
    first, last = pace(flight, MONDAY, 0), pace(flight, MONDAY + timedelta(days=1), 100)
    assert (first.today, first.budget) == (100, 100)
    assert (last.today, last.budget) == (100, 80)


def test_what_is_out_of_the_ordinary_is_said():
    flight = Flight(MONDAY, MONDAY + timedelta(days=6), 700, weekday=(1, 1, 1, 1, 1, 0, 0))
    assert "has not begun" in pace(flight, MONDAY - timedelta(days=1), 0).reason
    assert "overspent by 50" in pace(flight, MONDAY, 750).reason
    assert "spread evenly" in pace(flight, MONDAY + timedelta(days=5), 500).reason
    assert "over, with 100 minor units left" in pace(flight, MONDAY + timedelta(days=7), 600).reason
    assert pace(flight, MONDAY, 0).reason == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"last": MONDAY - timedelta(days=1)}, "before it begins"),
        ({"total": -1}, "at least zero"),
        ({"weekday": (1.0,) * 6}, "seven"),
        ({"weekday": (0.0,) * 7}, "weight above zero"),
        ({"over_delivery": 0.5}, "at least 1"),
    ],
)
def test_a_flight_that_cannot_be_is_refused(changes, words):
    with pytest.raises(AllocationError, match=words):
        Flight(**{"first": MONDAY, "last": MONDAY + timedelta(days=6), "total": 100} | changes)


def test_negative_spend_is_refused():
    with pytest.raises(AllocationError, match="at least zero"):
        pace(Flight(MONDAY, MONDAY, 100), MONDAY, -1)
