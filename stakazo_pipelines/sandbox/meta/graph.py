"""The world seen as Meta's graph: which object an id is, what stands above and below it, what its status comes to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.meta.cache import RowCache
from stakazo_pipelines.sandbox.meta.errors import not_found
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign, Creative, Level, Report

Kind = Literal["account", "campaign", "adset", "ad", "creative"]
WORLD_LEVEL = {"account": "account", "campaign": "campaign", "adset": "ad_group", "ad": "ad", "creative": "creative"}
_LEVELS: dict[str, Level] = {"campaign": "campaign", "adset": "ad_group", "ad": "ad", "creative": "creative"}
_CACHED_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Node:
    kind: Kind
    entity: Any  # Account | Campaign | AdGroup | Ad | Creative, told apart by `kind`


class Graph:
    """Look-ups over the kernel's world. Only accounts of platform meta are visible."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._reports: RowCache[Report] = RowCache(_CACHED_ROWS)

    @property
    def now(self) -> datetime:
        return self.kernel.world.now

    def accounts(self) -> list[Account]:
        return [account for account in self.kernel.world.accounts.values() if account.platform == "meta"]

    def account(self, account_id: str) -> Account:
        return self.kernel.world.accounts[account_id]

    def find(self, object_id: str) -> Node | None:
        """The object of an id (`act_1` is an account), None when there is none that Meta would show."""
        world = self.kernel.world
        if object_id.startswith("act_"):
            account = world.accounts.get(object_id.removeprefix("act_"))
            return Node("account", account) if account is not None and account.platform == "meta" else None
        stores: tuple[tuple[Kind, dict[str, Any]], ...] = (
            ("campaign", world.campaigns),
            ("adset", world.ad_groups),
            ("ad", world.ads),
            ("creative", world.creatives),
        )
        for kind, store in stores:
            entity = store.get(object_id)
            if entity is not None and world.accounts[entity.account_id].platform == "meta":
                return Node(kind, entity)
        return None

    def get(self, object_id: str, method: str) -> Node:
        node = self.find(object_id)
        if node is None:
            raise not_found(method, object_id)
        return node

    def account_of(self, node: Node) -> Account:
        return node.entity if node.kind == "account" else self.account(node.entity.account_id)

    def children(self, node: Node, kind: Kind) -> Iterator[Any]:
        """Objects of a kind below a node, oldest first."""
        world = self.kernel.world
        stores: dict[str, dict[str, Any]] = {
            "campaign": world.campaigns,
            "adset": world.ad_groups,
            "ad": world.ads,
            "creative": world.creatives,
        }
        below: dict[str, Callable[[Any], bool]] = {
            "account": lambda entity: entity.account_id == node.entity.id,
            "campaign": lambda entity: entity.campaign_id == node.entity.id,
            "adset": lambda entity: entity.ad_group_id == node.entity.id,
        }
        return filter(below[node.kind], stores[kind].values())

    def campaign_of(self, entity: AdGroup | Ad) -> Campaign:
        return self.kernel.world.campaigns[entity.campaign_id]

    def adset_of(self, ad: Ad) -> AdGroup:
        return self.kernel.world.ad_groups[ad.ad_group_id]

    def creative_of(self, ad: Ad) -> Creative | None:
        return self.kernel.world.creatives.get(ad.creative_id)

    def holds_budget(self, campaign: Campaign) -> bool:
        """Whether the campaign's own budget rules its ad sets (Advantage campaign budget)."""
        return campaign.daily_budget is not None or campaign.lifetime_budget is not None

    def effective_status(self, kind: Kind, entity: Any) -> str:
        """The status as delivery sees it: inherited from above, under review, rejected."""
        return self.kernel.world.delivery_status(_LEVELS[kind], entity.id)

    def today(self, account: Account) -> date:
        return self.now.astimezone(ZoneInfo(account.timezone)).date()

    def report(
        self,
        account: Account,
        kind: str,
        since: date,
        until: date,
        *,
        hourly: bool = False,
        breakdowns: tuple[str, ...] = (),
    ) -> Report:
        """The world's report, remembered until the clock moves: the pages of one answer come from one report."""
        key = (self.now, account.id, kind, since, until, hourly, breakdowns)
        found = self._reports.get(key)
        if found is None:
            found = self.kernel.world.report(
                account.id, WORLD_LEVEL[kind], since, until, hourly=hourly, breakdowns=breakdowns
            )
            self._reports.put(key, found)
        return found

    def spent(self, kind: Kind, entity: Any, since: date, until: date) -> float:
        """Spend of one object over days, in major units."""
        account = self.account(entity.account_id if kind != "account" else entity.id)
        report = self.report(account, kind, since, until)
        ids = report[f"{WORLD_LEVEL[kind]}_id"]
        return float(report["spend"][ids == entity.id].sum())
