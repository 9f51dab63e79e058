"""Minimum viable budgets: nothing or at least so much to the coin, as good as the best of all choices of who is on."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.account_plan import plan_account
from stakazo_pipelines.allocation.envelope import EnvelopeAllocation
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.posterior import ExpectedCurve
from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.allocation.switching import Viable, plan_viable
from stakazo_pipelines.allocation.targets import Targets
from stakazo_pipelines.errors import InfeasibleError
from stakazo_pipelines.vocabulary import Binding

STEP = 0.2
PLENTY = 10**15
UNITS = 10**6  # so fine a coin that rounding to it is below what values are compared to


def limits_of(current, *, rise=None, fall=None, step=STEP, max_moved=PLENTY, groups=None):
    """Limits as guardrails make them around these budgets (minor units)."""
    current = np.asarray(current, dtype=np.int64)
    n = len(current)
    state = np.full(n, Binding.STATE, dtype=object)
    rise, fall = (np.ones(n, dtype=bool) if flags is None else flags for flags in (rise, fall))
    return Limits(
        current=current,
        lower=np.where(fall, np.ceil(current * (1 - step)), current).astype(np.int64),
        upper=np.where(rise, np.floor(current * (1 + step)), current).astype(np.int64),
        why_lower=np.where(fall, Binding.STEP_DOWN, state),
        why_upper=np.where(rise, Binding.STEP_UP, state),
        max_moved=max_moved,
        groups=groups,
    )


def viable_of(least, n, *, rise=None, fall=None, must=None, most=None, step=STEP):
    return Viable(
        least=least,
        may_rise=np.ones(n, dtype=bool) if rise is None else rise,
        may_fall=np.ones(n, dtype=bool) if fall is None else fall,
        must=np.zeros(n, dtype=bool) if must is None else must,
        most=np.full(n, np.inf) if most is None else most,
        step=step,
    )


def plan(limits, curve, viable, *, asked=None, min_change=0.0, **options):
    now = int(limits.current.sum())
    asked = now if asked is None else asked
    names = [f"a{i}" for i in range(len(limits.current))]
    options |= {"arm_ids": names, "limits": limits, "curve": curve, "asked": asked, "most": max(now, asked)}
    options["min_change"] = min_change
    return plan_account(**options) if viable is None else plan_viable(viable=viable, **options)


def value(limits, curve, proposed):
    ratio = np.divide(proposed, limits.current, out=np.zeros(len(proposed)), where=limits.current > 0)
    return float((curve.scale * ratio**curve.elasticity).sum())


def small_account(seed, units=UNITS):
    """Up to six arms, some of which may only fall or not move at all, some kept on; half of the time in a group."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    current = np.rint(np.exp(rng.normal(4, 0.8, n)) * units).astype(np.int64)
    rise = rng.random(n) < 0.85
    fall = rise | (rng.random(n) < 0.5)
    least = int(np.median(current) * np.exp(rng.normal(-0.2, 0.5)))
    must = rng.random(n) < 0.1
    groups = None
    if rng.random() < 0.5:
        member = rng.integers(-1, 1, n)
        now = float(current[member == 0].sum())
        groups = Groups(
            member, np.array([np.floor(now * rng.choice([0, 0.9]))]), np.array([np.ceil(now * 1.15)]), ("x",)
        )
    limits = limits_of(current, rise=rise, fall=fall, groups=groups)
    curve = ExpectedCurve(current / units * np.exp(rng.normal(0.5, 0.7, n)), rng.uniform(0.1, 0.9, n))
    return limits, curve, viable_of(least, n, rise=rise, fall=fall, must=must), rng


def allowed(limits, viable):
    """By arm: the ranges of budgets that it may choose from, told again from the rules."""
    choices = []
    for now, low, high, rise, fall, must in zip(
        limits.current, limits.lower, limits.upper, viable.may_rise, viable.may_fall, viable.must, strict=True
    ):
        if low >= viable.least:
            choices.append([(low, high)])
        elif not (rise or (fall and now >= viable.least)):
            choices.append([(now, now)])
        else:
            if now < viable.least:
                high = max(high, int(viable.least * (1 + viable.step) + 1e-6))
            choices.append([(viable.least, high)] if must else [(0, 0), (viable.least, high)])
    return choices


def brute_force(limits, curve, viable, total, *, spend_all=True):
    """The best value over every choice of who is on, None where no choice keeps the bounds."""
    best = None
    for ranges in product(*allowed(limits, viable)):
        lower, upper = (np.array(side, dtype=float) for side in zip(*ranges, strict=True))
        try:
            problem = AllocationProblem(
                arm_ids=[str(i) for i in range(len(lower))],
                current=lower,
                lower=lower,
                upper=upper,
                scale=curve.scale,
                elasticity=curve.elasticity,
                ref_spend=limits.current.astype(float),
                total=float(total),
                groups=limits.groups,
                spend_all=spend_all,
            )
        except InfeasibleError:
            continue
        found = solve(problem)
        if best is None or found.value > best:
            best = found.value
    return best


