"""Exports that are recognised by their header: Meta's insights API layout and the Ads Manager download."""

import re
from collections.abc import Sequence
from typing import Any

from stakazo_pipelines.importing.mapping import ColumnMapping

_AMOUNT_SPENT = re.compile(r"Amount spent \((?P<currency>[A-Z]{3})\)")

# For each of our names the columns that may hold it, the best first.
_API: dict[str, tuple[str, ...]] = {
    "date": ("date_start",),
    "date_end": ("date_stop",),
    "account": ("account_id",),
    "campaign": ("campaign_name", "campaign_id"),
    "campaign_id": ("campaign_id",),
    "ad_group": ("adset_name", "adset_id"),
    "ad_group_id": ("adset_id",),
    "ad": ("ad_name", "ad_id"),
    "ad_id": ("ad_id",),
    "currency": ("account_currency",),
    "attribution_window": ("attribution_setting",),
    "spend": ("spend",),
    "impressions": ("impressions",),
    "reach": ("reach",),
    "clicks": ("clicks",),
    "link_clicks": ("inline_link_clicks", "actions:link_click"),
    "video_plays": ("actions:video_view",),
    "engagements": ("actions:post_engagement",),
    "conversions": (
        "actions:offsite_conversion.fb_pixel_purchase",
        "actions:omni_purchase",
        "actions:purchase",
    ),
    "value": (
        "action_values:offsite_conversion.fb_pixel_purchase",
        "action_values:omni_purchase",
        "action_values:purchase",
    ),
}
_DOWNLOAD: dict[str, tuple[str, ...]] = {
    "date": ("Day", "Reporting starts"),
    "date_end": ("Reporting ends",),
    "account": ("Account ID", "Account name"),
    "campaign": ("Campaign name", "Campaign ID"),
    "campaign_id": ("Campaign ID",),
    "ad_group": ("Ad set name", "Ad Set Name", "Ad set ID"),
    "ad_group_id": ("Ad set ID", "Ad Set ID"),
    "ad": ("Ad name", "Ad ID"),
    "ad_id": ("Ad ID",),
    "currency": ("Currency",),
    "timezone": ("Time zone",),
    "attribution_window": ("Attribution setting",),
    "impressions": ("Impressions",),
    "reach": ("Reach",),
    "clicks": ("Clicks (all)", "Clicks"),
    "link_clicks": ("Link clicks",),
    "video_plays": ("3-second video plays", "Video plays"),
    "engagements": ("Post engagement", "Post engagements"),
    "conversions": ("Purchases", "Website purchases"),
    "value": ("Purchases conversion value", "Website purchases conversion value"),
}


def recognise(header: Sequence[str]) -> tuple[str, ColumnMapping] | None:
    """The layout's name and mapping, or None when the header is of neither."""
    names = {name: name for name in header}
    if {"date_start", "spend"} <= names.keys() and _first(_API["ad_group"], names):
        return "Meta insights", _mapping(_API, names, {})
    spent = next((match for name in header if (match := _AMOUNT_SPENT.fullmatch(name))), None)
    if spent and _first(_DOWNLOAD["date"], names) and _first(_DOWNLOAD["ad_group"], names):
        known: dict[str, Any] = {"spend": spent.string}
        if "Currency" not in names:
            known["constants"] = {"currency": spent["currency"]}
        layout = dict(_DOWNLOAD)
        if "Day" in names:
            layout.pop("date_end")  # with a daily breakdown these span the whole export
        return "Ads Manager", _mapping(layout, names, known)
    return None


def _mapping(layout: dict[str, tuple[str, ...]], names: dict[str, str], known: dict[str, Any]) -> ColumnMapping:
    found = {ours: column for ours, columns in layout.items() if (column := _first(columns, names))}
    return ColumnMapping.model_validate({**found, **known})


def _first(columns: tuple[str, ...], names: dict[str, str]) -> str | None:
    return next((column for column in columns if column in names), None)
