"""A plan on paper for another total than today's: budgets brought to it first, and the plan told from today's."""

from decimal import Decimal

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.guardrails import judged
from stakazo_pipelines.allocation.problem import Floats, Ints
from stakazo_pipelines.allocation.report import AccountSummary, retold
from stakazo_pipelines.allocation.rounding import round_to_total
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.policy import Policy

# A larger total goes to ad groups that are `ok` as long as this grows them at most so many times more than the total.
MAX_STRETCH = 2.0


def brought_to(
    arms: pl.DataFrame,
    estimates: Estimates,
    total: Decimal,
    policy: Policy,
    step_cap: float | None,
    units: dict[str, int],
    notes: list[str],
) -> pl.DataFrame:
    """The arms with budgets that add up to the total, from which the step cap counts (see `plan_table`)."""
    unit = units[arms["account_id"][0]]
    today: Floats = arms["budget"].to_numpy()
    sum_today, wanted = float(today.sum()), float(total)
    if sum_today <= 0:
        raise InputError("no ad group has a budget or spend to start from, so the total cannot be split")
    found = arms.select("arm_id").join(estimates.frame, on="arm_id", how="left", maintain_order="left")
    ok, may_fall = judged(found, policy)
    step = policy.allocation.step_cap if step_cap is None else step_cap
    average = (found["spend"] / found["days"]).fill_nan(0.0).to_numpy()
    floor = np.maximum(today * max(1 - step, 0.0), np.minimum(policy.allocation.min_budget_share * average, today))
    least, most = float(np.where(may_fall, floor, today).sum()), float(np.where(ok, today * (1 + step), today).sum())
    margin = len(today) / unit  # bounds are rounded inwards to the minor unit
    if least + margin <= wanted <= most - margin:
        return arms
    factor = wanted / sum_today
    known = float(today[ok].sum())
    stretch = (wanted - (sum_today - known)) / known if known > 0 else np.inf
    base = today * factor
    if abs(factor - 1) <= 0.5 / unit / sum_today:
        words = ""
    elif factor < 1:
        words = f"every budget is first cut to {factor:.1%}"
    elif stretch <= MAX_STRETCH * factor:
        base = np.where(ok, today * stretch, today)
        words = f"the {int(ok.sum())} ad groups that are ok are first raised to {stretch:.1%}, the others stay"
    else:
        words = f"too little is known of most ad groups, so every budget is first raised to {factor:.1%}"
    if words:
        notes.append(
            f"steps of {step:.0%} from today's {sum_today:,.2f} do not reach the total of {wanted:,.2f}: {words}, "
            "and the steps count from there"
        )
    low: Ints = np.zeros(len(base), dtype=np.int64)
    whole = round_to_total(base * unit, low, np.full(len(base), np.iinfo(np.int64).max // 2), int(total * unit))
    return arms.with_columns(pl.Series("budget", whole / unit))


def since_today(
    frame: pl.DataFrame, summary: AccountSummary, arms: pl.DataFrame, estimates: Estimates, unit: int, seed: int
) -> tuple[pl.DataFrame, AccountSummary]:
    """The same plan told from today's budgets instead of those that the total started from."""
    today = arms.select("arm_id", ((pl.col("budget") * unit).round() / unit).alias("current_budget"))
    return retold(
        frame.drop("current_budget").join(today, on="arm_id", maintain_order="left"), summary, estimates, seed=seed
    )
