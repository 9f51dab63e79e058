"""An export as text cells: CSV (comma, semicolon or tab; UTF-8 or UTF-16) and Excel become the same thing."""

import csv
import io
import zipfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from stakazo_pipelines.errors import InputError

_CSV, _EXCEL = {".csv", ".tsv", ".txt"}, {".xlsx", ".xlsm"}


@dataclass(frozen=True, slots=True)
class Table:
    """A header and its rows as they stand in the file; `rows` pairs each with its row number (the header is row 1)."""

    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def the_table_file(path: Path) -> Path:
    """The path itself, or the one table in the folder that it is. Raises InputError when there are none or several."""
    if not path.is_dir():
        return path
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in _CSV | _EXCEL)
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "no .csv or .xlsx file"
        raise InputError(f"{path}: is a folder with {names}; give the path of one file")
    return found[0]


def read_table(path: Path) -> Table:
    """Read an export. Raises InputError naming the file and what to do."""
    suffix = path.suffix.lower()
    if suffix not in _CSV | _EXCEL:
        raise InputError(f"{path}: {suffix or 'a file without suffix'} is not supported; save it as .csv or .xlsx")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    records = list(_excel(path) if suffix in _EXCEL else _csv(path))
    filled = [(number, cells) for number, cells in records if any(cells)]
    if not filled:
        raise InputError(f"{path}: is empty; export it again")
    header = tuple(name.strip() for name in filled[0][1])
    while header and not header[-1]:
        header = header[:-1]
    if len(filled) == 1:
        raise InputError(f"{path}: has a header and no rows; choose a period with delivery and export it again")
    return Table(str(path), header, tuple(filled[1:]))


def _csv(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    raw = path.read_bytes()
    encoding = "utf-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line} is not {encoding} text; save the file as 'CSV UTF-8'") from None
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, tuple(cell.strip() for cell in cells)
    except csv.Error as error:
        raise InputError(f"{path}: row {number + 1} is not valid CSV ({error}); is the file cut off?") from None


def _excel(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError) as error:
        raise InputError(f"{path}: cannot be read as Excel ({error}); save it again as .xlsx or .csv") from None
    try:
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            yield number, _texts(cells)
    finally:
        book.close()


def _texts(cells: Sequence[object]) -> tuple[str, ...]:
    return tuple(_text(cell) for cell in cells)


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # Excel keeps whole numbers, ids among them, as floats
    return str(cell).strip()
