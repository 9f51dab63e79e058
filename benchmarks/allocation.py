"""The exact allocator against scipy's SLSQP on the same problems, and alone at 10,000 and 100,000 arms.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/allocation.py [--arms 100 300]
"""

import argparse
import time
import warnings

import numpy as np
import scipy
from scipy.optimize import minimize

from stakazo_pipelines.allocation.problem import AllocationProblem, Groups
from stakazo_pipelines.allocation.solver import solve

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


def timed(problem: AllocationProblem) -> tuple[float, float, float]:
    """Best of a few runs: seconds, value, duality gap."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        answer = solve(problem)
        seconds.append(time.perf_counter() - started)
    return min(seconds), answer.value, answer.gap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, nargs="*", default=[100, 300])
    sizes = parser.parse_args().arms
    print(f"numpy {np.__version__}, scipy {scipy.__version__}; ours: best of {REPEATS}, gap is a proved bound\n")
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
    print(f"\n{'arms':>7}  {'bounds':<12} {'ours':>10} {'gap':>8}")
    for arms in (10_000, 100_000):
        for words, options in (("arms", {}), ("20 groups", {"groups": 20}), ("5 % moved", {"cap": 0.05})):
            seconds, _, gap = timed(portfolio(arms, **options))
            print(f"{arms:>7,}  {words:<12} {seconds * 1e3:>7.1f} ms {gap:>8.0e}")


if __name__ == "__main__":
    main()
