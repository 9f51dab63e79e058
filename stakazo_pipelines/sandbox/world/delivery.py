"""How budgets become spend, impressions and value: one account's hour-by-hour delivery and the state it leaves.

The same formulas, vectorised over scenarios, give the noise-free expectation of any other budgets (`expect`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.world.nature import Ads, Groups, curve
from stakazo_pipelines.sandbox.world.noise import Floats, Ints

Flags = npt.NDArray[np.bool_]
_OPEN_SHARE = 0.3  # share of an ad group's spend that one ad takes when it tires at the nominal pace


@dataclass(frozen=True, slots=True)
class Settings:
    """What people have set, as arrays over ad groups (G), campaigns (C) and ads (A). Budgets in minor units a day."""

    budget: Floats  # G, 0 where the campaign holds it
    campaign: Ints  # G, row of the campaign
    campaign_budget: Floats  # C, 0 where the ad groups hold theirs
    lifetime: Flags  # G, a lifetime budget never overspends
    on: Flags  # G, ad group and campaign switched on
    start: Ints  # G, first hour
    end: Ints  # G, hour after the last
    ad_on: Flags  # A
    ad_from: Ints  # A, hour from which review lets it deliver

    def boundaries(self) -> Ints:
        """Hours at which what delivers may change without any write."""
        return np.unique(np.concatenate([self.start, self.end, self.ad_from]))


_F, _I, _B = np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
NOTHING_SET = Settings(_F, _I, _F, _B, _B, _I, _I, _B, _I)


@dataclass(frozen=True, slots=True)
class Wear:
    """What past delivery left: adstock per ad group, and each ad's spend since its creative was new, with its epoch."""

    adstock: Floats
    worn: Floats
    epoch: Ints


@dataclass(frozen=True, slots=True)
class DayPlan:
    """One local day's conditions, independent of budgets. Hours (H) by ad groups (G), or by ads (A)."""

    profile: Floats  # H x G, shares of the day's spend
    delivery: Floats  # H x G, incident factor on spend
    price: Floats  # H x G, minor units per 1000 impressions
    pace: Floats  # G, share of the budget spent
    season: Floats  # G, multiplier of value, price jumps included
    claim: Floats  # A, share claims within the ad group


@dataclass(frozen=True, slots=True)
class Flow:
    """Intent of an hour block: spend a day per ad group before the profile, and each ad's share of its group."""

    spend: Floats
    share: Floats


def group_sum(values: Floats, group: Ints, groups: int) -> Floats:
    """Sum the last axis (ads) into ad groups: (..., A) to (..., G)."""
    out = np.zeros((*values.shape[:-1], groups))
    if group.size:
        order = np.argsort(group, kind="stable")
        present, starts = np.unique(group[order], return_index=True)
        out[..., present] = np.add.reduceat(values[..., order], starts, axis=-1)
    return out


def flow(settings: Settings, plan: DayPlan, groups: Groups, ads: Ads, hour: int, shown: Flags) -> Flow:
    """What delivers from `hour` on; `shown` switches single ads off (rejected ones)."""
    share, running = shares(settings, plan, ads, hour, shown)
    rates = spread(settings, groups, running, settings.budget, settings.campaign_budget)
    return Flow(paced(settings, plan, groups, rates), share)


def shares(settings: Settings, plan: DayPlan, ads: Ads, hour: int, shown: Flags) -> tuple[Floats, Flags]:
    """Each ad's share of its ad group's spend, and which ad groups run at all."""
    size = settings.budget.size
    claim = plan.claim * (settings.ad_on & shown & (settings.ad_from <= hour))
    total = group_sum(claim, ads.group, size)
    running = settings.on & (settings.start <= hour) & (hour < settings.end) & (total > 0)
    return claim / np.maximum(total, 1e-300)[ads.group] * running[ads.group], running


def spread(settings: Settings, groups: Groups, running: Flags, budget: Floats, campaign_budget: Floats) -> Floats:
    """Daily budget of each running ad group: its own, or its campaign's by auction strength. Leading axes allowed."""
    claim = groups.strength * running
    total = group_sum(claim, settings.campaign, settings.campaign_budget.size)
    part = claim / np.maximum(total, 1e-300)[settings.campaign]
    return np.asarray(budget * running + campaign_budget[..., settings.campaign] * part, dtype=np.float64)


def paced(settings: Settings, plan: DayPlan, groups: Groups, rates: Floats) -> Floats:
    """Spend a day that the auction makes of a daily budget: pacing noise, never above the audience's cap."""
    pace = np.where(settings.lifetime, np.minimum(plan.pace, 1.0), plan.pace)
    return np.asarray(np.minimum(rates * pace, groups.cap), dtype=np.float64)


def lift(groups: Groups, rows: Ints, adstock: Floats) -> Floats:
    """Carry-over: what recent spend adds to today's value."""
    return np.asarray(1.0 + groups.carry[rows] * adstock / (adstock + groups.half[rows]), dtype=np.float64)


def freshness(groups: Groups, ads: Ads, worn: Floats) -> Floats:
    """Share of an ad's appeal that past delivery of its creative has left."""
    scale = (groups.half * groups.tire * _OPEN_SHARE)[ads.group]
    floor = groups.floor[ads.group]
    return np.asarray(floor + (1.0 - floor) * np.exp(-worn / scale), dtype=np.float64)


def expect(
    groups: Groups,
    ads: Ads,
    wear: Wear,
    days: list[tuple[DayPlan, Settings, Flags, int]],
    appeal: Floats,
    budget: Floats,
    campaign_budget: Floats,
) -> tuple[Floats, Floats]:
    """Noise-free spend and value per ad group and day, each (days, scenarios, G), of fixed budgets held over the days.

    `budget` is (scenarios, G), `campaign_budget` (scenarios, C); a day brings its plan, settings, shown ads and hour.
    """
    rows = np.arange(groups.id.size)
    adstock = np.broadcast_to(wear.adstock, budget.shape)
    worn = np.broadcast_to(wear.worn, (budget.shape[0], ads.id.size))
    spends, values = [], []
    for plan, settings, shown, hour in days:
        share, running = shares(settings, plan, ads, hour, shown)
        rates = spread(settings, groups, running, budget, campaign_budget)
        spend = paced(settings, plan, groups, rates) * (plan.profile * plan.delivery).sum(axis=0)
        good = group_sum(share * appeal * freshness(groups, ads, worn), ads.group, rows.size)
        values.append(curve(groups, rows, spend) * plan.season * lift(groups, rows, adstock) * good)
        spends.append(spend)
        adstock = groups.memory * adstock + (1.0 - groups.memory) * spend
        worn = worn + spend[:, ads.group] * share
    return np.stack(spends), np.stack(values)
