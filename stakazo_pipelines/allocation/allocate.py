"""Budgets of many accounts at once: estimates, policy and ledger in; proposals with gains, bounds and words out."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.account_plan import AccountPlan, Limits, plan_account
from stakazo_pipelines.allocation.guardrails import ChangeLedger, bounds
from stakazo_pipelines.allocation.posterior import CurvePosterior, ExpectedCurve, Gains, gains
from stakazo_pipelines.allocation.problem import Flags, Floats, Ints
from stakazo_pipelines.allocation.risk import RiskAversion, risk_curve
from stakazo_pipelines.errors import AllocationError
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import ArmState, Binding

_ROAS = ("roas", "roas_low", "roas_high", "marginal_roas", "marginal_roas_low", "marginal_roas_high")
_CURVE = ("log_value_mean", "log_value_sd", "elasticity_mean", "elasticity_sd", "curve_corr", "ref_spend")


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
    reason: str  # in words: why nothing moves, or why the total is not the one asked for; else empty


@dataclass(frozen=True, slots=True)
class AccountReach:
    """Where one account's budgets may go and what they earn there; `arm_ids`, `limits`, `curve` in one order."""

    arm_ids: tuple[str, ...]
    limits: Limits
    curve: ExpectedCurve


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """frame: one row per arm, ordered by account and arm; accounts: one summary per account, in the same order."""

    frame: pl.DataFrame
    accounts: tuple[AccountSummary, ...]


def allocate(
    *,
    estimates: CurvePosterior,
    arms: pl.DataFrame,
    policy: Policy,
    ledger: ChangeLedger,
    total: float | None = None,
    held: AbstractSet[str] = frozenset(),
    minor_units: Mapping[str, int],
    seed: int,
    step_cap: float | None = None,
    granted: int | None = None,
) -> AllocationResult:
    """Budgets that earn most under the posterior, within policy, by account.

    arms: arm_id, account_id, platform, currency, budget (major units per day), and optionally min_budget, max_budget
    (the platform's, null for none). total: per account and day, instead of policy's and of today's sum. held: arm ids
    kept as they are, besides policy's. minor_units: by account id, how many make one major unit. granted: the total of
    every account in its minor units, as decided over a portfolio; it stands before `total` and policy's growth.
    An arm without an estimate, or whose state is not `ok`, is kept where it is. A change set whose expected gain is
    not positive is dropped whole, unless policy asks for care, which may cost expected value. Raises AllocationError
    for arms that are not a table of distinct budgets.
    """
    table, units, current, curve, kept = _prepared(estimates, arms, policy, held, minor_units)
    labels = table["account_id"].to_numpy()
    names, first = np.unique(labels, return_index=True)
    slices = [np.arange(start, stop) for start, stop in zip(first, [*first[1:], len(labels)], strict=True)]
    plans = [
        _plan(
            _reach(table, rows, current[rows], int(units[rows[0]]), curve, kept[rows], policy, ledger, step_cap),
            policy,
            granted if granted is not None else _asked(table, rows, int(units[rows[0]]), policy, total),
            granted,
        )
        for rows in slices
    ]
    proposed = np.concatenate([plan.proposed for plan in plans])
    account = np.repeat(np.arange(len(names)), [len(rows) for rows in slices])

    gain = _gains(estimates, table, account, current / units, proposed / units, seed)
    dropped = False
    careful = policy.allocation.careful
    for index, (plan, rows) in enumerate(zip(plans, slices, strict=True)):
        balanced = plan.total == int(current[rows].sum())
        if balanced and not careful and not plan.reason and not gain.account_mean[index] > 0:
            dropped = True
            plans[index] = _dropped(plan, current[rows], float(gain.account_mean[index]))
    proposed = np.concatenate([plan.proposed for plan in plans])
    if dropped:
        gain = _gains(estimates, table, account, current / units, proposed / units, seed)
    summaries = tuple(
        _summary(table, rows, plan, current[rows], int(units[rows[0]]), gain, index)
        for index, (plan, rows) in enumerate(zip(plans, slices, strict=True))
    )
    return AllocationResult(_frame(table, current / units, proposed / units, gain, plans, summaries), summaries)


def account_reach(
    *,
    estimates: CurvePosterior,
    arms: pl.DataFrame,
    policy: Policy,
    ledger: ChangeLedger,
    held: AbstractSet[str],
    minor_units: int,
) -> AccountReach:
    """What `allocate` would choose from, for the arms of one account."""
    account = str(arms["account_id"][0])
    table, _, current, curve, kept = _prepared(estimates, arms, policy, held, {account: minor_units})
    return _reach(table, np.arange(len(table)), current, minor_units, curve, kept, policy, ledger, None)


