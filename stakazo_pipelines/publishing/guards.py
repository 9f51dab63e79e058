"""The last look at the cumulative guardrails (design rule 9), just before a write. Pure; says why not, or None.

The allocator plans within the same limits; this is what holds when plans, people and partial failures add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from stakazo_pipelines.operations.ledger import AccountLedger
from stakazo_pipelines.policy import GuardrailPolicy
from stakazo_pipelines.publishing.funding import Allowance
from stakazo_pipelines.publishing.plan import PlannedChange

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Room:
    """What has been moved so far, and how far the account's daily total may still rise under this plan."""

    ledger: AccountLedger
    growth: Decimal
    allowance: Allowance

    def after(self, change: PlannedChange) -> "Room":
        """The room once this change is out. A cut makes room only when it is verified (see `growth_of`)."""
        entity: Mapping[str, float] = {
            **self.ledger.entity_24h,
            change.entity.id: self.ledger.entity_24h.get(change.entity.id, 0.0) + change.relative,
        }
        ledger = replace(
            self.ledger,
            entity_24h=entity,
            account_day=self.ledger.account_day + change.share,
            account_month=self.ledger.account_month + change.share,
        )
        return replace(self, ledger=ledger, growth=self.growth + max(change.growth, Decimal(0)))


def refusal(change: PlannedChange, room: Room, policy: GuardrailPolicy) -> str | None:
    """The guardrail that forbids this change now, in words. A pause is never refused."""
    if change.pauses:
        return None
    entity = room.ledger.entity_24h.get(change.entity.id, 0.0) + change.relative
    if change.relative and entity > policy.entity_24h + _ROUNDING:
        return f"it would have moved {entity:.1%} in 24 hours; guardrails.entity_24h allows {policy.entity_24h:.1%}"
    day = room.ledger.account_day + change.share
    if change.share and day > policy.account_day + _ROUNDING:
        return f"the account would have moved {day:.1%} today; guardrails.account_day allows {policy.account_day:.1%}"
    month = room.ledger.account_month + change.share
    if change.share and month > policy.account_month + _ROUNDING:
        return (
            f"the account would have moved {month:.1%} this month; "
            f"guardrails.account_month allows {policy.account_month:.1%}"
        )
    if change.growth > 0 and not room.allowance.covers(room.growth + change.growth):
        return (
            f"the account's daily total would rise by {room.growth + change.growth}, but {room.allowance.why} "
            "(a cut that should have paid for it did not take effect, or the total is capped)"
        )
    return None
