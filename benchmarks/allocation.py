"""The exact allocator against scipy's SLSQP and Clarabel on the same problems, its certificate, and its other answers.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/allocation.py [--arms 100 300] [--problems 10000] [--sample 100]
Clarabel is called through cvxpy; where they are not installed that part is left out, and says so.
"""

import argparse
import time
import warnings
from dataclasses import replace

import numpy as np
import scipy
from scipy.optimize import minimize

from stakazo_pipelines.allocation.envelope import Nonconcave, solve_nonconcave
from stakazo_pipelines.allocation.exploration import reoptimise
from stakazo_pipelines.allocation.frontier import frontier
from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.sampled import Sampled
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import InfeasibleError

try:
    import clarabel
    import cvxpy
except ImportError:
    cvxpy = None

REPEATS = 5


def portfolio(arms: int, *, unit: float = 1.0, groups: int = 0, cap: float | None = None) -> AllocationProblem:
    """Random arms, as many as asked for, free to move between a fifth and five times today's budget."""
    rng = np.random.default_rng(7)
    current = np.exp(rng.normal(4, 1, arms)) * unit
    chosen = None
    if groups:
        member = rng.integers(0, groups, arms)
        sums = np.bincount(member, current, groups)
        chosen = Groups(member, sums * 0.9, sums * 1.1, tuple(f"group {index}" for index in range(groups)))
    return AllocationProblem(
        arm_ids=tuple(f"arm {index}" for index in range(arms)),
        current=current,
        lower=current * 0.2,
        upper=current * 5,
        scale=current * np.exp(rng.normal(0.7, 0.5, arms)),
        elasticity=rng.uniform(0.3, 0.9, arms),
        ref_spend=current,
        total=float(current.sum()),
        groups=chosen,
        max_moved=None if cap is None else cap * float(current.sum()),
    )


def nested(problem: AllocationProblem) -> AllocationProblem:
    """The same with 20 accounts on three platforms, whose sums may move as well."""
    member = np.arange(problem.size) % 20
    platform = np.arange(20) % 3
    sums = np.bincount(member, problem.current, 20)
    sums = np.append(sums, np.bincount(platform, sums, 3))
    step = np.where(np.arange(23) < 20, 0.1, 0.05)
    parent = np.append(20 + platform, [-1, -1, -1])
    names = tuple(f"group {index}" for index in range(23))
    return replace(problem, groups=Groups(member, sums * (1 - step), sums * (1 + step), names, parent))