def _prepared(
    estimates: CurvePosterior,
    arms: pl.DataFrame,
    policy: Policy,
    held: AbstractSet[str],
    minor_units: Mapping[str, int],
) -> tuple[pl.DataFrame, Ints, Ints, ExpectedCurve, Flags]:
    """The arms with their estimates, and by row: minor units, today's budgets in them, curves, and who is held."""
    _check(arms, minor_units)
    table = _joined(arms, estimates.frame)
    units = np.array([minor_units[account] for account in table["account_id"]], dtype=np.int64)
    current: Ints = np.rint(table["budget"].to_numpy() * units).astype(np.int64)
    by_policy = frozenset(arm for account in policy.accounts.values() for arm in account.held)
    kept = np.array(table["arm_id"].is_in(list(held | by_policy)).to_numpy(), dtype=np.bool_)
    aversion = RiskAversion(policy.allocation.risk_quantile, policy.allocation.risk_deviations)
    return table, units, current, risk_curve(table, current / units, aversion), kept


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
    rows = estimates.select("arm_id", "state", "days", "spend", *_ROAS, *_CURVE).with_row_index("row")
    optional = [name for name in ("min_budget", "max_budget") if name in arms.columns]
    return (
        arms.select("arm_id", "account_id", "platform", "currency", pl.col("budget").cast(pl.Float64), *optional)
        .join(rows, on="arm_id", how="left")
        .with_columns(
            pl.col("row").cast(pl.Int64).fill_null(-1),
            pl.col("state").fill_null(ArmState.INSUFFICIENT.value),
            (pl.col("spend") / pl.col("days")).fill_nan(None).fill_null(0.0).alias("average"),
            pl.lit(0.0).alias("least")
            if "min_budget" not in optional
            else pl.col("min_budget").fill_null(0.0).alias("least"),
            pl.lit(float("inf")).alias("most")
            if "max_budget" not in optional
            else pl.col("max_budget").fill_null(float("inf")).alias("most"),
        )
        .sort("account_id", "arm_id")
    )


def _reach(
    table: pl.DataFrame,
    rows: Ints,
    current: Ints,
    units: int,
    curve: ExpectedCurve,
    held: Flags,
    policy: Policy,
    ledger: ChangeLedger,
    step_cap: float | None,
) -> AccountReach:
    part = table[int(rows[0]) : int(rows[-1]) + 1]
    arm_ids = part["arm_id"].to_list()
    rails = bounds(
        account_id=part["account_id"][0],
        arm_ids=arm_ids,
        current=current / units,
        average=part["average"].to_numpy(),
        ok=np.array((part["state"] == ArmState.OK.value).to_numpy()) & (curve.scale[rows] > 0),
        held=held,
        policy=policy,
        ledger=ledger,
        platform_minimum=part["least"].to_numpy(),
        platform_maximum=part["most"].to_numpy(),
        step_cap=step_cap,
    )
    own = ExpectedCurve(curve.scale[rows], curve.elasticity[rows])
    return AccountReach(tuple(arm_ids), Limits.of(rails, current, units), own)


def _asked(table: pl.DataFrame, rows: Ints, units: int, policy: Policy, total: float | None) -> int | None:
    """The total wanted of an account in its minor units; None keeps today's."""
    first = int(rows[0])
    own = policy.total_of(table["platform"][first], table["account_id"][first])
    wanted = own if total is None else Decimal(str(total))
    return None if wanted is None else int(wanted * units)


def _plan(reach: AccountReach, policy: Policy, asked: int | None, granted: int | None) -> AccountPlan:
    now = int(reach.limits.current.sum())
    return plan_account(
        arm_ids=list(reach.arm_ids),
        limits=reach.limits,
        curve=reach.curve,
        asked=now if asked is None else asked,
        most=int(now * (1 + policy.guardrails.max_budget_growth)) if granted is None else granted,
        min_change=policy.allocation.min_change,
    )


def _gains(
    estimates: CurvePosterior, table: pl.DataFrame, account: Ints, current: Floats, proposed: Floats, seed: int
) -> Gains:
    return gains(
        estimates,
        row=table["row"].to_numpy(),
        account=account,
        accounts=int(account[-1]) + 1,
        current=current,
        proposed=proposed,
        seed=seed,
    )


def _dropped(plan: AccountPlan, current: Ints, gain: float) -> AccountPlan:
    return AccountPlan(
        proposed=current,
        binding=np.where(plan.proposed != current, Binding.NONE, plan.binding),
        total=plan.total,
        asked=plan.asked,
        shadow_price=plan.shadow_price,
        kkt_residual=plan.kkt_residual,
        reason=f"nothing to gain: the best change within the bounds is expected to earn {gain:.6g} a day",
    )


def _summary(
    table: pl.DataFrame, rows: Ints, plan: AccountPlan, current: Ints, units: int, gain: Gains, index: int
) -> AccountSummary:
    reason = plan.reason
    if plan.total != plan.asked:
        reason = "; ".join(filter(None, [_short(plan, units), reason]))
    first = int(rows[0])
    return AccountSummary(
        account_id=table["account_id"][first],
        platform=table["platform"][first],
        currency=table["currency"][first],
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
        reason=reason,
    )


def _short(plan: AccountPlan, units: int) -> str:
    asked, total = plan.asked / units, plan.total / units
    return (
        f"the total of {asked:,.2f} asked for is out of reach of this plan's bounds; the nearest, {total:,.2f}, "
        f"is used ({abs(asked - total):,.2f} {'less' if total < asked else 'more'})"
    )


def _frame(
    table: pl.DataFrame,
    current: Floats,
    proposed: Floats,
    gain: Gains,
    plans: list[AccountPlan],
    accounts: tuple[AccountSummary, ...],
) -> pl.DataFrame:
    prices = np.repeat([account.shadow_price for account in accounts], [account.arms for account in accounts])
    binding = [str(reason) for plan in plans for reason in plan.binding]
    return table.select(
        "arm_id",
        "account_id",
        "platform",
        "currency",
        pl.Series("current_budget", current),
        pl.Series("proposed_budget", proposed),
        *_ROAS,
        pl.Series("expected_gain", gain.mean),
        pl.Series("expected_gain_low", gain.low),
        pl.Series("expected_gain_high", gain.high),
        "state",
        pl.Series("binding", binding),
        pl.Series("shadow_price", prices).fill_nan(None),
    )
