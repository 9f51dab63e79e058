"""Floors on returns hold exactly, cost nothing where they do not bind, and say what is wrong where they cannot hold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.floors import Floors, cpa_floor, solve_with_floors
from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError

seeds = st.integers(0, 2**32 - 1)


def portfolio(n, seed, *, groups=False, **changes):
    rng = np.random.default_rng(seed)
    current = np.exp(rng.normal(3, 1, n))
    member = rng.integers(-1, 3, n)
    nested = Groups(member, np.zeros(3), np.full(3, np.inf), ("a", "b", "c"), np.array([-1, 0, -1]))
    return replace(
        AllocationProblem(
            arm_ids=tuple(f"arm {i}" for i in range(n)),
            current=current,
            lower=current * rng.choice([0.0, 0.3], n),
            upper=current * 4,
            scale=current * np.exp(rng.normal(0.5, 0.7, n)),
            elasticity=rng.uniform(0.1, 0.95, n),
            ref_spend=current,
            total=float(current.sum()) * 1.5,
            spend_all=False,
            groups=nested if groups else None,
        ),
        **changes,
    )


def cents(problem):
    return 1e-8 * problem.total


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0.3, 3))
def test_the_portfolio_earns_its_floor_and_spends_all_that_allows(seed, floor):
    problem = portfolio(6, seed)
    free = solve(problem)
    try:
        answer = solve_with_floors(problem, Floors(portfolio=floor))
    except InfeasibleError as error:
        at_least = solve(replace(problem, total=float(problem.lower.sum()), spend_all=True))
        short = at_least.value < floor * problem.lower.sum()
        lower = floor - error.relaxation * (1 + 1e-6) - 1e-9
        solve_with_floors(problem, Floors(portfolio=lower))
        assert short
        return
    spent = float(answer.allocation.proposed.sum())
    assert answer.allocation.value >= floor * spent - cents(problem)
    if answer.multiplier > 0:
        more = solve(replace(problem, total=spent * 1.001))
        assert more.value < floor * spent * 1.001 + cents(problem)
    else:
        assert answer.allocation.value == pytest.approx(free.value)


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.5, 2.5))
def test_groups_within_groups_earn_their_floors(seed, floor):
    problem = portfolio(8, seed, groups=True)
    wanted = np.array([floor, floor * 1.1, np.nan])
    try:
        answer = solve_with_floors(problem, Floors(group=wanted))
    except InfeasibleError:
        return
    spend, member = answer.allocation.proposed, problem.groups.member
    value = problem.value(spend)
    for index, inside in ((0, (member == 0) | (member == 1)), (1, member == 1)):
        assert value[inside].sum() >= wanted[index] * spend[inside].sum() - cents(problem)
    # Nothing better is found by moving money at random while the floors hold.
    rng = np.random.default_rng(seed)
    for _ in range(60):
        tried = np.clip(spend * np.exp(rng.normal(0, 0.1, problem.size)), problem.lower, problem.upper)
        earned = problem.value(tried)
        holds = all(
            earned[inside].sum() >= wanted[index] * tried[inside].sum()
            for index, inside in ((0, (member == 0) | (member == 1)), (1, member == 1))
        )
        if holds and tried.sum() <= problem.total:
            assert earned.sum() <= answer.allocation.value * (1 + 1e-8)


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0.2, 2))
def test_no_arm_gets_money_that_earns_less_than_its_floors(seed, floor):
    problem = portfolio(6, seed, lower=np.zeros(6))
    answer = solve_with_floors(problem, Floors(marginal=np.full(6, floor), arm=np.full(6, floor * 1.5)))
    spend = answer.allocation.proposed
    value = problem.value(spend)
    marginal = np.divide(problem.elasticity * value, spend, out=np.full(6, np.inf), where=spend > 0)
    assert (marginal >= floor * (1 - 1e-9)).all()
    assert (value >= floor * 1.5 * spend - cents(problem)).all()


def test_a_floor_below_what_is_earned_anyway_changes_nothing():
    problem = portfolio(6, 3, groups=True)
    free = solve(problem)
    low = Floors(np.full(6, 1e-6), np.full(6, 1e-6), np.full(3, 1e-6), 1e-6)
    assert solve_with_floors(problem, low).allocation.proposed == pytest.approx(free.proposed)
    assert solve_with_floors(problem, low).multiplier == 0


def test_the_multiplier_is_what_a_higher_floor_costs():
    problem = portfolio(6, 5, lower=np.zeros(6))
    floor = solve(problem).value / problem.total * 1.2
    answer = solve_with_floors(problem, Floors(portfolio=floor))
    step = 1e-5 * floor
    higher = solve_with_floors(problem, Floors(portfolio=floor + step))
    slope = (answer.allocation.value - higher.allocation.value) / step
    assert answer.multiplier * answer.allocation.proposed.sum() == pytest.approx(slope, rel=1e-3)


def test_a_total_that_must_be_spent_and_cannot_earn_its_floor_says_how_much_less_would():
    problem = portfolio(6, 5, spend_all=True)
    floor = solve(problem).value / problem.total * 1.1
    with pytest.raises(InfeasibleError, match="cut the total by at least") as caught:
        solve_with_floors(problem, Floors(portfolio=floor))
    less = problem.total - caught.value.relaxation
    solve_with_floors(replace(problem, total=less), Floors(portfolio=floor * (1 - 1e-9)))
    with pytest.raises(InfeasibleError):
        solve_with_floors(replace(problem, total=less * 1.001), Floors(portfolio=floor))


def test_a_lower_bound_that_breaks_an_arms_floor_names_the_arm():
    problem = portfolio(3, 1, lower=np.array([0.0, 50.0, 0.0]), upper=np.full(3, 100.0), total=100.0)
    with pytest.raises(InfeasibleError, match="arm 1 earns on average allows"):
        solve_with_floors(problem, Floors(arm=np.array([np.nan, 1e3, np.nan])))


def test_a_floor_and_a_cap_on_moved_money_are_checked_together():
    problem = portfolio(4, 2, spend_all=True, lower=np.zeros(4))
    problem = replace(problem, total=float(problem.current.sum()), max_moved=1.0)
    reached = solve(problem).value / problem.total
    solve_with_floors(problem, Floors(portfolio=reached * 0.999))
    with pytest.raises(InfeasibleError, match="cap on moved money"):
        solve_with_floors(problem, Floors(portfolio=reached * 1.001))


def test_a_ceiling_on_cost_per_conversion_is_a_floor_on_returns():
    assert cpa_floor(20.0, 50.0) == pytest.approx(2.5)
    with pytest.raises(AllocationError, match="above zero"):
        cpa_floor(0.0, 50.0)


@pytest.mark.parametrize(
    ("floors", "words"),
    [
        (Floors(arm=np.ones(2)), "arm floors"),
        (Floors(marginal=np.full(6, -1.0)), "marginal floors"),
        (Floors(group=np.ones(1)), "group floors"),
        (Floors(portfolio=-1.0), "portfolio's floor"),
    ],
)
def test_floors_that_are_no_ratios_are_refused(floors, words):
    with pytest.raises(AllocationError, match=words):
        solve_with_floors(portfolio(6, 1), floors)
