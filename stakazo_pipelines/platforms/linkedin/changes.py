"""Changes as LinkedIn's patches. Pure."""

from collections.abc import Mapping

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.linkedin import money
from stakazo_pipelines.platforms.linkedin.fields import BUDGET_LEVELS, STATUS_TO_WIRE, resource_of
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange
from stakazo_pipelines.vocabulary import Level


def budget_fields(budget: Budget, level: Level, currency: str) -> Mapping[str, object]:
    """Raises RejectedError at a level that holds no budget, or for money that LinkedIn cannot take."""
    if level not in BUDGET_LEVELS:
        raise RejectedError(f"a budget belongs to a campaign or an ad group, not to {level}", "linkedin")
    field = "dailyBudget" if budget.period is BudgetPeriod.DAILY else "totalBudget"
    return {field: money.to_wire(budget.money, currency=currency)}


def patch(change: EntityChange, currency: str) -> Mapping[str, object]:
    """Only what changes. Raises RejectedError for a change that changes nothing or cannot be written."""
    resource = resource_of(change.level)
    fields: dict[str, object] = dict(change.settings)
    if change.name is not None:
        fields["name"] = change.name
    if change.status is not None:
        fields[resource.status] = STATUS_TO_WIRE[change.status]
    if change.budget is not None:
        fields.update(budget_fields(change.budget, change.level, currency))
    if not fields:
        raise RejectedError(f"the change of {change.level} {change.id} changes nothing", "linkedin")
    return {"patch": {"$set": fields}}
