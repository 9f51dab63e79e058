"""The books of one execution: every transaction that carrying out a plan needs.

Each first checks that this execution still holds the lock. The one that puts an intention on record also reads the stop
switch, the approval and the guardrails; the request goes out right after it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from stakazo_pipelines.errors import AuthError, NotNowError, PlatformError, PublishError
from stakazo_pipelines.operations.controls import stop_in_force
from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.ledger import account_ledger
from stakazo_pipelines.operations.plans import action_states, actions_by_id, get_plan, intend, move_action, move_plan
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus
from stakazo_pipelines.operations.tables import ActionRow, PlanRow
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.approval import approval_problem
from stakazo_pipelines.publishing.funding import allowance
from stakazo_pipelines.publishing.guards import Room, refusal
from stakazo_pipelines.publishing.plan import PlannedChange
from stakazo_pipelines.publishing.reading import Seen, Verdict, after_sending, before_sending
from stakazo_pipelines.publishing.store import account_of, change_of, load_plan, outcome_of, summary
from stakazo_pipelines.vocabulary import Autonomy


class Book:
    """What is known of one plan under execution. `halt` says why nothing more may be sent ("" while all is well)."""

    def __init__(
        self,
        operations: Operations,
        policy: Policy,
        *,
        plan_id: str,
        executor: str,
        autonomy_of: Callable[[str], Autonomy],
        lease: timedelta,
        now: Callable[[], datetime],
        wall: Callable[[], datetime],
    ) -> None:
        self._operations = operations
        self._policy = policy
        self._plan_id = plan_id
        self._executor = executor
        self._autonomy_of = autonomy_of
        self._lease = lease
        self._now = now
        self._wall = wall
        self.halt = ""
        self._stopped = False
        with operations.read() as session:
            row = get_plan(session, plan_id)
            load_plan(row)  # refuses rows that were changed after the approval
            self.account = account_of(row)
            self._changes: Mapping[int, PlannedChange] = {action.id: change_of(action) for action in row.actions}

    def ids(self, status: ActionStatus) -> list[int]:
        """Actions in a state, in the order they go out."""
        with self._operations.read() as session:
            return [one for one, state in action_states(session, self._plan_id).items() if state is status]

    def changes(self, ids: Collection[int]) -> dict[int, PlannedChange]:
        return {one: self._changes[one] for one in ids}

    def renew_lease(self) -> None:
        """A heartbeat. Raises PublishError when the lock is lost."""
        with self._mine():
            pass

    def intend_new(self, seen: Mapping[int, Seen]) -> list[int]:
        """Decide which of these go out now and put that on record; the others get their final state."""
        with self._mine() as (session, plan):
            self._check_gate(session, plan)
            self._check_token(seen.values())
            if self.halt:
                return []
            room = self._room(session, plan, ())
            out: list[int] = []
            for action in actions_by_id(session, seen):
                change, found = self._changes[action.id], seen[action.id]
                verdict = before_sending(change, found) or self._guarded(plan, change, room)
                if verdict is not None:
                    self._settle(session, action, verdict, found)
                    continue
                room = room.after(change)
                intend(session, action, self._now())
                out.append(action.id)
            return out

    def intend_again(self, ids: Sequence[int]) -> list[int]:
        """The same for writes whose answer was lost and whose old value still stands."""
        with self._mine() as (session, plan):
            self._check_gate(session, plan)
            room = self._room(session, plan, ids)
            out: list[int] = []
            for action in actions_by_id(session, ids):
                change = self._changes[action.id]
                halted = Verdict(ActionStatus.BLOCKED, self.halt) if self.halt else None
                verdict = halted or self._guarded(plan, change, room)
                if verdict is not None:
                    self._settle(session, action, verdict, Seen(change.before))
                    continue
                room = room.after(change)
                intend(session, action, self._now())
                out.append(action.id)
            return out

    def journal_refusals(self, refused: Mapping[int, PlatformError]) -> None:
        """Writes that the platform turned down for certain; by a rule of the moment, they are blocked, not failed."""
        with self._mine() as (session, _plan):
            for action in actions_by_id(session, refused):
                error = refused[action.id]
                self._check_token([Seen(None, error)])
                status = ActionStatus.BLOCKED if isinstance(error, NotNowError) else ActionStatus.FAILED
                self._settle(session, action, Verdict(status, str(error)), Seen(None))

    def journal_seen(self, seen: Mapping[int, Seen]) -> list[int]:
        """Settle what shows the new value, or a foreign one; returns the rest, to be looked at again."""
        waiting: list[int] = []
        with self._mine() as (session, _plan):
            for action in actions_by_id(session, seen):
                verdict = after_sending(self._changes[action.id], seen[action.id])
                if verdict is None:
                    waiting.append(action.id)
                else:
                    self._settle(session, action, verdict, seen[action.id])
        return waiting

    def journal_unseen(
        self, seen: Mapping[int, Seen], errors: Mapping[int, PlatformError | None], *, repeatable: Collection[int]
    ) -> list[int]:
        """After the last look: the repeatable whose old value was seen are returned, the rest stays unverified."""
        again: list[int] = []
        with self._mine() as (session, _plan):
            self._check_token(seen.values())
            for action in actions_by_id(session, seen):
                found, error = seen[action.id], errors[action.id]
                if found.error is None and action.id in repeatable:
                    again.append(action.id)
                    continue
                why = str(found.error or error or "accepted, but the old value still shows")
                self._settle(session, action, Verdict(ActionStatus.UNVERIFIED, why), found)
        return again

    def finish(self) -> None:
        """Block what was never sent, and close the plan (and the one it undoes, when nothing of that is left)."""
        with self._mine() as (session, plan):
            for action in plan.actions:
                if action.status is ActionStatus.PLANNED:
                    move_action(session, action, ActionStatus.BLOCKED, self._now(), error=self.halt)
            states = [action.status for action in plan.actions]
            status = PlanStatus.STOPPED if self._stopped else outcome_of(states)
            told = [self.halt or summary(states), plan.reason]  # the latter: what the plan had to leave out
            move_plan(session, plan, status, self._now(), reason="; ".join(filter(None, told)))
            if plan.undoes is not None:
                undone = get_plan(session, plan.undoes, lock=True)
                if all(action.status is not ActionStatus.VERIFIED for action in undone.actions):
                    move_plan(session, undone, PlanStatus.ROLLED_BACK, self._now())

    def _settle(self, session: Session, action: ActionRow, verdict: Verdict, found: Seen) -> None:
        move_action(session, action, verdict.status, self._now(), observed=found.text, error=verdict.error)
        if verdict.status in {ActionStatus.VERIFIED, ActionStatus.ALREADY} and action.undoes_action is not None:
            undone = session.get_one(ActionRow, action.undoes_action)
            if undone.status is ActionStatus.VERIFIED:
                move_action(session, undone, ActionStatus.REVERTED, self._now(), observed=found.text)

    def _check_gate(self, session: Session, plan: PlanRow) -> None:
        stop = stop_in_force(session, plan.platform, plan.account_id)
        if stop is not None:
            self.halt, self._stopped = f"emergency stop of {stop.scope} by {stop.who}: {stop.why}", True
            return
        autonomy = self._autonomy_of(plan.account_id)
        self.halt = self.halt or approval_problem(session, plan, autonomy, at=self._now()) or ""

    def _check_token(self, seen: Collection[Seen]) -> None:
        refused = next((found.error for found in seen if isinstance(found.error, AuthError)), None)
        if refused is not None:
            self.halt = str(refused)  # nothing else of this account can work: a person must act

    def _guarded(self, plan: PlanRow, change: PlannedChange, room: Room) -> Verdict | None:
        # A rollback restores what was there: no cap may keep a mistake in place.
        why = None if plan.undoes is not None else refusal(change, room, self._policy.guardrails)
        return None if why is None else Verdict(ActionStatus.BLOCKED, why)

    def _room(self, session: Session, plan: PlanRow, without: Collection[int]) -> Room:
        now, zone = self._now(), self.account.timezone
        ledger = account_ledger(session, plan.platform, plan.account_id, now=now, timezone=zone, without=without)
        states = action_states(session, plan.id).items()
        growth = sum((self._growth(one, state) for one, state in states if one not in without), Decimal(0))
        return Room(ledger, growth, allowance(session, plan, self._policy, now=now, timezone=zone))

    def _growth(self, action_id: int, state: ActionStatus) -> Decimal:
        """A raise counts from the moment it may be out, a cut only when it has been seen."""
        growth = self._changes[action_id].growth
        if state is ActionStatus.VERIFIED:
            return growth
        may_be_out = state in {ActionStatus.SENDING, ActionStatus.UNVERIFIED}
        return max(growth, Decimal(0)) if may_be_out else Decimal(0)

    @contextmanager
    def _mine(self) -> Iterator[tuple[Session, PlanRow]]:
        """A transaction that commits only while this execution holds the plan; it renews the lease."""
        with self._operations.begin() as unit:
            plan = get_plan(unit.session, self._plan_id, lock=True)
            if plan.status is not PlanStatus.EXECUTING or plan.executor != self._executor:
                raise PublishError(f"plan {plan.id} was taken over by another process; this one stops")
            plan.lease_until = self._wall() + self._lease
            yield unit.session, plan
            unit.commit()
