"""How advertisers, campaigns, ad groups and ads read. What the world does not know is kept as written in `native`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stakazo_pipelines.sandbox.tiktok import vocabulary as words
from stakazo_pipelines.sandbox.tiktok.directory import Directory, ListLevel
from stakazo_pipelines.sandbox.tiktok.money import to_wire
from stakazo_pipelines.sandbox.tiktok.statuses import secondary_status
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign

_OPEN_YEARS = timedelta(days=3652)  # SCHEDULE_FROM_NOW gets an end ten years off
_COUNTRY_OF = {"USD": "US", "EUR": "DE", "JPY": "JP", "GBP": "GB"}
CAMPAIGN_EXTRAS = (
    *("campaign_type", "app_promotion_type", "app_id", "virtual_objective_type", "sales_destination"),
    *("campaign_product_source", "catalog_enabled", "special_industries", "bid_type", "deep_bid_type", "roas_bid"),
    *("optimization_goal", "is_search_campaign", "postback_window_mode", "rta_id", "po_number", "rf_campaign_type"),
)
TARGETING = (
    *("location_ids", "zipcode_ids", "languages", "gender", "age_groups", "audience_ids", "excluded_audience_ids"),
    *("interest_category_ids", "interest_keyword_ids", "actions", "operating_systems", "min_ios_version"),
    *("min_android_version", "network_types", "device_model_ids", "device_price_ranges", "carrier_ids", "isp_ids"),
    *("spending_power", "household_income", "saved_audience_id", "auto_targeting_enabled", "contextual_tag_ids"),
    *("purchase_intention_keyword_ids", "smart_audience_enabled", "smart_interest_behavior_enabled"),
)
FIXED = (  # of an ad group, once made
    *("promotion_type", "promotion_target_type", "placement_type", "placements", "optimization_event", "pixel_id"),
    *("app_id", "catalog_id", "store_id", "identity_id", "identity_type", "click_attribution_window"),
    *("view_attribution_window", "engaged_view_attribution_window", "attribution_event_count", "billing_event"),
    *("creative_material_mode", "optimization_goal", "schedule_start_time", "budget_mode"),
)
CHANGEABLE = (  # beside targeting, budget, bid and schedule
    *("dayparting", "deep_bid_type", "roas_bid", "deep_cpa_bid", "secondary_optimization_event", "pacing"),
    *("frequency", "frequency_schedule", "comment_disabled", "share_disabled", "video_download_disabled"),
    *("search_result_enabled", "brand_safety_type", "is_hfss", "is_lhf_compliance", "skip_learning_phase"),
)
AD_CONTENT = (
    *("identity_type", "identity_id", "identity_authorized_bc_id", "ad_format", "creative_type", "video_id"),
    *("image_ids", "music_id", "tiktok_item_id", "ad_text", "ad_texts", "call_to_action", "call_to_action_id"),
    *("landing_page_url", "page_id", "deeplink", "deeplink_type", "utm_params", "tracking_pixel_id"),
    *("impression_tracking_url", "click_tracking_url", "aigc_disclosure_type", "display_name", "app_name"),
    *("avatar_icon_web_url", "card_id", "catalog_id", "product_set_id", "playable_url", "dark_post_status"),
)
UNCHANGED = {  # what changeable fields are when nothing is said of them
    **dict.fromkeys(CHANGEABLE),
    **dict.fromkeys(("comment_disabled", "share_disabled", "video_download_disabled", "is_hfss"), False),
    "skip_learning_phase": False,
    "pacing": "PACING_MODE_SMOOTH",
}


def stamp(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def read(directory: Directory, level: ListLevel, entity: Any) -> dict[str, Any]:
    """All fields of one entity, the unset ones as None."""
    readers: dict[ListLevel, Callable[[Directory, Any], dict[str, Any]]] = {
        "campaign": campaign_row,
        "ad_group": ad_group_row,
        "ad": ad_row,
    }
    return readers[level](directory, entity)


def advertiser_row(directory: Directory, account: Account) -> dict[str, Any]:
    offset = directory.now.astimezone(ZoneInfo(account.timezone)).utcoffset() or timedelta(0)
    hours = int(offset / timedelta(hours=1))
    return {
        "advertiser_id": account.id,
        "name": account.name,
        "status": "STATUS_ENABLE" if account.status == "ACTIVE" else "STATUS_LIMIT",
        "currency": account.currency,
        "timezone": f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT",  # POSIX turns the sign around
        "display_timezone": account.timezone,
        "balance": 0.0,
        "country": _COUNTRY_OF.get(account.currency, "US"),
        "language": "en",
        "industry": "291200",
        "company": account.name,
        "role": "ROLE_ADVERTISER",
        "description": "",
        "rejection_reason": "",
        "owner_bc_id": None,
        "create_time": int(account.created_at.timestamp()),
    }


def campaign_row(directory: Directory, campaign: Campaign) -> dict[str, Any]:
    account = directory.kernel.world.accounts[campaign.account_id]
    native, optimised = campaign.native, directory.holds_budget(campaign)
    held = campaign.daily_budget if campaign.daily_budget is not None else campaign.lifetime_budget
    objective = native.get("objective_type") or words.OBJECTIVE_OF.get(campaign.objective, "WEB_CONVERSIONS")
    return {
        **dict.fromkeys(CAMPAIGN_EXTRAS),
        "campaign_type": "REGULAR_CAMPAIGN",
        "is_search_campaign": False,
        **{name: native.get(name) for name in CAMPAIGN_EXTRAS if native.get(name) is not None},
        "advertiser_id": account.id,
        "campaign_id": campaign.id,
        "campaign_name": campaign.name,
        "campaign_system_origin": "TT_ADS_PLATFORM",
        "objective": "LANDING_PAGE",
        "objective_type": objective,
        "budget": to_wire(held if optimised else native.get("cap"), account),
        "budget_mode": campaign_budget_mode(campaign),
        "budget_optimize_on": optimised,
        "is_smart_performance_campaign": False,
        "is_new_structure": True,
        "is_advanced_dedicated_campaign": False,
        "operation_status": words.OPERATION_OF[campaign.status],
        "secondary_status": secondary_status(directory, campaign),
        "create_time": stamp(campaign.created_at),
        "modify_time": stamp(campaign.updated_at),
    }


def campaign_budget_mode(campaign: Campaign) -> str:
    """As created; a campaign of the world's own history has a daily budget or none."""
    if campaign.native.get("budget_mode"):
        return str(campaign.native["budget_mode"])
    if campaign.lifetime_budget is not None:
        return "BUDGET_MODE_TOTAL"
    return "BUDGET_MODE_INFINITE" if campaign.daily_budget is None else "BUDGET_MODE_DAY"


