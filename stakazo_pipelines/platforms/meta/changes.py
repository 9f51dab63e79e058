"""Changes as Meta's parameters, and which changes may share a batch. Pure."""

from collections.abc import Mapping, Sequence

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.meta.fields import STATUS_TO_WIRE, edge_of
from stakazo_pipelines.platforms.meta.money import to_wire
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange
from stakazo_pipelines.platforms.settling import rounds
from stakazo_pipelines.platforms.wire import to_form
from stakazo_pipelines.vocabulary import Level

BATCH = 50
BUDGET_LEVELS = frozenset({Level.CAMPAIGN, Level.AD_GROUP})


def budget_params(budget: Budget, level: Level, currency: str) -> Mapping[str, str]:
    """Raises RejectedError at a level that holds no budget, or for money that Meta cannot take."""
    if level not in BUDGET_LEVELS:
        raise RejectedError(f"a budget belongs to a campaign or an ad group, not to {level}", "meta")
    field = "daily_budget" if budget.period is BudgetPeriod.DAILY else "lifetime_budget"
    return {field: to_wire(budget.money, currency=currency)}


def change_params(change: EntityChange, currency: str) -> Mapping[str, str]:
    """Only what changes. Raises RejectedError for a change that changes nothing or cannot be written."""
    edge_of(change.level)
    params = {key: to_form(value) for key, value in change.settings.items()}
    if change.name is not None:
        params["name"] = change.name
    if change.status is not None:
        params["status"] = STATUS_TO_WIRE[change.status]
    if change.budget is not None:
        params.update(budget_params(change.budget, change.level, currency))
    if not params:
        raise RejectedError(f"the change of {change.level} {change.id} changes nothing", "meta")
    return params


def batches(changes: Sequence[EntityChange], campaign_of: Mapping[str, str]) -> Sequence[Sequence[int]]:
    """See `rounds`: at most 50 a batch, and never two ad sets of one campaign in one (Meta's rule).

    `campaign_of` is the campaign of each ad set; one that is not known goes alone.
    """
    return rounds(
        changes,
        size=BATCH,
        claims=lambda change: [f"campaign {campaign_of.get(change.id, '')}"] if change.level is Level.AD_GROUP else [],
    )
