"""Batch requests: many calls in one, each answered on its own, `null` where one was not carried out."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stakazo_pipelines.sandbox.emulation import Reply, failing
from stakazo_pipelines.sandbox.meta.call import Call, split_version
from stakazo_pipelines.sandbox.meta.errors import GraphError, invalid
from stakazo_pipelines.sandbox.meta.params import Params, Upload

MAX_ITEMS = 50
_RESULT = re.compile(r"\{result=([A-Za-z0-9_-]+):\$\.([^}]*)\}")
Answer = dict[str, Any] | None


def run_batch(call: Call, answer: Callable[[Call], Reply], rewire: Callable[[Call], Call]) -> list[Answer]:
    """Carry out the items in order. `answer` runs one call; `rewire` gives an item its own faults.

    The fault `partial_batch` leaves a share of the items undone.
    """
    items = call.params.structure("batch")
    if not isinstance(items, list) or not items:
        raise invalid("batch parameter must be a non-empty JSON array", field_name="batch")
    if len(items) > MAX_ITEMS:
        raise GraphError(
            f"Too many requests in batch message. Maximum batch size is {MAX_ITEMS}", 100, type="GraphBatchException"
        )
    skipped = failing(call.draw, len(items))
    headers = call.params.boolean("include_headers") is not False
    results: dict[str, Any] = {}
    answers: list[Answer] = []
    for index, item in enumerate(items):
        if index in skipped:
            answers.append(None)
            continue
        reply = answer(rewire(_item_call(call, item, results)))
        if item.get("name"):
            results[str(item["name"])] = reply.body
        if item.get("omit_response_on_success") and reply.status == 200:
            answers.append(None)
            continue
        answers.append(_answer(reply, with_headers=headers))
    return answers


def _item_call(call: Call, item: object, results: Mapping[str, Any]) -> Call:
    if not isinstance(item, Mapping) or "relative_url" not in item or "method" not in item:
        raise invalid("each batch item needs method and relative_url", field_name="batch")
    split = urlsplit(_filled(str(item["relative_url"]), results))
    version, path = split_version(split.path)
    values: dict[str, Any] = {}
    if "access_token" in call.params:
        values["access_token"] = call.params["access_token"]
    values |= dict(parse_qsl(split.query, keep_blank_values=True))
    body = item.get("body")
    if isinstance(body, Mapping):
        values |= body
    elif body:
        values |= dict(parse_qsl(_filled(str(body), results), keep_blank_values=True))
    files: dict[str, Upload] = {}
    for name in str(item.get("attached_files", "")).split(","):
        if name.strip() in call.params.files:
            files[name.strip()] = call.params.files[name.strip()]
    version = version if split.path.lstrip("/").startswith("v") else call.version
    return Call(str(item["method"]).upper(), path, version, Params(values, files), call.base_url)


def _filled(text: str, results: Mapping[str, Any]) -> str:
    """References to earlier answers (`{result=name:$.data.*.id}`) replaced by what they found."""

    def found(match: re.Match[str]) -> str:
        values = [results.get(match.group(1))]
        for part in match.group(2).split("."):
            if part == "*":
                values = [inner for value in values if isinstance(value, list) for inner in value]
            else:
                values = [value[part] for value in values if isinstance(value, dict) and part in value]
        return ",".join(str(value) for value in values)

    return _RESULT.sub(found, text)


def _answer(reply: Reply, *, with_headers: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"code": reply.status}
    if with_headers:
        headers = {"Content-Type": "application/json; charset=UTF-8", **reply.headers}
        answer["headers"] = [{"name": name, "value": value} for name, value in headers.items()]
    answer["body"] = reply.body if isinstance(reply.body, str) else json.dumps(reply.body, separators=(",", ":"))
    return answer
