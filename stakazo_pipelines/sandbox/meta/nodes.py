"""How campaigns, ad sets, ads and creatives read: one table of fields each. A field that is None is left out."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from stakazo_pipelines.sandbox.meta import money
from stakazo_pipelines.sandbox.meta.graph import Graph, Kind
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign, Creative

Reader = Callable[[Graph, Any], Any]
NODE_TYPES: Mapping[str, str] = {
    "account": "AdAccount",
    "campaign": "AdCampaignGroup",
    "adset": "AdCampaign",
    "ad": "AdGroup",
    "creative": "AdCreative",
}


def timestamp(graph: Graph, account_id: str, at: datetime | None) -> str | None:
    """ISO 8601 in the account's zone, no colon in the offset."""
    if at is None:
        return None
    return at.astimezone(ZoneInfo(graph.account(account_id).timezone)).strftime("%Y-%m-%dT%H:%M:%S%z")


def budget_text(graph: Graph, entity: Any, minor: int | None) -> str | None:
    return None if minor is None else str(money.to_wire(minor, graph.account(entity.account_id)))


def _remaining(graph: Graph, kind: Kind, entity: Any) -> str | None:
    account = graph.account(entity.account_id)
    today = graph.today(account)
    if entity.daily_budget is not None:
        spent = graph.spent(kind, entity, today, today)
        return str(max(0, money.to_wire(entity.daily_budget - round(spent * account.minor_units), account)))
    if entity.lifetime_budget is not None:
        spent = graph.spent(kind, entity, entity.created_at.date(), today)
        return str(max(0, money.to_wire(entity.lifetime_budget - round(spent * account.minor_units), account)))
    return "0"


def _time(name: str) -> Reader:
    return lambda graph, entity: timestamp(graph, entity.account_id, getattr(entity, name))


def _native(name: str) -> Reader:
    return lambda _graph, entity: entity.native.get(name)


def _common(kind: Kind) -> dict[str, Reader]:
    return {
        "id": lambda _g, e: e.id,
        "account_id": lambda _g, e: e.account_id,
        "name": lambda _g, e: e.name,
        "status": lambda _g, e: e.status,
        "configured_status": lambda _g, e: e.status,
        "effective_status": lambda g, e: g.effective_status(kind, e),
        "created_time": _time("created_at"),
        "updated_time": _time("updated_at"),
    }


def _special_categories(_graph: Graph, campaign: Campaign) -> list[str]:
    return list(campaign.native.get("special_ad_categories", []))


def _campaign_strategy(graph: Graph, campaign: Campaign) -> str | None:
    return campaign.bid_strategy if graph.holds_budget(campaign) else None


CAMPAIGN: Mapping[str, Reader] = {
    **_common("campaign"),
    "objective": lambda _g, e: e.objective,
    "buying_type": lambda _g, e: e.native.get("buying_type", "AUCTION"),
    "bid_strategy": _campaign_strategy,
    "daily_budget": lambda g, e: budget_text(g, e, e.daily_budget),
    "lifetime_budget": lambda g, e: budget_text(g, e, e.lifetime_budget),
    "budget_remaining": lambda g, e: _remaining(g, "campaign", e),
    "special_ad_categories": _special_categories,
    "special_ad_category": lambda g, e: (_special_categories(g, e) or ["NONE"])[0],
    "special_ad_category_country": _native("special_ad_category_country"),
    "is_adset_budget_sharing_enabled": lambda _g, e: e.native.get("is_adset_budget_sharing_enabled", False),
    "spend_cap": lambda _g, e: None if "spend_cap" not in e.native else str(e.native["spend_cap"]),
    "start_time": lambda g, e: timestamp(g, e.account_id, e.start_time or e.created_at),
    "stop_time": _time("end_time"),
    "can_use_spend_cap": lambda _g, _e: True,
    "smart_promotion_type": lambda _g, _e: "GUIDED_CREATION",
    "primary_attribution": lambda _g, _e: "DEFAULT",
    "source_campaign_id": lambda _g, _e: "0",
    "pacing_type": lambda g, e: e.native.get("pacing_type", ["standard"]) if g.holds_budget(e) else None,
    "promoted_object": _native("promoted_object"),
    "is_budget_schedule_enabled": lambda _g, _e: False,
    **{name: _native(name) for name in ("issues_info", "advantage_state_info", "adlabels", "last_budget_toggling_time",
                                         "topline_id", "boosted_object_id", "recommendations")},
}  # fmt: skip


def _learning(graph: Graph, adset: AdGroup) -> dict[str, Any]:
    learning = graph.kernel.world.learning(adset.id)
    return {
        "status": learning.status,
        "conversions": 0 if learning.status == "SUCCESS" else learning.conversions,
        "last_sig_edit_ts": int(learning.last_significant_edit.timestamp()),
        "attribution_windows": ["7d_click", "1d_view"],
    }