def anything(seed: int) -> AllocationProblem | None:
    """A random problem of any kind, degenerate ones among them; None if its bounds contradict each other."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    kind = rng.choice(["plain", "atmost", "groups", "turnover", "both"], p=[0.25, 0.2, 0.3, 0.15, 0.1])
    current = np.exp(rng.normal(3, 1.5, n)) * np.where(rng.random(n) < 0.03, 0.0, 1.0)
    ref = np.maximum(current, 1.0) * np.exp(rng.normal(0, 0.5, n))
    elasticity = rng.choice([0.02, 0.3, 0.5, 0.9, 0.98], n) * rng.uniform(0.9, 1.0, n)
    elasticity = np.where(rng.random(n) < rng.choice([0.0, 0.0, 0.3, 1.0]), 1.0, elasticity)  # straight pieces
    elasticity = np.where(rng.random(n) < 0.05, 0.0, elasticity)
    scale = np.where(rng.random(n) < 0.05, 0.0, ref * np.exp(rng.normal(0, 1, n)))
    scale = np.where(rng.random() < 0.2, np.round(scale / ref) * ref, scale)  # exact ties
    lower = current * rng.choice([0.0, 0.5, 0.8, 1.0], n)
    upper = np.maximum(current * rng.choice([1.0, 1.2, 3.0], n), lower) + np.where(current == 0, 5.0, 0.0)
    now = float(current.sum())
    total = now
    if kind in ("plain", "atmost"):
        total = float(lower.sum() + (upper - lower).sum() * rng.choice([0.01, 0.3, 0.9, 1.0]))
    groups = None
    if kind in ("groups", "both"):
        count = int(rng.integers(1, 6))
        member = rng.integers(-1, count, n)
        parent = np.array([rng.integers(-1, index) for index in range(count)])
        sums = np.bincount(member[member >= 0], current[member >= 0], count)
        for index in range(count - 1, 0, -1):
            if parent[index] >= 0:
                sums[parent[index]] += sums[index]
        low = sums * rng.choice([0.0, 0.9, 1.0, 1.02], count)
        high = np.maximum(sums * rng.choice([0.98, 1.0, 1.1], count), low)
        high[rng.random(count) < 0.25] = np.inf
        groups = Groups(member, low, high, ("group",) * count, parent)
    try:
        return AllocationProblem(
            arm_ids=tuple(map(str, range(n))),
            current=current,
            lower=lower,
            upper=upper,
            scale=scale,
            elasticity=elasticity,
            ref_spend=ref,
            total=total,
            spend_all=kind != "atmost",
            groups=groups,
            max_moved=float(rng.uniform(0, 0.4)) * now if kind in ("turnover", "both") else None,
        )
    except InfeasibleError:
        return None


def slsqp(problem: AllocationProblem) -> tuple[np.ndarray, str]:
    """The same problem as anyone would write it down for scipy, with the exact gradient."""

    def loss(spend: np.ndarray) -> float:
        return -float(problem.value(spend).sum())

    def slope(spend: np.ndarray) -> np.ndarray:
        return -problem.value(spend) * problem.elasticity / spend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minimize(
            loss,
            problem.current,
            jac=slope,
            method="SLSQP",
            bounds=list(zip(problem.lower, problem.upper, strict=True)),
            constraints={"type": "eq", "fun": lambda spend: spend.sum() - problem.total, "jac": np.ones_like},
            options={"maxiter": 1000},
        )
    return found.x, found.message


def by_clarabel(problem: AllocationProblem) -> tuple[float, str]:
    """Clarabel's best value, with one power cone an arm, in units of the total and of the value today."""
    money = max(problem.total, 1e-300)
    spend = cvxpy.Variable(problem.size)
    bent = (problem.elasticity > 0) & (problem.elasticity < 1) & (problem.scale > 0)
    straight = (problem.elasticity == 1) & (problem.scale > 0)
    worth = float(problem.scale[problem.elasticity == 0].sum())
    unit = max(float(problem.scale.sum()), 1e-300)
    total = cvxpy.sum(spend) * 1.0
    limits = [spend >= problem.lower / money, spend <= np.minimum(problem.upper / money, 2.0)]
    limits.append(total == 1 if problem.spend_all else total <= 1)
    value = cvxpy.Constant(0.0)
    if bent.any():
        rises = cvxpy.Variable(int(bent.sum()))
        here = cvxpy.multiply(spend[np.flatnonzero(bent)], money / problem.ref_spend[bent])
        limits.append(cvxpy.PowCone3D(here, np.ones(int(bent.sum())), rises, problem.elasticity[bent]))
        value += (problem.scale[bent] / unit) @ rises
    if straight.any():
        slope = problem.scale[straight] * money / problem.ref_spend[straight] / unit
        value += slope @ spend[np.flatnonzero(straight)]
    groups = problem.groups
    if groups is not None:
        inside = np.eye(len(groups.names) + 1)[groups.member][:, :-1]
        for level in groups.levels:
            for index in level:
                limits.append(inside[:, index] @ spend >= groups.lower[index] / money)
                if np.isfinite(groups.upper[index]):
                    limits.append(inside[:, index] @ spend <= groups.upper[index] / money)
                if groups.above[index] >= 0:
                    inside[:, groups.above[index]] += inside[:, index]
    if problem.max_moved is not None:
        limits.append(cvxpy.norm1(spend - problem.current / money) <= problem.max_moved / money)
    asked = cvxpy.Problem(cvxpy.Maximize(value), limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            asked.solve(solver=cvxpy.CLARABEL, tol_gap_rel=1e-10, tol_gap_abs=1e-12, tol_feas=1e-10)
        except cvxpy.error.SolverError:
            return float("nan"), "failed"
    return (float("nan") if asked.value is None else float(asked.value) * unit + worth), asked.status


def timed(problem: AllocationProblem) -> tuple[float, float, float]:
    """Best of a few runs: seconds, value, duality gap."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        answer = solve(problem)
        seconds.append(time.perf_counter() - started)
    return min(seconds), answer.value, answer.gap


def against_slsqp(sizes: list[int]) -> None:
    print("Against SLSQP; money 1e-06: the same problem in other units")
    print(
        f"{'arms':>7} {'money':>7} {'ours':>10} {'gap':>8} {'SLSQP':>10} {'times':>8} "
        f"{'gain ours':>10} {'gain SLSQP':>10}"
    )
    for arms in sizes:
        for unit in (1.0, 1e-6):
            problem = portfolio(arms, unit=unit)
            mine, value, gap = timed(problem)
            started = time.perf_counter()
            spend, _ = slsqp(problem)
            other = time.perf_counter() - started
            now = float(problem.value(problem.current).sum())
            gains = [value / now - 1, float(problem.value(np.maximum(spend, 0)).sum()) / now - 1]
            print(
                f"{arms:>7,} {unit:>7g} {mine * 1e3:>7.2f} ms {gap:>8.0e} {other * 1e3:>7.0f} ms {other / mine:>7,.0f}x"
                f" {gains[0]:>10.4%} {gains[1]:>10.4%}"
            )


def against_clarabel(sample: int) -> None:
    print("\nAgainst Clarabel, through cvxpy")
    if cvxpy is None:
        print("left out: cvxpy and clarabel are not installed")
        return
    print(f"cvxpy {cvxpy.__version__}, clarabel {clarabel.__version__}")
    for arms in (1_000, 10_000):
        problem = portfolio(arms)
        mine, value, _ = timed(problem)
        started = time.perf_counter()
        other, status = by_clarabel(problem)
        seconds = time.perf_counter() - started
        apart = other / value - 1
        print(f"{arms:>7,} arms: ours {mine * 1e3:.1f} ms, Clarabel {seconds:.2f} s ({status}), its value {apart:+.1e}")
    above, below, failed, seen, seed = 0.0, [], 0, 0, 0
    while seen < sample:
        seed += 1
        random = anything(seed)
        if random is None or random.total == 0:
            continue
        seen += 1
        value = solve(random).value
        other, status = by_clarabel(random)
        if status != "optimal" or not value > 0:
            failed += 1
            continue
        above = max(above, other / value - 1)
        below.append(1 - other / value)
    print(
        f"{sample} random problems: Clarabel solved {len(below)}, its value at most {above:.1e} above ours and "
        f"{max(below):.1e} below, {np.median(np.abs(below)):.1e} apart in the middle; {failed} it did not solve"
    )


def certificates(problems: int) -> None:
    print("\nCertificates on random problems, degenerate ones among them")
    gaps, residuals, seconds, contradictory = [], [], 0.0, 0
    seed = -1
    while len(gaps) < problems:
        seed += 1
        problem = anything(seed)
        if problem is None:
            contradictory += 1
            continue
        started = time.perf_counter()
        answer = solve(problem)  # raises where its own proof fails
        seconds += time.perf_counter() - started
        gaps.append(answer.gap)
        residuals.append(answer.kkt_residual)
    print(
        f"{len(gaps):,} solved ({contradictory:,} more contradict themselves and are refused): largest proved gap "
        f"{max(gaps):.0e}, largest KKT residual {max(residuals):.0e}, {seconds / len(gaps) * 1e3:.1f} ms each"
    )


def sizes_alone() -> None:
    print(f"\n{'arms':>7}  {'bounds':<28} {'ours':>10} {'gap':>8}")
    kinds = (
        ("arms", lambda n: portfolio(n)),
        ("20 groups", lambda n: portfolio(n, groups=20)),
        ("20 accounts on 3 platforms", lambda n: nested(portfolio(n))),
        ("5 % moved", lambda n: portfolio(n, cap=0.05)),
        ("both of these", lambda n: nested(portfolio(n, cap=0.05))),
    )
    for arms in (10_000, 100_000):
        for words, make in kinds:
            seconds, _, gap = timed(make(arms))
            print(f"{arms:>7,}  {words:<28} {seconds * 1e3:>7.1f} ms {gap:>8.0e}")


def other_answers() -> None:
    problem = portfolio(10_000)
    rng = np.random.default_rng(3)
    scale = problem.scale * np.exp(rng.normal(0, 0.3, (200, problem.size)))
    elasticity = np.clip(problem.elasticity + rng.normal(0, 0.1, scale.shape), 0.02, 0.98)
    started = time.perf_counter()
    reoptimise(problem, scale, elasticity)
    print(f"\n200 optima of 10,000 arms under posterior draws: {time.perf_counter() - started:.2f} s")
    started = time.perf_counter()
    frontier(problem, np.linspace(0.5, 2, 20) * problem.total)
    print(f"a frontier of 20 totals over 10,000 arms: {time.perf_counter() - started:.2f} s")
    off = replace(problem, lower=np.zeros(problem.size), spend_all=False)
    switched = Nonconcave(off, problem.current * rng.choice([0.0, 0.5, 1.0, 2.0], problem.size))
    bare = replace(off, upper=problem.current, total=problem.total * 0.4)
    shapes = {index: s_curve(float(problem.upper[index]), rng) for index in range(problem.size)}
    for words, task in (
        ("on/off minimum budgets", switched),
        ("all-or-nothing budgets", Nonconcave(bare, problem.current)),
        ("S-curves of 13 points", Nonconcave(off, np.zeros(problem.size), shapes)),
    ):
        started = time.perf_counter()
        answer = solve_nonconcave(task)
        seconds = time.perf_counter() - started
        print(f"10,000 arms with {words}: {seconds:.2f} s, proved within {answer.gap:.0e} of the best possible")


def s_curve(top: float, rng: np.random.Generator) -> Sampled:
    spend = np.linspace(0, top, 13)
    steep, middle = rng.uniform(1.5, 5), top * rng.uniform(0.1, 0.7)
    return Sampled(spend, top * rng.uniform(0.5, 3) * spend**steep / (spend**steep + middle**steep))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, nargs="*", default=[100, 300])
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--sample", type=int, default=100)
    options = parser.parse_args()
    print(f"numpy {np.__version__}, scipy {scipy.__version__}; ours: best of {REPEATS}, gap is a proved bound\n")
    against_slsqp(options.arms)
    sizes_alone()
    other_answers()
    certificates(options.problems)
    against_clarabel(options.sample)


if __name__ == "__main__":
    main()