def check(limits, viable, proposed):
    for budget, ranges in zip(proposed, allowed(limits, viable), strict=True):
        assert any(low <= budget <= high for low, high in ranges)
    if limits.groups is not None:
        inside = proposed[limits.groups.member == 0].sum()
        assert limits.groups.lower[0] <= inside <= limits.groups.upper[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 1.0, 0.9, 1.1]))
def test_the_plan_is_as_good_as_the_best_choice_of_who_is_on(seed, more):
    limits, curve, viable, _ = small_account(seed)
    total = int(limits.current.sum() * more)
    best = brute_force(limits, curve, viable, total)
    try:
        result = plan(limits, curve, viable, asked=total, units=UNITS)
    except InfeasibleError:
        assert best is None
        return
    check(limits, viable, result.proposed)
    if best is None:
        assert result.short
        return
    assert int(result.proposed.sum()) == total
    assert value(limits, curve, result.proposed) >= best * (1 - 1e-6)
    assert not result.short


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_small_changes_targets_and_the_cap_on_moved_money_leave_budgets_viable(seed, aimed):
    limits, curve, viable, rng = small_account(seed, 100)
    now = int(limits.current.sum())
    limits = replace(limits, max_moved=int(now * rng.choice([0.2, 0.6, 3.0])))
    targets = Targets(roas=float(rng.uniform(1, 4))) if aimed else None
    try:
        result = plan(limits, curve, viable, min_change=0.02, targets=targets)
    except InfeasibleError:
        return
    check(limits, viable, result.proposed)
    assert np.abs(result.proposed - limits.current).sum() <= limits.max_moved
    off = (result.proposed == 0) & (limits.current > 0)
    assert ((result.binding == Binding.SWITCHED_OFF) == off).all()
    assert ("switched off" in result.told) == bool(off.any())


def test_nothing_changes_where_every_budget_in_reach_is_viable():
    limits = limits_of([100_00, 50_00, 25_00])
    curve = ExpectedCurve(np.array([100.0, 200.0, 20.0]), np.full(3, 0.6))
    plain, viable = plan(limits, curve, None), plan(limits, curve, viable_of(20_00, 3))
    assert viable.proposed.tolist() == plain.proposed.tolist()
    assert viable.binding.tolist() == plain.binding.tolist()
    assert (viable.told, viable.forced) == ("", False)


def test_the_weakest_is_switched_off_and_its_money_goes_to_the_others():
    limits = limits_of([100_00, 100_00, 20_00])
    curve = ExpectedCurve(np.array([300.0, 200.0, 5.0]), np.full(3, 0.6))
    result = plan(limits, curve, viable_of(30_00, 3))
    assert result.proposed.tolist() == [120_00, 100_00, 0]
    assert result.binding.tolist()[2] == Binding.SWITCHED_OFF
    assert result.told == "1 arm is switched off (a budget of 0)"
    assert result.forced
    assert result.total == 220_00


def test_what_is_worth_it_is_raised_to_the_smallest_viable_budget():
    limits = limits_of([100_00, 100_00, 20_00])
    curve = ExpectedCurve(np.array([200.0, 200.0, 60.0]), np.array([0.3, 0.3, 0.9]))
    result = plan(limits, curve, viable_of(30_00, 3))
    assert 30_00 <= result.proposed[2] <= 36_00
    assert result.proposed.sum() == 220_00


def test_arms_that_may_not_move_stay_below_and_are_counted():
    still = np.array([True, True, False])
    limits = limits_of([100_00, 100_00, 20_00], rise=still, fall=still)
    curve = ExpectedCurve(np.array([300.0, 200.0, 5.0]), np.full(3, 0.6))
    result = plan(limits, curve, viable_of(30_00, 3, rise=still, fall=still))
    assert result.proposed[2] == 20_00
    assert result.told == "1 below 30.00 stay as they are: held, or too little is known of them"


def test_what_may_only_fall_is_switched_off_or_stays_viable():
    rise = np.array([True, False, False])
    limits = limits_of([100_00, 32_00, 20_00], rise=rise)
    curve = ExpectedCurve(np.array([300.0, 3.0, 3.0]), np.full(3, 0.6))
    result = plan(limits, curve, viable_of(30_00, 3, rise=rise))
    assert result.proposed.tolist() == [102_00, 30_00, 20_00]
    result = plan(limits_of([200_00, 32_00, 20_00], rise=rise), curve, viable_of(30_00, 3, rise=rise))
    assert result.proposed.tolist() == [232_00, 0, 20_00]
    assert result.binding.tolist()[2] == Binding.STATE


def test_a_total_that_no_choice_adds_up_to_is_left_unspent_in_part():
    limits = limits_of([15_00, 15_00])
    curve = ExpectedCurve(np.array([30.0, 20.0]), np.full(2, 0.6))
    result = plan(limits, curve, viable_of(20_00, 2))
    assert result.proposed.tolist() == [24_00, 0]
    assert result.short == "budgets of nothing or at least 20.00 leave 6.00 of the total unspent"


