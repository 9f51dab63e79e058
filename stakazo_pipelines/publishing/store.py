"""A ChangePlan as database rows and back. The digest is computed again from the rows, so a changed row shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from stakazo_pipelines.decisions.candidate import EntityRef, Value
from stakazo_pipelines.errors import ApprovalError
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations.column_types import decimal_text
from stakazo_pipelines.operations.plans import add_plan
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.publishing.plan import ChangePlan, Field, PlannedChange, text_of
from stakazo_pipelines.vocabulary import EntityStatus


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How one change went. `observed` is what the platform held when last read."""

    change: PlannedChange
    status: ActionStatus
    attempts: int
    observed: str | None
    error: str | None


_GOOD = frozenset({ActionStatus.VERIFIED, ActionStatus.ALREADY, ActionStatus.REVERTED})


@dataclass(frozen=True, slots=True)
class PlanResult:
    """How a plan went; `reason` says in words why it is not simply verified."""

    plan_id: str
    digest: str
    platform: str
    account_id: str
    status: PlanStatus
    reason: str
    actions: tuple[ActionResult, ...]

    def count(self, status: ActionStatus) -> int:
        return sum(action.status is status for action in self.actions)

    @property
    def all_seen(self) -> bool:
        """Whether all that was sent was read back as asked, though some changes may have been kept back one by one.

        False too for a plan that was ended: then why it was, which every change left has, opens the plan's reason.
        """
        kept_back = [action for action in self.actions if action.status is ActionStatus.BLOCKED]
        ended = any(f"{self.reason}; ".startswith(f"{action.error}; ") for action in kept_back)
        return not ended and all(action.status in _GOOD for action in self.actions if action not in kept_back)


def save_plan(session: Session, plan: ChangePlan, at: datetime) -> PlanRow:
    """Store a plan as proposed."""
    row = PlanRow(
        digest=plan.digest,
        platform=plan.platform,
        account_id=plan.account.id,
        account=_account_values(plan.account, plan.worth),
        as_of=plan.as_of,
        status=PlanStatus.PROPOSED,
        reason="; ".join(f"left out {skipped.entity}: {skipped.reason}" for skipped in plan.skipped),
        budget_total=plan.budget_total,
        total_before=plan.total_before,
        total_after=plan.total_after,
        undoes=plan.undoes,
        created_at=at,
        actions=[_action_row(position, change) for position, change in enumerate(plan.changes)],
    )
    return add_plan(session, row)


def load_plan(row: PlanRow) -> ChangePlan:
    """The plan as stored. Raises ApprovalError when its rows no longer give its digest."""
    plan = ChangePlan(
        platform=row.platform,
        account=account_of(row),
        as_of=row.as_of,
        changes=tuple(change_of(action) for action in row.actions),
        budget_total=row.budget_total,
        undoes=row.undoes,
        worth=worth_of(row),
    )
    if plan.digest != row.digest:
        raise ApprovalError(f"plan {row.id} no longer is what its digest {row.digest[:16]} stands for")
    return plan


def result_of(row: PlanRow) -> PlanResult:
    actions = tuple(
        ActionResult(change_of(action), action.status, action.attempts, action.observed, action.error)
        for action in row.actions
    )
    return PlanResult(row.id, row.digest, row.platform, row.account_id, row.status, row.reason, actions)


def change_of(row: ActionRow) -> PlannedChange:
    """One stored action as the change it is."""
    return PlannedChange(
        entity=EntityRef(row.platform, row.account_id, row.level, row.entity_id),
        name=row.name,
        field=Field(row.field),
        before=_value(row.before, row.currency),
        after=_value(row.after, row.currency),
        relative=row.relative,
        share=row.share,
        rule=row.rule,
        expected_gain=row.expected_gain,
        undoes_action=row.undoes_action,
    )


def account_of(row: PlanRow) -> Account:
    """The account as it was when the plan was made."""
    values: Mapping[str, Any] = row.account
    currency = values["currency"]
    return Account(
        id=row.account_id,
        name=values["name"],
        currency=currency,
        timezone=values["timezone"],
        minor_units=values["minor_units"],
        status=EntityStatus(values["status"]),
        min_daily_budget=_money(values["min_daily_budget"], currency),
        min_campaign_budget=_money(values.get("min_campaign_budget"), currency),
    )


def worth_of(row: PlanRow) -> Decimal | None:
    """What one unit of the account's money was in the reporting currency when the plan was made."""
    worth: str | None = row.account.get("worth")
    return None if worth is None else Decimal(worth)


def _account_values(account: Account, worth: Decimal | None) -> dict[str, Any]:
    return {
        "name": account.name,
        "currency": account.currency,
        "timezone": account.timezone,
        "minor_units": account.minor_units,
        "status": account.status.value,
        "min_daily_budget": _amount(account.min_daily_budget),
        "min_campaign_budget": _amount(account.min_campaign_budget),
        "worth": None if worth is None else decimal_text(worth),
    }


def _amount(money: Money | None) -> str | None:
    return None if money is None else decimal_text(money.amount)


def _money(amount: str | None, currency: str) -> Money | None:
    return None if amount is None else Money(Decimal(amount), currency)


def _action_row(position: int, change: PlannedChange) -> ActionRow:
    return ActionRow(
        position=position,
        platform=change.entity.platform,
        account_id=change.entity.account_id,
        level=change.entity.level,
        entity_id=change.entity.id,
        name=change.name,
        field=change.field,
        before=text_of(change.before),
        after=text_of(change.after),
        currency=change.after.currency if isinstance(change.after, Money) else None,
        relative=change.relative,
        share=change.share,
        rule=change.rule,
        expected_gain=change.expected_gain,
        status=ActionStatus.PLANNED,
        undoes_action=change.undoes_action,
    )


def _value(text: str, currency: str | None) -> Value:
    return EntityStatus(text) if currency is None else Money(Decimal(text), currency)


def outcome_of(states: Sequence[ActionStatus]) -> PlanStatus:
    """A plan is what its actions came to: all seen, some, or none."""
    good = sum(state in _GOOD for state in states)
    if good == len(states):
        return PlanStatus.VERIFIED
    return PlanStatus.PARTLY_VERIFIED if good else PlanStatus.FAILED


def summary(states: Sequence[ActionStatus]) -> str:
    """How many actions ended how, in words."""
    counts = Counter(states)
    return ", ".join(f"{counts[state]} {state}" for state in ActionStatus if counts[state]) or "nothing to change"
