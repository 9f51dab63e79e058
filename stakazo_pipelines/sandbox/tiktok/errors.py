"""What goes wrong, in TikTok's way: a code and a message inside an HTTP 200."""

from collections.abc import Iterable


class TikTokError(Exception):
    """One failed call. `status` differs from 200 only where the server itself fails."""

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(text: str) -> TikTokError:
    """40002, the most common one: what is wrong stands in the message only."""
    return TikTokError(40002, text)


def missing(names: Iterable[str]) -> TikTokError:
    return invalid(f"Missing required field(s): {', '.join(names)}.")


def not_among(name: str, value: object, known: Iterable[str]) -> TikTokError:
    return invalid(f"{name}: {value} is not one of {', '.join(known)}.")


def missing_token() -> TikTokError:
    return TikTokError(40104, "Access token is null, you should set it in http header with key Access-Token.")


def bad_token() -> TikTokError:
    return TikTokError(40105, "Access token is incorrect or has been revoked.")


def expired_token() -> TikTokError:
    return TikTokError(40102, "Access token has expired.")


def no_permission(what: str) -> TikTokError:
    return TikTokError(40001, f"No permission to operate {what}.")


def unknown_object(kind: str, object_id: str) -> TikTokError:
    return TikTokError(40007, f"{kind} {object_id} does not exist.")


def deleted_object(kind: str, object_id: str) -> TikTokError:
    return invalid(f"{kind} {object_id} has been deleted and can no longer be changed.")


def duplicate_request(request_id: str) -> TikTokError:
    return TikTokError(40050, f"Duplicate request: request_id {request_id} has been used.")


def refused_write() -> TikTokError:
    return invalid("The operation cannot be carried out for this object.")
