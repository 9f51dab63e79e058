"""Whether an account's total may grow: only as far as the verified cuts of other accounts pay for it.

Summed from the plans and actions of one report day in the reporting currency: a cut counts once it was read back, a
raise from the moment it may be out, and in a plan under way from its start. So all totals together never rise; a cut
that the platform has noted for its midnight (docs/decisions/0010) counts already.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.plan import Field
from stakazo_pipelines.publishing.store import worth_of

# A reverted change was in effect; the rollback that put it back is counted by itself.
_DONE = frozenset({ActionStatus.VERIFIED, ActionStatus.REVERTED})
_MAYBE = frozenset({ActionStatus.SENDING, ActionStatus.UNVERIFIED})
_CRUMB = Decimal("1e-9")  # relative: conversions are exact to 28 digits only
_LOCK = 0x57A4A20  # any number, as long as every process takes the same
_CHANGE = (ActionRow.before, ActionRow.after, ActionRow.status, ActionRow.undoes_action)
_BUDGETS = ActionRow.field == Field.DAILY_BUDGET  # pauses free money too, but nobody counts on it


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far a plan may raise its account's daily total, in the account's money; `why` says it with the amount."""

    growth: Decimal
    why: str

    def covers(self, growth: Decimal) -> bool:
        return growth <= self.growth * (1 + _CRUMB)


def grows(plan: PlanRow, policy: Policy) -> bool:
    """Whether the plan takes money from other accounts: more than rounding, and by no total of policy's own."""
    return _joins(plan, policy) and _planned(plan) > _rounding(plan, policy)


def allowance(session: Session, plan: PlanRow, policy: Policy, *, now: datetime, timezone: str) -> Allowance:
    """What the plan may add to its account's daily total, all its raises together.

    The least of: what it means to add, policy's step of what the total was when its day began (in `timezone`, IANA),
    and what others have freed and nobody has taken. Rounding is always allowed, and a total that policy sets may be
    reached.
    """
    rounding = _rounding(plan, policy)
    target = policy.total_of(plan.platform, plan.account_id)
    worth = worth_of(plan)
    if target is not None:
        limits = [_limit(plan, target - plan.budget_total, "the total that policy sets leaves")]
    elif worth is None or not grows(plan, policy):
        limits = [_limit(plan, rounding, "guardrails.max_budget_growth allows")]
    else:
        step = Decimal(str(policy.portfolio.account_step))
        today = growth_today(session, plan.platform, plan.account_id, now=now, timezone=timezone, except_plan=plan.id)
        others = freed(session, plan.as_of, except_plan=plan.id) / worth
        limits = [
            _limit(plan, _planned(plan), "its plan means to add"),
            _limit(plan, (plan.budget_total - today) * step - today, "portfolio.account_step leaves for today"),
            _limit(plan, others, "verified cuts in other accounts have freed"),
        ]
    tightest = min(limits, key=lambda limit: limit.growth)
    return Allowance(max(tightest.growth, rounding), tightest.why)


def unfunded(session: Session, plan: PlanRow, policy: Policy, *, now: datetime, timezone: str) -> str:
    """Why a plan has to wait for other accounts' money; '' when it need not."""
    if not grows(plan, policy):
        return ""
    limit = allowance(session, plan, policy, now=now, timezone=timezone)
    if limit.covers(_planned(plan)):
        return ""
    return f"its daily total would rise by {_planned(plan):,.2f} {plan.account['currency']}; {limit.why}"


def freed(session: Session, as_of: date, *, except_plan: str) -> Decimal:
    """What all other plans of the day have verifiably freed and not taken, in the reporting currency.

    On PostgreSQL this waits for any other transaction that asks: two accounts cannot take the same money.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    wanted = (
        select(PlanRow, *_CHANGE)
        .join(PlanRow.actions)
        .where(_BUDGETS, PlanRow.as_of == as_of, PlanRow.id != except_plan)
    )
    total = Decimal(0)
    for plan, before, after, state, undoes in session.execute(wanted):  # one statement: others plan meanwhile
        worth = worth_of(plan)
        if worth is not None:
            total -= _effect(before, after, state, undoes, under_way=plan.status is PlanStatus.EXECUTING) * worth
    return total


def growth_today(
    session: Session, platform: str, account_id: str, *, now: datetime, timezone: str, except_plan: str = ""
) -> Decimal:
    """By how much the account's total was raised since midnight in `timezone`, in its money (below 0: cut)."""
    midnight = now.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = select(*_CHANGE).where(
        _BUDGETS,
        ActionRow.platform == platform,
        ActionRow.account_id == account_id,
        ActionRow.plan_id != except_plan,
        func.coalesce(ActionRow.sent_at, ActionRow.settled_at) >= midnight,
    )
    changes = session.execute(wanted)
    return sum((_effect(before, after, state, undoes) for before, after, state, undoes in changes), Decimal(0))


def _joins(plan: PlanRow, policy: Policy) -> bool:
    own = policy.total_of(plan.platform, plan.account_id) is not None
    return plan.undoes is None and worth_of(plan) is not None and policy.portfolio.move_between_accounts and not own


def _planned(plan: PlanRow) -> Decimal:
    return plan.total_after - plan.total_before


def _rounding(plan: PlanRow, policy: Policy) -> Decimal:
    return plan.budget_total * Decimal(str(policy.guardrails.max_budget_growth))


def _limit(plan: PlanRow, growth: Decimal, words: str) -> Allowance:
    return Allowance(growth, f"{words} {max(growth, Decimal(0)):,.2f} {plan.account['currency']}")


def _effect(
    before: str, after: str, status: ActionStatus, undoes_action: int | None, *, under_way: bool = False
) -> Decimal:
    growth = Decimal(after) - Decimal(before)
    put_back = status is ActionStatus.ALREADY and undoes_action is not None
    if status in _DONE or put_back:
        return growth
    may_come = status in _MAYBE or (under_way and status is ActionStatus.PLANNED)
    return max(growth, Decimal(0)) if may_come else Decimal(0)
