"""One account's part of the world: its hidden tables, its ledger of delivery by hour, and the step from hour to hour.

Accounts do not interact, so each runs on its own local days. The entity store stays outside (`world`).
"""

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from stakazo_pipelines.sandbox.world import conversions, delivery, incidents, nature
from stakazo_pipelines.sandbox.world.calendar import Calendar
from stakazo_pipelines.sandbox.world.delivery import DayPlan, Flags, Settings, Wear
from stakazo_pipelines.sandbox.world.entities import Account
from stakazo_pipelines.sandbox.world.incidents import Incident
from stakazo_pipelines.sandbox.world.nature import Ads, Groups, Market
from stakazo_pipelines.sandbox.world.noise import Floats, Ints, Stream, normal, uniform

_NONE_F, _NONE_I = np.zeros(0), np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Opening:
    """The state in which a local day began: enough to simulate it again under other budgets."""

    wear: Wear
    settings: Settings


@dataclass(slots=True)
class AccountWorld:
    """`hour` is the first hour not yet delivered; `spend` and `impressions` are whole numbers per hour and ad."""

    seed: int
    account: Account
    calendar: Calendar
    market: Market
    groups: Groups
    ads: Ads
    settings: Settings
    incidents: list[Incident] = field(default_factory=list)
    hour: int = 0
    day: int = -1
    spend: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int32))
    impressions: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int32))
    adstock: Floats = field(default_factory=lambda: _NONE_F)
    worn: Floats = field(default_factory=lambda: _NONE_F)
    epoch: Ints = field(default_factory=lambda: _NONE_I)
    openings: list[Opening] = field(default_factory=list)
    truth_spend: list[Floats] = field(default_factory=list)  # per closed day, by ad group
    truth_value: list[Floats] = field(default_factory=list)
    events: list[conversions.Events] = field(default_factory=list)  # per closed day
    open_spend: Floats = field(default_factory=lambda: _NONE_F)
    open_impressions: Floats = field(default_factory=lambda: _NONE_F)
    open_value: Floats = field(default_factory=lambda: _NONE_F)
    _plan: DayPlan | None = None

    @property
    def id(self) -> int:
        return int(self.account.id)

    def add(self, groups: Groups | None = None, ads: Ads | None = None) -> None:
        """Take new ad groups, then new ads (whose `group` are rows), into the account."""
        if groups is not None:
            self.groups = nature.append(self.groups, groups)
            self.adstock = _grown(self.adstock, groups.id.size)
        if ads is not None:
            n = ads.id.size
            self.ads = nature.append(self.ads, ads)
            self.worn, self.epoch = _grown(self.worn, n), _grown(self.epoch, n)
            self.open_spend, self.open_value = _grown(self.open_spend, n), _grown(self.open_value, n)
            self.open_impressions = _grown(self.open_impressions, n)
        self._plan = None

    def renew(self, rows: Ints) -> None:
        """These ads show a new creative: a new draw of appeal, unworn."""
        self.epoch = self.epoch.copy()
        self.worn = self.worn.copy()
        self.epoch[rows] += 1
        self.worn[rows] = 0.0

    def schedule(self, incident: Incident) -> None:
        self.incidents.append(incident)
        self._plan = None

    def appeal(self, epoch: Ints) -> Floats:
        return nature.appeal(self.seed, self.ads.id[: epoch.size], epoch)

    def plan(self, day: int, groups: Groups | None = None, ads: Ads | None = None) -> DayPlan:
        """Conditions of a local day for the given (default: all) ad groups and ads."""
        g, a = groups or self.groups, ads or self.ads
        local = self.calendar.day(day)
        hours = np.arange(local.first, local.last)
        hit = incidents.effects(self.incidents, self.calendar, local.first, local.last, g.id)
        profile = nature.hour_profile(self.seed, g.id, local.labels, hours)
        weekday = self.calendar.report_day(day).weekday()
        season = nature.conditions(self.seed, self.id, g, np.arange(g.id.size), day, weekday)
        delivered = np.maximum((profile * hit.delivery).sum(axis=0), 1e-300)
        cheap = (profile * hit.delivery / hit.price).sum(axis=0) / delivered
        cpm = g.cpm * np.exp(0.1 * normal(self.seed, Stream.CPM, g.id, day))
        pace = 0.90 + 0.12 * uniform(self.seed, Stream.PACE, g.id, day) ** 0.6
        return DayPlan(
            profile=profile,
            delivery=hit.delivery,
            price=cpm * nature.hour_price(local.labels)[:, None] * hit.price,
            pace=pace,
            season=season * np.where(cheap > 0, cheap, 1.0),
            claim=a.strength * np.exp(0.2 * normal(self.seed, Stream.SHARE, a.id, day)),
        )

    def shown(self, hour: int, ads: Ads | None = None) -> Flags:
        return ~incidents.rejected(self.incidents, self.calendar, hour, (ads or self.ads).id)

    def run(self, until: int) -> None:
        """Deliver the hours up to (not including) `until`, closing local days as they end."""
        self.hour = max(self.hour, min(until, self.calendar.day(0).first))
        while self.hour < until:
            plan = self._open(self.calendar.day_at(self.hour))
            local = self.calendar.day(self.day)
            stops = np.concatenate([self.settings.boundaries(), self._rejections()])
            later = stops[(stops > self.hour) & (stops < min(until, local.last))]
            stop = int(later.min()) if later.size else min(until, local.last)
            self._deliver(plan, self.hour, stop)
            self.hour = stop
            if stop == local.last:
                self._close()

    def live_events(self) -> conversions.Events:
        """Conversions of the open day that are visible at once."""
        return self._draw(self.open_value, latest=1)

    def opening(self, day: int) -> Opening:
        """How a day began; for the open day, or one not begun, the state of now."""
        if day < len(self.openings):
            return self.openings[day]
        return Opening(Wear(self.adstock, self.worn, self.epoch), self.settings)

    def _open(self, day: int) -> DayPlan:
        if day != self.day:
            self.day = day
            self.openings.append(self.opening(len(self.openings)))
            self._plan = None
        if self._plan is None:
            self._plan = self.plan(day)
        return self._plan

    def _rejections(self) -> Ints:
        ends = [t for i in self.incidents if i.kind == "creative_rejected" for t in (i.start, i.end)]
        return np.array([self.calendar.hour_of(t) for t in ends], dtype=np.int64)

    def _deliver(self, plan: DayPlan, first: int, last: int) -> None:
        """Deliver hours of the open day during which nothing changes."""
        local, groups, ads = self.calendar.day(self.day), self.groups, self.ads
        moving = delivery.flow(self.settings, plan, groups, ads, first, self.shown(first))
        part = slice(first - local.first, last - local.first)
        by_group = moving.spend * plan.profile[part] * plan.delivery[part]
        by_ad = by_group[:, ads.group] * moving.share
        shown = by_ad * 1000.0 / plan.price[part][:, ads.group]
        self._reserve(last)
        before = delivery.group_sum(self.open_spend, ads.group, groups.id.size)
        self.open_spend = _book(self.spend[first:last], self.open_spend, by_ad)
        self.open_impressions = _book(self.impressions[first:last], self.open_impressions, shown)
        rows = np.arange(groups.id.size)
        after = before + by_group.sum(axis=0)
        gain = nature.curve(groups, rows, after) - nature.curve(groups, rows, before)
        gain = gain * plan.season * delivery.lift(groups, rows, self.adstock)
        good = moving.share * self.appeal(self.epoch) * delivery.freshness(groups, ads, self.worn)
        self.open_value = self.open_value + gain[ads.group] * good

    def _close(self) -> None:
        groups, ads = self.groups, self.ads
        spend = delivery.group_sum(self.open_spend, ads.group, groups.id.size)
        self.truth_spend.append(spend)
        self.truth_value.append(delivery.group_sum(self.open_value, ads.group, groups.id.size))
        self.events.append(self._draw(self.open_value))
        self.adstock = groups.memory * self.adstock + (1.0 - groups.memory) * spend
        self.worn = self.worn + self.open_spend
        self.open_spend, self.open_value = np.zeros(ads.id.size), np.zeros(ads.id.size)
        self.open_impressions = np.zeros(ads.id.size)

    def _draw(self, value: Floats, latest: int = nature.DELAYS) -> conversions.Events:
        ads, local = self.ads, self.calendar.day(self.day)
        burst = nature.burst(self.seed, self.groups.id, self.day)
        aov = self.groups.aov[ads.group]
        reported = incidents.reported_share(self.incidents, self.calendar, local.first, local.last)
        mean = value / aov * burst[ads.group]
        return conversions.draw(self.seed, ads.id, self.day, mean, aov, self.market.delay, reported, latest)

    def _reserve(self, hours: int) -> None:
        """Grow the ledger to hold `hours` hours of all ads."""
        rows, columns = self.spend.shape
        if hours > rows or self.ads.id.size > columns:
            shape = (max(rows, hours + 24 * 30), max(columns, self.ads.id.size))
            self.spend, self.impressions = _resized(self.spend, shape), _resized(self.impressions, shape)


def _book(out: Ints, carried: Floats, amounts: Floats) -> Floats:
    """Write whole hourly amounts whose running total is the rounded running total; return the new total of the day."""
    total = np.cumsum(np.concatenate([carried[None, :], amounts]), axis=0)
    out[:, : carried.size] = np.diff(np.floor(total + 0.5), axis=0)
    return np.asarray(total[-1], dtype=np.float64)


N = TypeVar("N", Floats, Ints)


def _grown(values: N, by: int) -> N:
    return np.concatenate([values, np.zeros(by, dtype=values.dtype)])


def _resized(old: Ints, shape: tuple[int, int]) -> Ints:
    new = np.zeros(shape, dtype=old.dtype)
    new[: old.shape[0], : old.shape[1]] = old
    return new
