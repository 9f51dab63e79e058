"""Creating and updating ad sets."""

from collections.abc import Mapping
from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid, missing_parameter
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.writes import budgets
from stakazo_pipelines.sandbox.meta.writes.common import (
    Write,
    check_editable,
    common_changes,
    create_status,
    kept,
    required_name,
)
from stakazo_pipelines.sandbox.world import Account, AdGroup, Campaign

MAX_ADSETS = 200
_WEBSITE = "LANDING_PAGE_VIEWS LINK_CLICKS IMPRESSIONS REACH"
GOALS: Mapping[str, frozenset[str]] = {
    "OUTCOME_AWARENESS": frozenset(["AD_RECALL_LIFT", "REACH", "IMPRESSIONS", "THRUPLAY"]),
    "OUTCOME_TRAFFIC": frozenset(f"{_WEBSITE} QUALITY_CALL CONVERSATIONS VISIT_INSTAGRAM_PROFILE".split()),
    "OUTCOME_ENGAGEMENT": frozenset(
        f"{_WEBSITE} THRUPLAY POST_ENGAGEMENT EVENT_RESPONSES PAGE_LIKES CONVERSATIONS OFFSITE_CONVERSIONS "
        "ENGAGED_USERS REMINDERS_SET".split()
    ),
    "OUTCOME_LEADS": frozenset(
        f"{_WEBSITE} LEAD_GENERATION QUALITY_LEAD QUALITY_CALL OFFSITE_CONVERSIONS CONVERSATIONS".split()
    ),
    "OUTCOME_APP_PROMOTION": frozenset(
        ["APP_INSTALLS", "APP_INSTALLS_AND_OFFSITE_CONVERSIONS", "LINK_CLICKS", "VALUE"]
    ),
    "OUTCOME_SALES": frozenset(f"{_WEBSITE} OFFSITE_CONVERSIONS VALUE CONVERSATIONS".split()),
}
_BILLING = frozenset(
    [
        "IMPRESSIONS",
        "LINK_CLICKS",
        "THRUPLAY",
        "APP_INSTALLS",
        "POST_ENGAGEMENT",
        "PAGE_LIKES",
        "OFFER_CLAIMS",
        "PURCHASE",
        "LISTING_INTERACTION",
        "NONE",
        "CLICKS",
    ]
)
_KEPT = (
    "promoted_object",
    "destination_type",
    "attribution_spec",
    "bid_constraints",
    "pacing_type",
    "adset_schedule",
    "frequency_control_specs",
    "is_dynamic_creative",
    "dsa_beneficiary",
    "dsa_payor",
    "daily_min_spend_target",
    "daily_spend_cap",
    "lifetime_min_spend_target",
    "lifetime_spend_cap",
    "regional_regulated_categories",
    "adlabels",
)


def create_adset(graph: Graph, account: Account, params: Params) -> Write:
    """Raises GraphError where Meta would."""
    name = required_name(params)
    campaign = _campaign(graph, account, params)
    goal, billing = _goal(campaign, params), _billing(params)
    native = kept(params, _KEPT)
    if goal in ("OFFSITE_CONVERSIONS", "VALUE") and "promoted_object" not in native:
        raise invalid("A promoted object is needed for this goal.", 1885154, title="Promoted Object Missing",
                      field_name="promoted_object")  # fmt: skip
    budget = budgets.read_budget(params, account)
    if graph.holds_budget(campaign):
        if budget:
            raise _both_levels(budget)
    elif not budget:
        raise invalid(
            "daily_budget or lifetime_budget is required without a campaign budget", field_name="daily_budget"
        )
    start, end = params.moment("start_time"), params.moment("end_time")
    days = budgets.check_schedule(budget, start, end, graph.now)
    strategy, bid = _strategy(graph, campaign, params)
    budgets.check_bid(strategy, bid, native.get("bid_constraints"), goal)
    budgets.check_minimum(budget, account, billing_event=billing, bid_amount=bid, days=days)
    fields: dict[str, Any] = {
        "account_id": account.id,
        "campaign_id": campaign.id,
        "name": name,
        "status": create_status(params),
        "optimization_goal": goal,
        "billing_event": billing,
        "bid_strategy": strategy,
        "bid_amount": bid,
        "targeting": _targeting(params),
        "native": native,
        **budget,
    }
    fields |= {name: at for name, at in (("start_time", start), ("end_time", end)) if at is not None}
    return Write("ad_group", None, fields)