def _adset_lifetime(graph: Graph, adset: AdGroup) -> str | None:
    if graph.holds_budget(graph.campaign_of(adset)):
        return None
    return budget_text(graph, adset, adset.lifetime_budget or 0)


def _targeting(_graph: Graph, adset: AdGroup) -> dict[str, Any]:
    """Reads give back more than was written: age bounds and location types are filled in."""
    targeting = {"age_min": 18, "age_max": 65, **adset.targeting}
    places = targeting.get("geo_locations")
    if isinstance(places, dict):
        targeting["geo_locations"] = {"location_types": ["home", "recent"], **places}
    return {"targeting_automation": {"advantage_audience": 0}, **targeting}


def _promoted_object(_graph: Graph, adset: AdGroup) -> dict[str, Any] | None:
    if "promoted_object" in adset.native:
        return dict(adset.native["promoted_object"])
    if adset.optimization_goal in ("OFFSITE_CONVERSIONS", "VALUE"):
        return {"pixel_id": f"9{adset.account_id}", "custom_event_type": "PURCHASE"}
    return None


_CLICK_AND_VIEW = [
    {"event_type": "CLICK_THROUGH", "window_days": 7},
    {"event_type": "VIEW_THROUGH", "window_days": 1},
]
ADSET: Mapping[str, Reader] = {
    **_common("adset"),
    "campaign_id": lambda _g, e: e.campaign_id,
    "daily_budget": lambda g, e: budget_text(g, e, e.daily_budget),
    "lifetime_budget": _adset_lifetime,
    "budget_remaining": lambda g, e: _remaining(g, "adset", e),
    "start_time": lambda g, e: timestamp(g, e.account_id, e.start_time or e.created_at),
    "end_time": _time("end_time"),
    "bid_strategy": lambda _g, e: e.bid_strategy,
    "bid_amount": lambda _g, e: e.bid_amount,
    "optimization_goal": lambda _g, e: e.optimization_goal,
    "billing_event": lambda _g, e: e.billing_event,
    "learning_stage_info": _learning,
    "targeting": _targeting,
    "promoted_object": _promoted_object,
    "destination_type": lambda _g, e: e.native.get("destination_type", "UNDEFINED"),
    "attribution_spec": lambda _g, e: e.native.get("attribution_spec", _CLICK_AND_VIEW),
    "is_dynamic_creative": lambda _g, e: e.native.get("is_dynamic_creative", False),
    "pacing_type": lambda _g, e: e.native.get("pacing_type", ["standard"]),
    "source_adset_id": lambda _g, _e: "0",
    "use_new_app_click": lambda _g, _e: False,
    **{name: _native(name) for name in (
        "bid_constraints", "bid_info", "daily_min_spend_target", "daily_spend_cap", "lifetime_min_spend_target",
        "lifetime_spend_cap", "adset_schedule", "frequency_control_specs", "dsa_beneficiary", "dsa_payor",
        "issues_info",
        "targeting_optimization_types", "min_budget_spend_percentage", "max_budget_spend_percentage", "recommendations",
        "existing_customer_budget_percentage", "is_incremental_attribution_enabled", "value_rule_set_id",
        "regional_regulated_categories", "adlabels", "multi_optimization_goal_weight", "optimization_sub_event",
        "recurring_budget_semantics", "rf_prediction_id", "instagram_actor_id", "instagram_user_id", "asset_feed_id")},
}  # fmt: skip


def _review_feedback(graph: Graph, ad: Ad) -> dict[str, Any] | None:
    if graph.effective_status("ad", ad) != "DISAPPROVED":
        return None
    return {"global": {"Sandbox policy": "The creative was rejected by an incident of the simulated world."}}


AD: Mapping[str, Reader] = {
    **_common("ad"),
    "ad_review_feedback": _review_feedback,
    "campaign_id": lambda _g, e: e.campaign_id,
    "adset_id": lambda _g, e: e.ad_group_id,
    "bid_type": lambda _g, _e: "ABSOLUTE_OCPM",
    "source_ad_id": lambda _g, _e: "0",
    "preview_shareable_link": lambda _g, e: f"https://fb.me/{e.id[-10:]}",
    **{name: _native(name) for name in (
        "issues_info", "failed_delivery_checks", "tracking_specs", "conversion_specs",
        "conversion_domain", "ad_schedule_start_time", "ad_schedule_end_time", "adlabels", "recommendations",
        "bid_amount", "bid_info", "last_updated_by_app_id", "engagement_audience", "display_sequence")},
}  # fmt: skip


