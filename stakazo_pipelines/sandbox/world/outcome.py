"""What nobody in the world sees: expected results of other budgets, the true curves, the best allocation.

Everything here is the noise-free expectation under the same conditions (seasons, shocks, pacing, incidents) for all
budgets that are compared; conversions lost to a tracking outage count, since they were earned. Money in major units.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from stakazo_pipelines.sandbox.world import delivery, nature
from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.delivery import Settings, Wear
from stakazo_pipelines.sandbox.world.entities import WorldError
from stakazo_pipelines.sandbox.world.noise import Floats, Ints
from stakazo_pipelines.sandbox.world.optimum import best_split
from stakazo_pipelines.sandbox.world.store import Store

_NODES, _POINTS, _CURVE = 80, 900, 24
_AHEAD = 7


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of days to be played under any budgets, from a given state. Arms are what holds a budget."""

    account: AccountWorld
    wear: Wear
    settings: Settings
    days: range
    skip: int = 0  # days at the start that are played but not counted

    @property
    def by_campaign(self) -> npt.NDArray[np.bool_]:
        """Ad groups whose campaign holds the budget."""
        return np.asarray(self.settings.campaign_budget[self.settings.campaign] > 0)

    def arms(self) -> tuple[Ints, Ints]:
        """Ids of the arms, and the arm of each ad group."""
        ids = np.where(self.by_campaign, self.account.groups.campaign[: self.by_campaign.size], self._group_ids)
        known, arm = np.unique(ids, return_inverse=True)
        return known, arm

    def budgets(self) -> Floats:
        """Today's daily budget of each arm in minor units; 0 for one that does not run."""
        known, arm = self.arms()
        held = np.where(self.by_campaign, self.settings.campaign_budget[self.settings.campaign], self.settings.budget)
        out = np.zeros(known.size)
        np.maximum.at(out, arm, held * self._running())
        return out

    def play(self, budgets: Floats) -> tuple[Floats, Floats]:
        """Expected spend and value a day, averaged over the counted days: (scenarios, arms) to the same shape."""
        known, arm = self.arms()
        own = budgets[:, arm] * ~self.by_campaign
        held = np.zeros((budgets.shape[0], self.settings.campaign_budget.size))
        held[:, self.settings.campaign[self.by_campaign]] = budgets[:, arm[self.by_campaign]]
        groups, ads = nature.head(self.account.groups, own.shape[1]), nature.head(self.account.ads, self.wear.worn.size)
        stages = []
        for day in self.days:
            hour = self.account.calendar.day(day).first
            plan = self.account.plan(day, groups, ads)
            stages.append((plan, self.settings, self.account.shown(hour, ads), hour))
        appeal = self.account.appeal(self.wear.epoch)
        spend, value = delivery.expect(groups, ads, self.wear, stages, appeal, own, held)
        counted = len(self.days) - self.skip
        first, second = (delivery.group_sum(x[self.skip :].sum(axis=0), arm, known.size) for x in (spend, value))
        return first / counted, second / counted

    def best(self) -> Floats:
        """The static daily budgets with the same total that earn most; at least as good as today's."""
        current = self.budgets()
        active = np.flatnonzero(current > 0)
        if not active.size:
            return current
        grid, values = self.curves(float(current.sum()), active)
        found = best_split(grid, values, float(current.sum()))
        best = np.zeros_like(current)
        best[active] = grid[found.pick]
        best *= current.sum() / best.sum()
        _, played = self.play(np.stack([current, best]))
        return best if played[1].sum() >= played[0].sum() else current

    def curves(self, total: float, active: Ints) -> tuple[Floats, Floats]:
        """Value a day of each active arm on a fine grid of budgets from 0 to `total`."""
        nodes = np.geomspace(total * 1e-4, total, _NODES)
        budgets = np.zeros((_NODES + 1, self.arms()[0].size))
        budgets[1:, active] = nodes[:, None]
        _, value = self.play(budgets)
        fine = np.geomspace(total * 1e-4, total, _POINTS)
        values = PchipInterpolator(np.log(nodes), value[1:, active])(np.log(fine))
        return np.concatenate([[0.0], fine]), np.concatenate([np.zeros((active.size, 1)), values.T], axis=1)

    @property
    def _group_ids(self) -> Ints:
        return self.account.groups.id[: self.settings.budget.size]

    def _running(self) -> npt.NDArray[np.bool_]:
        """Ad groups that can deliver at some time of the stretch."""
        ads = nature.head(self.account.ads, self.settings.ad_on.size)
        first, last = self.account.calendar.day(self.days[0]).first, self.account.calendar.day(self.days[-1]).last
        live = (self.settings.ad_on & (self.settings.ad_from < last)).astype(np.float64)
        some = delivery.group_sum(live, ads.group, self.by_campaign.size) > 0
        return np.asarray(self.settings.on & (self.settings.start < last) & (self.settings.end > first) & some)


