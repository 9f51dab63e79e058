"""Graph API errors: the envelope and the ones the emulator answers with, each named once with its code and subcode."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class GraphError(Exception):
    """One error answer. `blame` lists paths of the parameters at fault; `headers` go out with the answer."""

    message: str
    code: int
    subcode: int | None = None
    status: int = 400
    type: str = "OAuthException"
    title: str | None = None
    user_message: str | None = None
    blame: Sequence[Sequence[str]] = ()
    transient: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def envelope(self, trace: str) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.blame:
            error["error_data"] = {"blame_field_specs": [list(path) for path in self.blame]}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
            error["is_transient"] = self.transient
        elif self.transient:
            error["is_transient"] = True
        if self.title is not None:
            error["error_user_title"] = self.title
        if self.user_message is not None:
            error["error_user_msg"] = self.user_message
        error["fbtrace_id"] = trace
        return {"error": error}


def trace_id(seed: str) -> str:
    """An `fbtrace_id` that is the same for the same request of the same run."""
    return "A" + hashlib.sha256(seed.encode()).hexdigest()[:22]


def invalid(
    message: str, subcode: int | None = None, *, title: str = "Invalid parameter", field_name: str = ""
) -> GraphError:
    """Code 100. With a subcode the reason goes where Meta puts it: into the user message."""
    blame = [[field_name]] if field_name else []
    if subcode is None:
        return GraphError(f"(#100) {message}", 100, blame=blame)
    return GraphError("Invalid parameter", 100, subcode, title=title, user_message=message, blame=blame)


def missing_parameter(name: str) -> GraphError:
    return invalid(f"The parameter {name} is required", field_name=name)


def not_found(method: str, object_id: str) -> GraphError:
    verb = "get" if method == "GET" else "post" if method == "POST" else "delete"
    return GraphError(
        f"Unsupported {verb} request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
        100,
        33,
        type="GraphMethodException",
    )


def unknown_field(name: str, node_type: str) -> GraphError:
    return invalid(f"Tried accessing nonexisting field ({name}) on node type ({node_type})")


def unknown_path(path: str) -> GraphError:
    return GraphError(f"Unknown path components: /{path}", 2500)


def bad_token() -> GraphError:
    return GraphError("Invalid OAuth access token - Cannot parse access token", 190)


def missing_token() -> GraphError:
    return GraphError("An active access token must be used to query information about the current user.", 2500)


def expired_token() -> GraphError:
    return GraphError("Error validating access token: Session has expired.", 190, 463)


def permission_lost() -> GraphError:
    message = "(#200) Ad account owner has NOT grant ads_management or ads_read permission"
    return GraphError(message, 200, status=403)


def reduce_data() -> GraphError:
    return GraphError("Please reduce the amount of data you're asking for, then retry your request", 1, 99, status=500)


def too_much_data() -> GraphError:
    return GraphError(
        "Invalid parameter",
        100,
        1487534,
        title="Too Much Data",
        user_message="Please reduce the amount of data you're asking for, then retry your request",
    )


def too_old() -> GraphError:
    return GraphError("(#3018) The start date of the time range cannot be beyond 37 months from the current date", 3018)


def budget_changes_exceeded() -> GraphError:
    return GraphError(
        "Calls to this api have exceeded the rate limit.",
        613,
        1487632,
        title="Ad Set Budget Change Limit",
        user_message="You can only change the budget of an ad set 4 times per hour. Please wait and try again later.",
    )


def account_throttled(headers: Mapping[str, str]) -> GraphError:
    return GraphError(
        "User request limit reached",
        17,
        2446079,
        title="Ad Account Has Too Many API Calls",
        user_message="There have been too many calls from this ad-account. Please wait a bit and try again.",
        transient=True,
        headers=headers,
    )


def throttled(code: int, headers: Mapping[str, str]) -> GraphError:
    """The throttle of a code: 4 the application, 17 the account, 613 its calls, 8000x a business use case."""
    if code == 17:
        return account_throttled(headers)
    if code == 4:
        full = {"x-app-usage": '{"call_count":100,"total_cputime":100,"total_time":100}'}
        return GraphError(
            "(#4) Application request limit reached", 4, 1504022, transient=True, headers={**headers, **full}
        )
    if code == 613:
        message = "(#613) Calls to this api have exceeded the rate limit."
        return GraphError(message, 613, 1487742, transient=True, headers=headers)
    message = f"(#{code}) There have been too many calls from this ad-account. Wait a bit and try again."
    return GraphError(message, code, 2446079, transient=True, headers=headers)
