"""A user's table of `date, ad_group, spend, conversions, conversions_value` from CSV or Parquet, checked row by row.

`read_table` reads a file, `clean_table` checks any frame. What cannot be used is set aside with row, column and
reason; only a table with nothing usable is an error.
"""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.table_columns import OPTIONAL, REQUIRED, plain, taken, under_our_names
from stakazo_pipelines.table_text import cleaned, notation_of, to_days, to_numbers

__all__ = ["REQUIRED", "TableInput", "clean_table", "describe", "read_table"]

NUMBERS = ("spend", "conversions", "conversions_value", "budget")
MOST = 1e12  # of money or conversions in a row: beyond it a unit is wrong, and sums lose their cents
_DELIMITERS = ",;\t|"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TableInput:
    """frame: date (Date), ad_group, spend, conversions, conversions_value (Float64), then the optional columns found.

    One row per ad group (with its campaign, platform, currency) and day. quarantined: row (as a spreadsheet numbers
    it), column, reason. notes: what was taken to mean what, in words.
    """

    frame: pl.DataFrame
    quarantined: pl.DataFrame
    notes: tuple[str, ...]


def read_table(path: Path, *, guess: bool = False) -> TableInput:
    """Read a CSV (any usual delimiter, UTF-8, UTF-16 or Windows-1252) or a Parquet file. Raises InputError.

    guess: the usual other names of columns are taken for ours (see `table_columns.taken`), and the notes say which.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if content[:4] == b"PAR1":
        try:
            raw = pl.read_parquet(io.BytesIO(content))
        except pl.exceptions.PolarsError as error:
            raise InputError(f"{path}: not a readable Parquet file ({error})") from None
        return _checked(raw, str(path), ",", 1, guess)
    whole = _decoded(content, str(path))
    text = whole.lstrip("\n")
    lines = text.split("\n", 1)
    if not text.strip():
        raise InputError(f"{path}: the file is empty; it needs the columns {', '.join(REQUIRED)}")
    delimiter = max(_DELIMITERS, key=lines[0].count)
    return _checked(_parsed(text, delimiter, str(path)), str(path), delimiter, 2 + len(whole) - len(text), guess)


def _checked(raw: pl.DataFrame, source: str, delimiter: str, first_row: int, guess: bool) -> TableInput:
    frame, notes = taken(raw) if guess else (raw, ())
    result = clean_table(frame, source=source, delimiter=delimiter, first_row=first_row)
    return replace(result, notes=notes + result.notes)


def clean_table(raw: pl.DataFrame, *, source: str = "table", delimiter: str = ",", first_row: int = 1) -> TableInput:
    """Check and convert a frame of any column types. first_row: the number of its first row in messages.

    Empty conversions or values mean 0 where the column has no 0 at all (exports leave zeros blank) or where there were
    no conversions; otherwise they are missing, and missing is not zero. Rows equal in every column are kept once; rows
    of one ad group and day that another column tells apart (an ad, an age group) are summed; others contradict each
    other and are set aside. Raises InputError for missing or doubled columns and when no row is left.
    """
    named = under_our_names(raw, source)
    if named.is_empty():
        raise InputError(f"{source}: there is a header but no row")
    blank = named.select(pl.all_horizontal(pl.all().cast(pl.String).fill_null("").str.strip_chars() == "")).to_series()
    rows = pl.Series("row", range(first_row, first_row + len(named)), dtype=pl.Int64).filter(~blank)
    named = named.filter(~blank)
    notes: list[str] = []
    found = [name for name in (*REQUIRED, *OPTIONAL) if name in named.columns]
    days, problem = to_days(named["date"])
    columns, reasons = {"date": days}, {"date": problem}
    for name in found:
        if name not in ("date", *NUMBERS):
            text = named[name].cast(pl.String).str.strip_chars().replace("", None)
            columns[name] = text.str.to_uppercase() if name == "currency" else text
            wanted = name == "ad_group" or (name == "currency" and text.null_count() < len(text))
            reasons[name] = _when(columns[name].is_null(), "is empty") if wanted else _when(text.is_null(), None)
    if "currency" in columns and columns["currency"].null_count() < len(named):
        wrong = ~columns["currency"].str.contains("^[A-Z]{3}$").fill_null(value=True)
        reasons["currency"] = _first(reasons["currency"], _when(wrong, "is not a three-letter code such as USD"))
    for name, (number, refused) in _numbers(named, [name for name in NUMBERS if name in found], delimiter).items():
        wrong = _first(_when(number < 0, "is negative"), _when(number > MOST, f"is above {MOST:g}; check its unit"))
        columns[name], reasons[name] = number, _first(refused, wrong)
    for name in ("conversions", "conversions_value"):
        columns[name], reasons[name] = _blanks(name, columns, reasons[name], notes)
    reasons["spend"] = _first(reasons["spend"], _when(columns["spend"].is_null(), "is empty"))

    frame = pl.DataFrame([rows, *(columns[name].alias(name) for name in found)])
    unfit = (
        pl.DataFrame([rows, *(reasons[name].alias(name) for name in found)])
        .unpivot(index="row", variable_name="column", value_name="reason")
        .filter(pl.col("reason").is_not_null())
        .sort("row", maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
    )
    usable = frame.join(unfit, on="row", how="anti", maintain_order="left")
    others = [named[name].cast(pl.String) for name in named.columns if name not in (*REQUIRED, *OPTIONAL)]
    usable, doubled = _one_a_day(usable, pl.DataFrame([rows, *others]), notes)
    quarantined = pl.concat([unfit, doubled]).sort("row")
    if usable.is_empty():
        raise InputError(f"{source}: none of the {len(named)} rows can be used\n{describe(quarantined)}")
    return TableInput(usable.select(found), quarantined, tuple(notes))


def describe(quarantined: pl.DataFrame) -> str:
    """The first few quarantined rows, one a line, and how many more there are."""
    lines = [f"  row {row}: {column} {reason}" for row, column, reason in quarantined.head(_SHOWN).iter_rows()]
    more = len(quarantined) - _SHOWN
    return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])


def _decoded(content: bytes, source: str) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise InputError(f"{source}: neither text nor Parquet; export it as CSV (UTF-8)")


def _parsed(text: str, delimiter: str, source: str) -> pl.DataFrame:
    """Every column as text. Rows with too many fields lose their date, which sets them aside."""
    try:
        return pl.read_csv(io.BytesIO(text.encode()), separator=delimiter, infer_schema=False)
    except pl.exceptions.PolarsError:
        pass  # a ragged file: read it row by row
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{source}: not readable as CSV ({error})") from None
    header, width = rows[0], len(rows[0])
    if len(set(header)) < width:
        raise InputError(f"{source}: a column name appears twice in the header: {', '.join(header)}")
    date = next((index for index, name in enumerate(header) if plain(name) == "date"), 0)
    kept = []
    for row in rows[1:]:
        fields = [*row[:width], *[""] * (width - len(row))]
        if len(row) > width:
            fields[date] = f"(row of {len(row)} fields under {width} columns)"
        kept.append(fields)
    return pl.DataFrame(kept, schema=dict.fromkeys(header, pl.String), orient="row")


def _numbers(named: pl.DataFrame, names: list[str], delimiter: str) -> dict[str, tuple[pl.Series, pl.Series]]:
    typed = {name: named[name].dtype.is_numeric() for name in names}
    texts = {name: cleaned(named[name]) for name in names if not typed[name]}
    notation = notation_of(list(texts.values()), delimiter) if texts else None
    answer = {}
    for name in names:
        if notation is not None and name in texts:
            answer[name] = to_numbers(texts[name], notation)
        else:
            number = named[name].cast(pl.Float64)
            answer[name] = (number, _when(~number.is_finite(), "is not a finite number"))
    return answer


def _blanks(
    name: str, columns: dict[str, pl.Series], refused: pl.Series, notes: list[str]
) -> tuple[pl.Series, pl.Series]:
    """Empty cells become 0 where that is what they mean, and a reason where it is not known."""
    number = columns[name]
    empty = number.is_null() & refused.is_null()
    if not empty.any():
        return number, refused
    if name == "conversions":
        # A column that writes no 0 anywhere leaves it blank; but not beside a value.
        worthless = (columns["conversions_value"].fill_null(0.0) == 0) if not (number == 0).any() else ~empty
        means_zero = empty & worthless & (number.null_count() < len(number))
        if means_zero.any():
            notes.append(f"conversions: {int(means_zero.sum())} empty cells are read as 0; the column writes no 0")
    else:
        means_zero = empty & (columns["conversions"] == 0).fill_null(value=False)
    number = number.zip_with(~means_zero, pl.repeat(0.0, len(number), eager=True))
    return number, _first(refused, _when(empty & ~means_zero, "is empty; write 0 if there was none"))


def _one_a_day(usable: pl.DataFrame, extras: pl.DataFrame, notes: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per ad group and day; the rows that stand in the way of it, with reasons."""
    keys = [name for name in ("date", "platform", "campaign", "ad_group", "currency") if name in usable.columns]
    others = [name for name in extras.columns if name != "row"]
    marked = usable.join(extras.rename({name: f"other {name}" for name in others}), on="row", maintain_order="left")
    told_apart = [*keys, *(f"other {name}" for name in others)]
    values = [name for name in marked.columns if name != "row"]
    copies = marked.filter(~pl.struct(values).is_first_distinct())
    rest = marked.filter(pl.struct(values).is_first_distinct())
    clash = rest.filter(pl.struct(told_apart).is_duplicated())
    rest = rest.filter(~pl.struct(told_apart).is_duplicated())
    reasons = pl.concat(
        [
            copies.select("row", pl.lit("ad_group").alias("column"), pl.lit("repeats an earlier row").alias("reason")),
            clash.select(
                "row",
                pl.lit("ad_group").alias("column"),
                pl.format("{} has different rows for {}; keep one", "ad_group", "date").alias("reason"),
            ),
        ]
    )
    sums = [pl.col(name).sum() for name in NUMBERS[:3]]
    budget = [pl.col("budget").max()] if "budget" in rest.columns else []
    merged = rest.group_by(keys, maintain_order=True).agg(*sums, *budget)
    if len(merged) < len(rest):
        notes.append(f"{len(rest):,} rows of a finer breakdown are summed to {len(merged):,} ad group days")
    return merged, reasons


def _when(condition: pl.Series, reason: str | None) -> pl.Series:
    frame = pl.DataFrame({"condition": condition.fill_null(value=False)})
    return frame.select(pl.when("condition").then(pl.lit(reason, dtype=pl.String)).otherwise(None)).to_series()


def _first(one: pl.Series, other: pl.Series) -> pl.Series:
    return one.zip_with(one.is_not_null(), other)
