"""Random budget steps: whatever is drawn, totals, bounds, caps and holds stay exactly as they are."""

from datetime import date, timedelta

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.experiments import experiment_steps
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.problem import Groups
from stakazo_pipelines.policy import ExperimentPolicy
from stakazo_pipelines.vocabulary import Binding

DAY = date(2026, 6, 29)
FIRST = DAY - timedelta(days=DAY.toordinal() % 7)  # of a block of seven days
MIN_CHANGE = 0.02


@st.composite
def plans(draw):
    """(limits, proposed): decided budgets within bounds around today's, some arms held, all within the cap."""
    arms = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    current = np.rint(np.exp(rng.normal(8, draw(st.sampled_from([0.1, 1.5])), arms))).astype(np.int64)
    held = rng.random(arms) < draw(st.sampled_from([0.0, 0.3]))
    lower = np.where(held, current, np.ceil(current * 0.8)).astype(np.int64)
    upper = np.where(held, current, np.floor(current * 1.2)).astype(np.int64)
    proposed = np.where(rng.random(arms) < 0.5, current, rng.integers(lower, upper + 1))
    proposed = np.where(np.abs(proposed - current) < MIN_CHANGE * current, current, proposed)
    moved = int(np.abs(proposed - current).sum())
    most = moved + int(draw(st.sampled_from([0.0, 0.01, 1.0])) * current.sum())
    reasons = np.full(arms, Binding.STEP_UP, dtype=object)
    member = rng.integers(-1, draw(st.sampled_from([0, 3])), arms)
    now = np.array([proposed[member == one].sum() for one in range(3)], dtype=np.float64)
    groups = Groups(member, now, now, ("a", "b", "c"))
    return Limits(current, lower, upper, reasons, reasons, most, groups), proposed


def steps_of(limits, proposed, *, account="meta/1", day=DAY, share=0.5, size=0.05, block_days=7):
    return experiment_steps(
        account=account,
        arm_ids=[f"arm{index}" for index in range(len(proposed))],
        limits=limits,
        proposed=proposed,
        day=day,
        settings=ExperimentPolicy(share=share, size=size, block_days=block_days),
        min_change=MIN_CHANGE,
    )


def free(arms=40, budget=10_000):
    current = np.full(arms, budget, dtype=np.int64)
    reasons = np.full(arms, Binding.STEP_UP, dtype=object)
    return Limits(current, current * 8 // 10, current * 12 // 10, reasons, reasons, int(current.sum())), current


@settings(max_examples=150, deadline=None)
@given(
    plan=plans(),
    share=st.sampled_from([0.2, 1.0]),
    size=st.sampled_from([0.01, 0.05, 0.1]),
    account=st.text(),
    later=st.integers(0, 6),
)
def test_whatever_is_drawn_every_total_bound_cap_and_hold_stays(plan, share, size, account, later):
    limits, proposed = plan
    steps = steps_of(limits, proposed, share=share, size=size, account=account, day=FIRST + timedelta(days=later))
    after = proposed + steps
    moved = np.abs(after - limits.current)
    assert steps.sum() == 0
    assert all(steps[limits.groups.member == one].sum() == 0 for one in range(3))
    assert (after >= limits.lower).all()
    assert (after <= limits.upper).all()
    assert (steps[limits.lower == limits.upper] == 0).all()
    assert moved.sum() <= limits.max_moved
    assert (np.abs(steps) <= size * proposed).all()
    drawn = steps != 0
    assert (np.abs(steps[drawn]) >= 0.5 * size * proposed[drawn]).all()
    assert ((moved[drawn] == 0) | (moved[drawn] >= MIN_CHANGE * limits.current[drawn] * (1 - 1e-9))).all()


@settings(max_examples=30, deadline=None)
@given(plan=plans(), days=st.integers(0, 30))
def test_the_same_day_and_account_draw_the_same_steps(plan, days):
    limits, proposed = plan
    day = DAY + timedelta(days=days)
    np.testing.assert_array_equal(steps_of(limits, proposed, day=day), steps_of(limits, proposed, day=day))


@settings(max_examples=30, deadline=None)
@given(plan=plans(), seed=st.integers(0, 1000))
def test_no_share_is_no_steps(plan, seed):
    assume(len(plan[1]))
    assert not steps_of(*plan, share=0.0, account=str(seed)).any()


def test_a_direction_lasts_a_block_of_days_and_is_drawn_anew_after_it():
    limits, current = free()
    proposed = current * 110 // 100
    week = [np.sign(steps_of(limits, proposed, day=FIRST + timedelta(days=later))) for later in range(14)]
    for day in range(1, 7):
        np.testing.assert_array_equal(week[day], week[0])
        np.testing.assert_array_equal(week[7 + day], week[7])
    assert (week[0] != week[7]).any()


def test_steps_do_not_pile_up_on_budgets_that_are_left_alone():
    limits, current = free()
    for later in range(7):
        steps = steps_of(limits, current, day=FIRST + timedelta(days=later))
        assert steps.any() == (later == 0)


def test_an_arm_on_its_way_to_where_it_earns_most_is_not_held_up():
    limits, current = free()
    proposed = np.where(np.arange(len(current)) % 2 == 0, limits.upper, limits.lower)
    assert not steps_of(limits, proposed, day=FIRST, share=1.0).any()


def test_directions_are_even_and_as_many_arms_take_part_as_policy_says():
    limits, proposed = free(arms=400)
    ups, parts = [], []
    for week in range(30):
        steps = steps_of(limits, proposed, day=FIRST + timedelta(days=7 * week), share=0.3)
        parts.append((steps != 0).mean())
        ups.append((steps[steps != 0] > 0).mean())
    assert abs(np.mean(parts) - 0.3) < 0.02
    assert abs(np.mean(ups) - 0.5) < 0.02


def test_accounts_draw_for_themselves():
    limits, proposed = free()
    assert (
        steps_of(limits, proposed, account="meta/1", day=FIRST)
        != steps_of(limits, proposed, account="meta/2", day=FIRST)
    ).any()


def test_steps_are_of_the_size_asked_for_where_nothing_is_in_the_way():
    limits, proposed = free(arms=400)
    steps = steps_of(limits, proposed, share=1.0, size=0.04, day=FIRST)
    share = np.abs(steps[steps != 0]) / proposed[steps != 0]
    assert np.median(share) > 0.035
