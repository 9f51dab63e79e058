"""How entities read. `…_document` is what can be written (and is checked as a whole), `…_view` adds what cannot."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from stakazo_pipelines.sandbox.linkedin import money, serving, urns, words
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign, Creative

View = dict[str, Any]
_TARGET = {
    "WEBSITE_CONVERSION": "MAX_CONVERSION",
    "LEAD_GENERATION": "MAX_LEAD",
    "WEBSITE_VISIT": "MAX_CLICK",
    "BRAND_AWARENESS": "MAX_REACH",
    "VIDEO_VIEW": "MAX_VIDEO_VIEW",
}
# Kept as they were written; the world has no use for them.
GROUP_KEPT = ("budgetOptimization", "objectiveType", "totalBudget")
CAMPAIGN_KEPT = (
    "type", "format", "objectiveType", "costType", "optimizationTargetType", "totalBudget", "pacingStrategy",
    "creativeSelection", "locale", "offsiteDeliveryEnabled", "offsitePreferences", "audienceExpansionEnabled",
    "associatedEntity", "politicalIntent", "connectedTelevisionOnly", "optimizationPreference", "storyDeliveryEnabled",
)  # fmt: skip


def millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def projected(view: View, fields: list[str] | None) -> View:
    """Only the fields asked for; unknown ones are simply not there."""
    return view if fields is None else {name: view[name] for name in fields if name in view}


def account_view(directory: Directory, account: Account) -> View:
    stamp = {"actor": "urn:li:unknown:0", "time": millis(account.created_at)}
    return {
        "id": int(account.id),
        "name": account.name,
        "type": "BUSINESS",
        "status": account.status,
        "currency": account.currency,
        "reference": urns.organization(account),
        "servingStatuses": serving.account_serving(account),
        "test": False,
        "notifiedOnCampaignOptimization": True,
        "notifiedOnCreativeApproval": True,
        "notifiedOnCreativeRejection": True,
        "notifiedOnEndOfCampaign": True,
        "notifiedOnNewFeaturesEnabled": False,
        "changeAuditStamps": {"created": stamp, "lastModified": stamp},
        "version": {"versionTag": "1"},
        **directory.edits(account.id),
    }


def group_document(directory: Directory, group: Campaign) -> View:
    account = directory.kernel.world.accounts[group.account_id]
    document: View = {
        "account": urns.urn(urns.ACCOUNT, group.account_id),
        "name": group.name,
        "status": words.status(group),
        "runSchedule": _schedule(group),
        "dailyBudget": money.written(group.daily_budget, account),
        "totalBudget": money.written(group.lifetime_budget, account),
        "objectiveType": words.objective_from_world(group.objective),
        **{name: group.native[name] for name in GROUP_KEPT if name in group.native},
    }
    held = group.daily_budget is not None or group.lifetime_budget is not None
    if held and document.get("budgetOptimization") is None:
        document["budgetOptimization"] = {"budgetOptimizationStrategy": "DYNAMIC", "bidStrategy": "MAXIMUM_DELIVERY"}
    return _filled(document)


def group_view(directory: Directory, group: Campaign) -> View:
    return {
        "id": int(group.id),
        **group_document(directory, group),
        "servingStatuses": serving.group_serving(directory, group),
        "backfilled": False,
        "test": False,
        "allowedCampaignTypes": ["TEXT_AD", "SPONSORED_UPDATES", "SPONSORED_INMAILS", "DYNAMIC"],
        "changeAuditStamps": _stamps(group),
    }


def campaign_document(directory: Directory, campaign: AdGroup) -> View:
    account = directory.kernel.world.accounts[campaign.account_id]
    native, group = campaign.native, directory.group_of(campaign)
    objective = native.get("objectiveType") or words.objective_from_world(group.objective)
    document: View = {
        "account": urns.urn(urns.ACCOUNT, campaign.account_id),
        "campaignGroup": urns.urn(urns.GROUP, campaign.campaign_id),
        "name": campaign.name,
        "status": words.status(campaign),
        "type": "SPONSORED_UPDATES",
        "format": "STANDARD_UPDATE",
        "objectiveType": objective,
        "costType": "CPM",
        "optimizationTargetType": _TARGET.get(objective, "MAX_IMPRESSION"),
        "dailyBudget": money.written(campaign.daily_budget, account),
        "totalBudget": money.written(campaign.lifetime_budget, account),
        "unitCost": money.written(campaign.bid_amount or 0, account),
        "runSchedule": _schedule(campaign),
        "creativeSelection": "OPTIMIZED",
        "locale": {"country": "US", "language": "en"},
        "offsiteDeliveryEnabled": False,
        "audienceExpansionEnabled": False,
        "associatedEntity": urns.organization(account),
        "politicalIntent": "NOT_DECLARED",
        "connectedTelevisionOnly": False,
        "targetingCriteria": targeting(campaign),
        **{name: native[name] for name in CAMPAIGN_KEPT if name in native},
    }
    return _filled(document)


def campaign_view(directory: Directory, campaign: AdGroup) -> View:
    return {
        "id": int(campaign.id),
        **campaign_document(directory, campaign),
        "servingStatuses": serving.campaign_serving(directory, campaign),
        "test": False,
        "changeAuditStamps": _stamps(campaign),
        "version": {"versionTag": "1"},
    }


def creative_document(directory: Directory, creative: Ad) -> View:
    post = directory.kernel.world.creatives[creative.creative_id]
    content = post.native.get("inlineContent") or {"reference": urns.post(post)}
    document = {
        "campaign": urns.urn(urns.CAMPAIGN, creative.ad_group_id),
        "content": content,
        "intendedStatus": words.status(creative),
        "name": creative.name or None,
        "leadgenCallToAction": creative.native.get("leadgenCallToAction"),
    }
    return _filled(document)


def creative_view(directory: Directory, creative: Ad) -> View:
    reasons = serving.hold_reasons(directory, creative)
    return {
        "id": urns.urn(urns.CREATIVE, creative.id),
        "account": urns.urn(urns.ACCOUNT, creative.account_id),
        **creative_document(directory, creative),
        "isServing": not reasons,
        "servingHoldReasons": reasons,
        "review": serving.review(directory, creative),
        "createdAt": millis(creative.created_at),
        "createdBy": urns.MEMBER,
        "lastModifiedAt": millis(creative.updated_at),
        "lastModifiedBy": urns.MEMBER,
        "isTest": False,
    }


def post_view(directory: Directory, post: Creative) -> View:
    """A post as it was written, or what a bootstrapped creative looks like as one."""
    account = directory.kernel.world.accounts[post.account_id]
    written = post.native.get("post")
    if written is None:
        kind = "video" if post.kind == "video" else "image"
        asset = f"urn:li:{kind}:{post.video_id if post.kind == 'video' else post.image_hash}"
        written = {
            "author": urns.organization(account),
            "commentary": post.body,
            "visibility": "PUBLIC",
            "distribution": {"feedDistribution": "NONE", "targetEntities": [], "thirdPartyDistributionChannels": []},
            "content": {"media": {"id": asset, "title": post.title}},
            "contentLandingPage": post.link_url,
            "contentCallToActionLabel": post.call_to_action,
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
            "adContext": {"dscAdAccount": urns.urn(urns.ACCOUNT, account.id), "dscName": post.name},
        }
    context = written.get("adContext")
    shown = {"dscAdType": "VIDEO" if post.kind == "video" else "STANDARD", "isDsc": True, "dscStatus": "ACTIVE"}
    return {
        "id": urns.post(post),
        **written,
        **({"adContext": {**shown, **context}} if context else {}),
        "createdAt": millis(post.created_at),
        "publishedAt": millis(post.created_at),
        "lastModifiedAt": millis(post.updated_at),
    }


VIEWS: Mapping[str, Callable[[Directory, Any], View]] = {
    "adCampaignGroups": group_view,
    "adCampaigns": campaign_view,
    "creatives": creative_view,
}


def targeting(campaign: AdGroup) -> dict[str, Any]:
    """What was written; for a bootstrapped campaign its countries and the English interface."""
    if "include" in campaign.targeting:
        return campaign.targeting
    countries = campaign.targeting.get("geo_locations", {}).get("countries", ["US"])
    places = {"urn:li:adTargetingFacet:locations": [words.geo(country) for country in countries]}
    locales = {"urn:li:adTargetingFacet:interfaceLocales": ["urn:li:locale:en_US"]}
    return {"include": {"and": [{"or": places}, {"or": locales}]}}


def _schedule(entity: Campaign | AdGroup) -> dict[str, int]:
    schedule = {"start": millis(entity.start_time or entity.created_at)}
    if entity.end_time is not None:
        schedule["end"] = millis(entity.end_time)
    return schedule


def _stamps(entity: Campaign | AdGroup) -> dict[str, Any]:
    return {
        "created": {"actor": urns.MEMBER, "time": millis(entity.created_at)},
        "lastModified": {"actor": urns.MEMBER, "time": millis(entity.updated_at)},
    }


def _filled(document: View) -> View:
    return {name: value for name, value in document.items() if value is not None}