def test_more_that_must_be_on_than_the_total_holds_names_the_smallest_relaxation():
    limits = limits_of([20_00, 20_00, 20_00])
    curve = ExpectedCurve(np.full(3, 40.0), np.full(3, 0.6))
    with pytest.raises(InfeasibleError) as raised:
        plan(limits, curve, viable_of(30_00, 3, must=np.ones(3, dtype=bool)))
    assert str(raised.value) == (
        "the 3 arms that must be on need at least 30.00 each, with the others 90.00 together, above the total of "
        "60.00; raise the total by at least 30.00; or lower the smallest viable budget to 20.00"
    )
    assert raised.value.relaxation == pytest.approx(30.0)


def test_a_viable_budget_above_the_total_is_an_error_and_not_an_account_without_budgets():
    limits = limits_of([15_00, 15_00])
    with pytest.raises(InfeasibleError, match=r"raise the total by at least 20\.00; or lower .* to 30\.00"):
        plan(limits, ExpectedCurve(np.array([30.0, 20.0]), np.full(2, 0.6)), viable_of(50_00, 2))


def test_groups_that_leave_no_choice_are_told_with_a_viable_budget_that_would_do():
    groups = Groups(np.zeros(2, dtype=np.int64), np.array([29_00.0]), np.array([31_00.0]), ("x",))
    limits = limits_of([15_00, 15_00, 100_00], groups=replace(groups, member=np.array([0, 0, -1])))
    curve = ExpectedCurve(np.array([30.0, 20.0, 100.0]), np.full(3, 0.6))
    with pytest.raises(InfeasibleError, match="keeps every bound of arms and groups") as raised:
        plan(limits, curve, viable_of(40_00, 3))
    works = int(40_00 - raised.value.relaxation * 100 + 0.5)
    assert plan(limits, curve, viable_of(works, 3)).proposed.sum() == 130_00


def test_a_group_too_small_for_what_must_be_on_in_it_is_named_with_its_relaxation():
    groups = Groups(np.array([0, 0, -1]), np.array([0.0]), np.array([35_00.0]), ("Brand",))
    limits = limits_of([15_00, 15_00, 100_00], groups=groups)
    curve = ExpectedCurve(np.array([30.0, 20.0, 100.0]), np.full(3, 0.6))
    with pytest.raises(InfeasibleError, match=r"group Brand: .* at 20\.00 or more, need 5\.00 more") as raised:
        plan(limits, curve, viable_of(20_00, 3, must=np.ones(3, dtype=bool)))
    assert raised.value.relaxation == pytest.approx(5.0)


def test_moves_above_the_cap_on_moved_money_are_an_error_that_says_how_far():
    limits = limits_of([100_00, 100_00, 20_00], max_moved=30_00)
    curve = ExpectedCurve(np.array([300.0, 200.0, 5.0]), np.full(3, 0.6))
    with pytest.raises(InfeasibleError, match=r"move 40\.00 a day, above the cap of 30\.00 on moved money") as raised:
        plan(limits, curve, viable_of(30_00, 3))
    assert raised.value.relaxation == pytest.approx(10.0)
    capped = plan(replace(limits, max_moved=40_00), curve, viable_of(30_00, 3))
    assert capped.proposed.tolist() == [120_00, 100_00, 0]


def test_an_answer_that_is_not_proved_best_says_by_how_much_it_may_miss(monkeypatch):
    def unproved(task):
        found = solve(replace(task.problem, lower=np.array([100_00.0, 100_00.0, 0.0]), upper=np.array([1e6, 1e6, 0.0])))
        return EnvelopeAllocation(found.proposed, found.value, found.value * 1.003, 0.003, 1.0, 8)

    monkeypatch.setattr("stakazo_pipelines.allocation.switching.solve_nonconcave", unproved)
    limits = limits_of([100_00, 100_00, 20_00])
    result = plan(limits, ExpectedCurve(np.array([300.0, 200.0, 5.0]), np.full(3, 0.6)), viable_of(30_00, 3))
    assert result.told.endswith("other choices of what is on could earn more, but at most 0.30%")


def test_under_a_target_on_returns_who_is_on_is_decided_at_the_total_that_it_leaves():
    limits = limits_of([100_00, 30_00, 30_00], step=0.5)
    curve = ExpectedCurve(np.array([250.0, 20.0, 18.0]), np.full(3, 0.5))
    viable = viable_of(40_00, 3, step=0.5)
    met = plan(limits, curve, viable, targets=Targets(roas=2.0))
    assert (met.proposed[1:] == 0).all()
    assert value(limits, curve, met.proposed) >= 2.0 * met.proposed.sum() / 100 * (1 - 1e-4)
    assert "cannot be reached" not in met.short
