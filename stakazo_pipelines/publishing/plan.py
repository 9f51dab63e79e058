"""A plan: what the platform holds, what it should hold, and a digest that an approval binds to."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from stakazo_pipelines.decisions.candidate import ActionKind, Candidate, Decision, EntityRef, Value
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations.column_types import canonical_json, decimal_text
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, Entity, EntityChange
from stakazo_pipelines.vocabulary import EntityStatus, Level


class Field(StrEnum):
    DAILY_BUDGET = "daily_budget"
    LIFETIME_BUDGET = "lifetime_budget"
    STATUS = "status"


_PERIODS: Mapping[Field, BudgetPeriod] = {
    Field.DAILY_BUDGET: BudgetPeriod.DAILY,
    Field.LIFETIME_BUDGET: BudgetPeriod.LIFETIME,
}


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One field of one entity. `relative` is |after - before| / before; `share` is the money it moves as a fraction of
    the account's active budgets of that period. A resume moves its budget; a pause moves nothing.
    """

    entity: EntityRef
    name: str
    field: Field
    before: Value
    after: Value
    relative: float = 0.0
    share: float = 0.0
    rule: str = ""
    expected_gain: float | None = None
    undoes_action: int | None = None

    @property
    def pauses(self) -> bool:
        return self.after is EntityStatus.PAUSED

    @property
    def growth(self) -> Decimal:
        """What it adds to the account's daily budgets."""
        if self.field is Field.DAILY_BUDGET and isinstance(self.before, Money) and isinstance(self.after, Money):
            return self.after.amount - self.before.amount
        return Decimal(0)

    @property
    def phase(self) -> int:
        """Pauses, cuts, raises, resumes: money is freed before it is spent."""
        if self.field is Field.STATUS:
            return 0 if self.pauses else 3
        return 2 if money(self.after).amount > money(self.before).amount else 1

    def request(self) -> EntityChange:
        """The write for the platform."""
        entity = self.entity
        if isinstance(self.after, Money):
            budget = Budget(self.after, _PERIODS[self.field])
            return EntityChange(entity.level, entity.id, entity.account_id, budget=budget)
        return EntityChange(entity.level, entity.id, entity.account_id, status=self.after)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A decision that the plan leaves out, and why; `listed`: whether the platform showed the entity."""

    entity: EntityRef
    reason: str
    listed: bool = True


@dataclass(frozen=True)
class ChangePlan:
    """The changes of one account for one day, in the order they go out; `budget_total`: its active daily budgets.

    `worth`: what one unit of its money is in the reporting currency, where money may move between it and others; None
    where its total is its own business.
    """

    platform: str
    account: Account
    as_of: date
    changes: tuple[PlannedChange, ...]
    budget_total: Decimal
    skipped: tuple[Skipped, ...] = ()
    undoes: str | None = None
    worth: Decimal | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of what would be written; names and order of input do not matter."""
        content = {
            "version": 1,
            "platform": self.platform,
            "account": self.account.id,
            "as_of": self.as_of,
            "undoes": self.undoes,
            "changes": [_content(change) for change in self.changes],
        }
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    @property
    def total_before(self) -> Decimal:
        """Daily budgets of the changed entities before."""
        return sum((money(c.before).amount for c in self.changes if c.field is Field.DAILY_BUDGET), Decimal(0))

    @property
    def total_after(self) -> Decimal:
        return self.total_before + sum((change.growth for change in self.changes), Decimal(0))

    def rows(self) -> list[dict[str, str]]:
        """One row per change for people: entity, name, field, before, after, change, expected gain, rule."""
        return [
            {
                "entity": f"{change.entity.level} {change.entity.id}",
                "name": change.name,
                "field": change.field.value,
                "before": str(change.before),
                "after": str(change.after),
                "change": _percent(change),
                "expected gain a day": "" if change.expected_gain is None else f"{change.expected_gain:+.2f}",
                "rule": change.rule,
            }
            for change in self.changes
        ]


def build_plan(
    *,
    platform: str,
    account: Account,
    as_of: date,
    decisions: Iterable[Decision],
    observed: Sequence[Entity],
    worth: Decimal | None = None,
) -> ChangePlan:
    """Turn chosen decisions of one account into a plan against what the platform holds now.

    `observed` are the account's entities of every level that holds budgets or is decided upon. No-ops are dropped;
    what was decided on values that no longer hold, or cannot be carried out, is left out with its reason.
    """
    entities = {(entity.level, entity.id): entity for entity in observed}
    totals = {field: _total(observed, period) for field, period in _PERIODS.items()}
    changes: list[PlannedChange] = []
    skipped: list[Skipped] = []
    for decision in decisions:
        ref = decision.candidate.entity
        if not decision.chosen or (ref.platform, ref.account_id) != (platform, account.id):
            continue
        made = _change(decision.candidate, entities.get((ref.level, ref.id)), account, totals)
        if isinstance(made, Skipped):
            skipped.append(made)
        elif made is not None:
            changes.append(made)
    return ChangePlan(
        platform=platform,
        account=account,
        as_of=as_of,
        changes=in_order(changes),
        budget_total=totals[Field.DAILY_BUDGET],
        skipped=tuple(skipped),
        worth=worth,
    )


