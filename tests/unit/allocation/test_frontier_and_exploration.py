"""What other totals would earn, what the posterior's draws would do, and what exploring costs."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.exploration import explore, reoptimise
from stakazo_pipelines.allocation.frontier import frontier
from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError

seeds = st.integers(0, 2**32 - 1)


def portfolio(n, seed, **changes):
    rng = np.random.default_rng(seed)
    current = np.exp(rng.normal(3, 1, n))
    return replace(
        AllocationProblem(
            arm_ids=tuple(map(str, range(n))),
            current=current,
            lower=current * 0.2,
            upper=current * 4,
            scale=current * np.exp(rng.normal(0.5, 0.7, n)),
            elasticity=rng.uniform(0.1, 0.95, n),
            ref_spend=current,
            total=float(current.sum()),
        ),
        **changes,
    )


def posterior(problem, draws, seed):
    rng = np.random.default_rng(seed)
    shape = (draws, problem.size)
    return (
        problem.scale * np.exp(rng.normal(0, 0.4, shape)),
        np.clip(problem.elasticity + rng.normal(0, 0.1, shape), 0.02, 0.98),
    )


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_the_frontier_is_concave_and_its_shadow_price_is_its_slope(seed):
    problem = portfolio(6, seed)
    now = problem.total
    points = frontier(problem, np.linspace(0.3, 3.5, 9) * now)
    values = np.array([point.value for point in points])
    assert (np.diff(values) > -1e-9).all()
    assert (np.diff(values, 2) <= 1e-9 * values[-1]).all()
    step = 1e-5 * now
    up, here, down = frontier(problem, [now + step, now, now - step])
    tolerance = 1e-6 * here.value / step * 1e-4
    assert (up.value - here.value) / step <= here.shadow_price + tolerance
    assert (here.value - down.value) / step >= here.shadow_price - tolerance
    assert here.roas == pytest.approx(here.value / now)


def test_a_total_out_of_reach_says_why_and_the_others_stand():
    problem = portfolio(4, 1)
    points = frontier(problem, [problem.total * 100, problem.total])
    assert "upper bounds of the arms" in points[0].reason
    assert points[0].proposed is None
    assert points[1].proposed is not None


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from(["plain", "groups", "turnover"]))
def test_each_draw_gets_the_optimum_of_its_own_curves(seed, kind):
    problem = portfolio(5, seed)
    if kind == "groups":
        sums = np.bincount([0, 0, 1, 1, 1], problem.current, 2)
        problem = replace(problem, groups=Groups(np.array([0, 0, 1, 1, 1]), sums * 0.9, sums * 1.1, ("x", "y")))
    if kind == "turnover":
        problem = replace(problem, max_moved=0.1 * problem.total)
    scale, elasticity = posterior(problem, 7, seed)
    together = reoptimise(problem, scale, elasticity)
    for one, a, e in zip(together, scale, elasticity, strict=True):
        alone = solve(replace(problem, scale=a, elasticity=e))
        assert one == pytest.approx(alone.proposed, rel=1e-6, abs=1e-9 * problem.total)
        assert one.sum() == pytest.approx(problem.total)


def test_two_hundred_draws_of_ten_thousand_arms_take_two_seconds():
    problem = portfolio(10_000, 3)
    scale, elasticity = posterior(problem, 200, 4)
    started = time.process_time()
    spends = reoptimise(problem, scale, elasticity)
    assert time.process_time() - started < 4  # 1 s alone on a core; the machines of a test run are shared
    assert spends.sum(axis=1) == pytest.approx(problem.total)


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0, 2))
def test_exploration_costs_what_it_says_and_no_more_than_allowed(seed, allowed):
    problem = portfolio(6, seed)
    scale, elasticity = (part[0] for part in posterior(problem, 1, seed))
    free = explore(problem, scale, elasticity)
    best = solve(problem)
    assert free.cost == pytest.approx(best.value - problem.value(free.proposed).sum(), abs=1e-9 * best.value)
    assert free.share == 1.0
    bound = explore(problem, scale, elasticity, max_cost=allowed * free.cost)
    assert bound.cost <= allowed * free.cost * (1 + 1e-9)
    assert bound.proposed.sum() == pytest.approx(problem.total)
    assert (bound.proposed >= problem.lower * (1 - 1e-12)).all()
    assert (bound.proposed <= problem.upper * (1 + 1e-12)).all()
    if allowed >= 1:
        assert bound.share == 1.0


def test_exploring_with_nothing_to_lose_stays_at_the_greedy_optimum():
    problem = portfolio(5, 2)
    scale, elasticity = (part[0] for part in posterior(problem, 1, 9))
    answer = explore(problem, scale, elasticity, max_cost=0.0)
    assert problem.value(answer.proposed).sum() == pytest.approx(solve(problem).value)


def test_draws_that_do_not_fit_are_refused():
    problem = portfolio(3, 0)
    with pytest.raises(AllocationError, match="shapes"):
        reoptimise(problem, np.ones((2, 4)), np.ones((2, 4)))
    with pytest.raises(AllocationError, match="elasticities"):
        reoptimise(problem, np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(AllocationError, match="at least zero"):
        explore(problem, np.ones(3), np.full(3, 0.5), max_cost=-1.0)
