"""What if the accounts that share money had more or less of it: today's best for each total, in one currency."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.frontier import frontier
from stakazo_pipelines.allocation.portfolio import Stake, portfolio_problem

_POINTS = 9
# Money and value a day in the reporting currency; shadow_price: what one more unit of money would earn there.
FRONTIER_COLUMNS = {"total": pl.Float64, "value": pl.Float64, "roas": pl.Float64, "shadow_price": pl.Float64}


def day_frontier(stakes: Sequence[Stake]) -> pl.DataFrame:
    """From the least to the most that today's bounds on single budgets allow, today's total among them.

    Exact at every row, with `FRONTIER_COLUMNS`; no rows where nothing is free. Only the bounds of single budgets count
    here: not those of groups, accounts and platforms, not the caps on moved money, and no target on returns.
    """
    if not stakes:
        return pl.DataFrame(schema=FRONTIER_COLUMNS)
    problem = portfolio_problem(stakes)
    low, now, high = float(problem.lower.sum()), problem.total, float(problem.upper.sum())
    if not low < high:
        return pl.DataFrame(schema=FRONTIER_COLUMNS)
    half = _POINTS // 2
    totals = np.unique([*np.linspace(low, now, half + 1), *np.linspace(now, high, half + 1)])
    points = frontier(problem, totals.tolist())
    rows = [(point.total, point.value, point.roas, point.shadow_price) for point in points]
    return pl.DataFrame(rows, schema=FRONTIER_COLUMNS, orient="row")
