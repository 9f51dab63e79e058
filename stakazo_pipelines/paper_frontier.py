"""What if there were more or less to spend: the best that each total a day can earn, from one estimate."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.arm_table import arm_table
from stakazo_pipelines.allocation.frontier import frontier
from stakazo_pipelines.allocation.guardrails import judged
from stakazo_pipelines.allocation.posterior import expected_curve, gains
from stakazo_pipelines.allocation.problem import AllocationProblem, Floats, Ints
from stakazo_pipelines.coins import minor_units
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.paper import FAR, on_paper
from stakazo_pipelines.planning import Planner

SHARES = (0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 2.0)  # of today's budgets together
LEAST, MOST = 0.3, FAR  # times today's budget


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One total. Money and value a day; the interval of the gain over today is at 90 %.

    shadow_price: what one more unit of money would earn there. reason: why the total is out of reach, else empty; then
    the figures are NaN.
    """

    total: float
    value: float
    gain: float
    gain_low: float
    gain_high: float
    shadow_price: float
    reason: str


def paper_frontier(planner: Planner) -> tuple[WhatIf, ...]:
    """The best budgets at `SHARES` of today's sum, in one currency.

    Neither steps, nor bounds on ad groups and groups, nor targets on returns count here: every ad group that can be
    judged is free between `LEAST` and `MOST` times today's budget, the others stay. Aversion to risk does. Values count
    ad groups that have a curve. Raises InputError for more than one currency.
    """
    accounts = planner.arms["account_id"].unique().to_list()
    if len(accounts) > 1:
        raise InputError("a frontier over several currencies is none; give a table of one currency")
    policy = on_paper(planner.policy, planner.arms, planner.wishes, step_cap=planner.step_cap)
    units = {account: minor_units(str(account)) for account in accounts}
    table = arm_table(planner.estimates, planner.arms, policy, frozenset(), units)
    now, rows = table.budgets, table.rows
    movable = table.curve.scale > 0
    may_rise, may_fall = judged(rows, policy)
    problem = AllocationProblem(
        arm_ids=rows["arm_id"].to_list(),
        current=now,
        lower=np.where(movable & may_fall, now * LEAST, now),
        upper=np.where(movable & may_rise, now * MOST, now),
        scale=table.curve.scale,
        elasticity=table.curve.elasticity,
        ref_spend=np.where(now > 0, now, 1.0),
        total=float(now.sum()),
    )
    worth = float(expected_curve(rows, now).scale.sum())
    found = frontier(problem, [share * float(now.sum()) for share in SHARES])
    told = []
    for point in found:
        gain = (np.nan,) * 3 if point.proposed is None else _gain(planner, rows, now, point.proposed)
        told.append(WhatIf(point.total, worth + gain[0], *gain, point.shadow_price, point.reason))
    return tuple(told)


def _gain(planner: Planner, rows: pl.DataFrame, now: Floats, proposed: Floats) -> tuple[float, float, float]:
    account: Ints = np.zeros(len(rows), dtype=np.int64)
    found = gains(
        planner.estimates,
        row=rows["row"].to_numpy(),
        account=account,
        accounts=1,
        current=now,
        proposed=proposed,
        seed=planner.seed,
    )
    return float(found.account_mean[0]), float(found.account_low[0]), float(found.account_high[0])
