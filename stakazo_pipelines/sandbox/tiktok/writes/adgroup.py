"""Creating and updating ad groups. An update replaces: what it does not name falls back to its default."""

from datetime import datetime
from typing import Any

from stakazo_pipelines.sandbox.tiktok import vocabulary as words
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import invalid, missing
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.reading import (
    CHANGEABLE,
    FIXED,
    TARGETING,
    UNCHANGED,
    ad_group_budget_mode,
    ad_group_row,
    campaign_budget_mode,
    campaign_row,
    targeting_row,
)
from stakazo_pipelines.sandbox.tiktok.writes import terms
from stakazo_pipelines.sandbox.tiktok.writes.budgets import (
    BudgetRules,
    budgeted_days,
    held,
    scheduled_days,
    sells_in_store,
)
from stakazo_pipelines.sandbox.tiktok.writes.common import checked_name, initial_status, same_or_absent
from stakazo_pipelines.sandbox.tiktok.writes.making import create, existing, fate_of, update
from stakazo_pipelines.sandbox.tiktok.writes.requests import request_mark
from stakazo_pipelines.sandbox.world import Account, AdGroup, Campaign

_KEPT = frozenset(FIXED) - {"schedule_start_time"}


class AdGroups:
    """`/adgroup/create/` and `/adgroup/update/`."""

    def __init__(self, directory: Directory, rules: BudgetRules) -> None:
        self._directory, self._rules = directory, rules

    def create(self, call: Call) -> Answer:
        params = call.params
        params.require("advertiser_id", "campaign_id", "adgroup_name", "optimization_goal", "billing_event")
        account = self._directory.account(params.text("advertiser_id"))
        mark = request_mark(self._directory, params, account)
        campaign = existing(self._directory, account, "campaign", params.text("campaign_id"))
        objective = campaign_row(self._directory, campaign)["objective_type"]
        goal, billing = terms.check_goal(params)
        terms.check_promotion(params, objective)
        fields: dict[str, Any] = {
            "account_id": account.id,
            "campaign_id": campaign.id,
            "name": checked_name(params, "adgroup_name"),
            "status": initial_status(params),
            "optimization_goal": words.GOALS.get(goal, "OFFSITE_CONVERSIONS"),
            "targeting": terms.read_targeting(params, needs_place=True),
        }
        start, end = self._schedule(params, None)
        budget = self._first_budget(params, account, campaign, start, end)
        optimised = self._directory.holds_budget(campaign)
        fields |= budget | terms.read_bid(params, account, billing, next(iter(budget.values()), None))
        terms.check_pacing(params, optimised=optimised)
        terms.check_frequency(params, objective)
        fields |= {name: at for name, at in (("start_time", start), ("end_time", end)) if at is not None}
        fields["native"] = params.raw((*_KEPT, *CHANGEABLE)) | mark
        if optimised:
            fields["native"].pop("budget_mode", None)
        fate = fate_of(call.draw, update=False)
        made = create(self._directory, fate, "ad_group", fields)
        return Answer(ad_group_row(self._directory, made))

    def update(self, call: Call) -> Answer:
        params = call.params
        params.require("advertiser_id", "adgroup_id")
        account = self._directory.account(params.text("advertiser_id"))
        group: AdGroup = existing(self._directory, account, "ad_group", params.text("adgroup_id"))
        shown = ad_group_row(self._directory, group)
        same_or_absent(params, FIXED, shown)
        changes: dict[str, Any] = {}
        if params.given("adgroup_name"):
            changes["name"] = checked_name(params, "adgroup_name")
        targeting = terms.read_targeting(params, needs_place=False)
        before = targeting_row(group)
        if {**dict.fromkeys(TARGETING), **targeting} != {**dict.fromkeys(TARGETING), **_told(before)}:
            changes["targeting"] = targeting
        campaign = self._directory.campaign(group)
        budget = self._new_budget(params, account, group, campaign)
        amount = budget or group.daily_budget or group.lifetime_budget
        if budget is not None:
            changes |= held(ad_group_budget_mode(group), budget)
        changes |= terms.read_bid(params, account, str(shown["billing_event"]), amount)
        start, end = self._schedule(params, group)
        changes |= {"start_time": start, "end_time": end}
        terms.check_pacing(params, optimised=self._directory.holds_budget(campaign))
        terms.check_frequency(params, campaign_row(self._directory, campaign)["objective_type"])
        native = {**UNCHANGED, **params.raw(CHANGEABLE)}
        changes["native"] = {name: value for name, value in native.items() if value != shown[name]}
        changes = {
            name: value
            for name, value in changes.items()
            if value != getattr(group, name) and (name, value) != ("native", {})
        }
        changed = update(self._directory, fate_of(call.draw, update=True), "ad_group", group, changes)
        return Answer(ad_group_row(self._directory, changed))

    def _first_budget(
        self, params: Params, account: Account, campaign: Campaign, start: datetime | None, end: datetime | None
    ) -> dict[str, int]:
        """World fields of the budget; none where the campaign hands its own out."""
        if self._directory.holds_budget(campaign):
            return {}
        params.require("budget_mode", "budget")
        mode = params.choice("budget_mode", [mode for mode in words.BUDGET_MODES if mode != "BUDGET_MODE_INFINITE"])
        days = 1
        if mode == "BUDGET_MODE_TOTAL":
            if end is None:
                raise invalid("budget_mode: SCHEDULE_FROM_NOW needs a daily budget.")
            if campaign_budget_mode(campaign) == "BUDGET_MODE_DAY":
                raise invalid("budget_mode: BUDGET_MODE_TOTAL is not supported in a campaign with BUDGET_MODE_DAY.")
            days = scheduled_days(start or self._directory.now, end)
        budget = self._rules.read(params, account)
        self._rules.check_range(budget, account, "ad_group", store_sales=sells_in_store(campaign.native), days=days)
        return held(mode, budget)

    def _new_budget(self, params: Params, account: Account, group: AdGroup, campaign: Campaign) -> int | None:
        """A changed budget; None when it stays, or is ignored because the campaign holds it."""
        if not params.given("budget") or self._directory.holds_budget(campaign):
            return None
        budget = self._rules.read(params, account)
        if budget in (group.daily_budget, group.lifetime_budget):
            return None
        self._rules.check_unlocked(account)
        self._rules.check_range(
            budget, account, "ad_group", store_sales=sells_in_store(campaign.native), days=budgeted_days(group)
        )
        self._rules.check_spent(group, budget, lifetime=group.lifetime_budget is not None)
        return budget

    def _schedule(self, params: Params, group: AdGroup | None) -> tuple[datetime | None, datetime | None]:
        """Start and end; no end is SCHEDULE_FROM_NOW."""
        kind = params.choice("schedule_type", ("SCHEDULE_FROM_NOW", "SCHEDULE_START_END"), "SCHEDULE_FROM_NOW")
        start, end = params.moment("schedule_start_time"), params.moment("schedule_end_time")
        if group is not None and (start is None or start == (group.start_time or group.created_at)):
            start = group.start_time
        if kind == "SCHEDULE_FROM_NOW":
            if group is not None and group.lifetime_budget is not None:
                raise invalid("schedule_type: SCHEDULE_FROM_NOW needs a daily budget.")
            return start, None
        absent = [name for name, at in (("schedule_end_time", end),) if at is None]
        if group is None and start is None:
            absent.insert(0, "schedule_start_time")
        if end is None or absent:
            raise missing(absent)
        if end <= (start or self._directory.now) or (end <= self._directory.now and group is None):
            raise invalid("schedule_end_time: Must be later than schedule_start_time and the current time.")
        return start, end


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Targeting without what is only a default."""
    defaults = {"gender": "GENDER_UNLIMITED", "auto_targeting_enabled": False}
    return {name: value for name, value in row.items() if value is not None and defaults.get(name, ...) != value}