def _story(_graph: Graph, creative: Creative) -> dict[str, Any] | None:
    if "object_story_spec" in creative.native or "asset_feed_spec" in creative.native:
        return creative.native.get("object_story_spec")
    action = {"type": creative.call_to_action, "value": {"link": creative.link_url}}
    texts = {"message": creative.body, "call_to_action": action}
    if creative.kind == "video":
        data = {"video_id": creative.video_id, "title": creative.title, "image_hash": creative.image_hash, **texts}
        return {"page_id": f"8{creative.account_id}", "video_data": data}
    data = {"link": creative.link_url, "name": creative.title, "image_hash": creative.image_hash, **texts}
    return {"page_id": f"8{creative.account_id}", "link_data": data}


CREATIVE: Mapping[str, Reader] = {
    "id": lambda _g, e: e.id,
    "account_id": lambda _g, e: e.account_id,
    "name": lambda _g, e: e.name,
    "status": lambda _g, e: e.status,
    "title": lambda _g, e: e.title or None,
    "body": lambda _g, e: e.body or None,
    "call_to_action_type": lambda _g, e: e.call_to_action,
    "image_hash": lambda _g, e: e.image_hash or None,
    "video_id": lambda _g, e: e.video_id,
    "link_url": lambda _g, e: e.link_url,
    "object_type": lambda _g, e: "VIDEO" if e.kind == "video" else "SHARE",
    "object_story_spec": _story,
    "effective_object_story_id": lambda _g, e: f"8{e.account_id}_{e.id}",
    "thumbnail_url": lambda _g, e: f"https://sandbox.invalid/thumbnails/{e.id}.jpg",
    "image_url": lambda _g, e: f"https://sandbox.invalid/images/{e.image_hash}.jpg" if e.image_hash else None,
    **{name: _native(name) for name in (
        "object_story_id", "url_tags", "template_url", "asset_feed_spec", "degrees_of_freedom_spec",
        "instagram_user_id",
        "effective_instagram_media_id", "product_set_id", "contextual_multi_ads", "adlabels", "actor_id", "object_url",
        "object_id", "instagram_permalink_url", "branded_content", "platform_customizations", "image_crops")},
}  # fmt: skip


def _offset_hours(graph: Graph, account: Account) -> float:
    offset = graph.now.astimezone(ZoneInfo(account.timezone)).utcoffset()
    return offset.total_seconds() / 3600 if offset is not None else 0.0


def _amount_spent(graph: Graph, account: Account) -> str:
    today = graph.today(account)
    spent = graph.spent("account", account, graph.kernel.world.config.first_day, today)
    return str(round(spent * money.offset(account.currency)))


ACCOUNT: Mapping[str, Reader] = {
    "id": lambda _g, e: f"act_{e.id}",
    "account_id": lambda _g, e: e.id,
    "name": lambda _g, e: e.name,
    "account_status": lambda _g, e: 1 if e.status == "ACTIVE" else 2,
    "disable_reason": lambda _g, e: 0 if e.status == "ACTIVE" else 1,
    "currency": lambda _g, e: e.currency,
    "timezone_name": lambda _g, e: e.timezone,
    "timezone_id": lambda _g, e: sum(e.timezone.encode()) % 500 + 1,
    "timezone_offset_hours_utc": _offset_hours,
    "created_time": lambda g, e: timestamp(g, e.id, e.created_at),
    "amount_spent": _amount_spent,
    "balance": lambda _g, _e: "0",
    "spend_cap": lambda _g, _e: "0",
    "min_daily_budget": lambda _g, e: money.minimum_daily(e, "imp"),
    "min_campaign_group_spend_cap": lambda _g, e: str(money.minimum_daily(e, "imp") * 100),
    "user_tasks": lambda _g, _e: ["DRAFT", "ANALYZE", "ADVERTISE", "MANAGE"],
    "capabilities": lambda _g, _e: ["CAN_USE_REACH_AND_FREQUENCY"],
    "age": lambda g, e: round((g.now - e.created_at).total_seconds() / 86400, 4),
    "is_personal": lambda _g, _e: 0,
    "owner": lambda _g, e: f"7{e.id}",
    **{name: (lambda _g, _e: None) for name in (
        "business", "business_name", "default_dsa_payor", "default_dsa_beneficiary", "funding_source", "end_advertiser",
        "funding_source_details", "media_agency", "partner", "business_city", "business_country_code", "line_numbers",
        "tax_id", "tax_status", "io_number", "failed_delivery_checks", "agency_client_declaration", "attribution_spec",
        "fb_entity", "has_migrated_permissions", "offsite_pixels_tos_accepted", "rf_spec", "tos_accepted", "user_role",
        "is_prepay_account", "is_notifications_enabled", "end_advertiser_name", "business_state", "business_street",
        "business_street2", "business_zip", "can_create_brand_lift_study", "extended_credit_invoice_group")},
}  # fmt: skip

READERS: Mapping[str, Mapping[str, Reader]] = {
    "account": ACCOUNT,
    "campaign": CAMPAIGN,
    "adset": ADSET,
    "ad": AD,
    "creative": CREATIVE,
}
DEFAULTS: Mapping[str, tuple[str, ...]] = {"account": ("id", "account_id")}