def ad_group_row(directory: Directory, group: AdGroup) -> dict[str, Any]:
    account, campaign = directory.kernel.world.accounts[group.account_id], directory.campaign(group)
    native, optimised = group.native, directory.holds_budget(campaign)
    budget = group.daily_budget if group.daily_budget is not None else group.lifetime_budget
    goal = native.get("optimization_goal") or words.GOAL_OF.get(group.optimization_goal, "CONVERT")
    billing = native.get("billing_event") or words.billing_of(goal)
    bid = None if group.bid_amount is None else to_wire(group.bid_amount, account)
    start = group.start_time or group.created_at
    return {
        **dict.fromkeys(FIXED),
        **UNCHANGED,
        "promotion_type": "WEBSITE",
        "placement_type": "PLACEMENT_TYPE_AUTOMATIC",
        "placements": ["PLACEMENT_TIKTOK"],
        "creative_material_mode": "CUSTOM",
        "click_attribution_window": "SEVEN_DAYS",
        "view_attribution_window": "ONE_DAY",
        "attribution_event_count": "EVERY",
        **{name: native.get(name) for name in (*FIXED, *CHANGEABLE) if native.get(name) is not None},
        **targeting_row(group),
        "advertiser_id": account.id,
        "campaign_id": campaign.id,
        "campaign_name": campaign.name,
        "campaign_system_origin": "TT_ADS_PLATFORM",
        "adgroup_id": group.id,
        "adgroup_name": group.name,
        "optimization_goal": goal,
        "billing_event": billing,
        "budget": 0.0 if optimised else to_wire(budget, account),
        "budget_mode": "BUDGET_MODE_INFINITE" if optimised else ad_group_budget_mode(group),
        "scheduled_budget": to_wire(native.get("scheduled_budget"), account),
        "bid_type": "BID_TYPE_NO_BID" if bid is None else "BID_TYPE_CUSTOM",
        "bid_price": None if billing == "OCPM" else bid,
        "conversion_bid_price": bid if billing == "OCPM" else None,
        "schedule_type": "SCHEDULE_FROM_NOW" if group.end_time is None else "SCHEDULE_START_END",
        "schedule_start_time": stamp(start),
        "schedule_end_time": stamp(group.end_time or start + _OPEN_YEARS),
        "split_test_group_id": None,
        "split_test_status": None,
        "is_new_structure": True,
        "is_smart_performance_campaign": False,
        "operation_status": words.OPERATION_OF[group.status],
        "secondary_status": secondary_status(directory, group),
        "create_time": stamp(group.created_at),
        "modify_time": stamp(group.updated_at),
    }


