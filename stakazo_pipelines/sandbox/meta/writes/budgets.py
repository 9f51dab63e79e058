"""Budget and bid rules: minimums, what is already spent, how often a budget may change, what each strategy needs."""

from datetime import datetime, timedelta
from typing import Any

from stakazo_pipelines.sandbox.meta import money
from stakazo_pipelines.sandbox.meta.errors import budget_changes_exceeded, invalid
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.world import Account, AdGroup

STRATEGIES = (
    "LOWEST_COST_WITHOUT_CAP",
    "LOWEST_COST_WITH_BID_CAP",
    "COST_CAP",
    "LOWEST_COST_WITH_MIN_ROAS",
)
CHANGES_PER_HOUR = 4
_HIGH_FREQUENCY = frozenset({"LINK_CLICKS", "CLICKS", "POST_ENGAGEMENT", "PAGE_LIKES"})
_LOW_FREQUENCY = frozenset({"APP_INSTALLS", "OFFER_CLAIMS", "PURCHASE"})


def read_budget(params: Params, account: Account) -> dict[str, int]:
    """The budget given, in the world's minor units, under the world's field name; empty when none is given."""
    given = {name: params.integer(name) for name in ("daily_budget", "lifetime_budget")}
    found = {name: money.from_wire(amount, account) for name, amount in given.items() if amount is not None}
    if len(found) > 1:  # a zero beside a budget says "not this one", as reads do
        found = {name: amount for name, amount in found.items() if amount != 0}
    if len(found) > 1:
        raise invalid("Only one of daily_budget and lifetime_budget may be given", field_name="daily_budget")
    return found


def replacing(entity: Any, budget: dict[str, int]) -> dict[str, int | None]:
    """World fields of a new budget: one of the other period goes."""
    gone = [name for name in ("daily_budget", "lifetime_budget") if budget and getattr(entity, name) is not None]
    return dict.fromkeys(gone) | budget


def minimum_kind(billing_event: str) -> str:
    if billing_event in _HIGH_FREQUENCY:
        return "high_freq"
    if billing_event == "THRUPLAY":
        return "video_views"
    return "low_freq" if billing_event in _LOW_FREQUENCY else "imp"


def check_minimum(
    budget: dict[str, int],
    account: Account,
    *,
    billing_event: str = "IMPRESSIONS",
    bid_amount: int | None = None,
    days: int = 1,
) -> None:
    """Subcode 1885272. A lifetime budget must hold the daily minimum for every day; a bid cap raises it."""
    smallest = money.minimum_daily(account, minimum_kind(billing_event))
    if bid_amount is not None:
        smallest = max(smallest, bid_amount if billing_event == "IMPRESSIONS" else 5 * bid_amount)
    for name, amount in budget.items():
        least = smallest * (max(1, days) if name == "lifetime_budget" else 1)
        if money.to_wire(amount, account) < least:
            text = f"Your budget must be at least {least / money.offset(account.currency):.2f} {account.currency}."
            raise invalid(text, 1885272, title="Budget Is Too Low", field_name=name)


def check_spent(graph: Graph, kind: Any, entity: Any, budget: dict[str, int], *, daily_too: bool) -> None:
    """Subcode 1885650: a lowered budget must be at least 110 % of what is spent already.

    Meta's budget page states it for lifetime budgets; other pages for daily ones too, hence the switch.
    """
    account = graph.account(entity.account_id)
    today = graph.today(account)
    for name, amount in budget.items():
        before = getattr(entity, name)
        if before is None or amount >= before or (name == "daily_budget" and not daily_too):
            continue
        since = today if name == "daily_budget" else entity.created_at.date()
        if amount < 1.1 * graph.spent(kind, entity, since, today) * account.minor_units:
            raise invalid("The new budget must be at least 10% above what is already spent.", 1885650,
                          title="New Budget Too Low", field_name=name)  # fmt: skip


def check_change_rate(graph: Graph, adset: AdGroup, budget: dict[str, int]) -> None:
    """613/1487632: four budget changes per ad set and hour, on the world's clock."""
    if all(getattr(adset, name) == amount for name, amount in budget.items()):
        return
    threshold = graph.now - timedelta(hours=1)
    changes = 0
    for write in reversed(graph.kernel.world.journal):
        if write.at <= threshold:
            break
        if write.id != adset.id or not write.before:
            continue
        budgets = {"daily_budget", "lifetime_budget"} & write.fields.keys()
        changes += any(write.fields[name] != write.before[name] for name in budgets)
    if changes >= CHANGES_PER_HOUR:
        raise budget_changes_exceeded()


def check_bid(strategy: str, bid_amount: int | None, constraints: object, goal: str) -> None:
    """What each strategy needs: a bid (1815857), a ROAS floor with goal VALUE, or nothing."""
    if strategy not in STRATEGIES:
        raise invalid(
            f"bid_strategy must be one of the following values: {', '.join(STRATEGIES)}", field_name="bid_strategy"
        )
    if strategy in ("LOWEST_COST_WITH_BID_CAP", "COST_CAP"):
        if bid_amount is None:
            text = "You must provide a bid cap or target cost in bid_amount field for your ad set."
            raise invalid(text, 1815857, title="Bid Amount Required", field_name="bid_amount")
        return
    if bid_amount is not None:
        raise invalid(
            "bid_amount can't be set with this bid strategy", 1885204, title="Bid Not Allowed", field_name="bid_amount"
        )
    if strategy == "LOWEST_COST_WITH_MIN_ROAS":
        floor = constraints.get("roas_average_floor") if isinstance(constraints, dict) else None
        if floor is None or goal != "VALUE":
            text = "Minimum ROAS bidding needs bid_constraints.roas_average_floor and optimization_goal VALUE"
            raise invalid(text, field_name="bid_constraints")


def check_schedule(budget: dict[str, int], start: datetime | None, end: datetime | None, now: datetime) -> int:
    """Days of the schedule (1 when open). A lifetime budget needs an end, a daily one more than 24 hours."""
    if end is None:
        if "lifetime_budget" in budget:
            raise invalid("end_time is required with lifetime_budget", field_name="end_time")
        return 1
    if end <= now:
        raise invalid("The end date must be in the future.", 1487033, title="Ends In The Past", field_name="end_time")
    length = end - max(start or now, now)
    if "daily_budget" in budget and length <= timedelta(hours=24):
        raise invalid("A daily budget needs a schedule of more than 24 hours", field_name="end_time")
    return max(1, -(-length // timedelta(days=1)))
