"""Money: a decimal amount with its currency. Never a float between reading a platform and writing to it."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in major units (12.34 EUR is `Money(Decimal("12.34"), "EUR")`)."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise ValueError(f"money needs a finite Decimal, not {self.amount!r}")
        if len(self.currency) != 3 or not self.currency.isupper():
            raise ValueError(f"currency must be three capital letters (ISO 4217), not {self.currency!r}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"

    def quantized(self, minor_units_per_major: int) -> "Money":
        """Round to the smallest unit the platform accepts (100 for cents, 1 for whole yen)."""
        step = Decimal(1) / Decimal(minor_units_per_major)
        return Money(self.amount.quantize(step, rounding=ROUND_HALF_EVEN), self.currency)

    def to_minor(self, minor_units_per_major: int) -> int:
        """Whole minor units, for the wire; raises ValueError if the amount does not fit them exactly."""
        scaled = self.amount * minor_units_per_major
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{self} is not a whole number of 1/{minor_units_per_major} {self.currency}")
        return int(scaled)

    def _same(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"cannot combine {self.currency} with {other.currency}: convert first")
        return other.amount
