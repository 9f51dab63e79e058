"""createInline: a post and the creative that shows it, in one call."""

from dataclasses import replace
from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply, unmade_id, write_fate
from stakazo_pipelines.sandbox.linkedin import urns
from stakazo_pipelines.sandbox.linkedin.call import Call, no_faults
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.entities import RESOURCES, Entities
from stakazo_pipelines.sandbox.linkedin.errors import bad_input, refused
from stakazo_pipelines.sandbox.linkedin.posts import Posts
from stakazo_pipelines.sandbox.linkedin.writes.creative import creative_fields

_STAND_IN: dict[str, Any] = {"textAd": {}}  # for the post, which is not there yet when its creative is checked


def create_inline(call: Call, directory: Directory, posts: Posts, entities: Entities) -> Reply:
    """Raises LinkedInError."""
    account = directory.account(call.parts[1])
    creative = call.mapping().get("creative")
    content = creative.get("inlineContent") if isinstance(creative, dict) else None
    post = content.get("post") if isinstance(content, dict) else None
    if not isinstance(creative, dict) or not isinstance(post, dict):
        raise bad_input("MISSING_FIELD", "/creative/inlineContent/post", "field is required but not found")
    rest = {name: value for name, value in creative.items() if name != "inlineContent"}
    posts.checked(post, account)
    creative_fields(directory, account, {**rest, "content": _STAND_IN}, None)
    fate = write_fate(call.draw, update=False)
    if fate.refused:
        raise refused()
    if fate.lost:
        return _made(unmade_id(directory.kernel))
    one = replace(call, draw=no_faults)  # the two are one write, which has met its faults
    number, video = posts.create(one, post, account)
    reference = urns.urn("ugcPost" if video else "share", number)
    return _made(entities.create(one, account, RESOURCES["creatives"], {**rest, "content": {"reference": reference}}))


def _made(number: str) -> Reply:
    return Reply({"value": {"creative": urns.urn(urns.CREATIVE, number)}})
