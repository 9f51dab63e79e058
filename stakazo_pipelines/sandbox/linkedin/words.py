"""LinkedIn's words beside the world's: statuses, objectives, countries. The world speaks Meta's."""

from typing import Any

GROUP_STATUSES = ("ACTIVE", "ARCHIVED", "CANCELED", "DRAFT", "PAUSED", "PENDING_DELETION", "REMOVED")
CAMPAIGN_STATUSES = (*GROUP_STATUSES, "COMPLETED")
CREATIVE_STATUSES = GROUP_STATUSES
_TO_WORLD = {
    "ACTIVE": "ACTIVE", "PAUSED": "PAUSED", "DRAFT": "PAUSED", "COMPLETED": "PAUSED", "ARCHIVED": "ARCHIVED",
    "CANCELED": "ARCHIVED", "PENDING_DELETION": "DELETED", "REMOVED": "DELETED",
}  # fmt: skip
_FROM_WORLD = {"ACTIVE": "ACTIVE", "PAUSED": "PAUSED", "ARCHIVED": "ARCHIVED", "DELETED": "PENDING_DELETION"}

OBJECTIVES = (
    "BRAND_AWARENESS", "ENGAGEMENT", "JOB_APPLICANT", "LEAD_GENERATION", "WEBSITE_CONVERSION", "WEBSITE_VISIT",
    "VIDEO_VIEW", "TALENT_LEAD", "CONVERSATION_STARTER", "WEBSITE_TRAFFIC", "CREATIVE_ENGAGEMENT",
)  # fmt: skip
# The documentation's table has these in the plural; integrations say the wire is singular. Both are taken.
_PLURAL = {f"{name}S": name for name in ("JOB_APPLICANT", "WEBSITE_CONVERSION", "WEBSITE_VISIT", "VIDEO_VIEW")}
_OBJECTIVE_FROM_WORLD = {
    "OUTCOME_SALES": "WEBSITE_CONVERSION",
    "OUTCOME_LEADS": "LEAD_GENERATION",
    "OUTCOME_TRAFFIC": "WEBSITE_VISIT",
    "OUTCOME_AWARENESS": "BRAND_AWARENESS",
    "OUTCOME_ENGAGEMENT": "ENGAGEMENT",
}
_OBJECTIVE_TO_WORLD = {name: world for world, name in _OBJECTIVE_FROM_WORLD.items()} | {
    "TALENT_LEAD": "OUTCOME_LEADS",
    "JOB_APPLICANT": "OUTCOME_LEADS",
    "WEBSITE_TRAFFIC": "OUTCOME_TRAFFIC",
    "VIDEO_VIEW": "OUTCOME_ENGAGEMENT",
    "CREATIVE_ENGAGEMENT": "OUTCOME_ENGAGEMENT",
    "CONVERSATION_STARTER": "OUTCOME_ENGAGEMENT",
}
# The numbers LinkedIn's geo URNs have for these countries.
GEO = {
    "US": ("103644278", "United States"),
    "CA": ("101174742", "Canada"),
    "GB": ("101165590", "United Kingdom"),
    "IE": ("104738515", "Ireland"),
    "DE": ("101282230", "Germany"),
    "FR": ("105015875", "France"),
    "AT": ("103883259", "Austria"),
    "NL": ("102890719", "Netherlands"),
    "JP": ("101355337", "Japan"),
}


def to_world(status: str) -> str:
    return _TO_WORLD[status]


def status(entity: Any) -> str:
    """What was written, as long as the world still agrees with it."""
    written = entity.native.get("status")
    if written is not None and _TO_WORLD[written] == entity.status:
        return str(written)
    return _FROM_WORLD[entity.status]


def removed(entity: Any) -> bool:
    """Deleted for good: drafts are, everything else waits in PENDING_DELETION."""
    return entity.status == "DELETED" and bool(entity.native.get("gone"))


def singular(objective: object) -> str | None:
    """An objective in the wire's spelling, None for one that LinkedIn does not know."""
    name = _PLURAL.get(str(objective), str(objective))
    return name if name in OBJECTIVES else None


def objective_from_world(word: str) -> str:
    return _OBJECTIVE_FROM_WORLD.get(word, "WEBSITE_VISIT")


def objective_to_world(word: str | None) -> str:
    return _OBJECTIVE_TO_WORLD.get(word or "", "OUTCOME_SALES")


def geo(country: str) -> str:
    """The URN of a country; one that has none here keeps its code."""
    return f"urn:li:geo:{GEO[country][0] if country in GEO else country}"
