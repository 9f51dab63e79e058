"""Creating and updating campaigns."""

from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid, missing_parameter
from stakazo_pipelines.sandbox.meta.graph import Graph, Node
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.writes import budgets
from stakazo_pipelines.sandbox.meta.writes.adset import update_adset
from stakazo_pipelines.sandbox.meta.writes.common import (
    Write,
    check_editable,
    common_changes,
    create_status,
    kept,
    required_name,
)
from stakazo_pipelines.sandbox.world import Account, Campaign

OBJECTIVES = (
    "OUTCOME_AWARENESS",
    "OUTCOME_TRAFFIC",
    "OUTCOME_ENGAGEMENT",
    "OUTCOME_LEADS",
    "OUTCOME_APP_PROMOTION",
    "OUTCOME_SALES",
)
_CATEGORIES = frozenset(
    [
        "NONE",
        "HOUSING",
        "EMPLOYMENT",
        "CREDIT",
        "FINANCIAL_PRODUCTS_SERVICES",
        "ISSUES_ELECTIONS_POLITICS",
        "ONLINE_GAMBLING_AND_GAMING",
    ]
)
_KEPT = (
    "buying_type",
    "promoted_object",
    "special_ad_category_country",
    "pacing_type",
    "adlabels",
    "spend_cap",
)


def create_campaign(account: Account, params: Params) -> Write:
    """Raises GraphError where Meta would."""
    name = required_name(params)
    if not params.given("objective"):
        raise missing_parameter("objective")
    objective = params.text("objective")
    if objective not in OBJECTIVES:
        raise invalid(f"objective must be one of the following values: {', '.join(OBJECTIVES)}", field_name="objective")
    native = kept(params, _KEPT) | {"special_ad_categories": _categories(params)}
    budget = budgets.read_budget(params, account)
    sharing = params.boolean("is_adset_budget_sharing_enabled")
    strategy = params.text("bid_strategy") or "LOWEST_COST_WITHOUT_CAP"
    if strategy not in budgets.STRATEGIES:
        raise invalid("bid_strategy is not known", field_name="bid_strategy")
    if budget:
        if sharing:
            raise _sharing("Budget sharing and a campaign budget exclude each other.", 4834002)
        budgets.check_minimum(budget, account)
    elif sharing is None:
        text = (
            "Must specify True or False in is_adset_budget_sharing_enabled field if you are not using campaign budget."
        )
        raise _sharing(text, 4834011)
    elif sharing and not params.given("bid_strategy"):
        raise _sharing("Budget sharing needs a bid strategy.", 4834005)
    native["is_adset_budget_sharing_enabled"] = bool(sharing)
    fields: dict[str, Any] = {
        "account_id": account.id,
        "name": name,
        "status": create_status(params),
        "objective": objective,
        "bid_strategy": strategy,
        "native": native,
        **budget,
    }
    return Write("campaign", None, fields)


def update_campaign(graph: Graph, campaign: Campaign, params: Params, *, daily_too: bool) -> list[Write]:
    """The campaign's own write, before it those of `adset_budgets` (which turns the campaign budget off)."""
    account = graph.account(campaign.account_id)
    changes = common_changes(params)
    if params.given("objective") and params.text("objective") != campaign.objective:
        raise invalid("The objective of a campaign cannot be changed", field_name="objective")
    native = kept(params, _KEPT)
    if params.given("special_ad_categories"):
        native["special_ad_categories"] = _categories(params)
    sharing = params.boolean("is_adset_budget_sharing_enabled")
    if sharing is not None:
        native["is_adset_budget_sharing_enabled"] = sharing
    if native:
        changes["native"] = native
    if params.given("bid_strategy"):
        if params.text("bid_strategy") not in budgets.STRATEGIES:
            raise invalid("bid_strategy is not known", field_name="bid_strategy")
        changes["bid_strategy"] = params.text("bid_strategy")
    budget = budgets.read_budget(params, account)
    changes |= budgets.replacing(campaign, budget)
    check_editable(campaign.status, changes)
    if budget:
        _check_budget(graph, campaign, budget, daily_too=daily_too)
    below = _adset_budgets(graph, campaign, params, daily_too=daily_too)
    if below:
        changes |= {"daily_budget": None, "lifetime_budget": None}
    return [Write("campaign", campaign.id, changes), *below] if changes else []


def _check_budget(graph: Graph, campaign: Campaign, budget: dict[str, int], *, daily_too: bool) -> None:
    account = graph.account(campaign.account_id)
    for adset in graph.children(Node("campaign", campaign), "adset"):
        if adset.status not in ("DELETED", "ARCHIVED") and (adset.daily_budget or adset.lifetime_budget):
            text = "You can only set an ad set budget or a campaign budget."
            raise invalid(text, 1885621, title="Budget On Both Levels", field_name=next(iter(budget)))
    budgets.check_minimum(budget, account)
    budgets.check_spent(graph, "campaign", campaign, budget, daily_too=daily_too)


def _adset_budgets(graph: Graph, campaign: Campaign, params: Params, *, daily_too: bool) -> list[Write]:
    entries = params.structure("adset_budgets") or []
    live = [a for a in graph.children(Node("campaign", campaign), "adset") if a.status not in ("DELETED", "ARCHIVED")]
    if not entries:
        return []
    by_id = {str(entry.get("adset_id")): entry for entry in entries if isinstance(entry, dict)}
    if by_id.keys() != {adset.id for adset in live}:
        raise invalid("adset_budgets must name every ad set of the campaign", field_name="adset_budgets")
    writes = []
    for adset in live:
        inner = Params({name: value for name, value in by_id[adset.id].items() if name != "adset_id"})
        writes += update_adset(graph, adset, inner, daily_too=daily_too, campaign_budget=False)
    return writes


def _categories(params: Params) -> list[str]:
    names = params.names("special_ad_categories")
    if names is None:
        if "special_ad_categories" in params and params["special_ad_categories"] != "":
            return []
        raise missing_parameter("special_ad_categories")
    for name in names:
        if name not in _CATEGORIES:
            allowed = ", ".join(sorted(_CATEGORIES))
            raise invalid(f"special_ad_categories must be among: {allowed}", field_name="special_ad_categories")
    return [name for name in names if name != "NONE"]


def _sharing(text: str, subcode: int) -> Exception:
    return invalid(text, subcode, title="Ad Set Budget Sharing", field_name="is_adset_budget_sharing_enabled")
