"""Uploading pictures and films. A file's name is unique for an advertiser, so it is made from the content.

The same content again is refused by its name; then the file that is there is looked for by its signature.
"""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from stakazo_pipelines.errors import MalformedError, RejectedError
from stakazo_pipelines.platforms.http import ApiClient, ApiRequest
from stakazo_pipelines.platforms.port import Account, Media, MediaKind
from stakazo_pipelines.platforms.tiktok.calls import Row, get
from stakazo_pipelines.platforms.tiktok.errors import SAME_NAME

_LONGEST_NAME = 100
_SEARCH_PAGE = 100
_SEARCH_PAGES = 100
SILENT_FAILURE = "None"  # a film's id after an upload that failed without saying so


async def upload(client: ApiClient, account: Account, media: Media) -> str:
    """The image_id or video_id. Raises MalformedError when the answer names none."""
    signature = hashlib.md5(media.content, usedforsecurity=False).hexdigest()
    name, word = file_name(media, signature), media.kind.value
    request = ApiRequest(
        "POST",
        f"file/{word}/ad/upload/",
        account.id,
        form={
            "advertiser_id": account.id,
            "upload_type": "UPLOAD_BY_FILE",
            f"{word}_signature": signature,
            "file_name": name,
        },
        files={f"{word}_file": (name, media.content)},
        repeatable=True,  # a second time the name is taken
    )
    try:
        body = (await client.send(request)).body
    except RejectedError as error:
        if error.code != SAME_NAME:
            raise
        refused = error
    else:
        data = body.get("data") if isinstance(body, dict) else None
        found = data[0] if isinstance(data, list) and data else data
        return _id_of(found if isinstance(found, dict) else {}, media.kind, account, media.name)
    row = await _search(client, account, media.kind, signature, name)
    if row is None:
        raise refused
    return _id_of(row, media.kind, account, media.name)


def file_name(media: Media, signature: str) -> str:
    """The media's name with its content's signature before the ending."""
    path = PurePosixPath(media.name)
    ending = f"-{signature}{path.suffix}"
    return path.stem[: max(_LONGEST_NAME - len(ending), 0)] + ending


async def _search(client: ApiClient, account: Account, kind: MediaKind, signature: str, name: str) -> Row | None:
    """The file of the library that has this content, or None."""
    for page in range(1, _SEARCH_PAGES + 1):
        query: Mapping[str, object] = {"advertiser_id": account.id, "page": page, "page_size": _SEARCH_PAGE}
        data = await get(client, f"file/{kind.value}/ad/search/", query, account=account.id)
        rows = data.get("list")
        found = rows if isinstance(rows, list) else []
        for row in found:
            if isinstance(row, dict) and (row.get("signature") == signature or row.get("file_name") == name):
                return row
        info = data.get("page_info")
        last = info.get("total_page") if isinstance(info, dict) else None
        if not found or not isinstance(last, int) or page >= last:
            return None
    return None


def _id_of(row: Row, kind: MediaKind, account: Account, name: str) -> str:
    found = row.get(f"{kind.value}_id")
    if not isinstance(found, str) or found in ("", SILENT_FAILURE):
        raise MalformedError(f"account {account.id}: the upload of {name} was answered without an id", "tiktok")
    return found
