"""Creating and updating ads and creatives."""

from collections.abc import Mapping
from typing import Any

from stakazo_pipelines.sandbox.meta.errors import invalid, missing_parameter
from stakazo_pipelines.sandbox.meta.graph import Graph
from stakazo_pipelines.sandbox.meta.params import Params
from stakazo_pipelines.sandbox.meta.writes.common import (
    Write,
    check_editable,
    common_changes,
    create_status,
    kept,
    required_name,
)
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Creative

MAX_ADS = 50
_AD_KEPT = ("tracking_specs", "conversion_domain", "adlabels", "ad_schedule_start_time", "ad_schedule_end_time")
_CREATIVE_KEPT = (
    "object_story_spec",
    "object_story_id",
    "asset_feed_spec",
    "degrees_of_freedom_spec",
    "url_tags",
    "template_url",
    "instagram_user_id",
    "product_set_id",
    "contextual_multi_ads",
    "adlabels",
)
_CREATIVE_CONTENT = frozenset(_CREATIVE_KEPT) - {"adlabels"} | {"title", "body", "image_hash", "video_id", "link_url"}


def create_ad(graph: Graph, account: Account, params: Params) -> tuple[Write | None, Write]:
    """The write of an inline creative, if the ad brings one, and that of the ad (whose creative_id is then open)."""
    name = required_name(params)
    adset = _adset(graph, account, params)
    creative_id, inline = _creative(graph, account, params)
    fields: dict[str, Any] = {
        "account_id": account.id,
        "campaign_id": adset.campaign_id,
        "ad_group_id": adset.id,
        "creative_id": creative_id,
        "name": name,
        "status": create_status(params),
        "native": kept(params, _AD_KEPT),
    }
    return inline, Write("ad", None, fields)


def update_ad(graph: Graph, ad: Ad, params: Params) -> tuple[Write | None, list[Write]]:
    """As `create_ad`: an inline creative first, then the ad's own write with its creative_id open."""
    changes = common_changes(params)
    native = kept(params, _AD_KEPT)
    if native:
        changes["native"] = native
    inline = None
    if params.given("creative"):
        changes["creative_id"], inline = _creative(graph, graph.account(ad.account_id), params)
    if params.given("adset_id") and params.text("adset_id") != ad.ad_group_id:
        raise invalid("An ad cannot be moved to another ad set", field_name="adset_id")
    check_editable(ad.status, changes)
    return inline, [Write("ad", ad.id, changes)] if changes else []


def create_creative(account: Account, params: Params) -> Write:
    """Raises GraphError where Meta would."""
    native = kept(params, _CREATIVE_KEPT)
    content = {"object_story_spec", "asset_feed_spec", "object_story_id", "product_set_id", "image_hash", "video_id"}
    if not any(params.given(name) for name in content):
        raise missing_parameter("object_story_spec")
    _check_enhancements(native)
    fields: dict[str, Any] = {"account_id": account.id, "name": params.text("name") or "Creative", "native": native}
    fields |= _content(native.get("object_story_spec"))
    for name in ("title", "body", "image_hash", "video_id", "link_url"):
        if params.given(name):
            fields[name] = params.text(name)
    return Write("creative", None, fields)


def update_creative(creative: Creative, params: Params) -> list[Write]:
    """Only the name, status and labels of a creative can change (1815573)."""
    changed = {name for name in _CREATIVE_CONTENT if params.given(name)}
    if changed:
        text = "The content of a creative cannot be changed; make a new one and point the ad at it."
        raise invalid(text, 1815573, title="Creative Is Immutable", field_name=min(changed))
    changes = common_changes(params)
    native = kept(params, ("adlabels",))
    if native:
        changes["native"] = native
    check_editable(creative.status, changes)
    return [Write("creative", creative.id, changes)] if changes else []


def _adset(graph: Graph, account: Account, params: Params) -> AdGroup:
    if not params.given("adset_id"):
        raise missing_parameter("adset_id")
    node = graph.find(params.text("adset_id"))
    if node is None or node.kind != "adset" or node.entity.account_id != account.id:
        raise invalid("adset_id does not name an ad set of this ad account", field_name="adset_id")
    adset: AdGroup = node.entity
    if graph.effective_status("adset", adset) in ("ARCHIVED", "DELETED"):
        raise invalid("The ad set is archived or deleted.", 1487056, title="Ad Set Not Editable", field_name="adset_id")
    if sum(1 for ad in graph.children(node, "ad") if ad.status not in ("ARCHIVED", "DELETED")) >= MAX_ADS:
        raise invalid(f"An ad set holds at most {MAX_ADS} live ads", field_name="adset_id")
    return adset


def _creative(graph: Graph, account: Account, params: Params) -> tuple[str, Write | None]:
    spec = params.mapping("creative")
    if spec is None:
        raise missing_parameter("creative")
    given = str(spec.get("creative_id") or spec.get("id") or "")
    if not given:
        return "", create_creative(account, Params(spec))
    node = graph.find(given)
    if node is None or node.kind != "creative" or node.entity.account_id != account.id:
        raise invalid("creative_id does not name a creative of this ad account", field_name="creative")
    return given, None


def _content(story: object) -> dict[str, Any]:
    """The neutral parts of a story: texts, link, picture or video. Raises GraphError for stories Meta refuses."""
    if story is None:
        return {}
    if not isinstance(story, Mapping) or not story.get("page_id"):
        raise _bad_story("page_id is needed in object_story_spec")
    video = story.get("video_data")
    data = video or story.get("link_data") or story.get("photo_data") or story.get("template_data") or {}
    if not isinstance(data, Mapping) or not data:
        raise _bad_story("object_story_spec needs one of link_data, video_data, photo_data, template_data")
    action = data.get("call_to_action") or {}
    value = action.get("value") or {}
    if "link_data" in story and not data.get("link"):
        raise invalid("The link field is required.", 2061015, title="Link Required", field_name="object_story_spec")
    content = {
        "kind": "video" if video else "image",
        "title": data.get("name") or data.get("title"),
        "body": data.get("message"),
        "call_to_action": action.get("type"),
        "link_url": data.get("link") or value.get("link"),
        "image_hash": data.get("image_hash"),
        "video_id": data.get("video_id"),
    }
    return {name: str(part) for name, part in content.items() if part}


def _check_enhancements(native: Mapping[str, Any]) -> None:
    spec = native.get("degrees_of_freedom_spec")
    features = spec.get("creative_features_spec", {}) if isinstance(spec, Mapping) else {}
    if "standard_enhancements" in features:
        text = "The standard_enhancements bundle is no longer accepted; name each feature."
        raise invalid(text, 3858504, title="Standard Enhancements", field_name="degrees_of_freedom_spec")
    for feature in features.values():
        if not isinstance(feature, Mapping) or "enroll_status" not in feature:
            raise invalid(
                "enroll_status is missing.", 3858082, title="Enroll Status", field_name="degrees_of_freedom_spec"
            )


def _bad_story(text: str) -> Exception:
    return invalid(text, 1443048, title="Object Story Spec Invalid", field_name="object_story_spec")
