"""Search criteria: OR inside a field, AND across fields, for accounts, campaign groups, campaigns and creatives."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from stakazo_pipelines.sandbox.linkedin import urns, words
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.errors import bad_param
from stakazo_pipelines.sandbox.linkedin.restli import as_list
from stakazo_pipelines.sandbox.linkedin.views import campaign_document
from stakazo_pipelines.sandbox.world import Account, Ad, Creative

T = TypeVar("T")
Reader = Callable[[Any], str]
_PAGED = ("q", "sortOrder", "sort", "pageSize", "pageToken", "fields", "start", "count")
_STATUSES = {
    "adAccounts": ("ACTIVE", "CANCELED", "DRAFT", "PENDING_DELETION", "REMOVED"),
    "adCampaignGroups": words.GROUP_STATUSES,
    "adCampaigns": words.CAMPAIGN_STATUSES,
}


def search(call: Call, directory: Directory, entities: Iterable[T], resource: str) -> list[T]:
    """The entities that `q=search` finds, in its order. Criteria may be left out altogether."""
    call.only("search", *_PAGED)
    criteria = call.params.get("search", {})
    if not isinstance(criteria, Mapping):
        raise bad_param("search", "must be a record of criteria")
    readers = _readers(directory, resource)
    found = list(entities)
    for field, criterion in criteria.items():
        if field == "test":
            wanted_test = str(criterion).lower() == "true"
            found = [] if wanted_test else found
            continue
        if field not in readers:
            raise bad_param(f"search.{field}", "is no search criterion", "FIELD_INVALID")
        wanted = _values(field, criterion, resource)
        found = [entity for entity in found if readers[field](entity) in wanted]
    return in_order(call, found)


def criteria(call: Call, creatives: Iterable[Ad]) -> list[Ad]:
    """The creatives that `q=criteria` finds."""
    call.only("campaigns", "creatives", "contentReferences", "intendedStatuses", "isTestAccount", "isTotalIncluded",
              "leadgenCreativeCallToActionDestinations", *_PAGED)  # fmt: skip
    campaigns = urns.numbers(call.params.get("campaigns"), urns.CAMPAIGN, "campaigns")
    ids = urns.numbers(call.params.get("creatives"), urns.CREATIVE, "creatives")
    references = call.params.get("contentReferences")
    posts = None if references is None else {urns.post_number(text) for text in as_list(references)}
    statuses = set(as_list(call.params.get("intendedStatuses")))
    if statuses - set(words.CREATIVE_STATUSES):
        raise bad_param("intendedStatuses", "has a value that is no enum symbol")
    destinations = as_list(call.params.get("leadgenCreativeCallToActionDestinations"))
    if call.text("isTestAccount") == "true":
        return []
    found = [
        creative
        for creative in creatives
        if (campaigns is None or creative.ad_group_id in campaigns)
        and (ids is None or creative.id in ids)
        and (posts is None or creative.creative_id in posts)
        and (not statuses or words.status(creative) in statuses)
        and (not destinations or (creative.native.get("leadgenCallToAction") or {}).get("destination") in destinations)
    ]
    return in_order(call, found)


def account_posts(call: Call, posts: Iterable[Creative]) -> list[Creative]:
    """The posts that `q=dscAdAccount` finds: the dark posts of one account, by kind."""
    kinds = set(as_list(call.params.get("dscAdTypes")))
    return [post for post in posts if not kinds or ("VIDEO" if post.kind == "video" else "STANDARD") in kinds]


def in_order(call: Call, found: list[T]) -> list[T]:
    """By id, upward unless `sortOrder` or the order in `sort` says otherwise."""
    sort = call.params.get("sort")
    order = sort.get("order") if isinstance(sort, Mapping) else call.text("sortOrder")
    if order not in (None, "ASCENDING", "DESCENDING"):
        raise bad_param("sortOrder", "must be ASCENDING or DESCENDING")
    return found[::-1] if order == "DESCENDING" else found


def _values(field: str, criterion: object, resource: str) -> frozenset[str]:
    values = criterion.get("values") if isinstance(criterion, Mapping) else criterion
    listed = as_list(values)
    if not listed or not all(isinstance(value, str) for value in listed):
        raise bad_param(f"search.{field}", "must be (values:List(…))")
    kinds = {"adAccounts": urns.ACCOUNT, "adCampaignGroups": urns.GROUP, "adCampaigns": urns.CAMPAIGN}
    if field == "id":
        return urns.numbers(listed, kinds[resource], "search.id") or frozenset()
    if field == "campaignGroup":
        return urns.numbers(listed, urns.GROUP, "search.campaignGroup") or frozenset()
    if field == "status" and set(listed) - set(_STATUSES[resource]):
        raise bad_param("search.status", "has a value that is no enum symbol")
    return frozenset(listed)


def _readers(directory: Directory, resource: str) -> Mapping[str, Reader]:
    if resource == "adAccounts":
        return {
            "id": lambda entity: str(entity.id),
            "name": lambda entity: str(directory.edits(entity.id).get("name", entity.name)),
            "status": lambda entity: str(entity.status),
            "type": lambda _entity: "BUSINESS",
            "currency": lambda entity: str(entity.currency),
            "reference": urns.organization,
        }
    readers: dict[str, Reader] = {
        "id": lambda entity: str(entity.id),
        "name": lambda entity: str(entity.name),
        "status": words.status,
    }
    if resource == "adCampaigns":
        readers |= {
            "campaignGroup": lambda entity: str(entity.campaign_id),
            "type": lambda entity: str(campaign_document(directory, entity)["type"]),
            "associatedEntity": lambda entity: str(campaign_document(directory, entity)["associatedEntity"]),
        }
    return readers


def owner(directory: Directory, call: Call, name: str) -> Account | None:
    """The account of a URN parameter; None where it is not one of ours. Raises PARAM_INVALID where it is missing."""
    account_id = urns.number(call.text(name), urns.ACCOUNT)
    if account_id is None:
        raise bad_param(name, "must be a urn:li:sponsoredAccount URN")
    return directory.find_account(account_id)
