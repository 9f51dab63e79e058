"""A platform in memory behind the port, with faults on request, and a desk that publishes to it."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from stakazo_pipelines.decisions.arbiter import arbitrate
from stakazo_pipelines.decisions.candidate import ActionKind, Candidate, Decision, EntityRef, Module
from stakazo_pipelines.errors import (
    AuthError,
    NotFoundError,
    NotNowError,
    PlatformError,
    RejectedError,
    ThrottledError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import Operations, UnitOfWork, open_operations
from stakazo_pipelines.platforms.port import (
    Account,
    Budget,
    BudgetPeriod,
    Capabilities,
    Entity,
    EntityChange,
    WriteOutcome,
)
from stakazo_pipelines.policy import GuardrailPolicy, Policy
from stakazo_pipelines.publishing.execution import Pace
from stakazo_pipelines.publishing.plan import ChangePlan, build_plan
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.publishing.store import PlanResult
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus, Level

START = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
ACCOUNT = Account("act_1", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


def ad_group(entity_id: str, amount: str, status: EntityStatus = EntityStatus.ACTIVE) -> Entity:
    budget = Budget(Money(Decimal(amount), "EUR"), BudgetPeriod.DAILY)
    return Entity(Level.AD_GROUP, entity_id, ACCOUNT.id, "c1", f"Group {entity_id}", status, "adset", budget=budget)


class FakePlatform:
    """Applies writes to its entities. `faults[id]` are words used up one per write to that entity:
    lost_before, lost_after, never, late, auth, throttled, rejected. `on_step` is called at every point of contact."""

    name = "meta"

    def __init__(self, entities: Sequence[Entity], write_batch: int = 50) -> None:
        self.held = {entity.id: entity for entity in entities}
        self.applied: list[EntityChange] = []
        self.requests = 0
        self.faults: dict[str, list[str]] = {}
        self.unreadable: dict[str, PlatformError] = {}
        self.late: dict[str, tuple[int, EntityChange]] = {}
        self.on_step: Callable[[str], None] = lambda _step: None
        self.capabilities = Capabilities(
            levels=frozenset(Level),
            insight_levels=frozenset(),
            breakdowns=frozenset(),
            async_reports=False,
            validate_only=False,
            write_batch=write_batch,
            budget_levels=frozenset({Level.AD_GROUP}),
        )

    async def read(self, _account: Account, _level: Level, entity_id: str) -> Entity:
        self.on_step("read")
        if entity_id in self.unreadable:
            raise self.unreadable[entity_id]
        if entity_id not in self.held:
            raise NotFoundError("no such ad set", "meta")
        if entity_id in self.late:
            reads, change = self.late[entity_id]
            if reads == 0:
                del self.late[entity_id]
                self._apply(change)
            else:
                self.late[entity_id] = (reads - 1, change)
        return self.held[entity_id]

    async def update(self, _account: Account, changes: Sequence[EntityChange]) -> Sequence[WriteOutcome]:
        self.on_step("update:before")
        self.requests += 1
        outcomes = []
        for change in changes:
            outcomes.append(WriteOutcome(change, self._write(change)))
            self.on_step("update:one")
        self.on_step("update:after")
        return outcomes

    def _write(self, change: EntityChange) -> PlatformError | None:
        fault = (self.faults.get(change.id) or [""]).pop(0)
        refusals = {
            "auth": AuthError("the token expired", "meta", "190"),
            "throttled": ThrottledError("too many calls", "meta", "17"),
            "rejected": RejectedError("budget too low", "meta", "100"),
            "not_now": NotNowError("too much was spent today", "meta"),
            "lost_before": UnknownOutcomeError("the answer was lost", "meta"),
        }
        if fault in refusals:
            return refusals[fault]
        if fault == "late":
            self.late[change.id] = (2, change)
        elif fault != "never":
            self._apply(change)
        return UnknownOutcomeError("the answer was lost", "meta") if fault == "lost_after" else None

    def _apply(self, change: EntityChange) -> None:
        self.applied.append(change)
        entity = self.held[change.id]
        self.held[change.id] = replace(
            entity, status=change.status or entity.status, budget=change.budget or entity.budget
        )

    def set_budget(self, entity_id: str, amount: str) -> None:
        """Someone else's hand."""
        self.held[entity_id] = ad_group(entity_id, amount)

    def amount(self, entity_id: str) -> str:
        budget = self.held[entity_id].budget
        return str(budget.money.amount) if budget else ""

    def times_applied(self) -> Counter[str]:
        return Counter(change.id for change in self.applied)


