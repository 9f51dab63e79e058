"""From an HTTP request to a call: parameters from the query, the form, multipart parts or a JSON body."""

import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from stakazo_pipelines.sandbox.meta.errors import GraphError
from stakazo_pipelines.sandbox.meta.params import Params, Upload


async def read_params(request: Request) -> Params:
    """Query and body together, the body winning. A Bearer token counts as `access_token`."""
    values: dict[str, Any] = dict(request.query_params)
    files: dict[str, Upload] = {}
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        values |= _json_body(await request.body())
    elif kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form(max_fields=5000, max_part_size=64 * 1024 * 1024) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = Upload(value.filename or "", await value.read())
                else:
                    values[name] = value
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "oauth") and token:
        values.setdefault("access_token", token.strip())
    return Params(values, files)


def _json_body(content: bytes) -> dict[str, Any]:
    if not content.strip():
        return {}
    try:
        body = json.loads(content)
    except ValueError as error:
        raise GraphError("(#100) The request body is not valid JSON", 100) from error
    if not isinstance(body, dict):
        raise GraphError("(#100) The request body must be a JSON object", 100)
    return body
