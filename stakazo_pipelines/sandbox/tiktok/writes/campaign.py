"""Creating and updating campaigns."""

from typing import Any

from stakazo_pipelines.sandbox.tiktok import vocabulary as words
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import invalid
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.reading import CAMPAIGN_EXTRAS, campaign_budget_mode, campaign_row
from stakazo_pipelines.sandbox.tiktok.writes.budgets import BudgetRules, held, sells_in_store
from stakazo_pipelines.sandbox.tiktok.writes.common import checked_name, initial_status, same_or_absent
from stakazo_pipelines.sandbox.tiktok.writes.making import create, existing, fate_of, update
from stakazo_pipelines.sandbox.tiktok.writes.requests import request_mark
from stakazo_pipelines.sandbox.world import Account

_FIXED = ("objective_type", "budget_mode", "budget_optimize_on", "campaign_type", "app_id")


class Campaigns:
    """`/campaign/create/` and `/campaign/update/`."""

    def __init__(self, directory: Directory, rules: BudgetRules) -> None:
        self._directory, self._rules = directory, rules

    def create(self, call: Call) -> Answer:
        params = call.params
        params.require("advertiser_id", "objective_type", "campaign_name")
        account = self._directory.account(params.text("advertiser_id"))
        mark = request_mark(self._directory, params, account)
        objective = params.text("objective_type")
        if objective not in words.OBJECTIVES:
            raise invalid("This campaign objective isn't supported.")
        fields: dict[str, Any] = {
            "account_id": account.id,
            "name": checked_name(params, "campaign_name", emoji=False),
            "status": initial_status(params),
            "objective": words.OBJECTIVES[objective],
        }
        native = {"objective_type": objective, **params.raw(CAMPAIGN_EXTRAS), **mark}
        fields |= self._budget(params, account, native)
        fate = fate_of(call.draw, update=False)
        made = create(self._directory, fate, "campaign", fields | {"native": native})
        return Answer(campaign_row(self._directory, made))

    def update(self, call: Call) -> Answer:
        params = call.params
        params.require("advertiser_id", "campaign_id")
        account = self._directory.account(params.text("advertiser_id"))
        campaign = existing(self._directory, account, "campaign", params.text("campaign_id"))
        shown = campaign_row(self._directory, campaign)
        same_or_absent(params, _FIXED, shown)
        changes: dict[str, Any] = {}
        if params.given("campaign_name"):
            changes["name"] = checked_name(params, "campaign_name", emoji=False)
        native = params.raw(("po_number",))
        if "special_industries" in params:
            industries = params.names("special_industries")
            if industries and industries != (shown["special_industries"] or industries):
                raise invalid("special_industries: Can be cleared but not switched.")
            native["special_industries"] = industries
        if params.given("budget"):
            self._rebudget(params, account, campaign, changes, native)
        if native:
            changes["native"] = native
        changed = update(self._directory, fate_of(call.draw, update=True), "campaign", campaign, changes)
        return Answer(campaign_row(self._directory, changed))

    def _budget(self, params: Params, account: Account, native: dict[str, Any]) -> dict[str, Any]:
        """World fields of the budget; without optimisation it only caps, which is kept beside the world."""
        params.require("budget_mode")
        mode = params.choice("budget_mode", words.BUDGET_MODES)
        optimised = params.boolean("budget_optimize_on")
        native["budget_mode"] = mode
        if mode == "BUDGET_MODE_INFINITE":
            if optimised:
                raise invalid("budget_mode: BUDGET_MODE_INFINITE is not supported with budget_optimize_on.")
            return {}
        if mode == "BUDGET_MODE_DYNAMIC_DAILY_BUDGET" and not optimised:
            raise invalid("budget_mode: BUDGET_MODE_DYNAMIC_DAILY_BUDGET needs budget_optimize_on.")
        budget = self._rules.read(params, account)
        self._rules.check_range(budget, account, "campaign", store_sales=sells_in_store(native))
        if optimised:
            return held(mode, budget)
        native["cap"] = budget
        return {}

    def _rebudget(
        self, params: Params, account: Account, campaign: Any, changes: dict[str, Any], native: dict[str, Any]
    ) -> None:
        mode, budget = campaign_budget_mode(campaign), self._rules.read(params, account)
        if mode == "BUDGET_MODE_INFINITE":
            if budget:
                raise invalid("budget: The budget mode BUDGET_MODE_INFINITE has no budget.")
            return
        optimised = self._directory.holds_budget(campaign)
        before = campaign.daily_budget or campaign.lifetime_budget if optimised else campaign.native.get("cap")
        if budget == before:
            return
        self._rules.check_range(budget, account, "campaign", store_sales=sells_in_store(campaign.native))
        self._rules.check_spent(campaign, budget, lifetime=mode not in words.DAILY_MODES)
        if optimised:
            changes.update(held(mode, budget))
        else:
            native["cap"] = budget
