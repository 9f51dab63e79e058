"""The vocabulary of insights: fields, breakdowns and their legal combinations, attribution windows."""

from stakazo_pipelines.sandbox.meta.errors import GraphError

LEVELS = ("account", "campaign", "adset", "ad")
HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"

ID_FIELDS = {
    "account_id": "account",
    "account_name": "account",
    "account_currency": "account",
    "campaign_id": "campaign",
    "campaign_name": "campaign",
    "objective": "campaign",
    "buying_type": "campaign",
    "adset_id": "adset",
    "adset_name": "adset",
    "optimization_goal": "adset",
    "attribution_setting": "adset",
    "ad_id": "ad",
    "ad_name": "ad",
    "created_time": "ad",
    "updated_time": "ad",
}
METRIC_FIELDS = frozenset(
    [
        "impressions",
        "reach",
        "frequency",
        "clicks",
        "spend",
        "cpc",
        "cpm",
        "cpp",
        "ctr",
        "inline_link_clicks",
        "inline_link_click_ctr",
        "cost_per_inline_link_click",
        "inline_post_engagement",
        "actions",
        "action_values",
        "cost_per_action_type",
        "purchase_roas",
        "website_purchase_roas",
        "outbound_clicks",
        "outbound_clicks_ctr",
        "cost_per_outbound_click",
        "video_play_actions",
        "video_thruplay_watched_actions",
        "cost_per_thruplay",
        "date_start",
        "date_stop",
    ]
)
SIMULATED_BREAKDOWNS = frozenset({"age", "gender", "country", "publisher_platform", HOURLY})
# The world does not know these: a single segment "unknown" stands for the whole, as Meta answers what it cannot place.
UNKNOWN_BREAKDOWNS = frozenset(
    {"region", "comscore_market", "platform_position", "impression_device", "device_platform", "product_id"}
    | {"frequency_value", "user_segment_key", "media_type", "place_page_id"}
)
UNKNOWN = "unknown"
_LEGAL = [
    {"age"},
    {"gender"},
    {"age", "gender"},
    {"country"},
    {"region"},
    {"publisher_platform"},
    {"publisher_platform", "impression_device"},
    {"publisher_platform", "platform_position"},
    {"publisher_platform", "platform_position", "impression_device"},
    {"publisher_platform", "device_platform"},
    {"device_platform"},
    {"product_id"},
    {"comscore_market"},
    {"frequency_value"},
    {"user_segment_key"},
    {HOURLY},
    {"hourly_stats_aggregated_by_audience_time_zone"},
    *({f"{asset}_asset"} for asset in ("body", "title", "description", "image", "video", "link_url", "ad_format")),
    {"call_to_action_asset"},
    {"media_type"},
    {"place_page_id"},
]
KNOWN_BREAKDOWNS = frozenset().union(*_LEGAL) | {"dma"}

# Asked-for windows by key; those the world does not know are accepted and give no key, as 7d_view does since 2026.
SIMULATED_WINDOWS = ("1d_click", "7d_click", "28d_click", "1d_view")
KNOWN_WINDOWS = frozenset(
    {*SIMULATED_WINDOWS, "7d_view", "28d_view", "1d_ev", "dda", "default", "skan_view", "skan_click", "incrementality"}
)


def check_breakdowns(breakdowns: tuple[str, ...], fields: tuple[str, ...]) -> None:
    """Raises code 100 for unknown breakdowns and combinations the API does not allow."""
    unknown = [name for name in breakdowns if name not in KNOWN_BREAKDOWNS]
    if unknown:
        raise GraphError(
            f"(#100) breakdowns[0] must be one of the following values: {', '.join(sorted(KNOWN_BREAKDOWNS))}", 100
        )
    columns = ", ".join(["action_type", *breakdowns])
    if set(breakdowns) not in [set(), *_LEGAL]:
        raise GraphError(f"(#100) Current combination of data breakdown columns ({columns}) is invalid", 100)
    if repeated := [name for name in breakdowns if name in fields]:
        raise GraphError(f"(#100) {', '.join(repeated)} is not valid for fields param", 100)
    if missing := set(breakdowns) - SIMULATED_BREAKDOWNS - UNKNOWN_BREAKDOWNS:
        raise GraphError(f"(#100) the sandbox does not simulate the breakdown {', '.join(sorted(missing))}", 100)