def in_order(changes: Iterable[PlannedChange]) -> tuple[PlannedChange, ...]:
    """Pauses, cuts, raises, resumes; by entity within each."""
    return tuple(sorted(changes, key=lambda change: (change.phase, change.entity, change.field)))


def smallest_budget(account: Account, level: Level) -> Money | None:
    """The least a day that the platform lets an entity of this level have; None where it sets none."""
    if level is Level.CAMPAIGN and account.min_campaign_budget is not None:
        return account.min_campaign_budget
    return account.min_daily_budget


def value_of(entity: Entity, field: Field) -> Value | None:
    """What the entity holds in a field; None where it holds no budget of that period."""
    if field is Field.STATUS:
        return entity.status
    if entity.budget is None or entity.budget.period is not _PERIODS[field]:
        return None
    return entity.budget.money


def text_of(value: Value) -> str:
    """Plain digits or the status word, as the database keeps it."""
    return decimal_text(value.amount) if isinstance(value, Money) else value.value


def money(value: Value) -> Money:
    if not isinstance(value, Money):
        raise TypeError(f"{value!r} is not money")
    return value


def _change(
    candidate: Candidate, entity: Entity | None, account: Account, totals: Mapping[Field, Decimal]
) -> PlannedChange | Skipped | None:
    ref = candidate.entity
    if entity is None:
        return Skipped(ref, "the platform no longer lists it", listed=False)
    gain = candidate.gain.mean if candidate.gain else None
    if candidate.kind is not ActionKind.SET_BUDGET:
        if entity.status is candidate.after:
            return None
        if entity.status is not candidate.before:
            return Skipped(ref, f"decided on {candidate.before}, but it is {entity.status}")
        share = _share(entity, totals) if candidate.kind is ActionKind.RESUME else 0.0
        return PlannedChange(
            ref, entity.name, Field.STATUS, entity.status, candidate.after, 0.0, share, candidate.rule, gain
        )
    if entity.budget is None:
        return Skipped(ref, "it holds no budget of its own")
    field = Field.DAILY_BUDGET if entity.budget.period is BudgetPeriod.DAILY else Field.LIFETIME_BUDGET
    before, after = entity.budget.money, money(candidate.after).quantized(account.minor_units)
    if after == before:
        return None
    if before != money(candidate.before):
        return Skipped(ref, f"decided on {candidate.before}, but it is {before}")
    if after.currency != before.currency:
        return Skipped(ref, f"its budget is in {before.currency}, not {after.currency}")
    least = smallest_budget(account, ref.level)
    if least and field is Field.DAILY_BUDGET and after.amount < least.amount:
        return Skipped(ref, f"{after} is below the platform's smallest budget, {least}")
    moved = abs(after.amount - before.amount)
    return PlannedChange(
        ref,
        entity.name,
        field,
        before,
        after,
        relative=float(moved / before.amount) if before.amount else 1.0,
        share=_fraction(moved, totals[field]),
        rule=candidate.rule,
        expected_gain=gain,
    )


def _share(entity: Entity, totals: Mapping[Field, Decimal]) -> float:
    if entity.budget is None:
        return 0.0
    field = Field.DAILY_BUDGET if entity.budget.period is BudgetPeriod.DAILY else Field.LIFETIME_BUDGET
    return _fraction(entity.budget.money.amount, totals[field])


def _fraction(moved: Decimal, total: Decimal) -> float:
    return float(moved / total) if total else float(moved > 0)  # of nothing, any move is all


def _total(observed: Iterable[Entity], period: BudgetPeriod) -> Decimal:
    return sum(
        (
            entity.budget.money.amount
            for entity in observed
            if entity.budget is not None and entity.budget.period is period and entity.status is EntityStatus.ACTIVE
        ),
        Decimal(0),
    )


def _content(change: PlannedChange) -> dict[str, object]:
    return {
        "level": change.entity.level,
        "id": change.entity.id,
        "field": change.field,
        "before": change.before.amount if isinstance(change.before, Money) else change.before,
        "after": change.after.amount if isinstance(change.after, Money) else change.after,
        "currency": change.after.currency if isinstance(change.after, Money) else None,
    }


def _percent(change: PlannedChange) -> str:
    if change.field is Field.STATUS:
        return ""
    sign = 1 if change.phase == 2 else -1
    return f"{sign * change.relative:+.1%}"
