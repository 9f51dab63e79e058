"""Policy for a plan on paper: no account's own rules, caps with room for the step, and what the user wishes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches

import polars as pl

from stakazo_pipelines.allocation.report import AllocationResult
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.policy import AccountPolicy, GroupPolicy, Policy, RangePolicy

GROUPINGS = ("campaign", "platform")
FAR = 3.0  # times today's budget: further out a curve learned around today says little


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a plan is asked for besides its total; None: as policy says.

    target_roas, min_marginal_roas, target_cpa: as in policy. risk_quantile: each ad group counts with that lower
    quantile of its value, 0.5 and above with its expected value. bounds: by name of an ad group, campaign or platform,
    on its budget or sum a day. group_by: campaign or platform, to be told of as groups. min_viable: an ad group that
    may move gets nothing or at least so much a day.
    """

    target_roas: float | None = None
    min_marginal_roas: float | None = None
    target_cpa: float | None = None
    risk_quantile: float | None = None
    bounds: Mapping[str, RangePolicy] = field(default_factory=dict)
    group_by: str | None = None
    min_viable: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("target_roas", "min_marginal_roas", "target_cpa", "min_viable"):
            given = getattr(self, name)
            if given is not None and not 0 < given < float("inf"):
                raise InputError(f"{name.replace('_', '-')} is a number above 0, not {given}")
        if self.risk_quantile is not None and not 0 < self.risk_quantile <= 1:
            raise InputError(f"risk is `expected` or a quantile above 0, such as 0.25, not {self.risk_quantile}")
        if self.group_by is not None and self.group_by not in GROUPINGS:
            raise InputError(f"ad groups are grouped by {' or '.join(GROUPINGS)}, not by {self.group_by!r}")


def on_paper(policy: Policy, arms: pl.DataFrame, wishes: Wishes, *, step_cap: float | None) -> Policy:
    """Policy without totals of its own, with cumulative caps that leave room for the step, and the wishes in it.

    With smallest viable budgets the account's caps on moved money leave room for every switch as well.
    arms: arm_id, ad_group, campaign_id, platform, account_id, budget. Raises InputError for a bound on a name that
    the table has not, or that keeps an ad group below the smallest viable budget.
    """
    step = policy.allocation.step_cap if step_cap is None else step_cap
    rails = policy.guardrails
    widened: dict[str, float] = {
        name: max(getattr(rails, name), step) for name in ("entity_24h", "account_day", "account_month")
    }
    if wishes.min_viable is not None:  # more than giving up every budget and starting others moves
        widened |= {name: max(widened[name], 3 + step) for name in ("account_day", "account_month")}
    widened["max_budget_growth"] = max(rails.max_budget_growth, step)
    asked: dict[str, float | None] = {"total": None}
    for name in ("target_roas", "min_marginal_roas"):
        if (given := getattr(wishes, name)) is not None:
            asked[name] = given
    if wishes.risk_quantile is not None:
        asked |= {
            "risk_quantile": wishes.risk_quantile if wishes.risk_quantile < 1 / 2 else None,
            "risk_deviations": None,
        }
    _check_names(arms, wishes)
    return policy.model_copy(
        update={
            "allocation": policy.allocation.model_copy(update=asked),
            "guardrails": rails.model_copy(update=widened),
            "accounts": {
                f"{platform}/{account}": _account(arms.filter(pl.col("account_id") == account), wishes)
                for platform, account in arms.select("platform", "account_id").unique().iter_rows()
            },
        }
    )


def outside(arms: pl.DataFrame, wishes: Wishes) -> list[str]:
    """In words: which bounds today's budgets do not keep, and by how much they would have to give."""
    words = []
    for name, bound in wishes.bounds.items():
        now = float(_named(arms, name)["budget"].sum())
        if bound.max is not None and now > bound.max:
            words.append(f"{name} spends {now:,.2f} a day, {now - float(bound.max):,.2f} above its bound")
        elif now < bound.min:
            words.append(f"{name} spends {now:,.2f} a day, {float(bound.min) - now:,.2f} below its bound")
    return [f"{one}: it is not moved further from it, and only its returns bring it back" for one in words]


def far(result: AllocationResult, policy: Policy, wishes: Wishes) -> list[str]:
    """In words: how far a plan with smallest viable budgets goes from today."""
    if wishes.min_viable is None:
        return []
    cap = policy.guardrails.account_day
    words = [
        f"{one.moved / one.current_total:.0%} of today's money moves, more than the {cap:.0%} that policy allows the "
        "autopilot in a day; it does not bind a plan on paper"
        for one in result.accounts
        if one.moved > cap * one.current_total > 0
    ]
    if raised := result.frame.filter(pl.col("proposed_budget") > FAR * pl.col("current_budget")).height:
        words.append(
            f"{raised} of the budgets grow to more than {FAR:g} times today's: so far out curves are extrapolated"
        )
    return words


def _account(own: pl.DataFrame, wishes: Wishes) -> AccountPolicy:
    labels = dict(own.select("ad_group", "arm_id").iter_rows())
    single = {labels[name]: bound for name, bound in wishes.bounds.items() if name in labels}
    named = {name: bound for name, bound in wishes.bounds.items() if name not in labels}
    if wishes.group_by is not None:
        column = {"campaign": "campaign_id", "platform": "platform"}[wishes.group_by]
        named = {**dict.fromkeys(own[column].unique().sort().drop_nulls().to_list(), RangePolicy()), **named}
    members = {name: _named(own, name)["arm_id"].to_list() for name in named if name}
    platforms = {name for name in members if name in own["platform"].to_list()}
    groups = {
        name: GroupPolicy(
            entities=tuple(arms),
            min=named[name].min,
            max=named[name].max,
            within=next((one for one in platforms if name != one and set(arms) <= set(members[one])), None),
        )
        for name, arms in members.items()
        if arms
    }
    return AccountPolicy(arms=single, groups=groups, target_cpa=wishes.target_cpa)


def _named(arms: pl.DataFrame, name: str) -> pl.DataFrame:
    """The arms that go by a name: an ad group's, else a campaign's, else a platform's."""
    for column in ("ad_group", "campaign_id", "platform"):
        found = arms.filter(pl.col(column) == name)
        if len(found):
            return found
    return arms.clear()


def _check_names(arms: pl.DataFrame, wishes: Wishes) -> None:
    for name in wishes.bounds:
        if _named(arms, name).is_empty():
            known = {str(one) for column in ("ad_group", "campaign_id", "platform") for one in arms[column].unique()}
            near = get_close_matches(name, known, 1)
            raise InputError(
                f"no ad group, campaign or platform is called {name!r}" + (f"; is it {near[0]!r}?" if near else "")
            )
    for name, bound in wishes.bounds.items():
        if wishes.min_viable is None or bound.max is None or name not in arms["ad_group"].to_list():
            continue
        if 0 < bound.max < wishes.min_viable:
            raise InputError(
                f"{name} may have at most {bound.max:,.2f} a day, {wishes.min_viable - bound.max:,.2f} less than the "
                f"min-viable budget of {wishes.min_viable:,.2f}; raise its bound or lower min-viable by that"
            )
