"""Rest.li 2.0 on the wire: values percent-encoded, structure raw, long queries in the body of a POST. Pure.

The characters `( ) : ,` build structure and must arrive as they are, so a query is written here whole and put into
the request's path: an HTTP library would encode them.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from stakazo_pipelines.platforms.http import ApiRequest

VERSION = "202607"
LONGEST_QUERY = 4000  # characters; what the official client still sends in a URL
HEADERS: Mapping[str, str] = {"LinkedIn-Version": VERSION, "X-Restli-Protocol-Version": "2.0.0"}

Value = str | int | Sequence["Value"] | Mapping[str, "Value"]


def encode(value: Value) -> str:
    """Text percent-encoded (the empty one as `''`), booleans in words, lists as `List(…)`, records as `(key:value)`."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value, safe="") if value else "''"
        case int():
            return str(value)
        case Mapping():
            return f"({','.join(f'{encode(key)}:{encode(inner)}' for key, inner in value.items())})"
        case _:
            return f"List({','.join(encode(inner) for inner in value)})"


def query(params: Mapping[str, Value], fields: Sequence[str] = ()) -> str:
    """The text after the question mark. `fields` is what an answer shall hold: names between raw commas."""
    pairs = [f"{quote(name, safe='')}={encode(value)}" for name, value in params.items()]
    return "&".join([*pairs, f"fields={','.join(fields)}"] if fields else pairs)


def get(
    path: str,
    params: Mapping[str, Value],
    *,
    account: str = "",
    finder: bool = False,
    fields: Sequence[str] = (),
) -> ApiRequest:
    """A read. A query too long for a URL travels as the form of a POST that the server treats as a GET."""
    text = query(params, fields)
    headers = {**HEADERS, "X-RestLi-Method": "FINDER"} if finder else dict(HEADERS)
    if len(text) > LONGEST_QUERY:
        headers |= {"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded"}
        return ApiRequest("POST", path, account, content=text.encode(), headers=headers, repeatable=True)
    return ApiRequest("GET", f"{path}?{text}" if text else path, account, headers=headers, repeatable=True)


def post(
    path: str,
    body: object,
    *,
    account: str,
    method: str = "",
    params: Mapping[str, Value] | None = None,
    repeatable: bool = False,
    plain: bool = False,
) -> ApiRequest:
    """A write. `method` is Rest.li's own word where the verb does not say it (PARTIAL_UPDATE, …).

    `plain` where a success comes without a body.
    """
    headers = {**HEADERS, "X-RestLi-Method": method} if method else HEADERS
    address = f"{path}?{query(params)}" if params else path
    return ApiRequest("POST", address, account, json=body, headers=headers, repeatable=repeatable, plain=plain)


def delete(path: str, *, account: str) -> ApiRequest:
    return ApiRequest("DELETE", path, account, headers={**HEADERS, "X-RestLi-Method": "DELETE"}, repeatable=True)
