"""Reads the entity store into the arrays that delivery runs on, and says what each entity's delivery status is."""

import numpy as np

from stakazo_pipelines.sandbox.world import incidents
from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.delivery import Settings
from stakazo_pipelines.sandbox.world.entities import Ad, AdGroup, Campaign, Entity, Level
from stakazo_pipelines.sandbox.world.store import Store

FOREVER = 2**40
_OPEN_ENDED_DAYS = 30.0  # over which a lifetime budget without an end is spread


def read_settings(store: Store, account: AccountWorld) -> Settings:
    """Arrays in the order of the account's hidden tables; campaigns in order of id."""
    campaign_ids, campaign = np.unique(account.groups.campaign, return_inverse=True)
    campaigns = [store.campaigns[str(i)] for i in campaign_ids]
    groups = [store.ad_groups[str(i)] for i in account.groups.id]
    ads = [store.ads[str(i)] for i in account.ads.id]
    hour_of = account.calendar.hour_of
    parents = [campaigns[row] for row in campaign]
    pairs = list(zip(groups, parents, strict=True))
    return Settings(
        budget=np.array([0.0 if holds_budget(c) else daily(g) for g, c in pairs]),
        campaign=campaign,
        campaign_budget=np.array([daily(c) for c in campaigns]),
        lifetime=np.array(
            [(c if holds_budget(c) else g).lifetime_budget is not None for g, c in pairs], dtype=np.bool_
        ),
        on=np.array([g.status == "ACTIVE" and c.status == "ACTIVE" for g, c in pairs], dtype=np.bool_),
        start=np.array([max(hour_of(t) for e in pair for t in (e.created_at, e.start_time) if t) for pair in pairs]),
        end=np.array([min([FOREVER] + [hour_of(e.end_time) for e in pair if e.end_time]) for pair in pairs]),
        ad_on=np.array([ad.status == "ACTIVE" for ad in ads], dtype=np.bool_),
        ad_from=np.array([hour_of(ad.review_until) for ad in ads]),
    )


def holds_budget(entity: Campaign | AdGroup) -> bool:
    return entity.daily_budget is not None or entity.lifetime_budget is not None


def daily(entity: Campaign | AdGroup) -> float:
    """Minor units a day; a lifetime budget is spread evenly from start to end."""
    if entity.daily_budget is not None:
        return float(entity.daily_budget)
    if entity.lifetime_budget is None:
        return 0.0
    begin, end = entity.start_time or entity.created_at, entity.end_time
    days = (end - begin).total_seconds() / 86_400 if end else _OPEN_ENDED_DAYS
    return entity.lifetime_budget / max(days, 1.0)


def delivery_status(store: Store, account: AccountWorld, level: Level, entity: Entity) -> str:
    """What delivery makes of the status, inherited from above: the words are Meta's effective_status."""
    if isinstance(entity, Campaign) or not isinstance(entity, AdGroup | Ad) or entity.status in ("DELETED", "ARCHIVED"):
        return entity.status
    above: list[tuple[str, Campaign | AdGroup]] = [("CAMPAIGN_PAUSED", store.campaigns[entity.campaign_id])]
    if isinstance(entity, Ad):
        above.append(("ADSET_PAUSED", store.ad_groups[entity.ad_group_id]))
    for _, parent in above:
        if parent.status in ("DELETED", "ARCHIVED"):
            return parent.status
    if isinstance(entity, Ad):
        if incidents.rejected(account.incidents, account.calendar, account.hour, np.array([int(entity.id)]))[0]:
            return "DISAPPROVED"
        if account.calendar.hour_of(entity.review_until) > account.hour:
            return "PENDING_REVIEW"
    if entity.status == "PAUSED":
        return "PAUSED"
    return next((word for word, parent in above if parent.status == "PAUSED"), "ACTIVE")
