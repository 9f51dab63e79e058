"""LinkedIn's errors onto the error tree, as tables by `code` and by HTTP status. Never decided on the text.

Source: the pages "Error responses" and the error lists of accounts, campaign groups and campaigns. The older shape
has a number (`serviceErrorCode`) instead of a code; the status then decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stakazo_pipelines.errors import (
    AuthError,
    NotFoundError,
    PermissionDeniedError,
    PlatformError,
    RejectedError,
    ThrottledError,
    TransientError,
)

CONFLICT = 409
ONLY_DRAFTS = "DELETE_ALLOWED_ONLY_FOR_DRAFT_STATUS"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, and what a person may do about it."""

    kind: type[PlatformError]
    advice: str = ""


_PASSING = Verdict(TransientError)
_REFUSED = Verdict(RejectedError)
_BY_STATUS: Mapping[int, Verdict] = {
    400: _REFUSED,
    401: Verdict(AuthError, "a person must renew the access token"),
    403: Verdict(
        PermissionDeniedError, "give the token's member a role in the ad account (rw_ads, r_ads, r_ads_reporting)"
    ),
    404: Verdict(NotFoundError, "check the id, and that the token's member may see it"),
    408: _PASSING,
    CONFLICT: Verdict(TransientError, "somebody else wrote at the same time"),
    422: Verdict(RejectedError, "a read-only field, or the same content again"),
    426: Verdict(RejectedError, "this version of the API has ended: upgrade the adapter"),
    429: Verdict(ThrottledError),
}
_PERMISSION = _BY_STATUS[403]
_ADVICE: Mapping[str, str] = {
    "VERSION_MISSING": "the version header did not arrive",
    "DATE_TOO_EARLY": "send a runSchedule that starts later",
    "CURRENCY_MISMATCH": "use the account's currency",
    "FIELD_VALUE_TOO_LOW": "raise it to LinkedIn's minimum",
    "CONDITIONAL_VALUE_TOO_LOW": "raise it to LinkedIn's minimum",
    "INSUFFICIENT_CAMPAIGN_GROUP_BUDGET": "raise the campaign group's budget first",
    "AUDIENCE_SIZE_TOO_SMALL": "widen the audience to 300 members",
    "CONVERSION_CAMPAIGN_MISSING_ASSOCIATED_CONVERSION": "associate a conversion with the campaign first",
    "ONLY_DRAFT_CAMPAIGNS_ALLOWED_IN_DRAFT_CAMPAIGN_GROUPS": "activate the campaign group first",
    "IMMUTABLE_CAMPAIGN_OBJECTIVE_TYPE": "make a new campaign",
    "OBJECTIVE_CHANGE_NOT_ALLOWED": "make a new campaign",
    "ACTION_NOT_ALLOWED_FOR_CANCELLED_STATUS": "a cancelled entity stays as it is",
    ONLY_DRAFTS: "set its status to PENDING_DELETION",
}
_REFUSALS = """
    FIELD_NOT_ALLOWED MISSING_FIELD INVALID_VALUE_FOR_FIELD INVALID_VALUE_BLANK_FIELD INVALID_VALUE_DUPLICATE_EXIST
    MULTIPLE_VALUES_NOT_ALLOWED FIELD_VALUE_DOES_NOT_EXIST FIELD_VALUE_NOT_ACTIVE FIELD_LENGTH_TOO_LONG
    FIELD_VALUE_TOO_HIGH FIELD_VALUE_TOO_LOW MISMATCH_FIELDS ENTITY_WITH_SAME_KEY_ALREADY_EXISTS
    MULTIPLE_VALIDATIONS_FAILED PARAM_INVALID QUERY_PARAM_NOT_ALLOWED FIELD_INVALID VERSION_MISSING NONEXISTENT_VERSION
    CONDITIONAL_FIELD_NOT_ALLOWED CONDITIONAL_INVALID_VALUE CONDITIONAL_MISSING_FIELD CONDITIONAL_VALUE_TOO_HIGH
    CONDITIONAL_VALUE_TOO_LOW STATUS_CHANGE_NOT_ALLOWED INVALID_STATUS_TRANSITION
    ACTION_NOT_ALLOWED_FOR_CANCELLED_STATUS DELETE_ALLOWED_ONLY_FOR_DRAFT_STATUS DELETE_NOT_ALLOWED
    FIELD_IMMUTABLE_FOR_NON_DRAFT_CAMPAIGNS ONLY_DRAFT_CAMPAIGNS_ALLOWED_IN_DRAFT_CAMPAIGN_GROUPS
    CANNOT_UPDATE_BACKFILLED_CAMPAIGN_GROUPS NO_DELETE_ON_LMS_ENTERPRISE_CAMPAIGN_GROUPS DATE_TOO_EARLY
    START_DATE_AFTER_END_DATE DATE_IMMUTABLE_WHEN_PASSED CURRENCY_MISMATCH CURRENCY_NOT_SUPPORTED
    INSUFFICIENT_CAMPAIGN_GROUP_BUDGET IMMUTABLE_CAMPAIGN_FLOOR_PRICE INVALID_CAMPAIGN_CONFIGURATION
    IMMUTABLE_CAMPAIGN_OBJECTIVE_TYPE OBJECTIVE_CHANGE_NOT_ALLOWED IMMUTABLE_ASSOCIATED_ENTITY
    MISSING_CAMPAIGN_GROUP_ID CONVERSION_CAMPAIGN_MISSING_ASSOCIATED_CONVERSION
    FAILED_TO_VALIDATE_AGAINST_ALLOWED_CAMPAIGN_TYPES AUDIENCE_SIZE_TOO_SMALL INCOMPATIBLE_TARGETING_COMBINATION
    FIELD_CANNOT_BE_BOTH_IN_INCLUDED_AND_EXCLUDED_TARGETING TARGETING_FIELD_DEPRECATED
    FAILED_TO_PROCESS_TARGETING_CRITERIA TEST_ACCOUNT_LIMIT_REACHED BATCH_CREATE_TEST_ACCOUNT_LIMIT_REACHED
    BLANK_ACCOUNT_NAME UPDATE_REFERENCE_NOT_ALLOWED MULTIPLE_ACCOUNTS_UNSUPPORTED ACCOUNT_ID_MISMATCH_IN_PARAM_AND_BODY
"""
_BY_CODE: Mapping[str, Verdict] = (
    {code: Verdict(RejectedError, _ADVICE.get(code, "")) for code in _REFUSALS.split()}
    | dict.fromkeys(
        ("ACCESS_DENIED", "NO_PERMISSION_ON_ENTITY", "NO_PERMISSION_ON_FIELD", "NO_PERMISSION_TO_UPDATE"), _PERMISSION
    )
    | dict.fromkeys(("TIMEOUT", "UNDER_MAINTENANCE", "FAILED_TO_RETRIEVE_AUDIENCE_SIZE"), _PASSING)
    | {"CONFLICT": _BY_STATUS[CONFLICT], "NONEXISTENT_VERSION": _BY_STATUS[426]}
)


