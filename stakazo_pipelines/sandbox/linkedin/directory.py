"""The world seen as LinkedIn's accounts: who belongs to whom, what has been spent, what was kept beside the world."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.linkedin import words
from stakazo_pipelines.sandbox.linkedin.errors import not_found
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign, Creative, Report

NAME = "linkedin"
E = TypeVar("E", Campaign, AdGroup, Ad)
_REPORTS = 6


class Directory:
    """Look-ups over the kernel's world; only accounts of platform linkedin exist here."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._reports: dict[tuple[object, ...], Report] = {}
        self._accounts: dict[str, dict[str, Any]] = {}
        for note in kernel.notes(NAME):
            if note["type"] == "account":
                self._accounts.setdefault(note["id"], {}).update(note["fields"])

    @property
    def now(self) -> datetime:
        return self.kernel.world.now

    @property
    def today(self) -> date:
        """LinkedIn's days are UTC."""
        return self.now.astimezone(UTC).date()

    def accounts(self) -> list[Account]:
        return [account for account in self.kernel.world.accounts.values() if account.platform == NAME]

    def find_account(self, account_id: object) -> Account | None:
        account = self.kernel.world.accounts.get(str(account_id))
        return account if account is not None and account.platform == NAME else None

    def account(self, account_id: object) -> Account:
        """Raises 404."""
        account = self.find_account(account_id)
        if account is None:
            raise not_found(f"urn:li:sponsoredAccount:{account_id}")
        return account

    def edits(self, account_id: str) -> dict[str, Any]:
        """What was changed about an account: the world's accounts are fixed, so it is kept beside them."""
        return self._accounts.get(account_id, {})

    def edit(self, account_id: str, fields: dict[str, Any]) -> None:
        self.kernel.note(NAME, {"type": "account", "id": account_id, "fields": fields})
        self._accounts.setdefault(account_id, {}).update(fields)

    def children(self, account: Account, resource: str) -> Iterator[Any]:
        """Entities of an account, oldest first, without those deleted for good."""
        world = self.kernel.world
        stores: dict[str, dict[str, Any]] = {
            "adCampaignGroups": world.campaigns,
            "adCampaigns": world.ad_groups,
            "creatives": world.ads,
            "posts": world.creatives,
        }
        for entity in stores[resource].values():
            if entity.account_id == account.id and not words.removed(entity):
                yield entity

    def group(self, number: str | None, account: Account) -> Campaign | None:
        return _own(self.kernel.world.campaigns, number, account)

    def campaign(self, number: str | None, account: Account) -> AdGroup | None:
        return _own(self.kernel.world.ad_groups, number, account)

    def creative(self, number: str | None, account: Account) -> Ad | None:
        return _own(self.kernel.world.ads, number, account)

    def post(self, number: str | None) -> Creative | None:
        found = self.kernel.world.creatives.get(number or "")
        return found if found is not None and self.find_account(found.account_id) is not None else None

    def group_of(self, campaign: AdGroup) -> Campaign:
        return self.kernel.world.campaigns[campaign.campaign_id]

    def campaign_of(self, ad: Ad) -> AdGroup:
        return self.kernel.world.ad_groups[ad.ad_group_id]

    def report(
        self, account: Account, level: str, since: date, until: date, breakdowns: tuple[str, ...] = ()
    ) -> Report:
        """The world's report, remembered until the clock moves."""
        key = (self.now, len(self.kernel.world.journal), account.id, level, since, until, breakdowns)
        found = self._reports.get(key)
        if found is None:
            found = self.kernel.world.report(account.id, level, since, until, breakdowns=breakdowns)
            while len(self._reports) >= _REPORTS:
                del self._reports[next(iter(self._reports))]
            self._reports[key] = found
        return found

    def spent(self, level: str, entity: Any) -> float:
        """All that was ever spent on a campaign group or campaign, in major units."""
        account = self.kernel.world.accounts[entity.account_id]
        report = self.report(account, level, self.kernel.world.config.first_day, self.today)
        return float(report["spend"][report[f"{level}_id"] == entity.id].sum())


def _own(store: Mapping[str, E], number: str | None, account: Account) -> E | None:
    found = store.get(number or "")
    return found if found is not None and found.account_id == account.id and not words.removed(found) else None
