"""Uploads: ask where to, send the bytes there, and for a film say that all parts are there.

LinkedIn makes a new object of every upload, whatever the bytes. The ids of one process are kept by content, so that
the same file again is the same id; another process makes another copy.
"""

import asyncio
import hashlib
from collections.abc import Mapping

import httpx

from stakazo_pipelines.errors import MalformedError
from stakazo_pipelines.platforms.http import ApiClient, ApiReply, ApiRequest
from stakazo_pipelines.platforms.linkedin import restli, urns
from stakazo_pipelines.platforms.linkedin.finders import get_one
from stakazo_pipelines.platforms.port import Account, Media, MediaKind

_OURS = ".linkedin.com"


class Uploader:
    """Uploads through one client whose base URL is `base_url`, on behalf of the account's organization or person."""

    def __init__(self, client: ApiClient, base_url: str) -> None:
        self._client = client
        self._host = httpx.URL(base_url).host
        self._owners: dict[str, str] = {}
        self._done: dict[tuple[str, str], str] = {}
        self._lock = asyncio.Lock()

    async def upload(self, account: Account, media: Media) -> str:
        """The URN by which posts refer to it."""
        key = (account.id, hashlib.sha256(media.content).hexdigest())
        async with self._lock:
            if key not in self._done:
                send = self._video if media.kind is MediaKind.VIDEO else self._image
                self._done[key] = await send(account, media)
            return self._done[key]

    async def _image(self, account: Account, media: Media) -> str:
        value = await self._act(account, "images", "initializeUpload", {"owner": await self._owner(account)})
        await self._put(account, _text(value, "uploadUrl", account), media.content)
        return _text(value, "image", account)

    async def _video(self, account: Account, media: Media) -> str:
        asked = {
            "owner": await self._owner(account),
            "fileSizeBytes": len(media.content),
            "uploadCaptions": False,
            "uploadThumbnail": False,
        }
        value = await self._act(account, "videos", "initializeUpload", asked)
        video = _text(value, "video", account)
        parts = value.get("uploadInstructions")
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise MalformedError(f"account {account.id}: an upload without instructions", "linkedin")
        tags = []
        for part in parts:
            first, last = part.get("firstByte"), part.get("lastByte")
            if not isinstance(first, int) or not isinstance(last, int):
                raise MalformedError(f"account {account.id}: an upload's part without its bytes", "linkedin")
            reply = await self._put(account, _text(part, "uploadUrl", account), media.content[first : last + 1])
            tags.append(reply.headers.get("etag", "").strip('"'))
        token = value.get("uploadToken")
        finish = {
            "video": video,
            "uploadToken": token if isinstance(token, str) else "",
            "uploadedPartIds": tags,
        }
        request = _action(account, "videos", "finalizeUpload", {"finalizeUploadRequest": finish}, plain=True)
        await self._client.send(request)
        return video

    async def _act(
        self, account: Account, resource: str, action: str, asked: Mapping[str, object]
    ) -> Mapping[str, object]:
        # Asked for twice, one place stays empty, and nothing comes of it: safe to repeat.
        body = (await self._client.send(_action(account, resource, action, {f"{action}Request": asked}))).body
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, dict):
            raise MalformedError(f"account {account.id}: {action} of {resource} answered without a value", "linkedin")
        return value

    async def _put(self, account: Account, address: str, content: bytes) -> ApiReply:
        """The token goes along, so only to LinkedIn itself. Raises MalformedError for another host."""
        if not self._is_ours(address):
            raise MalformedError(f"account {account.id}: an upload to a host that is not LinkedIn's", "linkedin")
        headers = {"Content-Type": "application/octet-stream"}
        return await self._client.send(
            ApiRequest("PUT", address, account.id, content=content, headers=headers, repeatable=True, plain=True)
        )

    def _is_ours(self, address: str) -> bool:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            return False
        return url.host == self._host or (url.scheme == "https" and url.host.endswith(_OURS))

    async def _owner(self, account: Account) -> str:
        if account.id not in self._owners:
            row = await get_one(self._client, f"adAccounts/{urns.checked(account.id)}", account=account.id)
            self._owners[account.id] = _text(row, "reference", account)
        return self._owners[account.id]


def _action(account: Account, resource: str, action: str, body: object, *, plain: bool = False) -> ApiRequest:
    return restli.post(
        resource, body, account=account.id, method="ACTION", params={"action": action}, repeatable=True, plain=plain
    )


def _text(row: Mapping[str, object], field: str, account: Account) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"account {account.id}: an answer without {field}", "linkedin")
    return value