def is_known(code: str) -> bool:
    """Whether the code says what is wrong."""
    return code in _BY_CODE


def verdict(code: str, status: int) -> Verdict:
    """The line of the code; else that of the status. A server's failure passes, whatever it calls itself."""
    if status >= 500:
        return _PASSING
    return _BY_CODE.get(code) or _BY_STATUS.get(status) or _REFUSED


def error_from(body: object, *, status: int, request_id: str, wait: float | None = None) -> PlatformError:
    """The error of an answer, or of one item of a batch. `wait` is for a limit: the seconds until it is lifted."""
    payload = body if isinstance(body, dict) else {}
    code = payload.get("code")
    code = code if isinstance(code, str) else ""
    number = payload.get("serviceErrorCode")
    found = verdict(code, status)
    facts = {
        "platform": "linkedin",
        "code": code,
        "subcode": str(number) if isinstance(number, int) else "",
        "request_id": request_id,
    }
    parts = [str(payload.get("message") or "no message"), *_inputs(payload.get("errorDetails")), found.advice]
    message = "; ".join(part for part in parts if part)
    if found.kind is ThrottledError:
        return ThrottledError(message, **facts, status=status, retry_after=wait)
    return found.kind(message, **facts, status=status)


def _inputs(details: object) -> Iterator[str]:
    """Which fields are blamed, and why: `inputErrors` and `conditionalInputErrors`."""
    for list_name in ("inputErrors", "conditionalInputErrors"):
        errors = details.get(list_name) if isinstance(details, dict) else None
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict):
                said = " ".join(str(error[key]) for key in ("code", "description") if error.get(key))
                field = _field(error.get("input"))
                yield f"{field}: {said}" if field else said


def _field(given: object) -> str:
    path = given.get("inputPath") if isinstance(given, dict) else None
    return str(path.get("fieldPath") or "") if isinstance(path, dict) else ""
