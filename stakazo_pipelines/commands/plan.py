"""`stakazo plan`: proposed budgets from a file alone; no account, no database, no Dagster."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.commands.importing import chosen_mapping, parse_day
from stakazo_pipelines.errors import ConfigError, InputError
from stakazo_pipelines.importing.importer import import_file
from stakazo_pipelines.importing.mapping import ColumnMapping
from stakazo_pipelines.lift_tests import load_lift_tests
from stakazo_pipelines.planning import PlanResult, plan_table
from stakazo_pipelines.policy import Policy, load_policy
from stakazo_pipelines.settings import Settings
from stakazo_pipelines.table_columns import apart
from stakazo_pipelines.table_input import TableInput, describe, read_table

_SHOWN_ROWS = 25


def plan(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet: date, ad_group, spend, conversions, conversions_value.")
    ],
    total: Annotated[str | None, typer.Option(help="What to spend a day in all (default: as much as now).")] = None,
    as_of: Annotated[str | None, typer.Option(help="Plan as on this day; later rows are ignored.")] = None,
    step_cap: Annotated[float | None, typer.Option(help="Largest change of one budget, as a fraction.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write one row per ad group here (.csv or .parquet).")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="The file is an export: map its columns as for `import`.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="name=column, as for `import`.")] = None,
    lift_tests: Annotated[
        Path | None, typer.Option(help="CSV of lift tests: start, end, metric, estimate, standard_error, … .")
    ] = None,
) -> None:
    """Estimate what each ad group earns and propose the daily budgets that earn most."""
    settings, errors = Settings(), Console(stderr=True)
    day = None if as_of is None else parse_day(as_of)
    table, notes = table_of(file, chosen_mapping(mapping, column))
    policy = _policy(settings)
    result = plan_table(
        table,
        policy=policy,
        total=_amount(total),
        as_of=day,
        step_cap=step_cap,
        lift_tests=load_lift_tests(lift_tests or policy.lift_tests),
    )
    if out is not None:
        _write(result.frame, out)
    period = apart(table)
    for note in (*notes, *((period,) if period else ()), *result.notes):
        errors.print(f"note: {note}", highlight=False)
    _print(result, Console())


def _policy(settings: Settings) -> Policy:
    """The policy file where there is one; a plan on paper needs none."""
    return load_policy(settings.policy_file) if settings.policy_file.exists() else Policy()


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ConfigError(f"--total {text!r} is not an amount; write it as 1250 or 1250.50") from None


def table_of(file: Path, mapping: ColumnMapping | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The plain table, an export read through its mapping or known layout, or a table under other names than ours."""
    if mapping is None:
        try:
            plain = read_table(file)
        except InputError as error:
            try:
                return _export(file, None)
            except InputError:
                plain = _guessed(file, error)
        aside = (f"{plain.quarantined.height} rows set aside:\n{describe(plain.quarantined)}",)
        return plain.frame, plain.notes + (aside if plain.quarantined.height else ())
    return _export(file, mapping)


def _guessed(file: Path, why_not: InputError) -> TableInput:
    """The table under the usual other names of columns; raises what stood against our own names where that fails."""
    try:
        return read_table(file, guess=True)
    except InputError as error:
        raise (error if "missing column" in str(why_not) else why_not) from None


def _export(file: Path, mapping: ColumnMapping | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    report = import_file(file, platform="export", imported_at=datetime.now(UTC), mapping=mapping)
    currency = {account.id: account.currency for account in report.accounts}
    frame = pl.DataFrame(
        [
            {
                "date": row.day,
                "ad_group": row.ad_group_name or row.ad_group_id,
                "campaign": row.campaign_name or row.campaign_id,
                "spend": float(row.spend),
                "conversions": float(row.conversions),
                "conversions_value": float(row.conversions_value),
                "currency": currency[row.account_id],
            }
            for row in report.rows
        ]
    )
    keys = ["date", "campaign", "ad_group", "currency"]
    aside = (f"{len(report.rejected)} rows set aside",) if report.rejected else ()
    return frame.group_by(keys, maintain_order=True).sum(), report.notes + aside


def _write(frame: pl.DataFrame, out: Path) -> None:
    try:
        if out.suffix == ".parquet":
            frame.write_parquet(out)
        else:
            frame.write_csv(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None


def _print(result: PlanResult, console: Console) -> None:
    table = Table(
        title=f"budgets a day, from {result.as_of} on", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("ad group", overflow="ellipsis", no_wrap=True, max_width=max(18, console.width - 62))
    for heading in ("now", "proposed", "ROAS (90 %)", "gain a day"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("held by", no_wrap=True, min_width=12)
    rows = result.frame.sort("current_budget", descending=True)
    for row in rows.head(_SHOWN_ROWS).iter_rows(named=True):
        moves = row["proposed_budget"] != row["current_budget"]
        table.add_row(
            row["ad_group"],
            f"{row['current_budget']:,.2f}",
            f"{row['proposed_budget']:,.2f}" if moves else "",
            _interval(row, "roas"),
            f"{row['expected_gain']:+,.2f}" if moves else "",
            row["binding"] if row["state"] == "ok" else row["state"],
        )
    console.print(table)
    if rows.height > _SHOWN_ROWS:
        console.print(f"… and {rows.height - _SHOWN_ROWS} more ad groups (all are in --out)")
    for one in result.summaries:
        console.print(
            f"{one.currency} {one.current_total:,.2f} now, {one.proposed_total:,.2f} proposed, {one.changes} of "
            f"{one.arms} budgets change; expected gain {one.expected_gain:+,.2f} a day "
            f"({one.expected_gain_low:+,.2f} to {one.expected_gain_high:+,.2f})".strip(),
            highlight=False,
        )


def _interval(row: dict[str, float | None], name: str) -> str:
    middle, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "" if middle is None or low is None or high is None else f"{middle:.2f} ({low:.1f}-{high:.1f})"
