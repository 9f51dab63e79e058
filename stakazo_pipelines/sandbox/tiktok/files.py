"""The asset library: images and videos uploaded, and those that the world's own ads show."""

import hashlib
from typing import Any, Literal

from stakazo_pipelines.sandbox.emulation import spoil, turned_page
from stakazo_pipelines.sandbox.tiktok import pictures
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, page_info, read_page
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import TikTokError, invalid, missing
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.reading import stamp
from stakazo_pipelines.sandbox.tiktok.writes.making import fate_of
from stakazo_pipelines.sandbox.world import Account

Kind = Literal["image", "video"]
_MOST_BYTES = {"image": 50 * 1024 * 1024, "video": 500 * 1024 * 1024}
_MOST_PIXELS = 3_686_400
_TYPES = ("UPLOAD_BY_FILE", "UPLOAD_BY_URL", "UPLOAD_BY_FILE_ID", "UPLOAD_BY_VIDEO_ID")


class Library:
    """Files by advertiser; uploads survive a restart through the kernel's notes (what is known of them, not bytes)."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._uploads: dict[tuple[str, Kind], dict[str, dict[str, Any]]] = {}
        for data in directory.kernel.notes("tiktok"):
            if data["type"] in ("image", "video"):
                self._shelf(data["account_id"], data["type"])[data["file"][f"{data['type']}_id"]] = data["file"]

    def upload(self, call: Call, kind: Kind) -> Answer:
        """One image as an object, one video as a list of one."""
        params = call.params
        account = self._directory.account(params.needed("advertiser_id"))
        how = params.choice("upload_type", _TYPES[: 3 if kind == "image" else 4], "UPLOAD_BY_FILE")
        if how == "UPLOAD_BY_VIDEO_ID":
            file = self._copied(params)
        else:
            name, content = _content(params, kind, how)
            name = params.text("file_name") or name
            self._check_name(account, kind, name)
            file = self._described(kind, how, name, content)
        if not fate_of(call.draw, update=False).lost:
            self._shelf(account.id, kind)[file[f"{kind}_id"]] = file
            note = {"type": kind, "account_id": account.id, "file": file}
            self._directory.kernel.note("tiktok", note)
        return Answer(file if kind == "image" else [file])

    def info(self, call: Call, kind: Kind) -> Answer:
        """The files of up to 100 ids; those unknown are left out."""
        account = self._directory.account(call.params.needed("advertiser_id"))
        ids = call.params.names(f"{kind}_ids", most=100)
        if ids is None:
            raise missing([f"{kind}_ids"])
        held = self._held(account, kind)
        return Answer({"list": [held[name] for name in ids if name in held]})

    def search(self, call: Call, kind: Kind) -> Answer:
        account = self._directory.account(call.params.needed("advertiser_id"))
        page, size = read_page(call.params, usual=20)
        wanted = Params(call.params.mapping("filtering"), here="filtering.")
        files = list(self._held(account, kind).values())
        for name in (f"{kind}_id", "material_id"):
            ids = wanted.names(f"{name}s")
            files = [file for file in files if ids is None or file[name] in ids]
        for name in ("width", "height"):
            if wanted.given(name):
                files = [file for file in files if file[name] == wanted.integer(name, 0)]
        if wanted.given("displayable"):
            files = [file for file in files if file["displayable"] == wanted.boolean("displayable")]
        first = turned_page(call.draw, (page - 1) * size, size, len(files))
        rows = [dict(file) for file in files[first : first + size]]
        spoil(rows, call.draw, "file_name")
        return Answer({"list": rows, "page_info": page_info(page, size, len(files))})

    def names(self, call: Call) -> Answer:
        """`/file/name/check/`: which names are still free."""
        account = self._directory.account(call.params.needed("advertiser_id"))
        kinds: tuple[Kind, ...] = ("image", "video")
        taken = {file["file_name"] for kind in kinds for file in self._shelf(account.id, kind).values()}
        asked = [item.needed("file_name") for item in call.params.objects("files", most=100)]
        return Answer({"file_names": [{"file_name": name, "is_available": name not in taken} for name in asked]})

    def check(self, account: Account, video_id: str, image_ids: list[str]) -> None:
        """Raises 40053 for a video and 40002 for an image that the advertiser does not have."""
        if video_id and video_id not in self._held(account, "video"):
            raise TikTokError(40053, f"Video id {video_id} is invalid.")
        for image_id in image_ids:
            if image_id not in self._held(account, "image"):
                raise invalid(f"image_ids: Image {image_id} does not exist.")

    # Inside -----------------------------------------------------------------------------------------------------

    def _shelf(self, account_id: str, kind: Kind) -> dict[str, dict[str, Any]]:
        return self._uploads.setdefault((account_id, kind), {})

    def _held(self, account: Account, kind: Kind) -> dict[str, dict[str, Any]]:
        """Uploads, and what the world's own creatives show, newest first."""
        files = dict(reversed(self._shelf(account.id, kind).items()))
        for creative in reversed(self._directory.kernel.world.creatives.values()):
            if creative.account_id != account.id or creative.native:
                continue
            file_id = creative.video_id if kind == "video" else creative.image_hash
            if file_id and file_id not in files:
                name = f"{creative.name}.{'mp4' if kind == 'video' else 'png'}"
                files[file_id] = _row(kind, file_id, name, file_id.encode(), None, stamp(creative.created_at))
        return files

    def _check_name(self, account: Account, kind: Kind, name: str) -> None:
        if not 1 <= len(name) <= 100:
            raise invalid("file_name: Length must be between 1 and 100.")
        if any(file["file_name"] == name for file in self._shelf(account.id, kind).values()):
            raise TikTokError(40911, f"Duplicated material name: {name}.")

    def _copied(self, params: Params) -> dict[str, Any]:
        """A video that another advertiser of the app holds."""
        video_id = params.needed("video_id")
        for other in self._directory.accounts():
            found = self._held(other, "video").get(video_id)
            if found is not None:
                return {**found, "file_name": params.text("file_name") or found["file_name"]}
        raise TikTokError(40053, f"Video id {video_id} is invalid.")

    def _described(self, kind: Kind, how: str, name: str, content: bytes) -> dict[str, Any]:
        known = pictures.image_format(content) if kind == "image" else pictures.video_format(content)
        if how == "UPLOAD_BY_FILE" and known is None:
            raise TikTokError(40908, f"File type error: {name} is no supported {kind}.")
        size = pictures.image_size(content) if kind == "image" else None
        if size is not None and size[0] * size[1] > _MOST_PIXELS:
            raise TikTokError(40907, "File too large: the image has too many pixels.")
        now = self._directory.now
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        number = len(self._directory.kernel.notes("tiktok"))
        # Every upload is a material of its own, also of the same bytes.
        if kind == "image":
            file_id = f"ad-site-i18n-sg/{now:%Y%m%d}{digest[:24]}{number:04x}"
        else:
            file_id = f"v10033g50000{digest[:16]}{number:04x}"
        return _row(kind, file_id, name, content, size, stamp(now))


