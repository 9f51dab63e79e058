"""Secondary statuses: what TikTok says of delivery, from an entity's switch, those above, review and budget."""

from datetime import datetime

from stakazo_pipelines.sandbox.tiktok.directory import Directory, Listed
from stakazo_pipelines.sandbox.tiktok.vocabulary import GONE
from stakazo_pipelines.sandbox.world import Ad, AdGroup, Campaign

_REVIEW = {"PENDING_REVIEW": "AUDIT", "DISAPPROVED": "AUDIT_DENY"}
# primary_status filter -> the endings of secondary statuses that it lets through.
_PRIMARY = {
    "STATUS_DELIVERY_OK": ("_STATUS_ENABLE", "DELIVERY_OK"),
    "STATUS_DISABLE": ("_DISABLE",),
    "STATUS_TIME_DONE": ("_TIME_DONE", "_STATUS_DONE"),
    "STATUS_FROZEN": ("_FROZEN",),
    "STATUS_RF_CLOSED": ("_RF_CLOSED",),
    "STATUS_DELIVERY_PARTIAL": ("_PARTIAL_AUDIT_DELIVERY_OK",),
}
PRIMARY = ("STATUS_ALL", "STATUS_NOT_DELETE", "STATUS_DELETE", "STATUS_NOT_DELIVERY", *_PRIMARY)


def secondary_status(directory: Directory, entity: Listed) -> str:
    """The one word that explains delivery: deletion before switches, switches before review, budget last."""
    if isinstance(entity, Campaign):
        return f"CAMPAIGN_STATUS_{_campaign(directory, entity)}"
    if isinstance(entity, AdGroup):
        return f"ADGROUP_STATUS_{_ad_group(directory, entity)}"
    return f"AD_STATUS_{_ad(directory, entity)}"


def passes(primary: str, secondary: str, wanted: str | None, *, gone: bool) -> bool:
    """Whether an entity passes the two status filters; `wanted` is the secondary one, by itself it decides."""
    if wanted:
        if wanted.endswith("_STATUS_ALL"):
            return True
        return not gone if wanted.endswith("_STATUS_NOT_DELETE") else wanted == secondary
    if primary in ("STATUS_ALL", "STATUS_NOT_DELETE", "STATUS_DELETE"):
        return primary == "STATUS_ALL" or gone == (primary == "STATUS_DELETE")
    if primary == "STATUS_NOT_DELIVERY":
        return not gone and not secondary.endswith(_PRIMARY["STATUS_DELIVERY_OK"])
    return not gone and secondary.endswith(_PRIMARY[primary])


def _campaign(directory: Directory, campaign: Campaign) -> str:
    if campaign.status in GONE:
        return "DELETE"
    if campaign.status == "PAUSED":
        return "DISABLE"
    return "BUDGET_EXCEED" if _exhausted(directory, campaign) else "ENABLE"


def _ad_group(directory: Directory, group: AdGroup) -> str:
    campaign = directory.campaign(group)
    if group.status in GONE or campaign.status in GONE:
        return "DELETE" if group.status in GONE else "CAMPAIGN_DELETE"
    if group.status == "PAUSED" or campaign.status == "PAUSED":
        return "DISABLE" if group.status == "PAUSED" else "CAMPAIGN_DISABLE"
    ads = directory.ads_of(group)
    if not ads:
        return "CREATE"
    reviews = {_reviewed(directory, ad) for ad in ads}
    if "" not in reviews:
        return reviews.pop() if len(reviews) == 1 else "PARTIAL_AUDIT_NO_DELIVERY"
    blocked = _schedule(directory.now, group.start_time, group.end_time, "TIME_DONE") or _budget(directory, group)
    return blocked or ("DELIVERY_OK" if reviews == {""} else "PARTIAL_AUDIT_DELIVERY_OK")


def _ad(directory: Directory, ad: Ad) -> str:
    group, campaign = directory.ad_group(ad), directory.campaign(ad)
    chain = (("", ad), ("ADGROUP_", group), ("CAMPAIGN_", campaign))
    for word, statuses in (("DELETE", GONE), ("DISABLE", ("PAUSED",))):
        for level, link in chain:
            if link.status in statuses:
                return level + word
    review = _reviewed(directory, ad)
    if review:
        return review
    edited = ad.native.get("reaudit_until")
    if edited and directory.now < datetime.fromisoformat(edited):
        return "REAUDIT"
    blocked = _schedule(directory.now, group.start_time, group.end_time, "DONE") or _budget(directory, group)
    return blocked or "DELIVERY_OK"


def _reviewed(directory: Directory, ad: Ad) -> str:
    """AUDIT or AUDIT_DENY while review holds an ad back, else empty."""
    return _REVIEW.get(directory.delivery_status("ad", ad), "")


def _schedule(now: datetime, start: datetime | None, end: datetime | None, done: str) -> str:
    if start is not None and now < start:
        return "NOT_START"
    return done if end is not None and now >= end else ""


def _budget(directory: Directory, group: AdGroup) -> str:
    if _exhausted(directory, directory.campaign(group)):
        return "CAMPAIGN_EXCEED"
    return "BUDGET_EXCEED" if _exhausted(directory, group) else ""


def _exhausted(directory: Directory, entity: Campaign | AdGroup) -> bool:
    account = directory.kernel.world.accounts[entity.account_id]
    if entity.daily_budget is not None:
        return directory.spent(account, entity, lifetime=False) >= entity.daily_budget
    if entity.lifetime_budget is not None:
        return directory.spent(account, entity, lifetime=True) >= entity.lifetime_budget
    return False
