"""Text columns of a user's table to numbers and days: one notation a file, and nothing guessed where it is ambiguous.

`1,234` alone is one thousand or one and a quarter; `03/04/2026` is March or April. The rest of the file usually tells;
where it does not, the row is refused with the fix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

# A thousands separator groups digits by three; the other sign, once, is the decimal one.
_POINT = r"^[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?$"
_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?$"
_DIGIT = r"\d"
_WORDS = r"^(?i)[+-]?(nan|inf|infinity)$"
_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y",
    "%d %b %Y",
    "%b %d, %Y",
)


@dataclass(frozen=True, slots=True)
class Notation:
    """How a file writes numbers: `decimal` is the sign of the fraction, or "" when the file does not tell."""

    decimal: str


def cleaned(column: pl.Series) -> pl.Series:
    """Text without spaces, currency signs and codes; empty becomes null."""
    text = (
        column.cast(pl.String).str.replace_all(r"[\s\u00a0\u202f'$€£¥₺₹]", "").str.replace(r"^[A-Z]{3}|[A-Z]{3}$", "")
    )
    return text.replace("", None).replace("-", None).replace("--", None)


def notation_of(columns: Sequence[pl.Series], delimiter: str) -> Notation:
    """The decimal sign of a file, from all its (cleaned) number columns: evidence first, the delimiter second."""
    text = pl.concat([column.rename("text") for column in columns]).drop_nulls()
    text = text.filter(text.str.contains(_DIGIT))
    point, comma = text.str.contains(_POINT), text.str.contains(_COMMA)
    only_point, only_comma = bool((point & ~comma).any()), bool((comma & ~point).any())
    if only_point != only_comma:
        return Notation("." if only_point else ",")
    if only_point and only_comma:
        return Notation(".")  # mixed: the commas are refused row by row
    if bool(text.str.contains(",", literal=True).any()):
        return Notation("," if delimiter == ";" else "")
    return Notation(".")


def to_numbers(text: pl.Series, notation: Notation) -> tuple[pl.Series, pl.Series]:
    """(Float64 numbers, why each is refused): a number or a reason wherever there was text, else both null."""
    comma = notation.decimal == ","
    shape = text.str.contains(_COMMA if comma else _POINT) & text.str.contains(_DIGIT)
    unclear = (
        text.str.contains(",", literal=True) & shape
        if not notation.decimal
        else pl.repeat(False, len(text), eager=True)
    )
    plain = (
        text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        if comma
        else text.str.replace_all(",", "", literal=True)
    )
    number = plain.cast(pl.Float64, strict=False)
    frame = pl.DataFrame({"text": text, "number": number, "shape": shape, "unclear": unclear})
    good = pl.col("shape") & ~pl.col("unclear") & pl.col("number").is_finite()
    reason = (
        pl.when(pl.col("text").is_null() | good.fill_null(value=False))
        .then(None)
        .when(pl.col("text").str.contains(_WORDS) | pl.col("number").is_infinite())
        .then(pl.format("is {}, not a finite number", pl.col("text")))
        .when("unclear")
        .then(pl.format("is {}: thousands or decimals? write it without separators", pl.col("text")))
        .otherwise(pl.format("is {}, not a number", pl.col("text").str.slice(0, 40)))
    )
    answer = frame.select(pl.when(good).then("number").alias("number"), reason.alias("reason"))
    return answer["number"], answer["reason"]


def to_days(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(Date days, why each is refused) from dates, datetimes or text in ISO or a notation the file makes clear."""
    if column.dtype == pl.Date:
        days = column
    elif isinstance(column.dtype, pl.Datetime):
        days = column.dt.date()
    else:
        column = column.cast(pl.String).str.strip_chars()
        days = column.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
        for pattern in _DATES:
            days = days.zip_with(days.is_not_null(), column.str.to_date(pattern, strict=False))
        days = days.zip_with(days.is_not_null(), _slashed(column))
    shown = column.cast(pl.String)
    frame = pl.DataFrame({"day": days, "text": shown})
    slashed = pl.col("text").str.contains(r"^\d{1,2}/\d{1,2}/\d{4}$")
    reason = (
        pl.when(pl.col("day").is_not_null() & pl.col("day").dt.year().is_between(2000, 2100))
        .then(None)
        .when(pl.col("text").is_null() | (pl.col("text") == ""))
        .then(pl.lit("is empty"))
        .when(slashed & pl.col("day").is_null())
        .then(pl.format("is {}: day or month first? write it as YYYY-MM-DD", pl.col("text")))
        .otherwise(
            pl.format(
                "is {}, not a date between 2000 and 2100; write it as YYYY-MM-DD", pl.col("text").str.slice(0, 40)
            )
        )
    )
    answer = frame.select("day", reason.alias("reason"))
    return answer["day"], answer["reason"]


def _slashed(column: pl.Series) -> pl.Series:
    """`a/b/yyyy`: day first if some a is above 12, month first if some b is; else unread."""
    parts = column.str.extract_groups(r"^(\d{1,2})/(\d{1,2})/(\d{4})$").struct.unnest()
    first, second = (parts[name].cast(pl.Int64, strict=False) for name in parts.columns[:2])
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first == month_first:
        return pl.Series([None] * len(column), dtype=pl.Date)
    return column.str.to_date("%d/%m/%Y" if day_first else "%m/%d/%Y", strict=False)
