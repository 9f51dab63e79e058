"""The account's own row in its entity snapshot: how an account becomes one, and how it is read again.

Allocation reads the account's currency, time zone, smallest money unit and smallest budgets from there.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Entity
from stakazo_pipelines.platforms.wire import zone_problem
from stakazo_pipelines.vocabulary import EntityStatus, Level

_CURRENCY = re.compile("[A-Z]{3}")


def account_entity(account: Account) -> Entity:
    """The account as the entity that heads its snapshot."""
    least = {"min_daily_budget": account.min_daily_budget, "min_campaign_budget": account.min_campaign_budget}
    amounts = {name: None if money is None else str(money.amount) for name, money in least.items()}
    return Entity(
        level=Level.ACCOUNT,
        id=account.id,
        account_id=account.id,
        parent_id="",
        name=account.name,
        status=account.status,
        native_type="account",
        native={"minor_units": account.minor_units, **amounts},
    )


def account_of(row: Mapping[str, Any]) -> Account:
    """The account of such a row (RAW_ENTITIES_SCHEMA). Raises LakeError naming the first column that is wrong."""
    if row["entity_id"] != row["account_id"]:
        raise LakeError(f"entity_id: the account's own id {row['account_id']!r}, not {row['entity_id']!r}")
    if not row["account_name"]:
        raise LakeError("account_name: is empty")
    if not _CURRENCY.fullmatch(row["currency"] or ""):
        raise LakeError(f"currency: three capital letters (ISO 4217), not {row['currency']!r}")
    if problem := zone_problem(row["timezone"] or ""):
        raise LakeError(f"timezone: {problem}")
    native = _payload(row["native"])
    return Account(
        id=row["account_id"],
        name=row["account_name"],
        currency=row["currency"],
        timezone=row["timezone"],
        minor_units=_units(native.get("minor_units")),
        status=_status(row["status"]),
        min_daily_budget=_amount(native, "min_daily_budget", row["currency"]),
        # Older snapshots know no smallest budget of campaigns.
        min_campaign_budget=_amount(native, "min_campaign_budget", row["currency"]),
    )


def _payload(text: str | None) -> Mapping[str, object]:
    try:
        native = json.loads(text or "")
    except ValueError:
        native = None
    if not isinstance(native, dict):
        raise LakeError(f"native: a JSON object, not {text!r:.60}")
    return native


def _units(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise LakeError(f"native.minor_units: a whole number of at least 1, not {value!r:.60}")
    return value


def _status(value: str) -> EntityStatus:
    try:
        return EntityStatus(value)
    except ValueError:
        raise LakeError(f"status: one of {', '.join(EntityStatus)}, not {value!r}") from None


def _amount(native: Mapping[str, object], name: str, currency: str) -> Money | None:
    value = native.get(name)
    if value is None:
        return None
    try:
        amount = Decimal(value) if isinstance(value, str) else Decimal("nan")
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise LakeError(f"native.{name}: an amount of at least 0, not {value!r:.60}")
    return Money(amount, currency)
