"""The best allocation over all accounts of all platforms: what moving money between them could earn, nobody sees it.

Money is in one reporting currency, so that a budget may leave one account for another at the day's worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.entities import WorldError
from stakazo_pipelines.sandbox.world.noise import Floats, Ints
from stakazo_pipelines.sandbox.world.optimum import best_split
from stakazo_pipelines.sandbox.world.outcome import Stage, earned, stretch


@dataclass(frozen=True, slots=True)
class _Seat:
    """One account at the table. `worth` is what one of its minor units is in the reporting currency."""

    stage: Stage
    worth: float
    current: Floats  # daily budgets of its arms, minor units

    @property
    def running(self) -> Ints:
        return np.flatnonzero(self.current > 0)


@dataclass(frozen=True, slots=True)
class _Result:
    budget: float
    spend: float
    value: float

    def to_json(self) -> dict[str, float]:
        return {"spend": self.spend, "value": self.value}


def portfolio(accounts: Sequence[AccountWorld], since: date, until: date, rates: Mapping[str, float]) -> dict[str, Any]:
    """Expected spend and value of the closed report days since..until over all accounts together.

    `rates` says what one major unit of a currency is worth in the reporting currency. `actual` and `status_quo` as in
    `outcome`; `best` under the static daily budgets with the same converted total that earn most, wherever they lie.
    It earns at least as much as the accounts' own best allocations together. WorldError for a currency without a rate.
    """
    seats = [_seat(account, since, until, rates) for account in accounts]
    days = len(seats[0].stage.days)
    now = [seat.current for seat in seats]
    apart = [seat.stage.best() for seat in seats]
    candidates = [[_played(s, b) for s, b in zip(seats, plan, strict=True)] for plan in (now, apart, _together(seats))]
    best = max(candidates, key=lambda results: sum(r.value for r in results))
    past = [(seat.worth, earned(seat.stage.account, seat.stage.days)) for seat in seats]
    return {
        "days": days,
        "budget": sum(r.budget for r in candidates[0]),
        "actual": {
            "spend": sum(worth * spend for worth, (spend, _) in past),
            "value": sum(worth * value for worth, (_, value) in past),
        },
        "status_quo": _sum(candidates[0]).to_json(),
        "best": {
            **_sum(best).to_json(),
            "accounts": {
                seat.stage.account.account.id: {"budget": result.budget, **result.to_json()}
                for seat, result in zip(seats, best, strict=True)
            },
        },
    }


def _seat(account: AccountWorld, since: date, until: date, rates: Mapping[str, float]) -> _Seat:
    rate = rates.get(account.account.currency)
    if rate is None or not 0 < rate < float("inf"):
        raise WorldError(f"no rate for {account.account.currency}, the currency of account {account.account.id}")
    stage = stretch(account, since, until)
    return _Seat(stage, rate / account.account.minor_units, stage.budgets())


def _together(seats: Sequence[_Seat]) -> list[Floats]:
    """The budgets of one split over the arms of all accounts."""
    total = sum(seat.worth * float(seat.current.sum()) for seat in seats)
    if total <= 0:
        return [seat.current for seat in seats]
    grid, tables = np.zeros(0), []
    for seat in seats:
        own, values = seat.stage.curves(total / seat.worth, seat.running)
        grid = own * seat.worth
        tables.append(values * seat.worth)
    chosen = grid[best_split(grid, np.concatenate(tables), total).pick]
    chosen *= total / chosen.sum()
    plans, start = [], 0
    for seat in seats:
        plan, stop = np.zeros_like(seat.current), start + seat.running.size
        plan[seat.running] = chosen[start:stop] / seat.worth
        plans.append(plan)
        start = stop
    return plans


def _played(seat: _Seat, budgets: Floats) -> _Result:
    days = len(seat.stage.days)
    spend, value = seat.stage.play(budgets[None, :])
    return _Result(*(float(x.sum()) * days * seat.worth for x in (budgets, spend, value)))


def _sum(results: Sequence[_Result]) -> _Result:
    return _Result(*(sum(getattr(r, name) for r in results) for name in ("budget", "spend", "value")))
