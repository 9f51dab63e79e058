"""Tables and counts for asset metadata: a few rows an analyst can read, never the whole frame."""

from collections.abc import Sequence

import polars as pl
from dagster import MetadataValue, TableColumn, TableColumnConstraints, TableMetadataValue, TableRecord, TableSchema


def table(frame: pl.DataFrame, *, most: int = 15) -> TableMetadataValue:
    """The first rows as a metadata table; decimals and dates as text, floats to four digits."""
    head = frame.head(most)
    records = [TableRecord({name: _cell(value) for name, value in row.items()}) for row in head.iter_rows(named=True)]
    return MetadataValue.table(records=records, schema=_schema(head))


def _schema(frame: pl.DataFrame) -> TableSchema:
    return TableSchema(
        columns=[
            TableColumn(
                name=name,
                type=str(dtype),
                constraints=TableColumnConstraints(nullable=frame[name].null_count() > 0 or frame.height == 0),
            )
            for name, dtype in frame.schema.items()
        ]
    )


def listing(items: Sequence[str], *, none: str = "none") -> str:
    return ", ".join(items) if items else none


def _cell(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 1e4 else round(value, 1)
    return str(value)
