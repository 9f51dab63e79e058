"""Bringing in what people already have: an export becomes raw vintages in the lake, and every asset runs on it.

Ads Manager layouts are recognised; any other table needs a `ColumnMapping` (a small YAML file, or flags).
"""

from stakazo_pipelines.importing.importer import ImportReport, import_file
from stakazo_pipelines.importing.layouts import recognise
from stakazo_pipelines.importing.mapping import ColumnMapping, load_mapping, mapping_from_flags
from stakazo_pipelines.importing.rows import RejectedRow
from stakazo_pipelines.importing.table import Table, read_table

__all__ = [
    "ColumnMapping",
    "ImportReport",
    "RejectedRow",
    "Table",
    "import_file",
    "load_mapping",
    "mapping_from_flags",
    "read_table",
    "recognise",
]
