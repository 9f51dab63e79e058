"""From an HTTP request to a call: tunnelled queries unpacked, path keys and parameters decoded, headers checked."""

import json
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

from stakazo_pipelines.sandbox.emulation import Draw
from stakazo_pipelines.sandbox.linkedin import restli
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.errors import LinkedInError, bad_param

_FORM = "application/x-www-form-urlencoded"
ROOT = "rest"


@dataclass(frozen=True, slots=True)
class Sent:
    """What came over the wire, before anything is understood. `query` and `content` are those inside a tunnel."""

    verb: str
    query: str
    content: bytes


async def unpack(request: Request) -> Sent:
    """Undo query tunnelling: a form body is the query; of multipart/mixed the form part is, the rest is the body."""
    verb, query = request.method.upper(), request.scope["query_string"].decode("latin-1")
    content = await request.body()
    override = request.headers.get("x-http-method-override", "").upper()
    if not override:
        return Sent(verb, query, content)
    if verb != "POST":
        raise LinkedInError(400, "PARAM_INVALID", "X-HTTP-Method-Override needs a POST")
    kind = request.headers.get("content-type", "")
    if kind.split(";")[0].strip().lower() == "multipart/mixed":
        tunnelled, content = _split(kind, content)
    elif kind.split(";")[0].strip().lower() == _FORM:
        tunnelled, content = content.decode("latin-1"), b""
    else:
        raise LinkedInError(
            400, "PARAM_INVALID", f"X-HTTP-Method-Override does not go with {kind or 'no content type'}"
        )
    return Sent(override, "&".join(part for part in (query, tunnelled.strip()) if part), content)


def read_call(request: Request, sent: Sent, parts: tuple[Any, ...], draw: Draw) -> Call:
    """Raises LinkedInError where parameters or body cannot be read."""
    headers = request.headers
    # Without the header a Rest.li server speaks 1.0, whose lists and records look different.
    old = not headers.get("x-restli-protocol-version", "").startswith("2")
    try:
        params = restli.read_query(sent.query, old=old)
    except restli.OldStyleError as error:
        raise bad_param(str(error), "Rest.li 1.0 syntax in a 2.0 request", "QUERY_PARAM_NOT_ALLOWED") from error
    except restli.RestliError as error:
        raise bad_param("query", str(error)) from error
    return Call(
        verb=sent.verb,
        path=request.url.path,
        parts=parts,
        base_url=str(request.base_url).rstrip("/"),
        stated=headers.get("x-restli-method", "").upper(),
        params=params,
        body=_json(sent.content) if sent.verb in ("POST", "PUT") else None,
        draw=draw,
    )


def path_parts(request: Request) -> tuple[Any, ...]:
    """Segments behind the root, decoded one by one; a complex key becomes a record."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    segments = [part for part in raw.decode("latin-1").split("?")[0].split("/") if part]
    return tuple(_key(part) for part in segments[1:])


def _key(part: str) -> Any:
    if not part.startswith("("):
        return unquote(part)
    try:
        return restli.read_value(part)
    except restli.RestliError as error:
        raise bad_param("path", str(error)) from error


def _json(content: bytes) -> Any:
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise LinkedInError(400, "PARAM_INVALID", "The request body is not valid JSON") from error


def _split(kind: str, content: bytes) -> tuple[str, bytes]:
    """The query and the body of a multipart/mixed request."""
    header = Message()
    header["content-type"] = kind
    boundary = header.get_param("boundary")
    query, body = "", b""
    if not isinstance(boundary, str) or not boundary:
        raise LinkedInError(400, "PARAM_INVALID", "multipart/mixed needs a boundary")
    for part in content.split(f"--{boundary}".encode())[1:]:
        head, _, inner = part.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
        if not inner:
            continue
        if _FORM.encode() in head.lower():
            query = inner.decode("latin-1").strip()
        else:
            body = inner.strip()
    return query, body
