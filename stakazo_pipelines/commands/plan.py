"""`stakazo plan`: proposed budgets from a file alone; no account, no database, no Dagster."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console

from stakazo_pipelines.commands.importing import chosen_mapping, parse_day
from stakazo_pipelines.commands.plan_tables import print_frontier, print_plan
from stakazo_pipelines.commands.plan_wishes import parse_amount, parse_bounds, parse_risk, parse_viable
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.importing.importer import import_file
from stakazo_pipelines.importing.mapping import ColumnMapping
from stakazo_pipelines.lift_tests import load_lift_tests
from stakazo_pipelines.paper import Wishes
from stakazo_pipelines.paper_frontier import paper_frontier
from stakazo_pipelines.paper_total import check_total
from stakazo_pipelines.planning import planner
from stakazo_pipelines.policy import Policy, load_policy
from stakazo_pipelines.settings import Settings
from stakazo_pipelines.table_columns import apart
from stakazo_pipelines.table_input import TableInput, describe, read_table


def plan(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet: date, ad_group, spend, conversions, conversions_value.")
    ],
    total: Annotated[str | None, typer.Option(help="What to spend a day in all (default: as much as now).")] = None,
    as_of: Annotated[str | None, typer.Option(help="Plan as on this day; later rows are ignored.")] = None,
    step_cap: Annotated[float | None, typer.Option(help="Largest change of one budget, as a fraction.")] = None,
    target_roas: Annotated[float | None, typer.Option(help="What money must earn on average, or is not spent.")] = None,
    target_cpa: Annotated[float | None, typer.Option(help="What a conversion may cost, all together.")] = None,
    min_marginal_roas: Annotated[float | None, typer.Option(help="What the last unit of money must earn.")] = None,
    risk: Annotated[str | None, typer.Option(help="expected, or the lower quantile that counts, such as 0.25.")] = None,
    bound: Annotated[
        list[str] | None, typer.Option(help="NAME=MIN:MAX a day for an ad group, campaign or platform; repeatable.")
    ] = None,
    min_viable: Annotated[
        str | None,
        typer.Option(
            help="An ad group that may move gets nothing, or at least so much a day; a budget of 0 means: switch it "
            "off. Reaching 0 or this amount is exempt from the step cap."
        ),
    ] = None,
    group_by: Annotated[str | None, typer.Option(help="Tell sums by campaign or platform as well.")] = None,
    frontier: Annotated[bool, typer.Option("--frontier", help="What if: the same plan with other totals.")] = False,
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
    amount = parse_amount("--total", total)
    check_total(amount)
    wishes = Wishes(
        target_roas=target_roas,
        target_cpa=target_cpa,
        min_marginal_roas=min_marginal_roas,
        risk_quantile=parse_risk(risk),
        bounds=parse_bounds(bound or []),
        group_by=group_by,
        min_viable=parse_viable("--min-viable", min_viable),
    )
    table, notes = table_of(file, chosen_mapping(mapping, column))
    policy = _policy(settings)
    made = planner(
        table,
        policy=policy,
        as_of=day,
        step_cap=step_cap,
        wishes=wishes,
        lift_tests=load_lift_tests(lift_tests or policy.lift_tests),
    )
    result = made.plan(amount)
    if out is not None:
        _write(result.frame, out)
    period = apart(table)
    for note in (*notes, *((period,) if period else ()), *result.notes):
        errors.print(f"note: {note}", highlight=False)
    console = Console()
    print_plan(result, console)
    if frontier:
        print_frontier(paper_frontier(made), result, console)


def _policy(settings: Settings) -> Policy:
    """The policy file where there is one; a plan on paper needs none."""
    return load_policy(settings.policy_file) if settings.policy_file.exists() else Policy()


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