class Desk:
    """An account, its platform, its database and publishers; clocks stand still unless moved."""

    def __init__(self, url: URL, **budgets: str) -> None:
        self.url = url
        self.now = START
        self.wall = START
        self.slept: list[float] = []
        self.policy = Policy()
        self.autonomy = Autonomy.AUTONOMOUS
        self.operations = open_operations(url)
        self.platform = FakePlatform(
            [ad_group(name, amount) for name, amount in (budgets or {"a": "100.00", "b": "100.00"}).items()]
        )

    def guard(self, **caps: float) -> None:
        self.policy = Policy(guardrails=GuardrailPolicy(**caps))

    def publisher(self, operations: Operations | None = None, **pace: object) -> Publisher:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            await asyncio.sleep(0)

        return Publisher(
            self.platform,
            operations or self.operations,
            policy=self.policy,
            autonomy_of=lambda _account: self.autonomy,
            now=lambda: self.now,
            wall=lambda: self.wall,
            sleep=sleep,
            pace=Pace(**pace),
        )

    def plan(self, status: Mapping[str, EntityStatus] | None = None, **budgets: str) -> ChangePlan:
        """Decide on budgets (a="120") and statuses (status={"b": PAUSED}) against what the platform holds now."""
        return self.plan_of(self.decide(status, **budgets))

    def decide(self, status: Mapping[str, EntityStatus] | None = None, **budgets: str) -> tuple[Decision, ...]:
        candidates = [self._candidate(name, amount) for name, amount in budgets.items()]
        candidates += [self._candidate(name, word) for name, word in (status or {}).items()]
        return arbitrate(candidates, now=self.now)

    def plan_of(self, decisions: Sequence[Decision]) -> ChangePlan:
        return build_plan(
            platform="meta",
            account=ACCOUNT,
            as_of=date(2026, 6, 30),
            decisions=decisions,
            observed=list(self.platform.held.values()),
        )

    def _candidate(self, name: str, value: str) -> Candidate:
        held, ref = self.platform.held[name], EntityRef("meta", ACCOUNT.id, Level.AD_GROUP, name)
        if isinstance(value, EntityStatus):
            kind = ActionKind.PAUSE if value is EntityStatus.PAUSED else ActionKind.RESUME
            return Candidate(Module.RISK_PAUSE, ref, kind, held.status, value, "test")
        assert held.budget is not None
        after = Money(Decimal(value), "EUR")
        return Candidate(Module.ALLOCATION, ref, ActionKind.SET_BUDGET, held.budget.money, after, "test")

    def publish(self, plan: ChangePlan, **pace: object) -> PlanResult:
        publisher = self.publisher(**pace)
        return asyncio.run(publisher.execute(publisher.propose(plan).plan_id))

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)
        self.wall += timedelta(**delta)


class CrashingOperations:
    """The same database, with a call at every point where a process may die around a transaction."""

    def __init__(self, real: Operations, step: Callable[[str], None]) -> None:
        self._real = real
        self._step = step

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        self._step("begin")
        with self._real.begin() as unit:
            commit = unit.commit

            def committing() -> None:
                self._step("commit:before")
                commit()
                self._step("commit:after")

            unit.commit = committing
            yield unit

    def read(self):
        return self._real.read()


@pytest.fixture(scope="session")
def killed() -> type[BaseException]:
    return Killed


@pytest.fixture(scope="session")
def crashing() -> type[CrashingOperations]:
    return CrashingOperations


@pytest.fixture
def operations_url(tmp_path: Path) -> URL:
    return make_url(f"sqlite:///{tmp_path / 'operations.db'}")


@pytest.fixture
def desk(operations_url: URL) -> Iterator[Desk]:
    made = Desk(operations_url)
    yield made
    made.operations.close()


@pytest.fixture(scope="session")
def make_desk() -> Iterator[Callable[..., Desk]]:
    """Desks on databases of their own, for tests that need many (hypothesis)."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        template, count = Path(folder) / "template.db", iter(range(10**9))
        open_operations(make_url(f"sqlite:///{template}")).close()

        def make(**budgets: str) -> Desk:
            path = Path(folder) / f"{next(count)}.db"
            shutil.copy(template, path)
            return Desk(make_url(f"sqlite:///{path}"), **budgets)

        yield make
