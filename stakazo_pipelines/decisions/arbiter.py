"""The one arbiter (design rule 7). Pure: the same candidates, in any order, give the same decisions.

Precedence, highest first:

| rank | module          | as                                                                    |
|------|-----------------|-----------------------------------------------------------------------|
| 0    | emergency stop  | stops every other candidate in its scope; its own pauses pass         |
| 1    | risk pause      | candidate; passes every hold                                          |
| 2    | human hold      | keeps everything below it off the entity                              |
| 3    | experiment hold | keeps everything below it off the entity                              |
| 4    | learning hold   | keeps everything below it off the entity                              |
| 5    | allocation      | candidate                                                             |
| 6    | creative        | candidate                                                             |
| 7    | targeting       | candidate                                                             |

Within one rank the safer action wins (pause, cut, raise, resume), then the larger expected gain, then the rule's name.
Hysteresis: a pause or resume that undoes one younger than `min_switch` waits, unless it is a risk pause or stop.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from stakazo_pipelines.decisions.candidate import (
    ActionKind,
    Candidate,
    Decision,
    EntityRef,
    Hold,
    Module,
    Outcome,
    Stop,
    Switch,
)
from stakazo_pipelines.money import Money

PRECEDENCE: Mapping[Module, int] = {module: rank for rank, module in enumerate(Module)}
_SAFETY = frozenset({Module.EMERGENCY_STOP, Module.RISK_PAUSE})


def arbitrate(
    candidates: Iterable[Candidate],
    *,
    now: datetime,
    holds: Iterable[Hold] = (),
    stops: Iterable[Stop] = (),
    switches: Mapping[EntityRef, Switch] | None = None,
    min_switch: timedelta = timedelta(0),
) -> tuple[Decision, ...]:
    """One decision per candidate, at most one of them chosen per entity; ordered by entity, then by rank.

    `stops` are the stop switches that are on, `switches` the last pause or resume of each entity (see
    decisions.record.last_switches), `min_switch` the least time between opposite ones.
    """
    covering: dict[EntityRef, list[Hold]] = defaultdict(list)
    for hold in holds:
        covering[hold.entity].append(hold)
    by_entity: dict[EntityRef, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_entity[candidate.entity].append(candidate)
    pulled = tuple(stops)
    decisions: list[Decision] = []
    for entity in sorted(by_entity):
        winner: Candidate | None = None
        for candidate in sorted(by_entity[entity], key=_order):
            decision = (
                _stopped(candidate, pulled)
                or _held(candidate, covering)
                or _too_soon(candidate, (switches or {}).get(entity), now, min_switch)
                or _beaten(candidate, winner)
                or Decision(candidate, Outcome.CHOSEN, f"{candidate.module} by {candidate.rule}")
            )
            winner = candidate if decision.chosen else winner
            decisions.append(decision)
    return tuple(decisions)


def _order(candidate: Candidate) -> tuple[int, int, float, str, str]:
    gain = candidate.gain.mean if candidate.gain else 0.0
    return PRECEDENCE[candidate.module], _risk(candidate), -gain, candidate.rule, str(candidate.after)


def _risk(candidate: Candidate) -> int:
    if candidate.kind is ActionKind.PAUSE:
        return 0
    if candidate.kind is ActionKind.RESUME:
        return 3
    return 1 if _amount(candidate.after) <= _amount(candidate.before) else 2


def _amount(value: object) -> Decimal:
    return value.amount if isinstance(value, Money) else Decimal(0)


def _stopped(candidate: Candidate, stops: tuple[Stop, ...]) -> Decision | None:
    if candidate.module is Module.EMERGENCY_STOP:
        return None
    entity = candidate.entity
    scopes = {"*", entity.platform, f"{entity.platform}/{entity.account_id}"}
    stop = next((stop for stop in stops if stop.scope in scopes), None)
    return Decision(candidate, Outcome.STOPPED, str(stop)) if stop else None


def _held(candidate: Candidate, covering: Mapping[EntityRef, list[Hold]]) -> Decision | None:
    found = [hold for ref in (candidate.entity, *candidate.ancestors) for hold in covering.get(ref, ())]
    above = [hold for hold in found if PRECEDENCE[hold.kind] < PRECEDENCE[candidate.module]]
    if not above:
        return None
    hold = min(above, key=lambda one: (PRECEDENCE[one.kind], one.entity, one.who, one.why))
    return Decision(candidate, Outcome.HELD, f"{hold.kind} on {hold.entity} by {hold.who}: {hold.why}")


def _too_soon(candidate: Candidate, last: Switch | None, now: datetime, min_switch: timedelta) -> Decision | None:
    if last is None or candidate.kind is ActionKind.SET_BUDGET or candidate.module in _SAFETY:
        return None
    if candidate.kind is last.kind or now - last.at >= min_switch:
        return None
    until = last.at + min_switch
    return Decision(
        candidate, Outcome.TOO_SOON, f"{last.kind} at {last.at:%Y-%m-%d %H:%M} UTC stands until {until:%Y-%m-%d %H:%M}"
    )


def _beaten(candidate: Candidate, winner: Candidate | None) -> Decision | None:
    if winner is None:
        return None
    return Decision(candidate, Outcome.BEATEN, f"{winner.kind} of {winner.module} ({winner.rule}) stands higher")
