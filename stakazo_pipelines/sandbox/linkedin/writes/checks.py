"""The checks that entities share. They collect what is wrong; `raise_any` answers with all of it at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stakazo_pipelines.sandbox.linkedin import money
from stakazo_pipelines.sandbox.linkedin.errors import InputError, LinkedInError, invalid
from stakazo_pipelines.sandbox.world import Account

Document = dict[str, Any]
_BORN = ("ACTIVE", "DRAFT", "PAUSED")
_ENDED = ("PENDING_DELETION", "REMOVED")
_SLACK = timedelta(minutes=10)  # how far a start may lie in the past and still be now
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)


@dataclass(slots=True)
class Checks:
    """`document` is the entity as it would be, `before` as it is (None for a new one)."""

    document: Document
    before: Document | None
    found: list[InputError] = field(default_factory=list)

    def add(self, code: str, path: str, description: str) -> None:
        self.found.append(InputError(code, f"/{path}", description))

    def raise_any(self) -> None:
        if self.found:
            raise invalid(self.found)

    def changed(self, name: str) -> bool:
        """Whether this write sets the field to something new."""
        return self.before is None or self.document.get(name) != self.before.get(name)

    def known(self, writable: Iterable[str], read_only: Iterable[str]) -> None:
        """Refuses fields that are read-only (422) or that the entity does not have."""
        for name in self.document:
            if name in read_only:
                raise LinkedInError(
                    422, "FIELD_NOT_ALLOWED", f"ReadOnly field /{name} present in the request",
                    inputs=[InputError("FIELD_NOT_ALLOWED", f"/{name}", "is read-only")],
                )  # fmt: skip
            if name not in writable:
                self.add("FIELD_NOT_ALLOWED", name, "unrecognized field")

    def required(self, *names: str) -> None:
        for name in names:
            if self.document.get(name) is None:
                self.add("MISSING_FIELD", name, "field is required but not found")

    def one_of(self, name: str, allowed: Iterable[str]) -> None:
        value = self.document.get(name)
        if value is not None and value not in tuple(allowed):
            self.add("INVALID_VALUE_FOR_FIELD", name, f"{value} is not an enum symbol of the field")

    def boolean(self, *names: str) -> None:
        for name in names:
            if self.document.get(name) is not None and not isinstance(self.document[name], bool):
                self.add("INVALID_VALUE_FOR_FIELD", name, "must be true or false")

    def name(self, longest: int, *, needed: bool = True) -> None:
        value = self.document.get("name")
        if value is None:
            if needed:
                self.required("name")
        elif not isinstance(value, str) or (needed and not value.strip()):
            self.add("INVALID_VALUE_BLANK_FIELD", "name", "must not be blank")
        elif len(value) > longest:
            self.add("FIELD_LENGTH_TOO_LONG", "name", f"is longer than {longest} characters")

    def immutable(self, name: str, code: str) -> None:
        if self.before is not None and self.changed(name) and name in self.before:
            self.add(code, name, "cannot be changed")

    def status(self, name: str, allowed: Iterable[str]) -> None:
        """An enum with one table of moves: nothing leaves deletion or cancellation, nothing returns to DRAFT."""
        self.one_of(name, allowed)
        now = self.document.get(name)
        if self.before is None:
            if now is not None and now in tuple(allowed) and now not in _BORN:
                self.add("INVALID_VALUE_FOR_FIELD", name, f"a new entity cannot be {now}")
            return
        was = self.before[name]
        if now == was:
            return
        if was == "CANCELED" and now not in _ENDED:
            self.add("ACTION_NOT_ALLOWED_FOR_CANCELLED_STATUS", name, "a canceled entity stays canceled")
        elif was in _ENDED or now == "DRAFT":
            self.add("INVALID_STATUS_TRANSITION", name, f"{was} cannot become {now}")

    def money(self, name: str, account: Account, least: Decimal | None = None) -> Decimal | None:
        """The amount of a money field, checked for currency, form, and (where it is new) its floor."""
        value = self.document.get(name)
        if value is None:
            return None
        amount = money.major(value)
        if amount is None or amount < 0 or amount * account.minor_units % 1 != 0:
            self.add("INVALID_VALUE_FOR_FIELD", f"{name}/amount", "must be a decimal text in the account's currency")
            return None
        if record(value).get("currencyCode") != account.currency:
            self.add("CURRENCY_MISMATCH", f"{name}/currencyCode", f"the account is billed in {account.currency}")
        elif least is not None and self.changed(name) and amount < least:
            self.add("FIELD_VALUE_TOO_LOW", f"{name}/amount", f"must be at least {least} {account.currency}")
        return amount

    def schedule(self, now: datetime, *, activated: bool) -> None:
        """`runSchedule` in milliseconds. A new start may not lie in the past, nor any where `activated`."""
        schedule = self.document.get("runSchedule")
        if schedule is None:
            return
        if not isinstance(schedule, Mapping) or not all(_instant(schedule.get(end)) for end in ("start", "end")):
            self.add("INVALID_VALUE_FOR_FIELD", "runSchedule", "start and end must be epoch milliseconds")
            return
        start, end = schedule.get("start"), schedule.get("end")
        if start is None:
            self.add("MISSING_FIELD", "runSchedule/start", "field is required but not found")
            return
        was = (self.before or {}).get("runSchedule", {})
        past = int((now - _SLACK).timestamp() * 1000)
        if start < past and (activated or start != was.get("start")):
            self.add("DATE_TOO_EARLY", "runSchedule/start", "lies in the past")
        if end is not None and end <= start:
            self.add("START_DATE_AFTER_END_DATE", "runSchedule", "must start before it ends")
        if end is not None and end != was.get("end") and end <= int(now.timestamp() * 1000):
            self.add("DATE_TOO_EARLY", "runSchedule/end", "lies in the past")

    @property
    def activated(self) -> bool:
        """Whether a draft becomes active by this write."""
        return self.before is not None and self.before["status"] == "DRAFT" and self.document.get("status") == "ACTIVE"


def record(value: object) -> dict[str, Any]:
    """A record as it is; anything else, which some check has to complain about, as an empty one."""
    return value if isinstance(value, dict) else {}


def times(document: Document) -> dict[str, datetime | None]:
    """The world's start and end of a checked schedule."""
    schedule = record(document.get("runSchedule"))
    return {f"{end}_time": moment(schedule[end]) if schedule.get(end) else None for end in ("start", "end")}


def moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def _instant(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LATEST)