def update_adset(
    graph: Graph, adset: AdGroup, params: Params, *, daily_too: bool, campaign_budget: bool | None = None
) -> list[Write]:
    """`campaign_budget` says whether the campaign holds the budget once the whole call is done."""
    account, campaign = graph.account(adset.account_id), graph.campaign_of(adset)
    changes = common_changes(params)
    for name in ("optimization_goal", "campaign_id"):
        if params.given(name) and params.text(name) != getattr(adset, name):
            raise invalid(f"{name} of an ad set cannot be changed", field_name=name)
    native = kept(params, _KEPT)
    if "frequency_control_specs" in native:
        raise invalid("Frequency caps can be set at creation only.", 1815198, title="Frequency Cap",
                      field_name="frequency_control_specs")  # fmt: skip
    if native:
        changes["native"] = native
    if params.given("billing_event"):
        changes["billing_event"] = _billing(params)
    if params.given("targeting"):
        changes["targeting"] = _targeting(params)
    for name in ("start_time", "end_time"):
        if params.given(name):
            changes[name] = params.moment(name)
    if params.given("bid_strategy") or params.given("bid_amount"):
        strategy, bid = _strategy(graph, campaign, params, before=adset)
        budgets.check_bid(strategy, bid, (adset.native | native).get("bid_constraints"), adset.optimization_goal)
        changes |= {"bid_strategy": strategy, "bid_amount": bid}
    budget = budgets.read_budget(params, account)
    changes |= budgets.replacing(adset, budget)
    check_editable(adset.status, changes)
    if budget:
        held_above = graph.holds_budget(campaign) if campaign_budget is None else campaign_budget
        if held_above:
            raise _both_levels(budget)
        _check_new_budget(graph, adset, budget, changes, daily_too=daily_too)
    return [Write("ad_group", adset.id, changes)] if changes else []


def _check_new_budget(
    graph: Graph, adset: AdGroup, budget: dict[str, int], changes: Mapping[str, Any], *, daily_too: bool
) -> None:
    account = graph.account(adset.account_id)
    end = changes.get("end_time", adset.end_time)
    days = budgets.check_schedule(budget, adset.start_time, end, graph.now)
    bid = changes.get("bid_amount", adset.bid_amount)
    budgets.check_minimum(budget, account, billing_event=adset.billing_event, bid_amount=bid, days=days)
    budgets.check_spent(graph, "adset", adset, budget, daily_too=daily_too)
    budgets.check_change_rate(graph, adset, budget)


def _campaign(graph: Graph, account: Account, params: Params) -> Campaign:
    if not params.given("campaign_id"):
        raise missing_parameter("campaign_id")
    node = graph.find(params.text("campaign_id"))
    if node is None or node.kind != "campaign" or node.entity.account_id != account.id:
        raise invalid("campaign_id does not name a campaign of this ad account", field_name="campaign_id")
    campaign: Campaign = node.entity
    if campaign.status in ("ARCHIVED", "DELETED"):
        raise invalid(
            "The campaign is archived or deleted.", 1487056, title="Campaign Not Editable", field_name="campaign_id"
        )
    if sum(1 for adset in graph.children(node, "adset") if adset.status != "DELETED") >= MAX_ADSETS:
        raise invalid(f"A campaign holds at most {MAX_ADSETS} ad sets", field_name="campaign_id")
    return campaign


def _goal(campaign: Campaign, params: Params) -> str:
    if not params.given("optimization_goal"):
        raise missing_parameter("optimization_goal")
    goal = params.text("optimization_goal")
    if goal not in GOALS.get(campaign.objective, frozenset({goal})):
        raise invalid(
            f"optimization_goal {goal} does not go with objective {campaign.objective}", field_name="optimization_goal"
        )
    return goal


def _billing(params: Params) -> str:
    if not params.given("billing_event"):
        raise missing_parameter("billing_event")
    if params.text("billing_event") not in _BILLING:
        raise invalid(
            f"billing_event must be one of the following values: {', '.join(sorted(_BILLING))}",
            field_name="billing_event",
        )
    return params.text("billing_event")


def _targeting(params: Params) -> dict[str, Any]:
    targeting = params.mapping("targeting")
    if targeting is None:
        raise missing_parameter("targeting")
    if not targeting.get("geo_locations") and not targeting.get("custom_audiences"):
        raise invalid("Please choose at least one location.", 1885364, title="Location Missing", field_name="targeting")
    return targeting


def _strategy(
    graph: Graph, campaign: Campaign, params: Params, before: AdGroup | None = None
) -> tuple[str, int | None]:
    """Strategy and bid after the call. A lone bid_amount chooses the bid cap; a campaign budget rules the strategy."""
    bid = params.integer("bid_amount")
    if graph.holds_budget(campaign):
        return campaign.bid_strategy, bid if bid is not None or before is None else before.bid_amount
    if params.given("bid_strategy"):
        strategy = params.text("bid_strategy")
        capped = strategy in ("LOWEST_COST_WITH_BID_CAP", "COST_CAP")
        return strategy, before.bid_amount if bid is None and before is not None and capped else bid
    if before is not None and before.bid_strategy != "LOWEST_COST_WITHOUT_CAP":
        return before.bid_strategy, bid
    return ("LOWEST_COST_WITHOUT_CAP" if bid is None else "LOWEST_COST_WITH_BID_CAP"), bid


def _both_levels(budget: Mapping[str, int]) -> Exception:
    text = "You can only set an ad set budget or a campaign budget."
    return invalid(text, 1885621, title="Budget On Both Levels", field_name=next(iter(budget)))
