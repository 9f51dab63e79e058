"""On/off minimum budgets and S-shaped curves: never above the proved bound, equal to brute force where that can go."""

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.envelope import Nonconcave, solve_nonconcave
from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.sampled import Sampled
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError


def arms(n, rng, *, total=None, groups=None, spend_all=False):
    ref = np.exp(rng.normal(3, 1, n))
    return AllocationProblem(
        arm_ids=tuple(f"a{i}" for i in range(n)),
        current=np.zeros(n),
        lower=np.zeros(n),
        upper=ref * 4,
        scale=ref * np.exp(rng.normal(0, 0.7, n)),
        elasticity=rng.uniform(0.2, 0.95, n),
        ref_spend=ref,
        total=float(ref.sum() * rng.uniform(0.2, 1.5)) if total is None else total,
        groups=groups,
        spend_all=spend_all,
    )


def s_shaped(rng, top):
    x = np.linspace(0, top, 13)
    steep, middle = rng.uniform(1.5, 5), top * rng.uniform(0.1, 0.7)
    return Sampled(x, top * rng.uniform(0.5, 3) * x**steep / (x**steep + middle**steep))


def brute_force(task):
    """Every choice of arms that are on, each an exact concave problem."""
    best = -np.inf
    problem, switched = task.problem, np.flatnonzero(task.minimum > 0)
    for choice in product([False, True], repeat=len(switched)):
        lower, upper = problem.lower.copy(), problem.upper.copy()
        lower[switched] = np.where(choice, task.minimum[switched], 0)
        upper[switched] = np.where(choice, upper[switched], 0)
        if (lower > upper).any():
            continue
        names = {"arm_ids": problem.arm_ids, "current": lower, "lower": lower, "upper": upper}
        try:
            found = solve(
                AllocationProblem(
                    **names,
                    scale=problem.scale,
                    elasticity=problem.elasticity,
                    ref_spend=problem.ref_spend,
                    total=problem.total,
                    spend_all=problem.spend_all,
                    groups=problem.groups,
                )
            )
        except InfeasibleError:
            continue
        best = max(best, found.value)
    return best


def check(task, answer):
    problem, spend = task.problem, answer.proposed
    cent = 1e-9 * max(problem.total, 1)
    assert (spend >= problem.lower - cent).all()
    assert (spend <= problem.upper + cent).all()
    on = spend > cent
    assert (spend[on] >= task.minimum[on] - cent).all()
    assert spend.sum() <= problem.total + cent
    if problem.spend_all:
        assert spend.sum() >= problem.total - cent
    if problem.groups is not None:
        for index in range(len(problem.groups.names)):
            held = spend[problem.groups.member == index].sum()
            assert problem.groups.lower[index] - cent <= held <= problem.groups.upper[index] + cent
    assert answer.value == pytest.approx(task.value(spend).sum(), rel=1e-9)
    assert answer.bound >= answer.value * (1 - 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_on_and_off_is_decided_as_brute_force_decides_it(seed, grouped, spend_all):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 8))
    groups = None
    if grouped:
        groups = Groups(rng.integers(-1, 2, n), np.zeros(2), np.exp(rng.normal(4, 1, 2)), ("x", "y"))
    try:
        problem = arms(n, rng, groups=groups, spend_all=spend_all)
    except InfeasibleError:
        return
    task = Nonconcave(problem, problem.ref_spend * rng.choice([0, 0.3, 1, 3, 5], n))
    best = brute_force(task)
    if best == -np.inf:
        with pytest.raises(InfeasibleError):
            solve_nonconcave(task, max_splits=400)
        return
    answer = solve_nonconcave(task, max_splits=400)
    check(task, answer)
    assert answer.exact
    assert answer.value == pytest.approx(best, rel=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_s_shaped_curves_are_solved_within_the_gap_that_is_reported(seed):
    rng = np.random.default_rng(seed)
    problem = arms(2, rng)
    task = Nonconcave(problem, np.zeros(2), {i: s_shaped(rng, float(problem.upper[i])) for i in range(2)})
    answer = solve_nonconcave(task)
    check(task, answer)
    one = np.linspace(0, min(problem.total, problem.upper[0]), 4001)
    two = np.minimum(problem.total - one, problem.upper[1])
    grid = np.interp(one, task.sampled[0].spend, task.sampled[0].value)
    grid += np.interp(two, task.sampled[1].spend, task.sampled[1].value)
    assert answer.bound >= grid.max() * (1 - 1e-9)
    assert answer.value >= grid.max() * (1 - 1e-3) - (answer.bound - answer.value)


def test_ten_thousand_arms_that_are_all_or_nothing_take_a_second_or_two_with_a_small_gap():
    rng = np.random.default_rng(1)
    problem = arms(10_000, rng)
    problem = replace(problem, upper=problem.ref_spend, total=float(problem.ref_spend.sum()) * 0.4)
    task = Nonconcave(problem, problem.ref_spend)
    started = time.process_time()
    answer = solve_nonconcave(task)
    assert time.process_time() - started < 3
    check(task, answer)
    assert answer.gap < 1e-4


def test_equal_arms_are_turned_on_as_far_as_the_money_goes():
    n = 50
    problem = AllocationProblem(
        arm_ids=tuple(map(str, range(n))),
        current=np.zeros(n),
        lower=np.zeros(n),
        upper=np.full(n, 10.0),
        scale=np.full(n, 10.0),
        elasticity=np.full(n, 0.5),
        ref_spend=np.full(n, 10.0),
        total=105.0,
        spend_all=False,
    )
    answer = solve_nonconcave(Nonconcave(problem, np.full(n, 10.0)), max_splits=20)
    assert (answer.proposed > 0).sum() == 10
    assert answer.value == pytest.approx(100.0)


def test_a_curve_is_never_solved_below_its_minimum():
    problem = arms(1, np.random.default_rng(0), total=5.0)
    answer = solve_nonconcave(Nonconcave(problem, np.array([6.0])))
    assert answer.proposed == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("spend", "value", "words"),
    [
        ([0.0], [0.0], "two points"),
        ([1.0, 2.0], [0.0, 1.0], "starts at a spend of 0"),
        ([0.0, 1.0], [1.0, 0.0], "never fall"),
        ([0.0, np.inf], [0.0, 1.0], "finite"),
    ],
)
def test_points_that_are_no_curve_are_refused(spend, value, words):
    with pytest.raises(AllocationError, match=words):
        Sampled(np.array(spend), np.array(value))


def test_what_cannot_be_combined_is_refused():
    rng = np.random.default_rng(0)
    problem = arms(2, rng)
    with pytest.raises(AllocationError, match="each arm"):
        Nonconcave(problem, np.zeros(3))
    with pytest.raises(AllocationError, match="one arm"):
        Nonconcave(problem, np.ones(2), {0: s_shaped(rng, 1e9)})
    with pytest.raises(AllocationError, match="ends below"):
        Nonconcave(problem, np.zeros(2), {0: s_shaped(rng, 1.0)})
