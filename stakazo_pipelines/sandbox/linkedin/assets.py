"""Images and videos: initializeUpload hands out addresses, PUT fills them, finalizeUpload ends a video."""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply
from stakazo_pipelines.sandbox.linkedin import batches
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import NAME, Directory
from stakazo_pipelines.sandbox.linkedin.errors import (
    bad_input,
    bad_param,
    no_permission,
    not_allowed,
    not_found,
    unknown_path,
)
from stakazo_pipelines.sandbox.linkedin.views import millis

UPLOADS = "dms-uploads"
_PART = 4 * 1024 * 1024
_LIFE_MS = 24 * 3600 * 1000
_KINDS = {"images": "image", "videos": "video"}


@dataclass(slots=True)
class Asset:
    """One uploaded file. `parts` are the ETags of what arrived, `wanted` how many parts there are to be."""

    id: str
    kind: str
    owner: str
    status: str = "WAITING_UPLOAD"
    wanted: int = 1
    parts: dict[int, str] = field(default_factory=dict)

    @property
    def urn(self) -> str:
        return f"urn:li:{self.kind}:{self.id}"

    def note(self) -> dict[str, Any]:
        return {"type": "asset", **asdict(self), "parts": sorted(self.parts.items())}


class Assets:
    """Assets by URN. They survive a restart through the kernel's notes (what is known of them, not bytes)."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._assets: dict[str, Asset] = {}
        for note in directory.kernel.notes(NAME):
            if note["type"] == "asset":
                known = {name: value for name, value in note.items() if name != "type"}
                asset = Asset(**known | {"parts": dict(note["parts"])})
                self._assets[asset.urn] = asset

    def available(self, urn: object) -> Asset | None:
        found = self._assets.get(str(urn))
        return found if found is not None and found.status == "AVAILABLE" else None

    def answer(self, call: Call) -> Reply:
        """Raises LinkedInError."""
        kind = _KINDS[call.resource]
        if len(call.parts) == 2 and call.verb == "GET":
            return Reply(self._view(self._get(call.parts[1], kind)))
        if call.verb == "GET" and call.method(has_key=False) == "BATCH_GET":
            return batches.read_each(call, lambda urn: self._view(self._get(urn, kind)), name=str)
        action = call.text("action")
        if call.verb != "POST" or len(call.parts) != 1:
            raise not_allowed(call.verb, call.path)
        if action == "initializeUpload":
            return self._initialize(call, kind)
        if action == "finalizeUpload" and kind == "video":
            return self._finalize(call)
        raise bad_param("action", f"{action} is no action of {call.resource}")

    def put(self, path: str, content: bytes) -> Reply:
        """A part of a file at the address that initializeUpload gave."""
        pieces = path.strip("/").split("/")
        asset = self._assets.get(f"urn:li:{pieces[1]}:{pieces[2]}") if len(pieces) == 4 else None
        if asset is None or not pieces[3].isdigit() or int(pieces[3]) >= asset.wanted:
            raise unknown_path(path)
        if not content:
            raise bad_input("MISSING_FIELD", "/", "the upload is empty")
        etag = hashlib.sha256(content).hexdigest()[:32]
        asset.parts[int(pieces[3])] = etag  # sent again, a part replaces itself
        image = asset.kind == "image"
        self._keep(asset, "AVAILABLE" if image else asset.status)
        return Reply("", 201 if image else 200, {"etag": etag})

    def _initialize(self, call: Call, kind: str) -> Reply:
        asked = call.mapping().get("initializeUploadRequest")
        owner = asked.get("owner") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or not isinstance(owner, str):
            raise bad_input("MISSING_FIELD", "/initializeUploadRequest/owner", "field is required but not found")
        self._check_owner(owner)
        # The number follows from how many there are, so that a replay gives the same ones.
        asset = Asset(f"D4{len(self._assets) + 1:015d}", kind, owner)
        expires = millis(self._directory.now) + _LIFE_MS
        address = f"{call.base_url}/{UPLOADS}/{kind}/{asset.id}"
        if kind == "image":
            self._keep(asset, asset.status)
            return Reply({"value": {"uploadUrlExpiresAt": expires, "uploadUrl": f"{address}/0", "image": asset.urn}})
        size = asked.get("fileSizeBytes")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise bad_input(
                "MISSING_FIELD", "/initializeUploadRequest/fileSizeBytes", "field is required but not found"
            )
        asset.wanted = -(-size // _PART)
        self._keep(asset, asset.status)
        instructions = [
            {"uploadUrl": f"{address}/{i}", "firstByte": i * _PART, "lastByte": min((i + 1) * _PART, size) - 1}
            for i in range(asset.wanted)
        ]
        value = {"uploadUrlsExpireAt": expires, "video": asset.urn, "uploadInstructions": instructions}
        return Reply({"value": {**value, "uploadToken": ""}})

    def _finalize(self, call: Call) -> Reply:
        asked = call.mapping().get("finalizeUploadRequest")
        if not isinstance(asked, dict):
            raise bad_input("MISSING_FIELD", "/finalizeUploadRequest", "field is required but not found")
        asset = self._get(asked.get("video"), "video")
        sent = [asset.parts.get(index) for index in range(asset.wanted)]
        if asked.get("uploadedPartIds") != sent:
            raise bad_input("INVALID_VALUE_FOR_FIELD", "/uploadedPartIds", "are not the ETags of the parts, in order")
        if asset.status != "WAITING_UPLOAD":
            return Reply("", 200)
        fates = {"async_failed": "PROCESSING_FAILED", "async_stuck": "PROCESSING"}
        self._keep(asset, next((fates[hit.kind] for hit in call.draw("async")), "AVAILABLE"))
        return Reply("", 200)

    def _keep(self, asset: Asset, status: str) -> None:
        asset.status = status
        self._assets[asset.urn] = asset
        self._directory.kernel.note(NAME, asset.note())

    def _check_owner(self, owner: str) -> None:
        account_id = owner.rsplit(":", 1)[-1]
        ours = owner.startswith(("urn:li:organization:", "urn:li:sponsoredAccount:"))
        if not (ours and self._directory.find_account(account_id)) and not owner.startswith("urn:li:person:"):
            raise no_permission(owner)

    def _get(self, urn: object, kind: str) -> Asset:
        asset = self._assets.get(str(urn))
        if asset is None or asset.kind != kind:
            raise not_found(str(urn))
        return asset

    def _view(self, asset: Asset) -> dict[str, Any]:
        view = {"id": asset.urn, "owner": asset.owner, "status": asset.status}
        if asset.status == "AVAILABLE":
            view["downloadUrl"] = f"https://sandbox.invalid/{asset.kind}s/{asset.id}"
        return view
