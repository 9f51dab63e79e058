"""Which fields an update may carry, by level: the request bodies of TikTok's own client (SDK 1.1.3).

An ad group's update replaces it, so these are also the fields to be sent again for nothing to be lost. What is missing
here (placement, attribution windows, goal, billing, budget mode, …) never changes after creation.
"""

from collections.abc import Mapping

from stakazo_pipelines.vocabulary import Level

_CAMPAIGN = "campaign_name budget special_industries po_number"
_AD_GROUP = """
    actions adgroup_name age_groups audience_ids audience_rule audience_type auto_targeting_enabled
    automated_keywords_enabled bid_price bid_type blocked_pangle_app_ids brand_safety_type budget carrier_ids
    catalog_authorized_bc_id category_exclusion_ids comment_disabled contextual_tag_ids conversion_bid_price dayparting
    deep_bid_type deep_cpa_bid deep_funnel_event_source deep_funnel_event_source_id deep_funnel_optimization_event
    deep_funnel_optimization_status device_model_ids device_price_ranges exclude_age_under_eighteen
    excluded_audience_ids excluded_custom_actions excluded_pangle_audience_package_ids frequency frequency_schedule
    gender household_income included_custom_actions included_pangle_audience_package_ids interest_category_ids
    interest_keyword_ids ios14_targeting is_hfss is_lhf_compliance isp_ids languages location_ids min_android_version
    min_ios_version network_types next_day_retention operating_systems pacing purchase_intention_keyword_ids roas_bid
    saved_audience_id schedule_end_time schedule_start_time schedule_type search_keywords search_result_enabled
    secondary_optimization_event share_disabled shopping_ads_retargeting_actions_days
    shopping_ads_retargeting_custom_audience_relation shopping_ads_retargeting_type smart_audience_enabled
    smart_interest_behavior_enabled spending_power targeting_expansion vertical_sensitivity_id zipcode_ids
"""
_PATCHABLE = """
    ad_name identity_type identity_id identity_authorized_bc_id video_id image_ids music_id tiktok_item_id ad_text
"""
_AD = """
    ad_format ad_texts aigc_disclosure_type app_name avatar_icon_web_uri brand_safety_postbid_partner
    brand_safety_vast_url call_to_action call_to_action_id card_id carousel_image_index click_tracking_url cpp_url
    creative_authorized creative_type dark_post_status deeplink deeplink_type deeplink_utm_params
    disclaimer_clickable_texts disclaimer_text disclaimer_type display_name dynamic_destination dynamic_format
    end_card_cta fallback_type impression_tracking_url instant_product_page_used item_duet_status item_group_ids
    item_stitch_status landing_page_url page_id page_image_index playable_url product_set_id product_specific_type
    promotional_music_disabled shopping_ads_deeplink_type shopping_ads_fallback_type shopping_ads_video_package_id
    sku_ids tracking_app_id tracking_offline_event_set_ids tracking_pixel_id utm_params vast_moat_enabled
    vertical_video_strategy video_view_tracking_url
"""
PATCHABLE_AD = frozenset(_PATCHABLE.split())  # an ad's other fields only by replacing it
UPDATABLE: Mapping[Level, frozenset[str]] = {
    Level.CAMPAIGN: frozenset(_CAMPAIGN.split()),
    Level.AD_GROUP: frozenset(_AD_GROUP.split()),
    Level.AD: PATCHABLE_AD | frozenset(_AD.split()),
}
