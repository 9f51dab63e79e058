"""The world behind the emulators: entity store, clock, reports and truth. Deterministic, without I/O or wall clock.

Everything that happens to it is one entry of `log`; the same config and log give the same world again.
"""

import copy
import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from stakazo_pipelines.sandbox.world import bootstrap, delivery, history, nature, outcome, portfolio
from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.calendar import Calendar
from stakazo_pipelines.sandbox.world.entities import (
    Account,
    Ad,
    AdGroup,
    AppliedWrite,
    Campaign,
    Creative,
    Entity,
    Learning,
    Level,
    WorldConfig,
    WorldError,
)
from stakazo_pipelines.sandbox.world.incidents import Incident
from stakazo_pipelines.sandbox.world.learning import learning
from stakazo_pipelines.sandbox.world.noise import Ints
from stakazo_pipelines.sandbox.world.report import Report, report
from stakazo_pipelines.sandbox.world.settings import delivery_status, read_settings
from stakazo_pipelines.sandbox.world.store import Store
from stakazo_pipelines.sandbox.world.traits import TRAITS

_NO_F, _NO_I = np.zeros(0), np.zeros(0, dtype=np.int64)
_TIMES = ("start_time", "end_time")


class World:
    """See the package docstring. `now` moves only by `advance`; writes act on delivery from the next full hour on."""

    def __init__(self, config: WorldConfig | None = None) -> None:
        self.config = config or WorldConfig()
        self.now = self.config.start
        self.log: list[dict[str, Any]] = []
        placed = bootstrap.accounts(self.config)
        self.accounts: dict[str, Account] = {account.id: account for account, _ in placed}
        self._store = Store(self.config.seed, frozenset(self.accounts))
        self._worlds = {account.id: self._settle(account, rate) for account, rate in placed}
        self._stale = set(self.accounts)
        self._live_history()

    @property
    def campaigns(self) -> dict[str, Campaign]:
        return self._store.campaigns

    @property
    def ad_groups(self) -> dict[str, AdGroup]:
        return self._store.ad_groups

    @property
    def ads(self) -> dict[str, Ad]:
        return self._store.ads

    @property
    def creatives(self) -> dict[str, Creative]:
        return self._store.creatives

    @property
    def journal(self) -> list[AppliedWrite]:
        """Every write ever applied, history's included, oldest first."""
        return self._store.journal

    @property
    def incidents(self) -> list[Incident]:
        return [incident for world in self._worlds.values() for incident in world.incidents]

    def advance(self, to: datetime) -> None:
        """Live on until `to` (aware). A started hour delivers whole. WorldError when backwards or beyond the limit."""
        if to.tzinfo is None:
            raise WorldError("the clock needs an aware time")
        to = to.astimezone(UTC)
        if to < self.now:
            raise WorldError(f"the clock stands at {self.now.isoformat()} and never runs backwards")
        if to > self.config.today_limit:
            raise WorldError(f"the clock may not pass {self.config.today_limit.isoformat()}")
        self._run(to, set(self._worlds))
        self.now = to
        self.log.append({"op": "advance", "to": to.isoformat()})

    def create(self, level: Level, **fields: Any) -> Entity:
        """Make an entity, PAUSED unless told otherwise. WorldError names what is missing or unknown."""
        entity = self._store.create(level, self.now, _timed(fields))
        self._admit(entity)
        self.log.append({"op": "create", "level": level, "fields": _plain(fields)})
        return entity

    def update(self, level: Level, entity_id: str, /, **fields: Any) -> Entity:
        """Change an entity. A new `creative_id` on an ad starts an unworn creative."""
        shown = self.ads[entity_id].creative_id if level == "ad" and entity_id in self.ads else None
        entity = self._store.update(level, entity_id, self.now, _timed(fields))
        if isinstance(entity, Ad) and entity.creative_id != shown:
            self._world(entity).renew(self._rows(entity))
        self._stale.add(entity.account_id)
        self.log.append({"op": "update", "level": level, "id": entity_id, "fields": _plain(fields)})
        return entity

    def add_incident(self, incident: Incident) -> None:
        """Schedule an incident; it may not begin before the next hour."""
        world = self._worlds.get(incident.account_id)
        if world is None:
            raise WorldError(f"no account {incident.account_id}")
        if world.calendar.hour_of(incident.start) < world.hour:
            raise WorldError("an incident cannot begin in the past")
        level: Level = "ad" if incident.kind == "creative_rejected" else "ad_group"
        if incident.entity_id is not None and self.owner(level, incident.entity_id) != world.account:
            raise WorldError(f"{level} {incident.entity_id} belongs to another account")
        world.schedule(incident)
        self.log.append({"op": "incident", "incident": incident.to_json()})

    def delivery_status(self, level: Level, entity_id: str) -> str:
        """ACTIVE, PAUSED, CAMPAIGN_PAUSED, ADSET_PAUSED, PENDING_REVIEW, DISAPPROVED, ARCHIVED or DELETED."""
        entity = self._store.get(level, entity_id)
        return delivery_status(self._store, self._worlds[entity.account_id], level, entity)

    def owner(self, level: Level, entity_id: str) -> Account:
        """The account an entity belongs to. WorldError where there is none."""
        return self.accounts[self._store.get(level, entity_id).account_id]

    def learning(self, ad_group_id: str) -> Learning:
        """The learning phase of an ad group as visible now."""
        group = self.ad_groups.get(ad_group_id)
        if group is None:
            raise WorldError(f"no ad_group {ad_group_id}")
        return learning(self._world(group), group, self.now)

    def report(
        self,
        account_id: str,
        level: str,
        since: date,
        until: date,
        *,
        hourly: bool = False,
        breakdowns: Iterable[str] = (),
    ) -> Report:
        """Insights as visible now; `level` account, campaign, ad_group or ad. See `report.Report`."""
        if account_id not in self._worlds:
            raise WorldError(f"no account {account_id}")
        world = self._worlds[account_id]
        return report(world, level, since, until, hourly=hourly, breakdowns=tuple(breakdowns))

    def truth(self) -> dict[str, Any]:
        """Hidden state of now, JSON-able: see `outcome.truth`."""
        self._refresh()
        return outcome.truth(self._store, list(self._worlds.values()), self.now)

    def outcome(self, since: date, until: date) -> dict[str, Any]:
        """Expected spend and value of report days since..until: actual, status quo, best. See `outcome.outcome`."""
        self._refresh()
        return outcome.outcome(list(self._worlds.values()), since, until)

    def portfolio(self, since: date, until: date, rates: Mapping[str, float]) -> dict[str, Any]:
        """The same over all accounts in one reporting currency, money free to move. See `portfolio.portfolio`."""
        self._refresh()
        return portfolio.portfolio(list(self._worlds.values()), since, until, rates)

    def state(self) -> dict[str, Any]:
        """Everything needed to build this world again, JSON-able."""
        return {"config": self.config.to_json(), "log": copy.deepcopy(self.log)}

    @staticmethod
    def restore(state: dict[str, Any]) -> "World":
        """The world that `state` was taken from."""
        world = World(WorldConfig.from_json(state["config"]))
        for entry in state["log"]:
            world.apply(entry)
        return world

    def apply(self, entry: dict[str, Any]) -> None:
        """Do again what one entry of a log says."""
        match entry:
            case {"op": "advance", "to": to}:
                self.advance(datetime.fromisoformat(to))
            case {"op": "create", "level": level, "fields": fields}:
                self.create(level, **fields)
            case {"op": "update", "level": level, "id": entity_id, "fields": fields}:
                self.update(level, entity_id, **fields)
            case {"op": "incident", "incident": incident}:
                self.add_incident(Incident.from_json(incident))
            case _:
                raise WorldError(f"a log entry that nobody wrote: {entry!r}")

    def _world(self, entity: Entity) -> AccountWorld:
        return self._worlds[entity.account_id]

    def _rows(self, ad: Ad) -> Ints:
        return np.flatnonzero(self._world(ad).ads.id == int(ad.id))

    def _admit(self, entity: Entity) -> None:
        """Give a new entity its hidden side."""
        world = self._world(entity)
        if isinstance(entity, AdGroup):
            world.add(groups=history.draw_groups(world, [entity], [self.campaigns[entity.campaign_id]]))
        elif isinstance(entity, Ad):
            world.add(ads=history.draw_ads(world, self._store, [entity]))
        self._stale.add(entity.account_id)

    def _refresh(self) -> None:
        for account_id in sorted(self._stale):
            self._worlds[account_id].settings = read_settings(self._store, self._worlds[account_id])
        self._stale.clear()

    def _run(self, to: datetime, accounts: set[str]) -> None:
        self._refresh()
        for account_id in sorted(accounts):
            world = self._worlds[account_id]
            world.run(world.calendar.hour_of(to))

    def _settle(self, account: Account, rate: float) -> AccountWorld:
        market = nature.market(self.config.seed, int(account.id), TRAITS[account.platform], account.minor_units, rate)
        groups = nature.draw_groups(self.config.seed, _NO_I, _NO_I, market, [])
        ads = nature.draw_ads(self.config.seed, _NO_I, _NO_I, market, _NO_F)
        calendar = Calendar(self.config.first_day, account.timezone)
        return AccountWorld(self.config.seed, account, calendar, market, groups, ads, delivery.NOTHING_SET)

    def _live_history(self) -> None:
        """Build each account's entities, then run to the boot, applying what people did on the way."""
        n = len(self._worlds)
        happenings = []
        for i, world in enumerate(self._worlds.values()):
            counts = [
                (total + n - 1 - i) // n for total in (self.config.campaigns, self.config.ad_groups, self.config.ads)
            ]
            builder = history.Builder(self.config, self._store, world, bootstrap.generator(self.config, 1, i))
            happenings += [h for h in builder.build(*counts) if h.at < self.config.start]
        happenings.sort(key=lambda h: h.at)
        for at, events in itertools.groupby(happenings, key=lambda h: h.at):
            together = list(events)
            self._run(at, {self._store.get(e.level, e.id).account_id for e in together})
            for event in together:
                self._happen(event)
        self._run(self.now, set(self._worlds))

    def _happen(self, event: bootstrap.Happening) -> None:
        if event.renews:
            ad = self.ads[event.id]
            old = self.creatives[ad.creative_id]
            made = self._store.create("creative", event.at, bootstrap.renewed(old), actor="history")
            self._store.update("ad", ad.id, event.at, {"creative_id": made.id}, actor="history")
            self._world(ad).renew(self._rows(ad))
        else:
            entity = self._store.update(event.level, event.id, event.at, event.fields, actor="history")
            self._stale.add(entity.account_id)


def _timed(fields: dict[str, Any]) -> dict[str, Any]:
    """Times come as datetimes, or as ISO text from a log."""
    return {k: datetime.fromisoformat(v) if k in _TIMES and isinstance(v, str) else v for k, v in fields.items()}


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    plain = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in fields.items()}
    return copy.deepcopy(plain)