def ad_group_budget_mode(group: AdGroup) -> str:
    if group.lifetime_budget is not None:
        return "BUDGET_MODE_TOTAL"
    return str(group.native.get("budget_mode") or "BUDGET_MODE_DAY")


def targeting_row(group: AdGroup) -> dict[str, Any]:
    """Targeting in TikTok's words; what the world's history wrote is translated."""
    told: dict[str, Any] = {**dict.fromkeys(TARGETING), "gender": "GENDER_UNLIMITED", "auto_targeting_enabled": False}
    places = group.targeting.get("geo_locations")
    if places is not None:
        countries = places.get("countries", ())
        grown_up = list(words.AGES[1:])
        return told | {
            "location_ids": [words.LOCATIONS[code] for code in countries if code in words.LOCATIONS],
            "age_groups": grown_up,
        }
    return told | {name: value for name, value in group.targeting.items() if name in TARGETING}


def ad_row(directory: Directory, ad: Ad) -> dict[str, Any]:
    group, campaign = directory.ad_group(ad), directory.campaign(ad)
    return {
        **dict.fromkeys(AD_CONTENT),
        **content(directory, ad),
        "advertiser_id": ad.account_id,
        "campaign_id": campaign.id,
        "campaign_name": campaign.name,
        "campaign_system_origin": "TT_ADS_PLATFORM",
        "adgroup_id": group.id,
        "adgroup_name": group.name,
        "ad_id": ad.id,
        "ad_name": ad.name,
        "is_aco": False,
        "is_new_structure": True,
        "operation_status": words.OPERATION_OF[ad.status],
        "secondary_status": secondary_status(directory, ad),
        "create_time": stamp(ad.created_at),
        "modify_time": stamp(ad.updated_at),
    }


def content(directory: Directory, ad: Ad) -> dict[str, Any]:
    """What an ad shows: as written through the API, or drawn from the world's own creative."""
    creative = directory.creative(ad)
    if creative.native:
        return {name: creative.native[name] for name in AD_CONTENT if creative.native.get(name) is not None}
    video = creative.kind == "video"
    return {
        "identity_type": "CUSTOMIZED_USER",
        "identity_id": f"70{ad.account_id:0>17}",
        "ad_format": "SINGLE_VIDEO" if video else "SINGLE_IMAGE",
        "video_id": creative.video_id if video else None,
        "image_ids": [creative.image_hash],
        "ad_text": creative.body,
        "call_to_action": creative.call_to_action if creative.call_to_action in _CALLS else "LEARN_MORE",
        "landing_page_url": creative.link_url,
        "display_name": directory.kernel.world.accounts[ad.account_id].name,
    }


_CALLS = frozenset({"LEARN_MORE", "SHOP_NOW", "SIGN_UP", "DOWNLOAD_NOW", "SUBSCRIBE", "BOOK_NOW", "CONTACT_US"})
