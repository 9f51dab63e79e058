"""`/adgroup/budget/update/`: lifetime budgets at once, daily ones from the account's next midnight on."""

from datetime import datetime, timedelta
from typing import Any

from stakazo_pipelines.sandbox.emulation import Fate
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, failing, partial_success
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import invalid
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.writes.budgets import BudgetRules, budgeted_days, sells_in_store
from stakazo_pipelines.sandbox.tiktok.writes.making import existing, fate_of, update
from stakazo_pipelines.sandbox.world import Account, AdGroup

MAX_ITEMS = 20
_HOUR = timedelta(hours=1)


class BudgetUpdates:
    """Scheduled budgets are remembered on the ad group, so that they survive a restart."""

    def __init__(self, directory: Directory, rules: BudgetRules) -> None:
        self._directory, self._rules = directory, rules
        for group in directory.kernel.world.ad_groups.values():
            due = group.native.get("scheduled_for")
            if due and group.native.get("scheduled_budget") and datetime.fromisoformat(due) >= directory.now:
                self._defer(group, group.native["scheduled_budget"], datetime.fromisoformat(due))

    def answer(self, call: Call) -> Answer:
        params = call.params
        account = self._directory.account(params.needed("advertiser_id"))
        given = [name for name in ("budget", "scheduled_budget") if params.given(name)]
        if len(given) != 1:
            raise invalid("Specify either budget or scheduled_budget.")
        self._rules.check_unlocked(account)
        items = params.objects(given[0], most=MAX_ITEMS)
        checked = [self._checked(item, account, given[0]) for item in items]
        fate, failed = fate_of(call.draw, update=True), failing(call.draw, len(checked))
        errors = []
        for i, (group, budget) in enumerate(checked):
            if i in failed:
                errors.append({"adgroup_id": group.id, "error_message": "The budget could not be updated."})
            elif given[0] == "budget":
                update(self._directory, fate, "ad_group", group, {"lifetime_budget": budget})
            else:
                self._schedule(fate, account, group, budget)
        return partial_success({}, errors)

    def _checked(self, item: Params, account: Account, name: str) -> tuple[AdGroup, int]:
        item.require("adgroup_id", name)
        group: AdGroup = existing(self._directory, account, "ad_group", item.text("adgroup_id"))
        campaign = self._directory.campaign(group)
        if self._directory.holds_budget(campaign):
            raise invalid(f"{name}: The budget of ad group {group.id} is set by its campaign.")
        lifetime = group.lifetime_budget is not None
        if lifetime != (name == "budget"):
            kind = "lifetime budgets" if name == "budget" else "daily budgets"
            raise invalid(f"{name}: Supported for {kind} only.")
        budget = self._rules.read(item, account, name)
        self._rules.check_range(
            budget, account, "ad_group", store_sales=sells_in_store(campaign.native), days=budgeted_days(group)
        )
        if lifetime:
            self._rules.check_spent(group, budget, lifetime=True)
        return group, budget

    def _schedule(self, fate: Fate, account: Account, group: AdGroup, budget: int) -> None:
        due = self._directory.midnight(account)
        noted: dict[str, Any] = {"scheduled_budget": budget, "scheduled_for": due.isoformat()}
        update(self._directory, fate, "ad_group", group, {"native": noted})
        if not fate.lost:
            self._defer(group, budget, due)

    def _defer(self, group: AdGroup, budget: int, due: datetime) -> None:
        done = {"daily_budget": budget, "native": {"scheduled_budget": 0, "scheduled_for": None}}
        hours = (due - self._directory.now) / _HOUR
        self._directory.kernel.defer("ad_group", group.id, done, requests=None, hours=hours)
