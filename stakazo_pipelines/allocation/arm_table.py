"""The arms to allocate to, checked and joined to their estimates: one row each, by account and arm."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.posterior import CurvePosterior, ExpectedCurve
from stakazo_pipelines.allocation.problem import Flags, Floats, Ints
from stakazo_pipelines.allocation.risk import RiskAversion, risk_curve
from stakazo_pipelines.errors import AllocationError
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import ArmState

ROAS = ("roas", "roas_low", "roas_high", "marginal_roas", "marginal_roas_low", "marginal_roas_high")
_CURVE = ("log_value_mean", "log_value_sd", "elasticity_mean", "elasticity_sd", "curve_corr", "ref_spend")
_KNOWN = 10.0  # conversions at which an arm's own value per conversion counts as much as its account's


@dataclass(frozen=True, slots=True)
class ArmTable:
    """rows: the arms. By row: minor units, today's budgets in them (current), curves, and who is kept by a hold."""

    rows: pl.DataFrame
    units: Ints
    current: Ints
    curve: ExpectedCurve
    kept: Flags

    @property
    def budgets(self) -> Floats:
        """float[n]: today's budgets in major units."""
        return np.asarray(self.current / self.units, dtype=np.float64)

    @property
    def accounts(self) -> list[Ints]:
        """The rows of each account, in their order."""
        _, first = np.unique(self.rows["account_id"].to_numpy(), return_index=True)
        ends = [*first[1:], len(self.rows)]
        return [np.arange(start, stop) for start, stop in zip(first, ends, strict=True)]


def arm_table(
    estimates: CurvePosterior,
    arms: pl.DataFrame,
    policy: Policy,
    held: AbstractSet[str],
    minor_units: Mapping[str, int],
) -> ArmTable:
    """Arms as for `allocate.allocate`. Raises AllocationError where they are not a table of distinct budgets."""
    _check(arms, minor_units)
    table = _joined(arms, estimates.frame)
    units = np.array([minor_units[account] for account in table["account_id"]], dtype=np.int64)
    current: Ints = np.rint(table["budget"].to_numpy() * units).astype(np.int64)
    by_policy = frozenset(arm for account in policy.accounts.values() for arm in account.held)
    kept = np.array(table["arm_id"].is_in(list(held | by_policy)).to_numpy(), dtype=np.bool_)
    aversion = RiskAversion(policy.allocation.risk_quantile, policy.allocation.risk_deviations)
    return ArmTable(table, units, current, risk_curve(table, current / units, aversion), kept)


def one_draw(estimates: CurvePosterior, table: ArmTable, seed: int) -> ExpectedCurve:
    """One draw of the posterior as power curves through today's budgets; scale 0 where there is no curve."""
    log_value, elasticity = estimates.draws(1, seed)
    row, now = table.rows["row"].to_numpy(), table.budgets
    ref = estimates.frame["ref_spend"].to_numpy()[row]
    known = (row >= 0) & (table.curve.scale > 0) & (now > 0)
    away = np.log(np.where(known, now, 1.0) / np.where(known, ref, 1.0))
    slope = np.where(known, elasticity[0, row], 0.0)
    level = np.where(known, log_value[0, row], 0.0) + slope * away
    return ExpectedCurve(scale=np.where(known, np.exp(level), 0.0), elasticity=slope)


def value_per_conversion(part: pl.DataFrame) -> Floats:
    """float[n]: what a conversion of each of an account's arms is worth, above 0.

    Expected value over conversions in the window; the fewer conversions, the nearer to that of the account together.
    """
    roas, spend, conversions = (
        part[name].fill_null(0.0).fill_nan(0.0).to_numpy() for name in ("roas", "spend", "conversions")
    )
    value = roas * spend
    together = float(value.sum()) / max(float(conversions.sum()), 1.0)
    if together <= 0:
        return np.ones(len(part))
    return np.asarray((value + _KNOWN * together) / (conversions + _KNOWN), dtype=np.float64)


def _check(arms: pl.DataFrame, minor_units: Mapping[str, int]) -> None:
    needed = ("arm_id", "account_id", "platform", "currency", "budget")
    if missing := [name for name in needed if name not in arms.columns]:
        raise AllocationError(f"arms lack {', '.join(missing)}")
    if arms.is_empty():
        raise AllocationError("there are no arms to allocate to")
    twice = arms.filter(pl.col("arm_id").is_duplicated())["arm_id"].unique().sort().to_list()
    if twice:
        raise AllocationError(f"arms listed more than once: {', '.join(map(str, twice[:5]))}")
    wrong = arms.filter(~(pl.col("budget").is_finite() & (pl.col("budget") >= 0)).fill_null(value=False))
    if len(wrong):
        raise AllocationError(f"budgets must be amounts of at least zero: {', '.join(wrong['arm_id'].head(5))}")
    mixed = arms.group_by("account_id").agg(pl.col("currency").n_unique()).filter(pl.col("currency") > 1)
    if len(mixed):
        raise AllocationError(f"more than one currency in account {', '.join(mixed['account_id'].sort().head(5))}")
    if unknown := sorted(set(arms["account_id"]) - minor_units.keys()):
        raise AllocationError(f"no minor units known for account {', '.join(unknown[:5])}")


def _joined(arms: pl.DataFrame, estimates: pl.DataFrame) -> pl.DataFrame:
    optional = [name for name in ("campaign_id", "min_budget", "max_budget") if name in arms.columns]
    blank = {"campaign_id": pl.lit(""), "min_budget": pl.lit(0.0), "max_budget": pl.lit(float("inf"))}
    counts = ["conversions"] if "conversions" in estimates.columns else []
    rows = estimates.select("arm_id", "state", "days", "spend", *counts, *ROAS, *_CURVE).with_row_index("row")
    return (
        arms.select("arm_id", "account_id", "platform", "currency", pl.col("budget").cast(pl.Float64), *optional)
        .with_columns(blank[name].alias(name) for name in blank if name not in optional)
        .join(rows, on="arm_id", how="left")
        .with_columns(
            pl.col("row").cast(pl.Int64).fill_null(-1),
            pl.col("state").fill_null(ArmState.INSUFFICIENT.value),
            (pl.col("spend") / pl.col("days")).fill_nan(None).fill_null(0.0).alias("average"),
            pl.col("min_budget").fill_null(0.0).alias("least"),
            pl.col("max_budget").fill_null(float("inf")).alias("most"),
        )
        .sort("account_id", "arm_id")
    )
