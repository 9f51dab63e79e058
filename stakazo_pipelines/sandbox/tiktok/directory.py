"""The world as one platform's users see it: their advertisers, what belongs to them, and what it has spent."""

from collections import defaultdict
from collections.abc import Hashable
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.tiktok.errors import no_permission, unknown_object
from stakazo_pipelines.sandbox.tiktok.vocabulary import GONE, KINDS
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign, Creative

ListLevel = Literal["campaign", "ad_group", "ad"]
Listed = Campaign | AdGroup | Ad


class Directory:
    """Reads only; nothing here changes the world."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._version: Hashable = None
        self._spent: dict[tuple[str, bool], dict[str, int]] = {}
        self._ads_of: dict[str, list[Ad]] = {}

    @property
    def now(self) -> datetime:
        return self.kernel.world.now

    @property
    def version(self) -> Hashable:
        """Changes whenever anything may read differently."""
        world = self.kernel.world
        return (world.now, len(world.journal), len(world.incidents))

    def accounts(self) -> list[Account]:
        return [account for account in self.kernel.world.accounts.values() if account.platform == "tiktok"]

    def account(self, advertiser_id: str) -> Account:
        """Raises 40001 for an advertiser that the token has nothing to do with."""
        found = self.kernel.world.accounts.get(advertiser_id)
        if found is None or found.platform != "tiktok":
            raise no_permission(f"advertiser {advertiser_id}")
        return found

    def all(self, account: Account, level: ListLevel) -> list[Any]:
        """Entities of an account, newest first, the deleted ones too."""
        found = [entity for entity in self._table(level).values() if entity.account_id == account.id]
        return sorted(found, key=lambda entity: int(entity.id), reverse=True)

    def get(self, account: Account, level: ListLevel, entity_id: str) -> Any:
        """Raises 40007 for what is not there or another advertiser's."""
        found = self._table(level).get(entity_id)
        if found is None or found.account_id != account.id:
            raise unknown_object(KINDS[level], entity_id)
        return found

    def campaign(self, child: AdGroup | Ad) -> Campaign:
        return self.kernel.world.campaigns[child.campaign_id]

    def ad_group(self, ad: Ad) -> AdGroup:
        return self.kernel.world.ad_groups[ad.ad_group_id]

    def creative(self, ad: Ad) -> Creative:
        return self.kernel.world.creatives[ad.creative_id]

    def ads_of(self, group: AdGroup) -> list[Ad]:
        """Ads of an ad group that are not deleted themselves."""
        self._refresh()
        if not self._ads_of:
            by_group: dict[str, list[Ad]] = defaultdict(list)
            for ad in self.kernel.world.ads.values():
                if ad.status not in GONE:
                    by_group[ad.ad_group_id].append(ad)
            self._ads_of = dict(by_group)
        return self._ads_of.get(group.id, [])

    def gone(self, entity: Listed) -> bool:
        """Whether an entity, or what it stands in, is deleted."""
        chain: list[Listed] = [entity]
        if isinstance(entity, Ad):
            chain.append(self.ad_group(entity))
        if not isinstance(entity, Campaign):
            chain.append(self.campaign(entity))
        return any(link.status in GONE for link in chain)

    @staticmethod
    def holds_budget(campaign: Campaign) -> bool:
        """Campaign budget optimisation: the campaign hands its budget to its ad groups."""
        return campaign.daily_budget is not None or campaign.lifetime_budget is not None

    def delivery_status(self, level: ListLevel, entity: Listed) -> str:
        """The world's own word for an entity's delivery."""
        return self.kernel.world.delivery_status(level, entity.id)

    def today(self, account: Account) -> date:
        return self.now.astimezone(ZoneInfo(account.timezone)).date()

    def midnight(self, account: Account) -> datetime:
        """When the account's next report day begins (aware, UTC)."""
        zone = ZoneInfo(account.timezone)
        day = self.today(account) + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(self.now.tzinfo)

    def spent(self, account: Account, entity: Campaign | AdGroup, *, lifetime: bool) -> int:
        """Minor units spent today, or ever."""
        self._refresh()
        key = (account.id, lifetime)
        if key not in self._spent:
            today = self.today(account)
            since = self.kernel.world.config.first_day if lifetime else today
            report = self.kernel.world.report(account.id, "ad_group", since, today)
            totals: dict[str, float] = defaultdict(float)
            for campaign_id, group_id, spend in zip(
                report["campaign_id"], report["ad_group_id"], report["spend"], strict=True
            ):
                totals[campaign_id] += float(spend)
                totals[group_id] += float(spend)
            self._spent[key] = {name: round(total * account.minor_units) for name, total in totals.items()}
        return self._spent[key].get(entity.id, 0)

    def _refresh(self) -> None:
        if self._version != self.version:
            self._version = self.version
            self._spent.clear()
            self._ads_of = {}

    def _table(self, level: ListLevel) -> dict[str, Any]:
        world = self.kernel.world
        tables: dict[ListLevel, dict[str, Any]] = {
            "campaign": world.campaigns,
            "ad_group": world.ad_groups,
            "ad": world.ads,
        }
        return tables[level]
