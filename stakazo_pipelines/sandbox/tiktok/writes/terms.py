"""What an ad group is bought on: goal and billing, promotion, targeting, bid, pacing, frequency."""

from typing import Any

from stakazo_pipelines.sandbox.tiktok import vocabulary as words
from stakazo_pipelines.sandbox.tiktok.errors import invalid, missing, not_among
from stakazo_pipelines.sandbox.tiktok.money import to_minor
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.reading import TARGETING
from stakazo_pipelines.sandbox.world import Account

_MAX_PLACES = 3000
_BID_FIELD = {"OCPM": "conversion_bid_price"}


def check_goal(params: Params) -> tuple[str, str]:
    """Optimisation goal and the billing event that must go with it."""
    goal, billing = params.text("optimization_goal"), params.choice("billing_event", words.BILLING_EVENTS)
    if goal not in words.GOALS:
        raise not_among("optimization_goal", goal, words.GOALS)
    if billing != words.billing_of(goal):
        raise invalid(f"billing_event: {billing} does not go with optimization_goal {goal}.")
    return goal, billing


def check_promotion(params: Params, objective: str) -> None:
    if objective not in words.OPEN_OBJECTIVES and not params.given("promotion_type"):
        raise missing(["promotion_type"])
    if params.given("pixel_id") and objective in words.NO_PIXEL:
        raise invalid(f"pixel_id: Not supported for objective {objective}.")
    kind = params.choice("placement_type", ("PLACEMENT_TYPE_AUTOMATIC", "PLACEMENT_TYPE_NORMAL"))
    if kind == "PLACEMENT_TYPE_NORMAL" and not params.names("placements"):
        raise missing(["placements"])


def read_targeting(params: Params, *, needs_place: bool) -> dict[str, Any]:
    """The targeting given. Raises 40002 for places too many or, on a new ad group, none."""
    places = [*(params.names("location_ids") or ()), *(params.names("zipcode_ids") or ())]
    if needs_place and not places and not params.given("saved_audience_id"):
        raise missing(["location_ids"])
    if len(places) > _MAX_PLACES or len(set(places)) < len(places):
        raise invalid(f"location_ids: At most {_MAX_PLACES} places, none of them twice.")
    params.choice("gender", words.GENDERS)
    for age in params.names("age_groups") or ():
        if age not in words.AGES:
            raise not_among("age_groups", age, words.AGES)
    if len(params.names("operating_systems") or ()) > 1:
        raise invalid("operating_systems: Only one value is supported.")
    given = params.raw(TARGETING)
    defaults = {"gender": "GENDER_UNLIMITED", "auto_targeting_enabled": False}
    return {name: value for name, value in given.items() if defaults.get(name, ...) != value}


def read_bid(params: Params, account: Account, billing: str, budget: int | None) -> dict[str, Any]:
    """World fields of the bid: a cost cap in minor units, or the lowest cost."""
    kind = params.choice("bid_type", ("BID_TYPE_NO_BID", "BID_TYPE_CUSTOM"), "BID_TYPE_NO_BID")
    if kind == "BID_TYPE_NO_BID":
        return {"bid_strategy": "LOWEST_COST_WITHOUT_CAP", "bid_amount": None}
    name = _BID_FIELD.get(billing, "bid_price")
    amount = params.number(name)
    if amount is None:
        raise missing([name])
    bid = to_minor(amount, account, name)
    if bid <= 0:
        raise invalid(f"{name}: Must be greater than 0.")
    if budget is not None and name == "conversion_bid_price" and bid >= budget:
        raise invalid("conversion_bid_price: Must be less than the budget.")
    return {"bid_strategy": "COST_CAP", "bid_amount": bid}


def check_pacing(params: Params, *, optimised: bool) -> None:
    pacing = params.choice("pacing", ("PACING_MODE_SMOOTH", "PACING_MODE_FAST"))
    no_bid = params.text("bid_type", "BID_TYPE_NO_BID") != "BID_TYPE_CUSTOM"
    if pacing == "PACING_MODE_FAST" and (optimised or no_bid):
        raise invalid("pacing: Only PACING_MODE_SMOOTH is supported with a campaign budget or BID_TYPE_NO_BID.")
    roas = params.number("roas_bid")
    if roas is not None and not 0 <= roas <= 1000:
        raise invalid("roas_bid: Must be between 0.01 and 1000.")


def check_frequency(params: Params, objective: str) -> None:
    if not (params.given("frequency") or params.given("frequency_schedule")):
        return
    if objective != "REACH":
        raise invalid("frequency: Supported for objective REACH only.")
    params.require("frequency", "frequency_schedule")
    times, days = params.number("frequency") or 0, params.number("frequency_schedule") or 0
    if not 1 <= times <= 1000 or not 1 <= days <= 30:
        raise invalid("frequency: Must be 1 to 1000 times in 1 to 30 days.")
