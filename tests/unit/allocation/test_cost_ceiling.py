"""A ceiling on cost per conversion is kept to the cent, costs as little value as it can, and proves it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.cost_ceiling import solve_under_cost
from stakazo_pipelines.allocation.floors import Floors, cpa_floor, solve_with_floors
from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError


def portfolio(seed, kind):
    rng = np.random.default_rng(seed)
    n = 6
    current = np.exp(rng.normal(3, 1, n))
    worth = np.exp(rng.normal(3, 1, n))
    total = float(current.sum())
    groups = None
    if kind == "groups":
        sums = np.bincount([0, 0, 1, 1, 1, 1], current, 2)
        groups = Groups(np.array([0, 0, 1, 1, 1, 1]), sums * 0.8, sums * 1.2, ("x", "y"))
        groups = replace(groups, lower=np.zeros(2)) if rng.random() < 0.5 else groups
    problem = AllocationProblem(
        arm_ids=tuple(f"arm {i}" for i in range(n)),
        current=current,
        lower=current * rng.choice([0.0, 0.2], n),
        upper=current * 4,
        scale=current * np.exp(rng.normal(0.5, 0.7, n)),
        elasticity=rng.uniform(0.1, 0.95, n),
        ref_spend=current,
        total=total,
        spend_all=kind != "atmost",
        groups=groups,
        max_moved=0.3 * total if kind == "turnover" else None,
    )
    return problem, worth


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["plain", "atmost", "groups", "turnover"]), st.floats(0.5, 1.2))
def test_the_ceiling_is_kept_and_the_value_is_proved_to_be_the_most(seed, kind, factor):
    problem, worth = portfolio(seed, kind)
    free = solve(problem)
    conversions = (problem.value(free.proposed) / worth).sum()
    ceiling = factor * free.proposed.sum() / conversions
    try:
        answer = solve_under_cost(problem, worth, ceiling)
    except InfeasibleError as error:
        lowest = ceiling + error.relaxation
        solve_under_cost(problem, worth, lowest * (1 + 1e-6))
        with pytest.raises(InfeasibleError):
            solve_under_cost(problem, worth, lowest * (1 - 1e-6))
        return
    spend = answer.proposed
    assert spend.sum() <= ceiling * (problem.value(spend) / worth).sum() + 1e-6 * problem.total
    assert (spend >= problem.lower - 1e-9 * problem.total).all()
    assert (spend <= problem.upper + 1e-9 * problem.total).all()
    assert spend.sum() <= problem.total * (1 + 1e-9)
    if kind == "groups":
        sums = np.bincount(problem.groups.member, spend, 2)
        assert (sums >= problem.groups.lower - 1e-9 * problem.total).all()
        assert (sums <= problem.groups.upper + 1e-9 * problem.total).all()
    if kind == "turnover":
        assert np.abs(spend - problem.current).sum() <= problem.max_moved * (1 + 1e-9)
    if factor >= 1:
        assert answer.multiplier == 0
        assert answer.value == pytest.approx(free.value)
    assert answer.gap < 1e-6


def test_where_all_conversions_are_worth_the_same_it_is_the_floor_on_returns():
    problem, _ = portfolio(4, "atmost")
    problem = replace(problem, lower=np.zeros(problem.size))
    cost = problem.total / solve(problem).value * 50 * 0.8
    answer = solve_under_cost(problem, np.full(problem.size, 50.0), cost)
    floored = solve_with_floors(problem, Floors(portfolio=float(cpa_floor(cost, 50.0))))
    assert answer.value == pytest.approx(floored.allocation.value, rel=1e-7)
    assert answer.cost == pytest.approx(cost)


@pytest.mark.parametrize(("worth", "ceiling"), [(np.zeros(6), 1.0), (np.ones(5), 1.0), (np.ones(6), 0.0)])
def test_what_is_no_ceiling_is_refused(worth, ceiling):
    with pytest.raises(AllocationError, match="above zero"):
        solve_under_cost(portfolio(1, "plain")[0], worth, ceiling)
