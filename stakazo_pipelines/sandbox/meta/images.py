"""Ad images: uploads kept by their content's hash."""

import base64
import binascii
import hashlib
import struct
from typing import Any

from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.meta import paging
from stakazo_pipelines.sandbox.meta.call import Call
from stakazo_pipelines.sandbox.meta.errors import invalid, missing_parameter
from stakazo_pipelines.sandbox.world import Account

_PNG = b"\x89PNG\r\n\x1a\n"


class Images:
    """The image library of all accounts; survives a restart through the kernel's notes (hash, name and size only)."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._images: dict[tuple[str, str], dict[str, Any]] = {}
        for data in kernel.notes("meta"):
            if data["type"] == "image":
                self._images[data["account_id"], data["hash"]] = data["image"]
            elif data["type"] == "image_deleted":
                self._images.pop((data["account_id"], data["hash"]), None)

    def upload(self, call: Call, account: Account, *, dry: bool) -> dict[str, Any]:
        """`{"images": {name: {hash, url, …}}}` for file parts or base64 `bytes`."""
        given = {upload.filename or part: upload.content for part, upload in call.params.files.items()}
        if call.params.given("bytes"):
            try:
                given[call.params.text("name") or "bytes"] = base64.b64decode(call.params.text("bytes"), validate=True)
            except binascii.Error as error:
                raise invalid("bytes must be base64", field_name="bytes") from error
        if not given:
            raise missing_parameter("filename")
        images: dict[str, Any] = {}
        for name, content in given.items():
            if not content:
                raise invalid("The image is empty.", 1487242, title="Image Invalid", field_name="filename")
            image = self._describe(name, content)
            images[name] = {key: image[key] for key in ("hash", "url", "name", "width", "height")}
            if not dry:
                self._keep(account.id, image)
        return {"images": images}

    def list(self, call: Call, account: Account) -> dict[str, Any]:
        rows = [{"id": f"{account.id}:{found}", "account_id": account.id, **image}
                for (owner, found), image in self._images.items() if owner == account.id]  # fmt: skip
        hashes = call.params.names("hashes")
        rows = [row for row in rows if hashes is None or row["hash"] in hashes]
        fields = set(call.params.names("fields") or ("hash",)) | {"id"}
        window = paging.paginate(call, call.path, range(len(rows)), paging.read_limit(call))
        page = [{key: value for key, value in row.items() if key in fields} for row in rows[window.start : window.stop]]
        return {"data": page} | ({"paging": window.paging} if window.paging else {})

    def delete(self, call: Call, account: Account) -> dict[str, Any]:
        found = call.params.text("hash")
        if (account.id, found) not in self._images:
            raise invalid("No image of this hash", field_name="hash")
        del self._images[account.id, found]
        self._kernel.note("meta", {"type": "image_deleted", "account_id": account.id, "hash": found})
        return {"success": True}

    def _keep(self, account_id: str, image: dict[str, Any]) -> None:
        key = (account_id, image["hash"])
        if key not in self._images:
            self._images[key] = image
            self._kernel.note(
                "meta", {"type": "image", "account_id": account_id, "hash": image["hash"], "image": image}
            )

    def _describe(self, name: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        width, height = (
            struct.unpack(">II", content[16:24]) if content[:8] == _PNG and len(content) >= 24 else (1080, 1080)
        )
        now = self._kernel.world.now.strftime("%Y-%m-%dT%H:%M:%S%z")
        url = f"https://sandbox.invalid/images/{digest}.jpg"
        return {"hash": digest, "name": name, "url": url, "url_128": url, "permalink_url": url, "width": width,
                "height": height, "status": "ACTIVE", "created_time": now, "updated_time": now}  # fmt: skip