def _content(params: Params, kind: Kind, how: str) -> tuple[str, bytes]:
    """File name and bytes, the signature checked. A URL is not fetched: its text stands for what it leads to."""
    if how == "UPLOAD_BY_URL":
        url = params.needed(f"{kind}_url")
        if not url.startswith(("http://", "https://")):
            raise TikTokError(40903, f"{kind}_url: The URL is unavailable.")
        return url.rsplit("/", 1)[-1] or url, url.encode()
    if how == "UPLOAD_BY_FILE_ID":
        raise TikTokError(40905, f"File {params.needed('file_id')} does not exist.")
    part = params.files.get(f"{kind}_file")
    if part is None:
        raise missing([f"{kind}_file"])
    signature = params.needed(f"{kind}_signature")
    if not part.content:
        raise TikTokError(40906, "The file is empty.")
    if len(part.content) > _MOST_BYTES[kind]:
        raise TikTokError(40907, "File too large.")
    if hashlib.md5(part.content, usedforsecurity=False).hexdigest() != signature.lower():
        raise TikTokError(40900, f"{kind}_signature: The signature does not match the file.")
    return part.filename, part.content


def _row(
    kind: Kind, file_id: str, name: str, content: bytes, size: tuple[int, int] | None, made: str | None
) -> dict[str, Any]:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    width, height = size or ((1080, 1920) if kind == "video" else (1080, 1080))
    row: dict[str, Any] = {
        f"{kind}_id": file_id,
        "material_id": str(7_000_000_000_000_000_000 + int(digest[:14], 16)),
        "width": width,
        "height": height,
        "size": len(content),
        "signature": digest,
        "file_name": name,
        "displayable": True,
        "create_time": made,
        "modify_time": made,
    }
    if kind == "image":
        extra = {"image_url": f"https://sandbox.invalid/images/{digest}", "is_carousel_usable": True}
        return row | extra | {"format": pictures.image_format(content) or "jpeg"}
    return row | {
        "format": pictures.video_format(content) or "mp4",
        "video_cover_url": f"https://sandbox.invalid/covers/{digest}",
        "preview_url": f"https://sandbox.invalid/videos/{digest}",
        "preview_url_expire_time": made,
        "duration": 15.0,
        "bit_rate": 2_000_000,
        "allowed_placements": ["PLACEMENT_TIKTOK", "PLACEMENT_PANGLE"],
        "fix_task_id": None,
        "flaw_types": None,
    }
