"""What an allocation says of the groups in an account: their sums before and after, their gain, and what binds them."""

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.account_plan import AccountPlan
from stakazo_pipelines.allocation.arm_table import ArmTable
from stakazo_pipelines.allocation.posterior import CurvePosterior, gains
from stakazo_pipelines.allocation.problem import Floats, Groups, Ints
from stakazo_pipelines.allocation.tree import Tree
from stakazo_pipelines.vocabulary import Binding

# Money and gains in the account's currency, per day; the interval is at 90 %. shadow_price: what one more unit of money
# in the group would earn, null where no arm was free.
GROUP_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.String,
    "platform": pl.String,
    "currency": pl.String,
    "group": pl.String,
    "current_total": pl.Float64,
    "proposed_total": pl.Float64,
    "expected_gain": pl.Float64,
    "expected_gain_low": pl.Float64,
    "expected_gain_high": pl.Float64,
    "binding": pl.String,
    "shadow_price": pl.Float64,
}
_APART = 1e-9  # relative: prices that differ by more are different


def group_rows(estimates: CurvePosterior, table: ArmTable, rows: Ints, plan: AccountPlan, seed: int) -> pl.DataFrame:
    """One row per group of one account's plan, with `GROUP_COLUMNS`; none where it has no groups."""
    groups = plan.groups
    if groups is None:
        return pl.DataFrame(schema=GROUP_COLUMNS)
    units, first = int(table.units[rows[0]]), int(rows[0])
    tree = Tree.of(groups, len(rows))
    now, then = (tree.whole(money.astype(np.float64))[:-1] / units for money in (table.current[rows], plan.proposed))
    gain = group_gains(
        estimates,
        groups,
        row=table.rows["row"].to_numpy()[rows],
        current=table.budgets[rows],
        proposed=plan.proposed / table.units[rows],
        seed=seed,
    )
    return pl.DataFrame(
        {
            "account_id": [table.rows["account_id"][first]] * len(groups.names),
            "platform": [table.rows["platform"][first]] * len(groups.names),
            "currency": [table.rows["currency"][first]] * len(groups.names),
            "group": list(groups.names),
            "current_total": now,
            "proposed_total": then,
            "expected_gain": gain[0],
            "expected_gain_low": gain[1],
            "expected_gain_high": gain[2],
            "binding": [str(why) for why in _binding(groups, plan)],
            "shadow_price": plan.group_price * units,
        },
        schema=GROUP_COLUMNS,
    ).with_columns(pl.col("shadow_price").fill_nan(None))


def retold_groups(
    told: pl.DataFrame,
    estimates: CurvePosterior,
    groups: Groups,
    *,
    row: Ints,
    current: Floats,
    proposed: Floats,
    seed: int,
) -> pl.DataFrame:
    """Rows of `group_rows` of one account, with the sums and gains of these budgets; arrays as in `group_gains`."""
    gain = group_gains(estimates, groups, row=row, current=current, proposed=proposed, seed=seed)
    then = Tree.of(groups, len(proposed)).whole(proposed)[:-1]
    columns = dict(zip(("expected_gain", "expected_gain_low", "expected_gain_high"), gain, strict=True))
    new = pl.DataFrame({"group": list(groups.names), "proposed_total": then, **columns})
    return told.update(new, on="group")


def group_gains(
    estimates: CurvePosterior, groups: Groups, *, row: Ints, current: Floats, proposed: Floats, seed: int
) -> Floats:
    """float[3, g]: mean, low and high; the arms of a group together, those of inner groups among them.

    By arm: row in the estimates' frame, and budgets in major units.
    """
    found, at = np.zeros((3, len(groups.names))), groups.member.copy()
    for level in groups.levels:
        inside = np.flatnonzero(np.isin(at, level))
        part = gains(
            estimates,
            row=row[inside],
            account=at[inside],
            accounts=len(groups.names),
            current=current[inside],
            proposed=proposed[inside],
            seed=seed,
        )
        found[:, level] = np.stack([part.account_mean, part.account_low, part.account_high])[:, level]
        at[inside] = groups.above[at[inside]]
    return found


def _binding(groups: Groups, plan: AccountPlan) -> list[Binding]:
    """A group is at its upper bound where money in it is worth more than around it, at its lower where less."""
    around = np.append(plan.group_price, plan.shadow_price)[groups.above]
    size = _APART * np.maximum(np.abs(plan.group_price), np.abs(around))
    above, below = plan.group_price - around > size, around - plan.group_price > size
    return [
        Binding.MAXIMUM if high else Binding.MINIMUM if low else Binding.NONE
        for high, low in zip(above, below, strict=True)
    ]
