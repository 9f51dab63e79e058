"""Posts: the content of ads. Dark posts name the account they are for in `adContext.dscAdAccount`."""

from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply, unmade_id, write_fate
from stakazo_pipelines.sandbox.linkedin import batches, finders, paging, urns, views
from stakazo_pipelines.sandbox.linkedin.assets import Asset, Assets
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.errors import (
    bad_param,
    no_permission,
    not_allowed,
    not_found,
    refused,
)
from stakazo_pipelines.sandbox.linkedin.writes.checks import Checks, Document, record
from stakazo_pipelines.sandbox.world import Account

_WRITABLE = (
    "author", "commentary", "visibility", "distribution", "content", "contentLandingPage", "contentCallToActionLabel",
    "lifecycleState", "isReshareDisabledByAuthor", "adContext", "container",
)  # fmt: skip
_READ_ONLY = ("id", "createdAt", "publishedAt", "lastModifiedAt", "lifecycleStateInfo")
_LONGEST = 3000
_ACTIONS = (
    "APPLY", "DOWNLOAD", "VIEW_QUOTE", "LEARN_MORE", "SIGN_UP", "SUBSCRIBE", "REGISTER", "JOIN", "ATTEND",
    "REQUEST_DEMO", "SEE_MORE", "BUY_NOW", "SHOP_NOW",
)  # fmt: skip


class Posts:
    """Answers /rest/posts."""

    def __init__(self, directory: Directory, assets: Assets) -> None:
        self._directory, self._assets = directory, assets

    def answer(self, call: Call) -> Reply:
        """Raises LinkedInError."""
        if len(call.parts) == 2:
            if call.method(has_key=True) != "GET":
                raise not_allowed(call.stated or call.verb, call.path)
            return Reply(views.projected(self._view(call.parts[1]), call.fields()))
        method = call.method(has_key=False)
        if method == "FINDER":
            return self._find(call)
        if method == "BATCH_GET":
            return batches.read_each(call, lambda urn: views.projected(self._view(urn), call.fields()), name=str)
        if method != "CREATE":
            raise not_allowed(method, call.path)
        number, video = self.create(call, call.mapping())
        return Reply("", 201, {"x-restli-id": urns.urn("ugcPost" if video else "share", number)})

    def create(self, call: Call, document: Document, account: Account | None = None) -> tuple[str, bool]:
        """The new post's number and whether it is a video. `account` is whose it is when the body does not say."""
        fields = self.checked(document, account)
        video = fields["kind"] == "video"
        fate = write_fate(call.draw, update=False)
        if fate.refused:
            raise refused()
        if fate.lost:
            return unmade_id(self._directory.kernel), video
        return self._directory.kernel.create("creative", **fields).id, video

    def checked(self, document: Document, account: Account | None = None) -> dict[str, Any]:
        """The world's fields of a new post. Raises LinkedInError."""
        checks = Checks(document, None)
        checks.known(_WRITABLE, _READ_ONLY)
        checks.required("author", "visibility", "distribution", "lifecycleState")
        checks.one_of("visibility", ("PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"))
        checks.one_of("lifecycleState", ("PUBLISHED", "DRAFT"))
        checks.one_of("contentCallToActionLabel", _ACTIONS)
        if len(str(document.get("commentary") or "")) > _LONGEST:
            checks.add("FIELD_LENGTH_TOO_LONG", "commentary", f"is longer than {_LONGEST} characters")
        asset, title, link = self._content(checks)
        checks.raise_any()
        owner = self._owner(document, account)
        video = asset is not None and asset.kind == "video"
        context = record(document.get("adContext"))
        fields: dict[str, Any] = {
            "account_id": owner.id,
            "name": str(context.get("dscName") or title or document.get("commentary") or "Post"),
            "kind": "video" if video else "image",
            "title": title,
            "body": str(document.get("commentary") or ""),
            "link_url": link,
            "call_to_action": str(document.get("contentCallToActionLabel") or "LEARN_MORE"),
            "native": {"post": document},
        }
        if asset is not None:
            fields["video_id" if video else "image_hash"] = asset.id
        return fields

    def _content(self, checks: Checks) -> tuple[Asset | None, str, str]:
        """The uploaded asset, the title and the link of a post's content."""
        document = checks.document
        link = str(document.get("contentLandingPage") or "")
        content = document.get("content")
        if content is None:
            return None, "", link
        if not isinstance(content, dict):
            checks.add("INVALID_VALUE_FOR_FIELD", "content", "must be {media:{…}} or {article:{…}}")
            return None, "", link
        media, article = content.get("media"), content.get("article")
        if isinstance(media, dict):
            asset = self._assets.available(media.get("id"))
            if asset is None:
                checks.add("FIELD_VALUE_DOES_NOT_EXIST", "content/media/id", "is no available image or video")
            return asset, str(media.get("title") or ""), link
        if isinstance(article, dict):
            if not article.get("source"):
                checks.add("MISSING_FIELD", "content/article/source", "field is required but not found")
            thumbnail = article.get("thumbnail")
            asset = self._assets.available(thumbnail)
            if thumbnail is not None and asset is None:
                checks.add("FIELD_VALUE_DOES_NOT_EXIST", "content/article/thumbnail", "is no available image")
            return asset, str(article.get("title") or ""), str(article.get("source") or link)
        return None, "", link

    def _owner(self, document: Document, account: Account | None) -> Account:
        """Whose post it is: of the account that the ad context names, else of the author's company page."""
        named = record(document.get("adContext")).get("dscAdAccount")
        author = str(document["author"])
        found = account
        if named is not None:
            found = self._directory.find_account(urns.number(named, urns.ACCOUNT))
        elif found is None:
            found = self._directory.find_account(urns.number(author, "organization"))
        if found is None or (author.startswith("urn:li:organization:") and author != urns.organization(found)):
            raise no_permission(str(named or author))
        return found

    def _view(self, urn: object) -> views.View:
        post = self._directory.post(urns.post_number(urn))
        if post is None or urns.post(post) != urn:
            raise not_found(str(urn))
        return views.post_view(self._directory, post)

    def _find(self, call: Call) -> Reply:
        finder = call.choice("q", ("dscAdAccount", "author"), "")
        if finder == "author":
            account = self._directory.find_account(urns.number(call.text("author"), "organization"))
        elif finder:
            account = finders.owner(self._directory, call, "dscAdAccount")
        else:
            raise bad_param("q", "a finder is needed")
        posts = [] if account is None else list(self._directory.children(account, "posts"))
        shown = [post for post in posts if "inlineContent" not in post.native]
        found = finders.account_posts(call, shown)
        return Reply(paging.index_page(call, found, lambda post: views.post_view(self._directory, post)))
