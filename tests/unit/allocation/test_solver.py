"""The allocator is exact: proved by its own certificate, by scipy, and by brute force; and free of scale."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError, InfeasibleError


@st.composite
def problems(draw, *, min_arms=1, max_arms=12, balanced=False, kind=None, barren=True, straight=False, crumbs=False):
    """Random problems of every kind: degenerate arms, fixed arms, zero lower bounds, nested groups, turnover caps.

    crumbs: totals as near above the lower bounds as numbers can be, down to nothing to share out.
    """
    n = draw(st.integers(min_arms, max_arms))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["plain", "groups", "turnover", "both", "atmost"])) if kind is None else kind
    current = np.exp(rng.normal(3, 1.5, n))
    elasticity = rng.choice([0.02, 0.3, 0.5, 0.9, 0.98], n) * rng.uniform(0.9, 1.0, n)
    if straight:  # some of them of one slope, so that the optimum is not unique
        elasticity = np.where(rng.random(n) < rng.choice([0.0, 0.3, 1.0]), 1.0, elasticity)
    ref = current * np.exp(rng.normal(0, 0.5, n))
    scale = np.where(elasticity == 1, ref * rng.choice([0.5, 1.0, 1.5], n), current * np.exp(rng.normal(0, 1, n)))
    if barren:
        elasticity = np.where(rng.random(n) < 0.1, 0.0, elasticity)
        scale = np.where(rng.random(n) < 0.1, 0.0, scale)
    lower = current * rng.choice([0.0, 0.5, 0.8, 1.0], n)
    upper = current * rng.choice([1.0, 1.2, 3.0], n)
    now = float(current.sum())
    low, high = float(lower.sum()), float(upper.sum())
    total = (
        now if balanced or kind in ("turnover", "both") else low + (high - low) * rng.choice([0.0, 1.0, rng.random()])
    )
    if crumbs:
        total = low + (high - low) * rng.choice([0.0, 10.0 ** -rng.uniform(1, 15)])
    elif (lower == 0).any():  # x ** 0.02 of a crumb is half of x ** 0.02 of one: rounding the total is no small change
        total = max(total, low + (high - low) * 0.01)
    groups = None
    if kind in ("groups", "both"):
        count = int(rng.integers(1, 5))
        member = rng.integers(-1, count, n)
        parent = np.array([rng.integers(-1, index) for index in range(count)])
        total = now
        sums = sums_of(Groups(member, np.zeros(count), np.zeros(count), ("",) * count, parent), current)
        lows = sums * rng.choice([0.0, 0.95, 1.0], count)
        highs = sums * rng.choice([1.0, 1.05], count)
        highs[rng.random(count) < 0.2] = np.inf
        groups = Groups(member, lows, highs, tuple(f"g{i}" for i in range(count)), parent)
    return AllocationProblem(
        arm_ids=tuple(f"a{i}" for i in range(n)),
        current=current,
        lower=lower,
        upper=upper,
        scale=scale,
        elasticity=elasticity,
        ref_spend=ref,
        total=float(total),
        spend_all=kind != "atmost",
        groups=groups,
        max_moved=float(rng.uniform(0, 0.5) * now) if kind in ("turnover", "both") else None,
    )


def sums_of(groups, spend):
    """Sums of all groups, inner ones within."""
    sums = np.bincount(groups.member[groups.member >= 0], spend[groups.member >= 0], len(groups.names))
    for level in groups.levels:
        inner = level[groups.above[level] >= 0]
        np.add.at(sums, groups.above[inner], sums[inner])
    return sums


def check_feasible(problem, spend):
    tolerance = 1e-9 * max(problem.total, 1e-300)
    assert (spend >= problem.lower - tolerance).all()
    assert (spend <= problem.upper + tolerance).all()
    if problem.spend_all:
        assert abs(spend.sum() - problem.total) <= tolerance
    assert spend.sum() <= problem.total + tolerance
    if problem.max_moved is not None:
        assert np.abs(spend - problem.current).sum() <= problem.max_moved + tolerance
    if problem.groups is not None:
        held = sums_of(problem.groups, spend)
        assert (held >= problem.groups.lower - tolerance).all()
        assert (held <= problem.groups.upper + tolerance).all()


@settings(max_examples=200, deadline=None)
@given(problems(straight=True) | problems() | problems(kind="plain", crumbs=True))
def test_every_answer_is_feasible_and_proved_optimal(problem):
    answer = solve(problem)
    check_feasible(problem, answer.proposed)
    assert answer.gap < 1e-9
    assert answer.kkt_residual < 1e-6
    assert answer.value == pytest.approx(problem.value(answer.proposed).sum())


@settings(max_examples=120, deadline=None)
@given(problems(max_arms=6, straight=True), st.integers(0, 2**32 - 1))
def test_no_feasible_mixture_of_random_points_earns_more(problem, seed):
    """Brute force that knows nothing of prices: random exchanges between pairs of arms never help."""
    rng = np.random.default_rng(seed)
    best = solve(problem)
    for _ in range(60):
        one, other = rng.integers(0, problem.size, 2)
        step = problem.total * 10.0 ** rng.uniform(-4, -0.5)
        moved = best.proposed.copy()
        step = min(step, problem.upper[one] - moved[one], moved[other] - problem.lower[other])
        moved[one] += step
        moved[other] -= step
        try:
            check_feasible(problem, moved)
        except AssertionError:
            continue
        assert problem.value(moved).sum() <= best.value * (1 + 1e-9)


def slsqp(problem):
    constraints = [LinearConstraint(np.ones(problem.size), problem.total, problem.total)]
    if problem.groups is not None:
        for index in range(len(problem.groups.names)):
            inside = np.array([sums_of(problem.groups, one)[index] for one in np.eye(problem.size)])
            constraints.append(LinearConstraint(inside, problem.groups.lower[index], problem.groups.upper[index]))
    start = problem.current
    size = problem.value(start).sum()
    return minimize(
        lambda spend: -problem.value(np.maximum(spend, 0)).sum() / size,
        start,
        bounds=list(zip(problem.lower, problem.upper, strict=True)),
        constraints=constraints,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-13},
    )


@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")
@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["plain", "groups"]).flatmap(
        lambda kind: problems(min_arms=2, max_arms=6, kind=kind, balanced=True, barren=False)
    )
)
def test_scipy_finds_nothing_better(problem):
    # SLSQP cannot start at a zero spend (infinite slope) and dislikes pinned variables: give it room.
    problem = replace(problem, lower=np.maximum(problem.lower * 0.9, problem.current * 0.1), upper=problem.upper * 1.05)
    mine, other = solve(problem), slsqp(problem)
    if other.success:
        spend = np.clip(other.x, problem.lower, problem.upper)
        assert problem.value(spend).sum() <= mine.value * (1 + 1e-6)


@settings(max_examples=70, deadline=None)
@given(problems(), st.sampled_from([1e-9, 1e-6, 1e-3, 1e9]), st.sampled_from([1e-9, 1e9]))
def test_the_answer_does_not_depend_on_the_unit_of_money_or_value(problem, money, value):
    groups = problem.groups
    scaled = replace(
        problem,
        current=problem.current * money,
        lower=problem.lower * money,
        upper=problem.upper * money,
        ref_spend=problem.ref_spend * money,
        total=problem.total * money,
        scale=problem.scale * value,
        groups=None if groups is None else replace(groups, lower=groups.lower * money, upper=groups.upper * money),
        max_moved=None if problem.max_moved is None else problem.max_moved * money,
    )
    plain, other = solve(problem), solve(scaled)
    assert other.value == pytest.approx(plain.value * value, rel=1e-9)
    assert other.proposed / money == pytest.approx(plain.proposed, rel=1e-6, abs=1e-7 * problem.total)


@pytest.mark.parametrize("unit", [1.0, 1e-4, 1e-8, 1e8])
def test_small_values_never_end_at_the_equal_split(unit):
    """Optimisers with absolute tolerances stop where they start, and call it success, when values are small."""
    n = 20
    even = np.full(n, 50.0)
    problem = AllocationProblem(
        arm_ids=tuple(map(str, range(n))),
        current=even,
        lower=even * 0.0,
        upper=even * n,
        scale=np.linspace(0.2, 2.0, n) * even * unit,
        elasticity=np.full(n, 0.5),
        ref_spend=even,
        total=float(even.sum()),
    )
    answer = solve(problem)
    # Equal elasticity 1/2: spends are in proportion to the squares of the scales.
    assert answer.proposed == pytest.approx(problem.total * problem.scale**2 / (problem.scale**2).sum())
    best = np.sqrt(n * (problem.scale**2).sum()) / problem.scale.sum()
    assert answer.value / problem.value(even).sum() == pytest.approx(best)
    assert best > 1.1
    assert answer.gap < 1e-12


@settings(max_examples=70, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_arms_does_not_matter(problem, random):
    order = list(range(problem.size))
    random.shuffle(order)
    groups = problem.groups
    shuffled = replace(
        problem,
        arm_ids=tuple(problem.arm_ids[i] for i in order),
        **{
            name: getattr(problem, name)[order]
            for name in ("current", "lower", "upper", "scale", "elasticity", "ref_spend")
        },
        groups=None if groups is None else replace(groups, member=groups.member[order]),
    )
    assert solve(shuffled).proposed == pytest.approx(solve(problem).proposed[order], rel=1e-7, abs=1e-9 * problem.total)


def two_arms(**changes):
    base = AllocationProblem(
        arm_ids=("a", "b"),
        current=np.array([10.0, 10.0]),
        lower=np.array([0.0, 0.0]),
        upper=np.array([20.0, 20.0]),
        scale=np.array([30.0, 10.0]),
        elasticity=np.array([0.5, 0.5]),
        ref_spend=np.array([10.0, 10.0]),
        total=20.0,
    )
    return replace(base, **changes)


def test_platforms_hold_their_accounts_and_both_hold_with_a_turnover_cap():
    arms = AllocationProblem(
        arm_ids=("a", "b", "c", "d"),
        current=np.full(4, 100.0),
        lower=np.zeros(4),
        upper=np.full(4, 400.0),
        scale=np.array([400.0, 300.0, 200.0, 100.0]),
        elasticity=np.full(4, 0.5),
        ref_spend=np.full(4, 100.0),
        total=400.0,
        groups=Groups(
            member=np.array([0, 1, 2, 2]),
            lower=np.zeros(4),
            upper=np.array([150.0, np.inf, np.inf, 230.0]),
            names=("account a", "account b", "account c", "platform of a and b"),
            parent=np.array([3, 3, -1, -1]),
        ),
    )
    free = solve(arms)
    assert free.proposed[0] == pytest.approx(147.2)  # 230 in proportion to the squares of 4 and 3
    assert free.proposed[:2].sum() == pytest.approx(230.0)
    assert free.group_price[3] > free.shadow_price == pytest.approx(free.group_price[2])
    tight = solve(replace(arms, max_moved=50.0))
    assert np.abs(tight.proposed - 100).sum() == pytest.approx(50.0)
    assert tight.proposed[:2].sum() <= 230.0 + 1e-9
    assert tight.gap < 1e-12


def test_groups_that_force_more_moves_than_the_cap_say_how_many():
    groups = Groups(np.array([0, 1]), np.array([14.0, 0.0]), np.array([20.0, 20.0]), ("x", "y"))
    with pytest.raises(InfeasibleError, match="within the groups' bounds moves 8, above the cap of 5") as caught:
        two_arms(groups=groups, max_moved=5.0)
    assert caught.value.relaxation == pytest.approx(3.0)
    assert solve(two_arms(groups=groups, max_moved=8.0)).proposed == pytest.approx([14.0, 6.0])


def test_groups_in_a_circle_are_refused():
    circle = Groups(np.array([0, 1]), np.zeros(2), np.full(2, 20.0), ("x", "y"), np.array([1, 0]))
    with pytest.raises(AllocationError, match="circle"):
        two_arms(groups=circle)


def test_two_arms_split_as_the_closed_form_says():
    # Equal elasticity 1/2: spends are in proportion to the squares of the scales, 9 to 1.
    answer = solve(two_arms())
    assert answer.proposed == pytest.approx([18.0, 2.0])
    assert answer.shadow_price == pytest.approx(0.5 * 30 / 10 * (18 / 10) ** -0.5)


def test_a_turnover_cap_raises_the_best_and_cuts_the_worst_by_half_of_it_each():
    answer = solve(two_arms(max_moved=4.0))
    assert answer.proposed == pytest.approx([12.0, 8.0])
    assert answer.move_price > 0


def test_money_without_use_is_left_when_the_total_is_only_a_limit():
    barren = two_arms(scale=np.array([0.0, 10.0]), spend_all=False, total=40.0)
    answer = solve(barren)
    assert answer.proposed == pytest.approx([0.0, 20.0])
    assert answer.shadow_price == 0


def test_a_total_that_must_be_spent_goes_to_barren_arms_last():
    answer = solve(two_arms(scale=np.array([0.0, 10.0]), total=25.0))
    assert answer.proposed == pytest.approx([5.0, 20.0])


def test_arms_that_earn_nothing_are_allocated_under_groups_and_a_cap_all_the_same():
    groups = Groups(np.array([0, 1]), np.zeros(2), np.array([20.0, 20.0]), ("x", "y"))
    answer = solve(two_arms(scale=np.zeros(2), groups=groups, max_moved=4.0))
    assert np.abs(answer.proposed - 10).sum() <= 4.0 + 1e-9
    assert answer.gap == 0


def test_no_money_at_all_is_allocated_and_proved():
    answer = solve(two_arms(total=0.0))
    assert answer.proposed == pytest.approx([0.0, 0.0])
    assert answer.kkt_residual == 0
    assert answer.shadow_price == np.inf


@pytest.mark.parametrize("crumb", [1e-3, 1e-8, 1e-12])
def test_a_crumb_above_large_lower_bounds_is_shared_out_as_if_it_were_all(crumb):
    """What the arms share is proved in its own size: digits of the money that nobody can choose do not count."""
    pinned = two_arms(
        arm_ids=("a", "b", "pinned"),
        **{
            name: np.append(getattr(two_arms(), name), value)
            for name, value in (
                ("current", 50.0),
                ("lower", 50.0),
                ("upper", 60.0),
                ("scale", 1e-3),
                ("elasticity", 0.5),
                ("ref_spend", 50.0),
            )
        },
        total=50.0 + crumb,
    )
    answer = solve(pinned)
    left = pinned.total - 50.0
    assert answer.proposed[:2] == pytest.approx([0.9 * left, 0.1 * left], rel=1e-9, abs=0)
    assert answer.gap < 1e-12
    assert answer.kkt_residual < 1e-9


@pytest.mark.parametrize("bound", [7.8, np.nextafter(7.8, 0), np.nextafter(7.8, 8)])
def test_a_group_whose_bound_is_its_arms_lower_bounds_but_for_rounding_has_nothing_to_choose(bound):
    lower = np.array([2.6, 5.2, 0.0])
    groups = Groups(np.array([0, 0, -1]), np.zeros(1), np.array([bound]), ("full",))
    answer = solve(
        two_arms(
            arm_ids=("a", "b", "c"),
            **dict.fromkeys(("current", "ref_spend"), np.full(3, 10.0)),
            lower=lower,
            upper=np.full(3, 30.0),
            scale=np.array([90.0, 80.0, 10.0]),
            elasticity=np.full(3, 0.5),
            groups=groups,
        )
    )
    assert answer.proposed == pytest.approx([2.6, 5.2, 12.2])
    assert answer.gap < 1e-12
    assert answer.kkt_residual < 1e-9


def test_no_money_for_straight_curves_is_proved_too():
    answer = solve(two_arms(elasticity=np.ones(2), total=0.0, spend_all=False))
    assert answer.proposed == pytest.approx([0.0, 0.0])
    assert answer.gap == 0


def test_nothing_to_gain_is_said_in_words():
    same = two_arms(scale=np.array([10.0, 10.0]))
    assert "nothing to gain" in solve(same).reason
    assert "nothing to gain" in solve(two_arms(scale=np.zeros(2))).reason
    assert "nothing can move" in solve(two_arms(lower=np.full(2, 10.0), upper=np.full(2, 10.0))).reason


@pytest.mark.parametrize(
    ("changes", "words", "relaxation"),
    [
        ({"total": 50.0}, "upper bounds of the arms add up to 40, below the total of 50", 10.0),
        ({"lower": np.array([15.0, 12.0])}, "lower bounds of the arms add up to 27, above the total of 20", 7.0),
        ({"lower": np.array([25.0, 0.0])}, "lower bound is above the upper bound for a;", 5.0),
        (
            {"groups": Groups(np.array([0, 0]), np.array([45.0]), np.array([50.0]), ("brand",))},
            "group brand: its arms' upper bounds add up to 40, below 45",
            5.0,
        ),
        (
            {"groups": Groups(np.array([0, 1]), np.array([12.0, 11.0]), np.array([20.0, 20.0]), ("x", "y"))},
            "lower bounds of the arms and groups add up to 23",
            3.0,
        ),
        ({"total": 30.0, "max_moved": 4.0}, "moves 10, above the cap of 4 on moved money", 6.0),
    ],
)
def test_infeasible_bounds_name_the_contradiction_and_the_smallest_relaxation(changes, words, relaxation):
    with pytest.raises(InfeasibleError) as caught:
        two_arms(**changes)
    assert words in str(caught.value)
    assert caught.value.relaxation == pytest.approx(relaxation)


def test_relaxing_by_the_stated_amount_is_enough_and_less_is_not():
    with pytest.raises(InfeasibleError) as caught:
        two_arms(total=50.0)
    amount = caught.value.relaxation
    solve(two_arms(total=50.0 - amount))
    with pytest.raises(InfeasibleError):
        two_arms(total=50.0 - amount * 0.99)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": np.array([-1.0, 1.0])}, "scale below zero: a"),
        ({"elasticity": np.array([0.5, 1.1])}, "elasticity outside [0, 1]: b"),
        ({"ref_spend": np.array([0.0, 1.0])}, "ref_spend not above zero: a"),
        ({"current": np.array([np.nan, 1.0])}, "current is not finite for a"),
        ({"total": float("inf")}, "finite amount"),
        ({"lower": np.zeros(3)}, "shape"),
    ],
)
def test_numbers_that_are_no_problem_are_refused_by_name(changes, words):
    with pytest.raises(AllocationError, match=re.escape(words)):
        two_arms(**changes)


def test_100_000_arms_take_well_under_half_a_second():
    import time

    rng = np.random.default_rng(1)
    n = 100_000
    current = np.exp(rng.normal(3, 1, n))
    problem = AllocationProblem(
        arm_ids=tuple(str(i) for i in range(n)),
        current=current,
        lower=current * 0.8,
        upper=current * 1.2,
        scale=current * np.exp(rng.normal(0, 0.5, n)),
        elasticity=rng.uniform(0.1, 0.95, n),
        ref_spend=current,
        total=float(current.sum()),
    )
    started = time.process_time()
    answer = solve(problem)
    assert time.process_time() - started < 0.5
    assert answer.gap < 1e-9


@settings(max_examples=60, deadline=None)
@given(problems(kind="both") | problems(kind="turnover"), st.floats(-0.3, 0.3))
def test_a_cap_that_lets_move_only_what_must_is_solved_and_proved(problem, more):
    """The total moves by all that the cap allows, so that nothing may be moved both ways."""
    wide, now = problem.groups, float(problem.current.sum())
    least, most = problem.lower, problem.upper
    if wide is not None:
        here = sums_of(wide, problem.current)
        wide = replace(wide, lower=np.minimum(wide.lower, here), upper=np.maximum(wide.upper, here))
        least, most = (sums[-1:] for sums in wide.reach(problem.lower, problem.upper))
    total = float(np.clip(problem.total * (1 + more), least.sum(), most.sum()))
    one_way = replace(problem, groups=wide, total=total, max_moved=abs(total - now))
    answer = solve(one_way)
    check_feasible(one_way, answer.proposed)
    assert answer.gap < 1e-9
    move = answer.proposed - problem.current
    assert min(move.max(), -move.min()) <= 1e-9 * problem.total
