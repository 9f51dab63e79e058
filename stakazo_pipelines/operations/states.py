"""The state machines of a plan and of each of its actions, with their legal moves in one table each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from stakazo_pipelines.errors import IllegalTransitionError


class PlanStatus(StrEnum):
    PROPOSED = "proposed"  # -> observed | awaiting_approval | verified (when there is nothing to change)
    OBSERVED = "observed"  # end: autonomy is observe, it is shown and never written
    AWAITING_APPROVAL = "awaiting_approval"  # -> approved | expired
    APPROVED = "approved"  # -> executing | expired
    EXECUTING = "executing"  # -> verified | partly_verified | failed | stopped
    VERIFIED = "verified"  # -> rolled_back
    PARTLY_VERIFIED = "partly_verified"  # -> verified (a late write was seen after all) | rolled_back
    FAILED = "failed"  # -> partly_verified | verified (as above) | rolled_back
    STOPPED = "stopped"  # the stop switch ended it; -> rolled_back
    EXPIRED = "expired"  # end: approved too late, or replaced by a newer plan
    ROLLED_BACK = "rolled_back"  # end


class ActionStatus(StrEnum):
    PLANNED = "planned"  # -> sending | already | failed | conflict | blocked
    SENDING = "sending"  # the intention is on record, the write may be out; -> verified | failed | unverified | ...
    VERIFIED = "verified"  # read back as asked; -> reverted
    UNVERIFIED = "unverified"  # accepted but not seen yet; -> verified | conflict, when looked at again
    FAILED = "failed"  # end: the platform refused it
    CONFLICT = "conflict"  # end: the platform holds another value, or this one by another plan's write; left alone
    BLOCKED = "blocked"  # end: a guardrail, the stop switch, an ended plan or a rule of the moment kept it out
    ALREADY = "already"  # end: the platform held the wanted value before anything was sent; nothing to undo
    REVERTED = "reverted"  # end: a rollback put the old value back


PLAN_MOVES: Mapping[PlanStatus, frozenset[PlanStatus]] = {
    PlanStatus.PROPOSED: frozenset({PlanStatus.OBSERVED, PlanStatus.AWAITING_APPROVAL, PlanStatus.VERIFIED}),
    PlanStatus.OBSERVED: frozenset(),
    PlanStatus.AWAITING_APPROVAL: frozenset({PlanStatus.APPROVED, PlanStatus.EXPIRED}),
    PlanStatus.APPROVED: frozenset({PlanStatus.EXECUTING, PlanStatus.EXPIRED}),
    PlanStatus.EXECUTING: frozenset(
        {PlanStatus.VERIFIED, PlanStatus.PARTLY_VERIFIED, PlanStatus.FAILED, PlanStatus.STOPPED}
    ),
    PlanStatus.VERIFIED: frozenset({PlanStatus.ROLLED_BACK}),
    PlanStatus.PARTLY_VERIFIED: frozenset({PlanStatus.VERIFIED, PlanStatus.ROLLED_BACK}),
    PlanStatus.FAILED: frozenset({PlanStatus.PARTLY_VERIFIED, PlanStatus.VERIFIED, PlanStatus.ROLLED_BACK}),
    PlanStatus.STOPPED: frozenset({PlanStatus.ROLLED_BACK}),
    PlanStatus.EXPIRED: frozenset(),
    PlanStatus.ROLLED_BACK: frozenset(),
}

ACTION_MOVES: Mapping[ActionStatus, frozenset[ActionStatus]] = {
    ActionStatus.PLANNED: frozenset(
        {
            ActionStatus.SENDING,
            ActionStatus.ALREADY,
            ActionStatus.FAILED,
            ActionStatus.CONFLICT,
            ActionStatus.BLOCKED,
        }
    ),
    ActionStatus.SENDING: frozenset(
        {
            ActionStatus.VERIFIED,
            ActionStatus.FAILED,
            ActionStatus.UNVERIFIED,
            ActionStatus.CONFLICT,
            ActionStatus.BLOCKED,
        }
    ),
    ActionStatus.VERIFIED: frozenset({ActionStatus.REVERTED}),
    ActionStatus.UNVERIFIED: frozenset({ActionStatus.VERIFIED, ActionStatus.CONFLICT}),
    ActionStatus.FAILED: frozenset(),
    ActionStatus.CONFLICT: frozenset(),
    ActionStatus.BLOCKED: frozenset(),
    ActionStatus.ALREADY: frozenset(),
    ActionStatus.REVERTED: frozenset(),
}

OPEN_PLANS = frozenset({PlanStatus.AWAITING_APPROVAL, PlanStatus.APPROVED, PlanStatus.EXECUTING})

# Changes that took effect, or may have: what cumulative caps have to count.
SPENT_ACTIONS = frozenset({ActionStatus.SENDING, ActionStatus.UNVERIFIED, ActionStatus.VERIFIED, ActionStatus.REVERTED})

State = TypeVar("State", PlanStatus, ActionStatus)


def moved(what: str, before: State, after: State, moves: Mapping[State, frozenset[State]]) -> State:
    """`after`, when the table has the move; IllegalTransitionError otherwise."""
    if after not in moves[before]:
        raise IllegalTransitionError(f"{what} is {before} and cannot become {after}")
    return after
