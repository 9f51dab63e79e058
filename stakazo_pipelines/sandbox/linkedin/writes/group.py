"""Checking campaign groups and writing them as campaigns of the world."""

from typing import Any

from stakazo_pipelines.sandbox.linkedin import money, urns, words
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.views import GROUP_KEPT
from stakazo_pipelines.sandbox.linkedin.writes.checks import Checks, Document, record, times
from stakazo_pipelines.sandbox.world import Account

_WRITABLE = ("account", "name", "status", "runSchedule", "dailyBudget", *GROUP_KEPT)
_READ_ONLY = ("id", "servingStatuses", "backfilled", "test", "allowedCampaignTypes", "changeAuditStamps")
_BIDS = ("MAXIMUM_DELIVERY", "MANUAL", "COST_CAP")


def group_fields(directory: Directory, account: Account, document: Document, before: Document | None) -> dict[str, Any]:
    """The world's fields of a campaign group that passes. Raises LinkedInError.

    Only a dynamic group hands its budget to its campaigns; the total of any other is a cap that the world does not
    spread, reported as a hold once it is spent.
    """
    checks = Checks(document, before)
    checks.known(_WRITABLE, _READ_ONLY)
    checks.required("account", "status")
    if urns.number(document.get("account"), urns.ACCOUNT) not in (None, account.id):
        checks.add("ACCOUNT_ID_MISMATCH_IN_PARAM_AND_BODY", "account", "is not the account of the path")
    checks.name(100)
    checks.status("status", words.GROUP_STATUSES)
    checks.schedule(directory.now, activated=checks.activated)
    objective = _objective(checks)
    dynamic = _dynamic(checks)
    daily = checks.money("dailyBudget", account, money.minimum_dynamic(account.currency))
    total = checks.money("totalBudget", account, money.minimum_total(account.currency))
    if daily is not None and not dynamic:
        checks.add("CONDITIONAL_FIELD_NOT_ALLOWED", "dailyBudget", "needs budgetOptimizationStrategy DYNAMIC")
    if total is not None and checks.changed("totalBudget") and not record(document.get("runSchedule")).get("end"):
        checks.add("CONDITIONAL_MISSING_FIELD", "runSchedule/end", "is required with totalBudget")
    if dynamic and daily is None and total is None:
        checks.add("CONDITIONAL_MISSING_FIELD", "dailyBudget", "a dynamic group needs a budget")
    checks.raise_any()
    native = {name: document.get(name) for name in GROUP_KEPT} | {
        "status": document["status"],
        "objectiveType": objective,
    }
    fields: dict[str, Any] = {
        "name": document["name"],
        "status": words.to_world(document["status"]),
        "daily_budget": money.minor(document.get("dailyBudget"), account),
        "lifetime_budget": money.minor(document.get("totalBudget"), account) if dynamic and daily is None else None,
        "native": native,
        **times(document),
    }
    if before is None:
        fields |= {"account_id": account.id, "objective": words.objective_to_world(objective)}
    return fields


def _objective(checks: Checks) -> str | None:
    given = checks.document.get("objectiveType")
    if given is None:
        return None
    objective = words.singular(given)
    if objective is None:
        checks.add("INVALID_VALUE_FOR_FIELD", "objectiveType", f"{given} is not an enum symbol of the field")
    elif checks.before is not None and objective != checks.before.get("objectiveType"):
        checks.add("OBJECTIVE_CHANGE_NOT_ALLOWED", "objectiveType", "cannot be changed")
    return objective


def _dynamic(checks: Checks) -> bool:
    optimization = checks.document.get("budgetOptimization")
    if optimization is None:
        return False
    strategy = optimization.get("budgetOptimizationStrategy") if isinstance(optimization, dict) else None
    if strategy != "DYNAMIC":
        checks.add("INVALID_VALUE_FOR_FIELD", "budgetOptimization/budgetOptimizationStrategy", "must be DYNAMIC")
        return False
    if optimization.get("bidStrategy", _BIDS[0]) not in _BIDS:
        checks.add("INVALID_VALUE_FOR_FIELD", "budgetOptimization/bidStrategy", f"must be one of {', '.join(_BIDS)}")
    return True
