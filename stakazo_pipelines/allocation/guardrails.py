"""Guardrails: from policy, what was changed already, states and holds to the bounds of each budget, with reasons.

They bind budget moves only. A pause or a stop is not a budget move and never passes through here, so nothing in this
file can block one. Bounds always contain the current budget: a guardrail never forces a move, it only stops one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stakazo_pipelines.allocation.problem import Flags, Floats
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.vocabulary import ArmState, Binding

Reasons = NDArray[np.object_]  # of Binding


@dataclass(frozen=True, slots=True)
class ChangeLedger:
    """What was moved already, as fractions; whoever publishes adds it up and lets it age.

    entity_24h: by arm id, sum of |change| / budget before, over the last 24 hours.
    account_day, account_month: by account id, sum of |change| / sum of budgets, in the account's day and month.
    account_growth: by account id, how far its total was raised in its day, in its major units (below 0: cut).
    """

    entity_24h: Mapping[str, float] = field(default_factory=dict)
    account_day: Mapping[str, float] = field(default_factory=dict)
    account_month: Mapping[str, float] = field(default_factory=dict)
    account_growth: Mapping[str, float] = field(default_factory=dict)

    def after(self, plan: pl.DataFrame) -> "ChangeLedger":
        """The ledger once a plan (arm_id, account_id, current_budget, proposed_budget) is published in full."""
        change = pl.col("proposed_budget") - pl.col("current_budget")
        moved = plan.with_columns(moved=change.abs(), growth=change)
        arms = moved.filter(pl.col("moved") > 0).select(
            "arm_id", (pl.col("moved") / pl.col("current_budget")).alias("share")
        )
        accounts = moved.group_by("account_id").agg(pl.col("moved", "current_budget", "growth").sum())
        shares = {
            str(account): float(amount / budget) if budget > 0 else 0.0
            for account, amount, budget, _ in accounts.rows()
        }
        return ChangeLedger(
            entity_24h=_added(self.entity_24h, dict(arms.iter_rows())),
            account_day=_added(self.account_day, shares),
            account_month=_added(self.account_month, shares),
            account_growth=_added(self.account_growth, dict(accounts.select("account_id", "growth").iter_rows())),
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """float[n] lower and upper budgets per day, why each is where it is, and the account's cap on moved money."""

    lower: Floats
    upper: Floats
    why_lower: Reasons
    why_upper: Reasons
    max_moved: float


def judged(rows: pl.DataFrame, policy: Policy) -> tuple[Flags, Flags]:
    """Which arms (columns state, days) may be raised, and which may be cut.

    Few conversions in enough days are a finding: such an arm's posterior leans on its group and is never a reason to
    raise it, but a minimum of data that also forbade cuts would let what sells nothing keep its money for good.
    """
    state, days = rows["state"], rows["days"].fill_null(0)
    ok = state == ArmState.OK.value
    few = (state == ArmState.INSUFFICIENT.value) & (days >= policy.measurement.min_days)
    return np.array(ok.to_numpy(), dtype=np.bool_), np.array((ok | few).to_numpy(), dtype=np.bool_)


def bounds(
    *,
    account_id: str,
    arm_ids: Sequence[str],
    current: Floats,
    average: Floats,
    may_rise: Flags,
    may_fall: Flags,
    held: Flags,
    policy: Policy,
    ledger: ChangeLedger,
    platform_minimum: Floats | float = 0.0,
    platform_maximum: Floats | float = np.inf,
    step_cap: float | None = None,
) -> Bounds:
    """Bounds of one account's arms, in its currency's major units per day; arrays are of one length n.

    average: recent mean daily spend, of which policy keeps a share so that nothing is starved. may_rise, may_fall: as
    `judged`; an arm that may do neither stays (a cut would be as blind as a raise, and a pause stays possible). held:
    kept by a person, experiment or learning. step_cap: instead of the policy's.
    """
    n = len(arm_ids)
    step = policy.allocation.step_cap if step_cap is None else step_cap
    left = np.array([max(policy.guardrails.entity_24h - ledger.entity_24h.get(arm, 0.0), 0.0) for arm in arm_ids])
    room = np.minimum(step, left)
    capped = left < step

    lower, upper = current * np.maximum(1 - room, 0.0), current * (1 + room)
    why_lower = np.where(capped, Binding.DAILY_CAP, np.full(n, Binding.STEP_DOWN, dtype=object))
    why_upper = np.where(capped, Binding.DAILY_CAP, np.full(n, Binding.STEP_UP, dtype=object))

    least = np.maximum(platform_minimum, policy.allocation.min_budget_share * average)
    why_lower = np.where(least > lower, Binding.MINIMUM, why_lower)
    lower = np.maximum(lower, np.minimum(least, current))
    why_upper = np.where(platform_maximum < upper, Binding.MAXIMUM, why_upper)
    upper = np.minimum(upper, np.maximum(platform_maximum, current))

    for no_cut, no_raise, reason in ((~may_fall, ~may_rise, Binding.STATE), (held, held, Binding.HELD)):
        lower, upper = np.where(no_cut, current, lower), np.where(no_raise, current, upper)
        why_lower, why_upper = np.where(no_cut, reason, why_lower), np.where(no_raise, reason, why_upper)

    rails = policy.guardrails
    day = rails.account_day - ledger.account_day.get(account_id, 0.0)
    month = rails.account_month - ledger.account_month.get(account_id, 0.0)
    return Bounds(lower, upper, why_lower, why_upper, max(min(day, month), 0.0) * float(current.sum()))


def _added(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {key: one.get(key, 0.0) + other.get(key, 0.0) for key in {**one, **other}}
