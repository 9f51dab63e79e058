"""Fills a store with the default world's entities and lists what happened to them before the boot."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar, cast

import numpy as np

from stakazo_pipelines.sandbox.world import bootstrap, nature
from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.bootstrap import Happening, working_hour
from stakazo_pipelines.sandbox.world.entities import Ad, AdGroup, Campaign, Level, WorldConfig
from stakazo_pipelines.sandbox.world.store import Store

_CAMPAIGN_BUDGET, _LATE, _PAUSED, _RENEWED, _AD_PAUSED = 0.1, 0.08, 0.06, 0.35, 0.06


E = TypeVar("E", Campaign, AdGroup, Ad)


@dataclass(slots=True)
class Builder:
    """One account's share of the world, built top down. `now` is the boot."""

    config: WorldConfig
    store: Store
    world: AccountWorld
    rng: np.random.Generator
    happenings: list[Happening] = field(default_factory=list)

    def build(self, campaigns: int, ad_groups: int, ads: int) -> list[Happening]:
        """Create everything, then return what happened, in order of time."""
        born = self.world.calendar.instant(0)
        made = [self._campaign(i, born - timedelta(days=int(self.rng.integers(2, 300)))) for i in range(campaigns)]
        owners = bootstrap.spread_children(self.rng, ad_groups, campaigns)
        groups = [self._ad_group(made[int(c)], i) for i, c in enumerate(owners)]
        self.world.add(groups=draw_groups(self.world, groups, [self.store.campaigns[g.campaign_id] for g in groups]))
        of = bootstrap.spread_children(self.rng, ads, ad_groups)
        fresh = [self._ad(groups[int(g)], i) for i, g in enumerate(of)]
        self.world.add(ads=draw_ads(self.world, self.store, fresh))
        self._budgets(made, groups)
        self._accidents(groups, fresh)
        return sorted(self.happenings, key=lambda h: (h.at, h.id))

    def _campaign(self, number: int, born: datetime) -> Campaign:
        fields = bootstrap.campaign_fields(self.rng, self.world.account, number + 1, born)
        return cast("Campaign", self.store.create("campaign", born, fields, actor="history"))

    def _ad_group(self, campaign: Campaign, number: int) -> AdGroup:
        late = self.rng.random() < _LATE and self.config.history_days > 8
        day = int(self.rng.integers(max(self.config.history_days - 25, 1), self.config.history_days - 2)) if late else 0
        born = working_hour(self.world.calendar, day) if late else campaign.created_at + timedelta(hours=2)
        fields = bootstrap.ad_group_fields(
            self.rng, self.world.account, campaign.id, campaign.objective, number + 1, born
        )
        return cast("AdGroup", self.store.create("ad_group", born, fields, actor="history"))

    def _ad(self, group: AdGroup, number: int) -> Ad:
        born = group.created_at + timedelta(minutes=10)
        creative = self.store.create(
            "creative", born, bootstrap.creative_fields(self.rng, self.world.account, number + 1, born), actor="history"
        )
        fields = {
            "ad_group_id": group.id,
            "creative_id": creative.id,
            "name": f"{creative.name} | {group.name}",
            "status": "ACTIVE",
            "created_at": born,
        }
        return cast("Ad", self.store.create("ad", born, fields, actor="history"))

    def _budgets(self, campaigns: list[Campaign], groups: list[AdGroup]) -> None:
        centre = dict(
            zip([g.id for g in groups], bootstrap.centres(self.rng, self.world.groups, self.world.market), strict=True)
        )
        held = {c.id for c in self._some(campaigns, _CAMPAIGN_BUDGET)}
        holders: list[tuple[Campaign | AdGroup, float]] = [
            (g, centre[g.id]) for g in groups if g.campaign_id not in held
        ]
        for campaign in campaigns:
            if campaign.id in held:
                inside = [centre[g.id] for g in groups if g.campaign_id == campaign.id]
                holders.append((campaign, sum(inside)))
        for entity, amount in holders:
            level: Level = "campaign" if isinstance(entity, Campaign) else "ad_group"
            start = max(self.world.calendar.day_at(self.world.calendar.hour_of(entity.created_at)), 0)
            days, floor = (start, self.config.history_days), self.world.market.floors[level == "campaign"]
            steps = bootstrap.human_budgets(self.rng, amount, days, self.world.account.minor_units, floor)
            entity.daily_budget = steps[0][1]
            for day, budget in steps[1:]:
                self._happen(day, level, entity.id, daily_budget=budget)

    def _accidents(self, groups: list[AdGroup], ads: list[Ad]) -> None:
        days = self.config.history_days
        for group in self._some(groups, _PAUSED):
            self._happen(int(self.rng.integers(days // 2, days)), "ad_group", group.id, status="PAUSED")
        for ad in self._some(ads, _AD_PAUSED):
            self._happen(int(self.rng.integers(0, days)), "ad", ad.id, status="PAUSED")
        if days < 30:
            return
        for group in self._some(groups, _RENEWED):
            day = int(self.rng.integers(20, days - 3))
            for ad in ads:
                if ad.ad_group_id == group.id:
                    self.happenings.append(
                        Happening(working_hour(self.world.calendar, day), "ad", ad.id, {}, renews=True)
                    )
        for incident in bootstrap.past_incidents(
            self.config, self.world.account, self.world.calendar, self.world.groups.id
        ):
            self.world.schedule(incident)

    def _some(self, entities: list[E], share: float) -> list[E]:
        count = round(share * len(entities))
        return [entities[int(i)] for i in self.rng.permutation(len(entities))[:count]]

    def _happen(self, day: int, level: Level, entity_id: str, **fields: object) -> None:
        self.happenings.append(Happening(working_hour(self.world.calendar, day), level, entity_id, fields))


def draw_groups(world: AccountWorld, groups: list[AdGroup], campaigns: list[Campaign]) -> nature.Groups:
    """Hidden parameters for new ad groups, each with its campaign."""
    ids, parents = (np.array([int(e.id) for e in entities], dtype=np.int64) for entities in (groups, campaigns))
    return nature.draw_groups(world.seed, ids, parents, world.market, [c.objective for c in campaigns])


def draw_ads(world: AccountWorld, store: Store, ads: list[Ad]) -> nature.Ads:
    """Hidden parameters for new ads of ad groups that the account already holds."""
    row = {str(group): i for i, group in enumerate(world.groups.id)}
    video = np.array([store.creatives[ad.creative_id].kind == "video" for ad in ads], dtype=np.float64)
    ids = np.array([int(ad.id) for ad in ads], dtype=np.int64)
    group = np.array([row[ad.ad_group_id] for ad in ads], dtype=np.int64)
    return nature.draw_ads(world.seed, ids, group, world.market, video)
