"""Why something does not serve: holds derived from status, hierarchy, schedule, budgets and review."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from stakazo_pipelines.sandbox.linkedin import money, words
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign


def account_serving(account: Account) -> list[str]:
    return ["RUNNABLE"] if account.status == "ACTIVE" else ["STOPPED"]


def group_serving(directory: Directory, group: Campaign) -> list[str]:
    """`servingStatuses` of a campaign group."""
    return _or_runnable([*_stopped(group), *_account_holds(directory, group), *_group_holds(directory, group)])


def campaign_serving(directory: Directory, campaign: AdGroup) -> list[str]:
    """`servingStatuses` of a campaign: its own reasons, its group's and its account's."""
    group = directory.group_of(campaign)
    holds = [*_stopped(campaign), *_account_holds(directory, campaign)]
    holds += _schedule(campaign, "CAMPAIGN", directory.now)
    total = campaign.native.get("totalBudget")
    if _exhausted(directory, "ad_group", campaign, total):
        holds.append("CAMPAIGN_TOTAL_BUDGET_HOLD")
    if words.status(group) != "ACTIVE":
        holds.append("CAMPAIGN_GROUP_STATUS_HOLD")
    return _or_runnable([*holds, *_group_holds(directory, group)])


def review(directory: Directory, creative: Ad) -> dict[str, Any]:
    """`review` of a creative: it begins as PENDING and ends by the world's clock."""
    if directory.kernel.world.delivery_status("ad", creative.id) == "DISAPPROVED":
        return {"status": "REJECTED", "rejectionReasons": ["SANDBOX_POLICY"]}
    return {"status": "PENDING" if creative.review_until > directory.now else "APPROVED"}


def hold_reasons(directory: Directory, creative: Ad) -> list[str]:
    """`servingHoldReasons` of a creative; empty means that it serves."""
    campaign = directory.campaign_of(creative)
    reasons = ["STOPPED"] if words.status(creative) != "ACTIVE" else []
    reasons += {"PENDING": ["UNDER_REVIEW"], "REJECTED": ["REJECTED"]}.get(review(directory, creative)["status"], [])
    for hold in campaign_serving(directory, campaign):
        if hold != "RUNNABLE":
            reasons.append("CAMPAIGN_STOPPED" if hold == "STOPPED" else hold)
    return reasons


def _stopped(entity: Any) -> list[str]:
    return [] if words.status(entity) == "ACTIVE" else ["STOPPED"]


def _account_holds(directory: Directory, entity: Any) -> list[str]:
    account = directory.kernel.world.accounts[entity.account_id]
    return [] if account.status == "ACTIVE" else ["ACCOUNT_SERVING_HOLD"]


def _group_holds(directory: Directory, group: Campaign) -> Iterable[str]:
    yield from _schedule(group, "CAMPAIGN_GROUP", directory.now)
    if _exhausted(directory, "campaign", group, group.native.get("totalBudget")):
        yield "CAMPAIGN_GROUP_TOTAL_BUDGET_HOLD"


def _schedule(entity: Campaign | AdGroup, prefix: str, now: datetime) -> list[str]:
    holds = []
    if entity.start_time is not None and entity.start_time > now:
        holds.append(f"{prefix}_START_DATE_HOLD")
    if entity.end_time is not None and entity.end_time <= now:
        holds.append(f"{prefix}_END_DATE_HOLD")
    return holds


def _exhausted(directory: Directory, level: str, entity: Any, total: object) -> bool:
    amount = money.major(total)
    return amount is not None and directory.spent(level, entity) >= float(amount)


def _or_runnable(holds: list[str]) -> list[str]:
    return holds or ["RUNNABLE"]
