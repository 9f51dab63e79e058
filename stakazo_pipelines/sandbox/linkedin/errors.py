"""LinkedIn's errors: legacy bodies, and the newer ones with input errors on accounts, campaign groups and campaigns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NEW_SHAPE = frozenset(["adAccounts", "adCampaignGroups", "adCampaigns"])
_BY_RESOURCE = frozenset([400, 403, 404, 409, 422])  # all other statuses come from the gateway, in the legacy shape
_INVALID_PARAM = "Invalid param. Please see errorDetails for more information."


@dataclass(frozen=True, slots=True)
class InputError:
    """One field that is wrong; `path` like /dailyBudget/amount."""

    code: str
    path: str
    description: str

    def body(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "description": self.description,
            "input": {"inputPath": {"fieldPath": self.path.removeprefix("/")}},
        }


class LinkedInError(Exception):
    """An answer that is no success. `code` is empty where LinkedIn has none for it."""

    def __init__(
        self, status: int, code: str, message: str, *, service_code: int = 100, inputs: Sequence[InputError] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.service_code, self.inputs = service_code, tuple(inputs)

    def body(self, resource: str) -> dict[str, Any]:
        """The JSON of the resource's generation. Both may carry a code; only the newer one explains inputs."""
        body: dict[str, Any] = {"message": self.message, "status": self.status}
        if self.code:
            body["code"] = self.code
        if resource not in NEW_SHAPE or self.status not in _BY_RESOURCE:
            return {**body, "serviceErrorCode": self.service_code}
        if self.inputs:
            body["errorDetailType"] = "com.linkedin.common.error.BadRequest"
            found = [error.body() for error in self.inputs]
            conditional = [error for error in found if error["code"].startswith("CONDITIONAL_")]
            plain = [error for error in found if error not in conditional]
            body["errorDetails"] = {"inputErrors": plain, "conditionalInputErrors": conditional}
        return body


def invalid(errors: Sequence[InputError]) -> LinkedInError:
    """What a write with wrong fields is told: one code where there is one error, else the collective one."""
    code = errors[0].code if len({error.code for error in errors}) == 1 else "MULTIPLE_VALIDATIONS_FAILED"
    message = "; ".join(f"{error.path}: {error.description}" for error in errors)
    return LinkedInError(400, code, message, inputs=errors)


def bad_input(code: str, path: str, description: str) -> LinkedInError:
    return invalid([InputError(code, path, description)])


def bad_param(name: str, description: str, code: str = "PARAM_INVALID") -> LinkedInError:
    return LinkedInError(400, code, _INVALID_PARAM, inputs=[InputError(code, name, description)])


def not_found(what: str) -> LinkedInError:
    return LinkedInError(404, "RESOURCE_NOT_FOUND", f"Could not find entity {what}")


def unknown_path(path: str) -> LinkedInError:
    return LinkedInError(404, "RESOURCE_NOT_FOUND", f"No virtual resource found for path {path}", service_code=0)


def not_allowed(method: str, path: str) -> LinkedInError:
    return LinkedInError(405, "METHOD_NOT_ALLOWED", f"{method} is not supported on {path}", service_code=0)


def version_missing() -> LinkedInError:
    text = "A version must be present. Please specify a version by adding the LinkedIn-Version header."
    return LinkedInError(400, "VERSION_MISSING", text, service_code=0)


def version_sunset(version: str) -> LinkedInError:
    return LinkedInError(426, "NONEXISTENT_VERSION", f"Requested version {version} is not active", service_code=0)


def missing_token() -> LinkedInError:
    text = "Empty oauth2_access_token"
    return LinkedInError(401, "EMPTY_ACCESS_TOKEN", text, service_code=65604)


def bad_token() -> LinkedInError:
    return LinkedInError(401, "INVALID_ACCESS_TOKEN", "Invalid access token", service_code=65600)


def expired_token() -> LinkedInError:
    text = "The token used in the request has expired"
    return LinkedInError(401, "EXPIRED_ACCESS_TOKEN", text, service_code=65602)


def no_permission(what: str) -> LinkedInError:
    return LinkedInError(403, "ACCESS_DENIED", f"Not enough permissions to access: {what}")


def day_throttle() -> LinkedInError:
    text = "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached."
    return LinkedInError(429, "", text, service_code=101)


def data_throttle() -> LinkedInError:
    text = "The data request limit has been exceeded. Please reduce the amount of data requested and try again later."
    return LinkedInError(429, "", text, service_code=101)


_SERVER = {
    500: ("INTERNAL_SERVER_ERROR", "Internal Server Error"),
    501: ("NOT_IMPLEMENTED", "Not Implemented"),
    502: ("BAD_GATEWAY", "Bad Gateway"),
    503: ("UNDER_MAINTENANCE", "The service is under maintenance"),
    504: ("GATEWAY_TIMEOUT", "Gateway Timeout"),
    408: ("TIMEOUT", "The request timed out"),
}


def server(status: int) -> LinkedInError:
    code, text = _SERVER.get(status, _SERVER[500])
    return LinkedInError(status, code, text, service_code=0)


def too_many() -> LinkedInError:
    return LinkedInError(400, "", "Request would return too many entities. ")


def refused() -> LinkedInError:
    """A write the platform will not make, for reasons of its own."""
    return LinkedInError(400, "CONDITIONAL_INVALID_VALUE", "The change was refused.")