def outcome(accounts: list[AccountWorld], since: date, until: date) -> dict[str, Any]:
    """Per account id: expected spend and value of the closed report days since..until.

    `actual` under the budgets as they were; `status_quo` had all been left as it stood when `since` began; `best` under
    the static daily budgets with the same total that earn most. WorldError unless all those days are over.
    """
    return {account.account.id: _account_outcome(account, since, until) for account in accounts}


def stretch(account: AccountWorld, since: date, until: date) -> Stage:
    """The closed report days since..until, from how things stood when they began. WorldError unless they are over."""
    first, last = account.calendar.index(since), account.calendar.index(until) + 1
    if not 0 <= first < last <= len(account.truth_spend):
        newest = account.calendar.report_day(len(account.truth_spend) - 1)
        raise WorldError(
            f"account {account.account.id} has complete days {account.calendar.first_day} to {newest} only"
        )
    start = account.openings[first]
    return Stage(account, start.wear, start.settings, range(first, last))


def earned(account: AccountWorld, days: range) -> tuple[float, float]:
    """Expected spend and value of closed days under the budgets as they were, in minor units."""
    spend, value = (
        sum(float(x.sum()) for x in table[days.start : days.stop])
        for table in (account.truth_spend, account.truth_value)
    )
    return spend, value


def _account_outcome(account: AccountWorld, since: date, until: date) -> dict[str, Any]:
    stage = stretch(account, since, until)
    best = stage.best()
    spend, value = stage.play(np.stack([stage.budgets(), best]))
    unit = account.account.minor_units
    days = len(stage.days)
    return {
        "platform": account.account.platform,
        "currency": account.account.currency,
        "days": days,
        "budget": float(stage.budgets().sum()) / unit * days,
        "actual": _result(*earned(account, stage.days), unit),
        "status_quo": _result(float(spend[0].sum()) * days, float(value[0].sum()) * days, unit),
        "best": {
            **_result(float(spend[1].sum()) * days, float(value[1].sum()) * days, unit),
            "budgets": {str(i): float(b) / unit for i, b in zip(stage.arms()[0], best, strict=True) if b > 0},
        },
    }


def truth(store: Store, accounts: list[AccountWorld], now: datetime) -> dict[str, Any]:
    """The hidden state: each running arm's curve, ROAS and marginal ROAS over the next 7 days, and its best budget."""
    return {
        "now": now.isoformat(),
        "arms": [arm for account in accounts for arm in _arms(store, account)],
        "incidents": [incident.to_json() for account in accounts for incident in account.incidents],
    }


def _arms(store: Store, account: AccountWorld) -> list[dict[str, Any]]:
    today = account.calendar.day_at(account.hour)
    stage = Stage(
        account,
        Wear(account.adstock, account.worn, account.epoch),
        account.settings,
        range(today, today + 1 + _AHEAD),
        1,
    )
    current, best = stage.budgets(), stage.best()
    if not current.any():
        return []
    nodes = np.geomspace(current.sum() * 1e-3, current.sum(), _CURVE)
    scenarios = np.concatenate([[current, 0.99 * current, 1.01 * current], np.tile(nodes[:, None], (1, current.size))])
    spend, value = stage.play(scenarios * (current > 0))
    unit = account.account.minor_units
    out = []
    for i, arm in enumerate(str(known) for known in stage.arms()[0]):
        if current[i] <= 0:
            continue
        level = "campaign" if arm in store.campaigns else "ad_group"
        more = float(spend[2, i] - spend[1, i])
        out.append(
            {
                "arm_id": arm,
                "level": level,
                "account_id": account.account.id,
                "campaign_id": arm if level == "campaign" else store.ad_groups[arm].campaign_id,
                "currency": account.account.currency,
                "budget": float(current[i]) / unit,
                "best_budget": float(best[i]) / unit,
                **_result(float(spend[0, i]), float(value[0, i]), unit),
                "roas": float(value[0, i] / spend[0, i]) if spend[0, i] > 0 else None,
                "marginal_roas": float(value[2, i] - value[1, i]) / more if more > 0 else 0.0,
                "curve": {"budget": (nodes / unit).tolist(), "value": (value[3:, i] / unit).tolist()},
            }
        )
    return out


def _result(spend: float, value: float, unit: int) -> dict[str, float]:
    return {"spend": spend / unit, "value": value / unit}
