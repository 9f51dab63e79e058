"""Budget rules: precision, range by currency, 105 % of what is spent, and which level and mode may hold a budget."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import invalid, missing
from stakazo_pipelines.sandbox.tiktok.money import check_range, least, to_minor
from stakazo_pipelines.sandbox.tiktok.options import TikTokOptions
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.vocabulary import DAILY_MODES
from stakazo_pipelines.sandbox.world import Account, AdGroup, Campaign

_LOCK = timedelta(minutes=5)


class BudgetRules:
    """The rules in force on one platform; `options` switches off those that public sources leave open."""

    def __init__(self, directory: Directory, options: TikTokOptions) -> None:
        self._directory, self._options = directory, options

    def read(self, params: Params, account: Account, name: str = "budget") -> int:
        """The amount given, in minor units. Raises 40002 when absent, negative or too precise."""
        amount = params.number(name)
        if amount is None:
            raise missing([name])
        if amount < 0:
            raise invalid(f"{name}: Must not be negative.")
        return to_minor(amount, account, name)

    def check_range(
        self, budget: int, account: Account, level: str, *, store_sales: bool = False, days: int = 1
    ) -> None:
        floor = least(level, account, store_sales=store_sales, days=days) if self._options.budget_floors else 1
        check_range(budget, floor, account)

    def check_spent(self, entity: Campaign | AdGroup, budget: int, *, lifetime: bool) -> None:
        """A changed budget must be at least 105 % of what is spent, today or in the entity's life."""
        account = self._directory.kernel.world.accounts[entity.account_id]
        spent = self._directory.spent(account, entity, lifetime=lifetime)
        if self._options.spend_rule and 100 * budget < 105 * spent:
            floor = 1.05 * spent / account.minor_units
            raise invalid(f"Your budget must be at least 105% of the current spend: not less than {floor:.2f}.")

    def check_unlocked(self, account: Account) -> None:
        """Budgets cannot be edited in the last five minutes of the account's day."""
        if self._directory.midnight(account) - self._directory.now <= _LOCK:
            raise invalid("Budgets cannot be updated between 23:55 and 00:00 in the time zone of the advertiser.")


def held(mode: str, budget: int) -> dict[str, Any]:
    """World fields of a budget of a mode."""
    return {"daily_budget" if mode in DAILY_MODES else "lifetime_budget": budget}


def sells_in_store(campaign_native: Mapping[str, Any]) -> bool:
    """Campaigns for TikTok Shop, whose smallest budgets are lower."""
    return campaign_native.get("campaign_product_source") in ("STORE", "SHOWCASE")


def budgeted_days(group: AdGroup) -> int:
    """Days that the budget of an ad group is for: those of its schedule where it is a lifetime budget, else one."""
    if group.lifetime_budget is None or group.end_time is None:
        return 1
    return scheduled_days(group.start_time or group.created_at, group.end_time)


def scheduled_days(start: datetime, end: datetime) -> int:
    """Days of a schedule, a started one counting whole."""
    return max(1, -(-(end - start) // timedelta(days=1)))
