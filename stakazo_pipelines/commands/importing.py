"""`stakazo import`: an export file becomes raw vintages, with a report of what was taken and what was set aside."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.importing.importer import ImportReport, import_file
from stakazo_pipelines.importing.mapping import ColumnMapping, load_mapping, mapping_from_flags
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.settings import Settings

_SHOWN_REJECTS = 10


def import_command(
    file: Annotated[Path, typer.Argument(help="A CSV or Excel export.")],
    platform: Annotated[str, typer.Option(help="Whose export it is: meta, tiktok, linkedin, or a name of your own.")],
    mapping: Annotated[
        Path | None, typer.Option(help="YAML: our names, and the columns of yours that hold them.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="name=column instead of a mapping file, repeatable: spend='Amount spent'.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Account id, where the file has none.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217 code, where the file has none.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA name of the zone the days are in.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="The day the export was made (default: now); tells its age.")
    ] = None,
) -> None:
    """Land an export in the lake; then build its days in the UI or with `stakazo build`."""
    settings = Settings()
    when = datetime.now(UTC) if as_of is None else datetime.combine(parse_day(as_of), time(23, 59), UTC)
    report = import_file(
        file,
        platform=platform,
        imported_at=when,
        mapping=chosen_mapping(mapping, column),
        account=account,
        currency=currency,
        timezone=timezone,
        lake=Lake(settings.lake_root),
    )
    _print(report, Console())


def chosen_mapping(file: Path | None, columns: list[str] | None) -> ColumnMapping | None:
    """The mapping of a file or of flags; None leaves it to recognition. Raises ConfigError for both at once."""
    if file is not None and columns:
        raise ConfigError("--mapping and --column are two ways to say the same: give one of them")
    if file is not None:
        return load_mapping(file)
    return mapping_from_flags(columns) if columns else None


def parse_day(text: str, name: str = "--as-of") -> date:
    """An ISO day. Raises ConfigError naming the argument."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} {text!r} is not a day; write it as 2026-06-30") from None


def _print(report: ImportReport, console: Console) -> None:
    days = report.days
    title = f"{Path(report.source).name}: {report.layout} layout, {report.level} level"
    facts = Table(title=title, title_justify="left", show_header=False, box=SIMPLE)
    for name, value in (
        ("rows accepted", f"{report.accepted:,}"),
        ("rows added up into another", f"{report.merged:,}"),
        ("rows set aside", f"{len(report.rejected):,}"),
        ("accounts", ", ".join(f"{account.id} ({account.currency})" for account in report.accounts)),
        ("days", f"{days[0]} to {days[-1]} ({len(days)} with data)"),
        ("spend", f"{report.spend:,.2f}"),
        ("conversions", f"{report.conversions:,.0f}"),
        ("conversions value", f"{report.conversions_value:,.2f}"),
        ("files written", f"{len(report.files):,}"),
    ):
        facts.add_row(name, value)
    console.print(facts)
    for note in report.notes:
        console.print(f"note: {note}")
    if report.rejected:
        rejects = Table("row", "column", "reason", title="set aside")
        for row in report.rejected[:_SHOWN_REJECTS]:
            rejects.add_row(row.where, row.field, row.reason)
        console.print(rejects)
        if len(report.rejected) > _SHOWN_REJECTS:
            console.print(f"… and {len(report.rejected) - _SHOWN_REJECTS:,} more, all kept in the lake's quarantine")
