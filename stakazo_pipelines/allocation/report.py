"""What an allocation says: budgets with gains and reasons by arm, and the same of accounts and of groups in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.account_plan import AccountPlan
from stakazo_pipelines.allocation.arm_table import ROAS, ArmTable
from stakazo_pipelines.allocation.group_report import GROUP_COLUMNS, group_rows
from stakazo_pipelines.allocation.posterior import CurvePosterior, Gains, gains
from stakazo_pipelines.allocation.problem import Ints


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One account's plan. Money and gains in its currency, per day; the interval is at 90 %."""

    account_id: str
    platform: str
    currency: str
    arms: int
    changes: int
    current_total: float
    proposed_total: float
    moved: float  # sum of |change|
    expected_gain: float
    expected_gain_low: float
    expected_gain_high: float
    chance_of_gain: float  # NaN when nothing moves
    shadow_price: float  # value of one more unit of money; NaN when no arm was free
    kkt_residual: float
    reason: str  # in words: why nothing moves, why the total is not the one asked for, what is off; else empty


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """frame: one row per arm, ordered by account and arm; accounts: one summary per account, in the same order.

    groups: one row per group that policy names in an account (`GROUP_COLUMNS`).
    """

    frame: pl.DataFrame
    accounts: tuple[AccountSummary, ...]
    groups: pl.DataFrame


def plan_gains(estimates: CurvePosterior, table: ArmTable, plans: Sequence[AccountPlan], seed: int) -> Gains:
    """What the plans (one per account of the table) gain in value a day."""
    return gains(
        estimates,
        row=table.rows["row"].to_numpy(),
        account=np.repeat(np.arange(len(plans)), [len(plan.proposed) for plan in plans]),
        accounts=len(plans),
        current=table.budgets,
        proposed=np.concatenate([plan.proposed for plan in plans]) / table.units,
        seed=seed,
    )


def retold(
    frame: pl.DataFrame, summary: AccountSummary, estimates: CurvePosterior, *, seed: int
) -> tuple[pl.DataFrame, AccountSummary]:
    """One account's arms (arm_id, current_budget, proposed_budget) and its summary, with the gains of these budgets."""
    rows = estimates.frame.select("arm_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("row"))
    row = frame.select("arm_id").join(rows, on="arm_id", how="left", maintain_order="left")["row"].fill_null(-1)
    current, proposed = frame["current_budget"].to_numpy(), frame["proposed_budget"].to_numpy()
    gain = gains(
        estimates,
        row=row.to_numpy(),
        account=np.zeros(len(frame), dtype=np.int64),
        accounts=1,
        current=current,
        proposed=proposed,
        seed=seed,
    )
    told = replace(
        summary,
        changes=int((current != proposed).sum()),
        current_total=float(current.sum()),
        moved=float(np.abs(proposed - current).sum()),
        expected_gain=float(gain.account_mean[0]),
        expected_gain_low=float(gain.account_low[0]),
        expected_gain_high=float(gain.account_high[0]),
        chance_of_gain=float(gain.account_chance[0]),
    )
    columns = {"expected_gain": gain.mean, "expected_gain_low": gain.low, "expected_gain_high": gain.high}
    return frame.with_columns(pl.Series(name, column) for name, column in columns.items()), told


def report(
    estimates: CurvePosterior, table: ArmTable, plans: Sequence[AccountPlan], gain: Gains, seed: int
) -> AllocationResult:
    """The plans in words and numbers; `gain` as `plan_gains` gives it."""
    slices = table.accounts
    summaries = tuple(
        _summary(table, rows, plan, gain, index) for index, (plan, rows) in enumerate(zip(plans, slices, strict=True))
    )
    grouped = [group_rows(estimates, table, rows, plan, seed) for plan, rows in zip(plans, slices, strict=True)]
    return AllocationResult(
        _frame(table, gain, plans), summaries, pl.concat([pl.DataFrame(schema=GROUP_COLUMNS), *grouped])
    )


def _summary(table: ArmTable, rows: Ints, plan: AccountPlan, gain: Gains, index: int) -> AccountSummary:
    first, current = int(rows[0]), table.current[rows]
    explored = f"exploring costs {plan.cost:,.2f} a day of expected value" if plan.cost > 0 else ""
    units = int(table.units[first])
    return AccountSummary(
        account_id=table.rows["account_id"][first],
        platform=table.rows["platform"][first],
        currency=table.rows["currency"][first],
        arms=len(rows),
        changes=int((plan.proposed != current).sum()),
        current_total=float(current.sum()) / units,
        proposed_total=float(plan.proposed.sum()) / units,
        moved=float(np.abs(plan.proposed - current).sum()) / units,
        expected_gain=float(gain.account_mean[index]),
        expected_gain_low=float(gain.account_low[index]),
        expected_gain_high=float(gain.account_high[index]),
        chance_of_gain=float(gain.account_chance[index]),
        shadow_price=plan.shadow_price * units,
        kkt_residual=plan.kkt_residual,
        reason="; ".join(filter(None, [plan.short, plan.reason, plan.told, explored])),
    )


def _frame(table: ArmTable, gain: Gains, plans: Sequence[AccountPlan]) -> pl.DataFrame:
    proposed = np.concatenate([plan.proposed for plan in plans]) / table.units
    prices = np.concatenate([plan.price for plan in plans]) * table.units
    binding = [str(reason) for plan in plans for reason in plan.binding]
    return table.rows.select(
        "arm_id",
        "account_id",
        "platform",
        "currency",
        pl.Series("current_budget", table.budgets),
        pl.Series("proposed_budget", proposed),
        *ROAS,
        pl.Series("expected_gain", gain.mean),
        pl.Series("expected_gain_low", gain.low),
        pl.Series("expected_gain_high", gain.high),
        "state",
        pl.Series("binding", binding),
        pl.Series("shadow_price", prices).fill_nan(None),
    )
