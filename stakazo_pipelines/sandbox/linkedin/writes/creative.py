"""Checking creatives and writing them as ads of the world, over the post (or inline content) that they show."""

from collections.abc import Mapping
from typing import Any

from stakazo_pipelines.sandbox.linkedin import urns, words
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.writes.checks import Checks, Document
from stakazo_pipelines.sandbox.world import Account

_WRITABLE = ("campaign", "content", "intendedStatus", "name", "leadgenCallToAction")
_READ_ONLY = (
    "id", "account", "isServing", "servingHoldReasons", "review", "createdAt", "lastModifiedAt", "createdBy",
    "lastModifiedBy", "isTest",
)  # fmt: skip
_INLINE = ("textAd", "spotlight", "follow", "jobs", "leadGenerationForm")
_MOST_ACTIVE, _MOST_INACTIVE, _MOST_IN_ACCOUNT = 15, 85, 15_000


def creative_fields(
    directory: Directory, account: Account, document: Document, before: Document | None
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The world's fields of the content to make first (None where a post is shown), and those of the ad.

    Raises LinkedInError.
    """
    if before is None:
        # Clients send the account along, though the path has it.
        document = {name: value for name, value in document.items() if name != "account"}
    checks = Checks(document, before)
    checks.known(_WRITABLE, _READ_ONLY)
    checks.required("campaign", "content", "intendedStatus")
    checks.name(255, needed=False)
    checks.status("intendedStatus", words.CREATIVE_STATUSES)
    checks.immutable("campaign", "FIELD_NOT_ALLOWED")
    checks.immutable("content", "FIELD_NOT_ALLOWED")
    if before is not None and before["intendedStatus"] != "DRAFT" and checks.changed("leadgenCallToAction"):
        checks.add("FIELD_NOT_ALLOWED", "leadgenCallToAction", "can be changed in DRAFT only")
    status = document.get("intendedStatus")
    native = {"status": status, "leadgenCallToAction": document.get("leadgenCallToAction")}
    fields: dict[str, Any] = {"name": document.get("name") or "", "native": native}
    content: dict[str, Any] | None = None
    if before is None:
        campaign = directory.campaign(urns.number(document.get("campaign"), urns.CAMPAIGN), account)
        if campaign is None and document.get("campaign") is not None:
            checks.add("FIELD_VALUE_DOES_NOT_EXIST", "campaign", "is no campaign of this account")
        elif campaign is not None:
            _room(checks, directory, account, campaign.id)
            fields |= {"account_id": account.id, "campaign_id": campaign.campaign_id, "ad_group_id": campaign.id}
        content = _content(checks, directory, account, fields)
    checks.raise_any()
    return content, {**fields, "status": words.to_world(str(status))}


def _content(checks: Checks, directory: Directory, account: Account, fields: dict[str, Any]) -> dict[str, Any] | None:
    """The post that is referred to, into `fields`; or the fields of a content of its own."""
    content = checks.document.get("content")
    if content is None:
        return None
    kinds = [name for name in content if name in _INLINE] if isinstance(content, Mapping) else []
    if isinstance(content, Mapping) and "reference" in content:
        post = directory.post(urns.post_number(content["reference"]))
        if post is None or post.account_id != account.id:
            checks.add("FIELD_VALUE_DOES_NOT_EXIST", "content/reference", "is no post of this account")
        else:
            fields["creative_id"] = post.id
        return None
    if not kinds or not isinstance(content[kinds[0]], Mapping):
        checks.add("INVALID_VALUE_FOR_FIELD", "content", "needs a reference or the content of a format")
        return None
    inner = content[kinds[0]]
    return {
        "account_id": account.id,
        "name": checks.document.get("name") or str(inner.get("headline", kinds[0])),
        "title": str(inner.get("headline", "")),
        "body": str(inner.get("description", "")),
        "link_url": str(inner.get("landingPage", "")),
        "native": {"inlineContent": dict(content)},
    }


def _room(checks: Checks, directory: Directory, account: Account, campaign_id: str) -> None:
    every = list(directory.children(account, "creatives"))
    statuses = [words.status(creative) for creative in every if creative.ad_group_id == campaign_id]
    active = statuses.count("ACTIVE")
    if checks.document.get("intendedStatus") == "ACTIVE" and active >= _MOST_ACTIVE:
        checks.add("FIELD_VALUE_TOO_HIGH", "campaign", f"holds {_MOST_ACTIVE} active creatives already")
    elif len(statuses) - active >= _MOST_INACTIVE or len(every) >= _MOST_IN_ACCOUNT:
        checks.add("FIELD_VALUE_TOO_HIGH", "campaign", "holds as many creatives as it may")
