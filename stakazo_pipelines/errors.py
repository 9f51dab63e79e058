"""The error tree. Every error that Stakazo raises on purpose is one of these.

StakazoError
├── ConfigError               a setting, policy or mapping is wrong (names it, and the fix)
├── InputError                a user's file or table is wrong (names file, row and field)
├── LakeError                 a lake file cannot be read or written
├── MeasurementError          an estimate cannot be made from these numbers
├── AllocationError           budgets cannot be allocated under these bounds
│   └── InfeasibleError       the bounds contradict each other (names the smallest relaxation)
├── OperationsError           the operations database refuses
│   └── IllegalTransitionError  a state machine was asked for a move it does not have
├── PublishError              a change may not be published
│   ├── ApprovalError         no approval, an expired one, or one of another digest
│   ├── UnfundedError         cuts in other accounts have yet to pay for it; it stays approved
│   └── ConflictError         the platform holds neither the old nor the new value
└── PlatformError             an ad platform's API said no, or said nothing
    ├── TransientError        network, time-out, 5xx, torn body: try again
    ├── ThrottledError        a limit: try again after the server's wait
    ├── TooMuchDataError      the query is too large: split it
    ├── AuthError             token invalid or expired: a person must act; other accounts go on
    ├── PermissionDeniedError the token may not touch this object
    ├── NotFoundError         no such object, or not visible
    ├── RejectedError         the platform refuses the request as invalid: do not retry
    ├── NotNowError           the platform refuses it for the moment, by a rule of its own: another day it may take it
    ├── MalformedError        an answer that is not what the API documents
    ├── ReportFailedError     an asynchronous report failed or never finished
    └── UnknownOutcomeError   a write was sent and its answer lost: read back before trying again
"""

from dataclasses import dataclass


class StakazoError(Exception):
    """Root of everything raised on purpose."""


class ConfigError(StakazoError):
    """A setting, policy or mapping is wrong."""


class InputError(StakazoError):
    """A user's file or table is wrong."""


class LakeError(StakazoError):
    """A lake file cannot be read or written."""


class MeasurementError(StakazoError):
    """An estimate cannot be made from these numbers."""


class AllocationError(StakazoError):
    """Budgets cannot be allocated under these bounds."""


@dataclass(eq=False)
class InfeasibleError(AllocationError):
    """The bounds contradict each other; `relaxation` is the smallest amount of money that would help."""

    message: str
    relaxation: float = 0.0

    def __str__(self) -> str:
        return self.message


class OperationsError(StakazoError):
    """The operations database refuses."""


class IllegalTransitionError(OperationsError):
    """A state machine was asked for a move it does not have."""


class PublishError(StakazoError):
    """A change may not be published."""


class ApprovalError(PublishError):
    """No approval, an expired one, or one of another digest."""


class UnfundedError(PublishError):
    """Cuts in other accounts have yet to pay for it; it stays approved."""


class ConflictError(PublishError):
    """The platform holds neither the old nor the new value."""


@dataclass(eq=False)
class PlatformError(StakazoError):
    """An ad platform's API said no, or said nothing. `message` never holds a token or a URL's query."""

    message: str
    platform: str = ""
    code: str = ""
    subcode: str = ""
    request_id: str = ""
    status: int | None = None

    def __str__(self) -> str:
        facts = [
            self.platform,
            f"HTTP {self.status}" if self.status else "",
            self.code and f"code {self.code}",
        ]
        facts += [
            self.subcode and f"subcode {self.subcode}",
            self.request_id and f"request {self.request_id}",
        ]
        return f"{self.message} ({', '.join(fact for fact in facts if fact)})" if any(facts) else self.message


class TransientError(PlatformError):
    """Network, time-out, 5xx or a torn body: try again."""


@dataclass(eq=False)
class ThrottledError(PlatformError):
    """A limit was reached: try again after `retry_after` seconds."""

    retry_after: float | None = None


class TooMuchDataError(PlatformError):
    """The query is too large for one answer: split it."""


class AuthError(PlatformError):
    """The token is invalid or expired: a person must act."""


class PermissionDeniedError(PlatformError):
    """The token may not touch this object."""


class NotFoundError(PlatformError):
    """No such object, or not visible to this token."""


class RejectedError(PlatformError):
    """The platform refuses the request as invalid."""


class NotNowError(PlatformError):
    """The platform refuses this for the moment, by a documented rule: another day it may take it."""


class MalformedError(PlatformError):
    """An answer that is not what the API documents."""


class ReportFailedError(PlatformError):
    """An asynchronous report failed or never finished."""


class UnknownOutcomeError(PlatformError):
    """A write was sent and its answer lost: read back before trying again."""
