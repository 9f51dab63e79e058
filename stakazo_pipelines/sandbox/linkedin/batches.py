"""Batches: the ids of a request, and the answer that reads each of them by itself."""

from collections.abc import Callable
from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply
from stakazo_pipelines.sandbox.linkedin import restli
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.errors import LinkedInError, bad_param


def ids(call: Call) -> list[str]:
    """The keys of a batch, each once. Raises PARAM_INVALID where there are none."""
    keys = restli.as_list(call.params.get("ids"))
    if not keys or not all(isinstance(key, str) for key in keys):
        raise bad_param("ids", "must be a list of ids")
    return list(dict.fromkeys(keys))


def read_each(call: Call, read: Callable[[str], Any], *, name: Callable[[str], str] = restli.encode) -> Reply:
    """BATCH_GET: what `read` gives for each id, or its error; `name` is how the answer spells an id."""
    results: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for key in ids(call):
        try:
            results[name(key)] = read(key)
        except LinkedInError as error:
            errors[name(key)] = error.body(call.resource)
    return Reply({"results": results, "statuses": {}, "errors": errors})
