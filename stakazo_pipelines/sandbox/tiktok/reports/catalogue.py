"""The metrics of integrated reports: measures of the world, ratios of them, attributes of entities."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Whole numbers, by the world's measure. Playing begins with the view that the world counts.
COUNTS: Mapping[str, str] = {
    "impressions": "impressions",
    "gross_impressions": "impressions",
    "clicks": "clicks",
    "reach": "reach",
    "conversion": "purchases",
    "real_time_conversion": "purchases",
    "skan_conversion": "none",
    "vta_conversion": "purchases_1d_view",
    "cta_conversion": "purchases_7d_click",
    "complete_payment": "purchases",
    "vta_complete_payment": "purchases_1d_view",
    "cta_complete_payment": "purchases_7d_click",
    "total_landing_page_view": "landing_page_views",
    "total_pageview": "landing_page_views",
    "page_content_view_events": "landing_page_views",
    "web_event_add_to_cart": "add_to_cart",
    "video_play_actions": "video_views",
    "video_watched_2s": "video_views",
    "video_watched_6s": "thruplays",
    "engaged_view": "thruplays",
    "engaged_view_15s": "thruplays",
    "video_views_p25": "played_25",
    "video_views_p50": "played_50",
    "video_views_p75": "played_75",
    "video_views_p100": "thruplays",
    "engagements": "post_engagement",
    "result": "result",
    "real_time_result": "result",
}
MONEY: Mapping[str, str] = {
    "spend": "spend",
    "billed_cost": "spend",
    "cash_spend": "spend",
    "voucher_spend": "none",
    "total_complete_payment_rate": "purchase_value",  # the name misleads: it is the value of all purchases
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """`scale` x numerator / denominator, two measures; 100 for percent. `money` where the result is an amount."""

    over: str
    under: str
    scale: float = 1.0
    money: bool = False


def _cost(measure: str) -> Ratio:
    return Ratio("spend", measure, money=True)


def _percent(measure: str, of: str) -> Ratio:
    return Ratio(measure, of, 100.0)


RATIOS: Mapping[str, Ratio] = {
    "cpc": _cost("clicks"),
    "cpm": Ratio("spend", "impressions", 1000.0, money=True),
    "ctr": _percent("clicks", "impressions"),
    "cost_per_1000_reached": Ratio("spend", "reach", 1000.0, money=True),
    "frequency": Ratio("impressions", "reach"),
    "cost_per_conversion": _cost("purchases"),
    "conversion_rate": _percent("purchases", "impressions"),
    "conversion_rate_v2": _percent("purchases", "clicks"),
    "real_time_cost_per_conversion": _cost("purchases"),
    "real_time_conversion_rate": _percent("purchases", "impressions"),
    "real_time_conversion_rate_v2": _percent("purchases", "clicks"),
    "cost_per_result": _cost("result"),
    "result_rate": _percent("result", "impressions"),
    "real_time_cost_per_result": _cost("result"),
    "real_time_result_rate": _percent("result", "impressions"),
    "cost_per_vta_conversion": _cost("purchases_1d_view"),
    "cost_per_cta_conversion": _cost("purchases_7d_click"),
    "cost_per_complete_payment": _cost("purchases"),
    "complete_payment_rate": _percent("purchases", "clicks"),
    "value_per_complete_payment": Ratio("purchase_value", "purchases", money=True),
    "complete_payment_roas": Ratio("purchase_value", "spend"),
    "cost_per_landing_page_view": _cost("landing_page_views"),
    "landing_page_view_rate": _percent("landing_page_views", "clicks"),
    "cost_per_pageview": _cost("landing_page_views"),
    "cost_per_web_event_add_to_cart": _cost("add_to_cart"),
    "web_event_add_to_cart_rate": _percent("add_to_cart", "clicks"),
    "engagement_rate": _percent("post_engagement", "impressions"),
}
# Events and reactions that never happen in this world, and what is told of each.
_ABSENT = (
    *("likes", "comments", "shares", "follows", "profile_visits", "clicks_on_music_disc", "purchase", "registration"),
    *("app_install", "initiate_checkout", "add_billing", "on_web_order", "on_web_subscribe", "user_registration"),
    *("form", "button_click", "online_consult", "page_event_search", "download_start", "custom_page_events"),
    *("on_web_add_to_wishlist", "app_event_add_to_cart", "checkout", "view_content", "subscribe", "start_trial"),
    *("sales_lead", "onsite_shopping", "active_pay", "next_day_open", "launch_app", "engaged_view_through_conversions"),
    *("engaged_view_through_complete_payment", "live_views", "interactive_add_on_impressions", "unique_purchase"),
    *("ix_page_view_count", "ix_button_click_count"),
)
_TOLD = re.compile(
    r"^(real_time_|vta_|cta_|skan_|cost_per_|cost_per_total_|value_per_|value_per_total_|total_|total_active_)*"
    rf"({'|'.join(_ABSENT)})(_rate|_value|_roas|_rate_v2|_cost)*$"
)
_ODD = frozenset({"average_video_play", "average_video_play_per_user", "total_active_pay_roas"})
# Attributes that stand in a report as metrics; "-" where they do not apply.
ATTRIBUTES = frozenset(
    (
        *("campaign_name", "campaign_id", "adgroup_name", "adgroup_id", "ad_name", "ad_id", "ad_text", "currency"),
        *("timezone", "advertiser_id", "advertiser_name", "budget", "campaign_budget", "objective_type", "bid"),
        *("bid_strategy", "billing_event", "promotion_type", "placement_type", "smart_target", "call_to_action"),
        *("image_mode", "is_smart_creative", "tt_app_id", "tt_app_name", "mobile_app_id", "split_test", "opt_status"),
        *("campaign_automation_type", "campaign_dedicate_type", "dpa_target_audience_type", "app_promotion_type"),
        *("rf_campaign_type", "operation_status", "country_code", "aeo_type", "ad_profile_image", "ad_url"),
        *("secondary_goal_result", "cost_per_secondary_goal_result", "secondary_goal_result_rate"),
    )
)


def known(metric: str) -> bool:
    """Whether there is such a metric."""
    return metric in COUNTS or metric in MONEY or metric in RATIOS or metric in ATTRIBUTES or absent(metric)


def absent(metric: str) -> bool:
    """A metric of something that never happens here: always zero."""
    return metric in _ODD or _TOLD.match(metric) is not None


def measures(metric: str) -> tuple[str, ...]:
    """The world's measures that a metric is made of."""
    if metric in RATIOS:
        return RATIOS[metric].over, RATIOS[metric].under
    return (COUNTS.get(metric) or MONEY.get(metric) or "none",)
