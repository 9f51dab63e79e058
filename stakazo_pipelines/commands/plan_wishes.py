"""What `stakazo plan` is asked for, read from its options."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from pydantic import ValidationError

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.policy import RangePolicy
from stakazo_pipelines.table_input import MOST

EXPECTED = "expected"


def parse_risk(text: str | None) -> float | None:
    """`expected` or a quantile; None where nothing was said. Raises ConfigError naming the option."""
    if text is None:
        return None
    if text == EXPECTED:
        return 1.0
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--risk {text!r} is neither {EXPECTED} nor a quantile such as 0.25") from None


def parse_amount(option: str, text: str | None) -> Decimal | None:
    """An amount of money, None where nothing was said. Raises ConfigError naming the option."""
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ConfigError(f"{option} {text!r} is not an amount; write it as 1250 or 1250.50") from None


def parse_viable(option: str, text: str | None) -> Decimal | None:
    """`parse_amount` of a budget that is above 0."""
    amount = parse_amount(option, text)
    if amount is None or (amount.is_finite() and 0 < amount <= Decimal(MOST)):
        return amount
    raise ConfigError(f"{option} {text!r} is not a budget a day; write an amount above 0, such as 20 or 12.50")


def parse_bounds(texts: Sequence[str]) -> dict[str, RangePolicy]:
    """NAME=MIN:MAX each, either side may be empty. Raises ConfigError naming the option."""
    found: dict[str, RangePolicy] = {}
    for text in texts:
        name, _, ends = text.rpartition("=")
        low, colon, high = ends.partition(":")
        if not name or not colon:
            raise ConfigError(f"--bound {text!r} is not NAME=MIN:MAX, such as 'Brand=50:200' or 'Brand=:200'")
        try:
            values = {side: Decimal(end) for side, end in (("min", low), ("max", high)) if end.strip()}
            found[name] = RangePolicy.model_validate(values)
        except InvalidOperation:
            raise ConfigError(f"--bound {text!r} has an end that is no amount; write it as 1250 or 1250.50") from None
        except ValidationError as error:
            raise ConfigError(f"--bound {text!r}: {error.errors()[0]['msg']}") from None
    return found
