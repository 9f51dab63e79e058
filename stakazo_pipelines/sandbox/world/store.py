"""The entity store: what exists, who changed what when. Checks only what the simulation itself needs.

Rules of a particular platform (required fields, enums, limits) belong to its emulator.
"""

import copy
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from stakazo_pipelines.sandbox.world.entities import (
    STATUSES,
    Ad,
    AdGroup,
    AppliedWrite,
    Campaign,
    Creative,
    Entity,
    Level,
    WorldError,
)
from stakazo_pipelines.sandbox.world.noise import Stream, uniform

_TYPES: dict[Level, type[Entity]] = {"campaign": Campaign, "ad_group": AdGroup, "ad": Ad, "creative": Creative}
_FIXED = {"id", "account_id", "campaign_id", "ad_group_id", "created_at", "updated_at", "last_significant_edit"}
_BUDGETS = ("daily_budget", "lifetime_budget")
_RELEARN = {"targeting", "optimization_goal", "bid_strategy", "bid_amount"}
_FIRST_ID = 120_210_000_000_000_000


@dataclass(slots=True)
class Store:
    """Entities by id. `seed` only decides how long a review takes."""

    seed: int
    accounts: frozenset[str]
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    ad_groups: dict[str, AdGroup] = field(default_factory=dict)
    ads: dict[str, Ad] = field(default_factory=dict)
    creatives: dict[str, Creative] = field(default_factory=dict)
    journal: list[AppliedWrite] = field(default_factory=list)
    made: int = 0

    def table(self, level: Level) -> dict[str, Any]:
        tables: dict[str, dict[str, Any]] = {
            "campaign": self.campaigns,
            "ad_group": self.ad_groups,
            "ad": self.ads,
            "creative": self.creatives,
        }
        if level not in tables:
            raise WorldError(f"no level {level!r}: one of {', '.join(tables)}")
        return tables[level]

    def get(self, level: Level, entity_id: str) -> Entity:
        """WorldError where there is no such entity."""
        found: Entity | None = self.table(level).get(entity_id)
        if found is None:
            raise WorldError(f"no {level} {entity_id}")
        return found

    def create(self, level: Level, at: datetime, values: dict[str, Any], actor: str = "api") -> Entity:
        """Make one entity; the ids of the account and parents, and the name, are required."""
        table = self.table(level)
        values = {**copy.deepcopy(values), **self._ancestors(level, values)}
        allowed = {f.name for f in fields(_TYPES[level])} - {
            "id",
            "updated_at",
            "last_significant_edit",
            "review_until",
        }
        self._check(level, values, allowed)
        self.made += 1
        entity_id = str(_FIRST_ID + 10 * self.made)
        made_at = values.pop("created_at", at)
        stamps: dict[str, Any] = {"created_at": made_at, "updated_at": made_at}
        if level == "ad_group":
            stamps["last_significant_edit"] = made_at
        if level == "ad":
            hours = 1 + int(11 * float(uniform(self.seed, Stream.REVIEW, int(entity_id))[0]) ** 2)
            stamps["review_until"] = made_at + timedelta(hours=hours)
        try:
            entity = _TYPES[level](id=entity_id, **values, **stamps)
        except TypeError as error:
            raise WorldError(f"cannot create a {level}: {error}") from error
        table[entity_id] = entity
        if isinstance(entity, Ad) and actor == "api":
            self.ad_groups[entity.ad_group_id].last_significant_edit = at
        self._note(at, level, entity_id, values, {}, actor)
        return entity

    def update(self, level: Level, entity_id: str, at: datetime, values: dict[str, Any], actor: str = "api") -> Entity:
        """Change fields; `native` is merged, everything else replaced. Ids of parents and stamps cannot change."""
        entity = self.get(level, entity_id)
        values = copy.deepcopy(values)
        self._check(level, values, {f.name for f in fields(entity)} - _FIXED - {"review_until"})
        if "creative_id" in values:
            self._same_account("creative", values["creative_id"], entity.account_id)
        before = {name: copy.deepcopy(getattr(entity, name)) for name in values}
        for name, value in values.items():
            setattr(entity, name, {**entity.native, **value} if name == "native" else value)
        entity.updated_at = at
        self._restart_learning(entity, before, at)
        self._note(at, level, entity_id, values, before, actor)
        return entity

    def groups_of(self, campaign_id: str) -> list[AdGroup]:
        return [g for g in self.ad_groups.values() if g.campaign_id == campaign_id]

    def _note(
        self, at: datetime, level: Level, entity_id: str, values: dict[str, Any], before: dict[str, Any], actor: str
    ) -> None:
        self.journal.append(AppliedWrite(len(self.journal) + 1, at, level, entity_id, values, before, actor))

    def _ancestors(self, level: Level, values: dict[str, Any]) -> dict[str, str]:
        """Ids that follow from the parent, after checking that the parents exist and fit together."""
        parent: Campaign | AdGroup | None = None
        known: dict[str, str] = {}
        if level == "ad_group":
            parent = self.campaigns.get(values.get("campaign_id", ""))
        elif level == "ad":
            parent = self.ad_groups.get(values.get("ad_group_id", ""))
        if level in ("ad_group", "ad"):
            if parent is None:
                raise WorldError(f"a new {level} needs the id of an existing parent")
            known["account_id"] = parent.account_id
            known["campaign_id"] = parent.campaign_id if isinstance(parent, AdGroup) else parent.id
        account = values.get("account_id", known.get("account_id"))
        if account not in self.accounts or account != known.get("account_id", account):
            raise WorldError(f"a new {level} needs the id of its account, not {account!r}")
        if level == "ad":
            self._same_account("creative", values.get("creative_id", ""), account)
        return known

    def _same_account(self, level: Level, entity_id: str, account_id: str) -> None:
        if self.get(level, entity_id).account_id != account_id:
            raise WorldError(f"{level} {entity_id} belongs to another account")

    @staticmethod
    def _check(level: Level, values: dict[str, Any], allowed: set[str]) -> None:
        unknown = set(values) - allowed
        if unknown:
            raise WorldError(f"a {level} has no field {', '.join(sorted(unknown))} that can be set")
        if values.get("status", "ACTIVE") not in STATUSES:
            raise WorldError(f"no status {values['status']!r}: one of {', '.join(STATUSES)}")
        for name in _BUDGETS:
            budget = values.get(name)
            if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget <= 0):
                raise WorldError(f"{name} must be a positive whole number of minor units, not {budget!r}")

    def _restart_learning(self, entity: Entity, before: dict[str, Any], at: datetime) -> None:
        """Significant edits: budget by more than a fifth, targeting, goal, bid, or an ad's creative."""
        moved = any(_moved(before[name], getattr(entity, name)) for name in _BUDGETS if name in before)
        touched: list[AdGroup] = []
        if isinstance(entity, AdGroup) and (
            moved or any(getattr(entity, n) != before[n] for n in _RELEARN & set(before))
        ):
            touched = [entity]
        elif isinstance(entity, Campaign) and moved:
            touched = self.groups_of(entity.id)
        elif isinstance(entity, Ad) and before.get("creative_id", entity.creative_id) != entity.creative_id:
            touched = [self.ad_groups[entity.ad_group_id]]
        for group in touched:
            group.last_significant_edit = at


def _moved(old: int | None, new: int | None) -> bool:
    if old is None or new is None:
        return old != new
    return max(old, new) > 1.2 * min(old, new)
