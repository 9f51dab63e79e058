"""The publisher of one platform: propose, approve, execute, recover, look again, roll back.

Database calls are short and synchronous; platform calls are awaited. `now` is the domain's clock (it may be the
sandbox's), `wall` the machine's, which alone rules the execution lock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from stakazo_pipelines.errors import ApprovalError, PublishError, UnfundedError
from stakazo_pipelines.operations.database import Operations
from stakazo_pipelines.operations.plans import (
    FINISHED,
    approve_plan,
    executing_plans,
    get_plan,
    lock_plan,
    move_plan,
    open_plans,
)
from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.operations.tables import PlanRow
from stakazo_pipelines.platforms.port import AdPlatform
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.approval import approval_problem, approve_waiting, submit
from stakazo_pipelines.publishing.book import Book
from stakazo_pipelines.publishing.execution import Pace, carry_out
from stakazo_pipelines.publishing.funding import unfunded
from stakazo_pipelines.publishing.lease import abandoned, new_executor
from stakazo_pipelines.publishing.plan import ChangePlan
from stakazo_pipelines.publishing.recheck import recheck
from stakazo_pipelines.publishing.rollback import forced, inverse_plan
from stakazo_pipelines.publishing.store import PlanResult, account_of, result_of, save_plan
from stakazo_pipelines.vocabulary import Autonomy

_DONE = FINISHED - {PlanStatus.OBSERVED, PlanStatus.EXPIRED}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Publisher:
    """Everything that writes to one platform goes through here. `autonomy_of` gives an account's level now."""

    def __init__(
        self,
        platform: AdPlatform,
        operations: Operations,
        *,
        policy: Policy,
        autonomy_of: Callable[[str], Autonomy],
        now: Callable[[], datetime] = _utc_now,
        wall: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pace: Pace | None = None,
    ) -> None:
        self._platform = platform
        self._operations = operations
        self._policy = policy
        self._autonomy_of = autonomy_of
        self._now = now
        self._wall = wall
        self._sleep = sleep
        self._pace = pace or Pace()
        self._lifetime = timedelta(hours=policy.approval.expires_hours)

    def propose(self, plan: ChangePlan) -> PlanResult:
        """Put a plan on record: observed, awaiting approval, or approved by policy, as the account's autonomy says.

        The same plan proposed again while it is open is that plan. A new one ends an older one that was not started.
        """
        now = self._now()
        with self._operations.begin() as unit:
            for older in open_plans(unit.session, plan.platform, plan.account.id):
                if older.digest == plan.digest:
                    return result_of(older)
                if older.status is not PlanStatus.EXECUTING and older.undoes is None:
                    move_plan(unit.session, older, PlanStatus.EXPIRED, now, reason="a newer plan replaced it")
            row = save_plan(unit.session, plan, now)
            submit(unit.session, row, self._autonomy_of(plan.account.id), at=now, lifetime=self._lifetime)
            unit.commit()
            return result_of(row)

    def approve(self, digest: str, who: str) -> PlanResult:
        """A person lets this very digest through, for policy's approval.expires_hours.

        Raises ApprovalError when no plan of this digest waits, or it waited too long.
        """
        with self._operations.begin() as unit:
            row = approve_waiting(unit.session, digest, who=who, at=self._now(), lifetime=self._lifetime)
            unit.commit()
        if row.status is not PlanStatus.APPROVED:
            raise ApprovalError(
                f"plan {row.id} waited longer than approval.expires_hours ({self._lifetime}); plan anew"
            )
        return result_of(row)

    async def execute(self, plan_id: str) -> PlanResult:
        """Carry out an approved plan, or finish one that a killed process left; a finished one is returned as it is.

        An abandoned plan of the same account is finished first. Raises ApprovalError when the plan is not approved or
        the account's autonomy no longer allows it, PublishError while a living process publishes for the account,
        UnfundedError while the plan waits for money from other accounts (it stays approved).
        """
        with self._operations.read() as session:
            row = get_plan(session, plan_id)
            others = [one.id for one in executing_plans(session, row.platform, row.account_id) if one.id != plan_id]
        for other in others:
            await self._run(other)
        return await self._run(plan_id)

    def waits(self, plan_id: str) -> str:
        """Why an approved plan has to wait for cuts in other accounts to pay for it; '' when it need not."""
        with self._operations.read() as session:
            return self._unfunded(session, get_plan(session, plan_id))

    async def recover(self) -> tuple[PlanResult, ...]:
        """Finish every plan of this platform that a killed process left. Call it before observing and planning."""
        with self._operations.read() as session:
            left = [row.id for row in executing_plans(session, self._platform.name) if abandoned(row, self._wall())]
        return tuple([await self._run(plan_id) for plan_id in left])

    async def recheck(self, account_id: str) -> tuple[PlanResult, ...]:
        """Look again at accepted writes that did not show in time; the plans that this changed."""
        return await recheck(self._platform, self._operations, account_id, now=self._now)

    async def rollback(self, plan_id: str, *, who: str, force: bool = False) -> PlanResult:
        """Put the old values back on the platform for what this plan verified; guardrail caps do not apply.

        Where the platform no longer holds our value that is a conflict and left alone, unless `force`. Called again
        after a kill it goes on where it was. Raises PublishError when nothing of the plan is left to undo.
        """
        with self._operations.read() as session:
            account_id = get_plan(session, plan_id).account_id
        await self.recheck(account_id)  # a late write of this plan has to be undone too
        with self._operations.read() as session:
            row = get_plan(session, plan_id)
            begun = [one.id for one in open_plans(session, row.platform, row.account_id) if one.undoes == plan_id]
            inverse = None if begun else inverse_plan(row)
        if inverse is None:
            return await self.execute(begun[0])
        if force:
            inverse = await forced(inverse, self._platform)
        now = self._now()
        with self._operations.begin() as unit:
            saved = save_plan(unit.session, inverse, now)
            move_plan(unit.session, saved, PlanStatus.AWAITING_APPROVAL, now)
            approve_plan(unit.session, saved, who=who, at=now, lifetime=self._lifetime)
            unit.commit()
        return await self.execute(saved.id)

    async def _run(self, plan_id: str) -> PlanResult:
        executor = self._lock(plan_id)
        if executor is not None:
            book = Book(
                self._operations,
                self._policy,
                plan_id=plan_id,
                executor=executor,
                autonomy_of=self._autonomy_of,
                lease=self._pace.lease,
                now=self._now,
                wall=self._wall,
            )
            await carry_out(book, self._platform, self._pace, self._sleep)
        with self._operations.read() as session:
            return result_of(get_plan(session, plan_id))

    def _lock(self, plan_id: str) -> str | None:
        """Take the account's execution lock; the holder's name, or None when the plan is finished by now."""
        executor, wall = new_executor(), self._wall()
        with self._operations.begin() as unit:
            row = get_plan(unit.session, plan_id, lock=True)
            if row.status in _DONE:
                return None
            if row.status is PlanStatus.EXECUTING:
                if not abandoned(row, wall):
                    raise PublishError(f"plan {row.id} of {row.platform}/{row.account_id} is being published right now")
                problem = None  # what is in flight must be settled; the gate before each write looks at the approval
            elif row.status is PlanStatus.APPROVED:
                problem = approval_problem(unit.session, row, self._autonomy_of(row.account_id), at=self._now())
                if problem is None and (waits := self._unfunded(unit.session, row)):
                    raise UnfundedError(f"plan {row.id} stays approved and waits for other accounts: {waits}")
            else:
                raise ApprovalError(f"plan {row.id} is {row.status}, not approved")
            if problem is None:
                lock_plan(unit.session, row, executor=executor, at=self._now(), lease_until=wall + self._pace.lease)
            else:
                move_plan(unit.session, row, PlanStatus.EXPIRED, self._now(), reason=problem)
            unit.commit()
        if problem is not None:
            raise ApprovalError(f"plan {plan_id} may not be published: {problem}")
        return executor

    def _unfunded(self, session: Session, row: PlanRow) -> str:
        return unfunded(session, row, self._policy, now=self._now(), timezone=account_of(row).timezone)
