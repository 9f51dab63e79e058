"""What a module may propose, and what may stand against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stakazo_pipelines.money import Money
from stakazo_pipelines.vocabulary import EntityStatus, Level

Value = Money | EntityStatus


@dataclass(frozen=True, slots=True, order=True)
class EntityRef:
    """One entity on one platform."""

    platform: str
    account_id: str
    level: Level
    id: str

    def __str__(self) -> str:
        return f"{self.platform}/{self.account_id} {self.level} {self.id}"


class ActionKind(StrEnum):
    SET_BUDGET = "set_budget"
    PAUSE = "pause"
    RESUME = "resume"


class Module(StrEnum):
    """Who proposes or holds. `PRECEDENCE` in arbiter.py ranks them."""

    EMERGENCY_STOP = "emergency_stop"
    RISK_PAUSE = "risk_pause"
    HUMAN_HOLD = "human_hold"
    EXPERIMENT_HOLD = "experiment_hold"
    LEARNING_HOLD = "learning_hold"
    ALLOCATION = "allocation"
    CREATIVE = "creative"
    TARGETING = "targeting"


HOLDS = frozenset({Module.HUMAN_HOLD, Module.EXPERIMENT_HOLD, Module.LEARNING_HOLD})


@dataclass(frozen=True, slots=True)
class Gain:
    """Expected value a day in major units of the account's currency, with its 90 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposed action, with the rule, thresholds and inputs as they are known now (JSON values).

    `ancestors` are the entities above it, so that a hold on a campaign covers its ad groups. Raises ValueError when
    the values do not fit the kind.
    """

    module: Module
    entity: EntityRef
    kind: ActionKind
    before: Value
    after: Value
    rule: str
    gain: Gain | None = None
    thresholds: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, object] = field(default_factory=dict)
    ancestors: tuple[EntityRef, ...] = ()

    def __post_init__(self) -> None:
        if self.module in HOLDS:
            raise ValueError(f"{self.module} holds entities and proposes nothing")
        if self.kind is ActionKind.SET_BUDGET:
            if not isinstance(self.before, Money) or not isinstance(self.after, Money):
                raise ValueError(f"{self.entity}: a budget moves from money to money")
            if self.before.currency != self.after.currency:
                raise ValueError(f"{self.entity}: {self.before.currency} cannot become {self.after.currency}")
            if self.after.amount <= 0:
                raise ValueError(f"{self.entity}: a budget is above zero; pause to stop spending")
        elif self.after is not _TARGET[self.kind]:
            raise ValueError(f"{self.entity}: {self.kind} ends in {_TARGET[self.kind]}, not {self.after}")


_TARGET: Mapping[ActionKind, EntityStatus] = {
    ActionKind.PAUSE: EntityStatus.PAUSED,
    ActionKind.RESUME: EntityStatus.ACTIVE,
}


@dataclass(frozen=True, slots=True)
class Hold:
    """An entity, and all below it, that modules of lower precedence must leave alone."""

    entity: EntityRef
    kind: Module
    who: str
    why: str

    def __post_init__(self) -> None:
        if self.kind not in HOLDS:
            raise ValueError(f"{self.kind} is not a hold")


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop switch as it stands: who pulled it, why and when."""

    scope: str
    who: str
    why: str
    at: datetime

    def __str__(self) -> str:
        return f"emergency stop of {self.scope} by {self.who} at {self.at:%Y-%m-%d %H:%M} UTC: {self.why}"


@dataclass(frozen=True, slots=True)
class Switch:
    """The last verified pause or resume of an entity."""

    kind: ActionKind
    at: datetime


class Outcome(StrEnum):
    CHOSEN = "chosen"
    BEATEN = "beaten"  # another candidate for the same entity stands higher
    HELD = "held"  # a hold of higher precedence covers it
    STOPPED = "stopped"  # the stop switch is on
    TOO_SOON = "too_soon"  # hysteresis: the opposite was done a moment ago


@dataclass(frozen=True, slots=True)
class Decision:
    """What the arbiter made of one candidate; `reason` names what beat it, or why it was chosen."""

    candidate: Candidate
    outcome: Outcome
    reason: str

    @property
    def chosen(self) -> bool:
        return self.outcome is Outcome.CHOSEN
