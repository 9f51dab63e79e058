"""A plan on the terminal: its ad groups, its groups, and what other totals would earn."""

from collections.abc import Sequence
from math import isnan

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.paper_frontier import LEAST, MOST, WhatIf
from stakazo_pipelines.planning import PlanResult
from stakazo_pipelines.vocabulary import Binding

_SHOWN_ROWS = 25


def print_plan(result: PlanResult, console: Console) -> None:
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
            row["binding"] if row["state"] == "ok" or row["binding"] == Binding.SWITCHED_OFF else row["state"],
        )
    console.print(table)
    if rows.height > _SHOWN_ROWS:
        console.print(f"… and {rows.height - _SHOWN_ROWS} more ad groups (all are in --out)")
    if not result.groups.is_empty():
        _print_groups(result.groups, console)
    for one in result.summaries:
        price = "" if isnan(one.shadow_price) else f"; the next {one.currency or 'unit'} earns {one.shadow_price:,.2f}"
        console.print(
            f"{one.currency} {one.current_total:,.2f} now, {one.proposed_total:,.2f} proposed, {one.changes} of "
            f"{one.arms} budgets change; expected gain {one.expected_gain:+,.2f} a day "
            f"({one.expected_gain_low:+,.2f} to {one.expected_gain_high:+,.2f}){price}".strip(),
            highlight=False,
        )


def print_frontier(points: Sequence[WhatIf], result: PlanResult, console: Console) -> None:
    currency = result.summaries[0].currency
    title = f"what if: the best of other totals a day {currency}".strip()
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("total", "value", "ROAS", "against today (90 %)", "next unit earns"):
        table.add_column(heading, justify="right", no_wrap=True)
    for point in points:
        if point.reason and isnan(point.value):
            table.add_row(f"{point.total:,.2f}", "", "", "out of reach", "")
            continue
        table.add_row(
            f"{point.total:,.2f}",
            f"{point.value:,.2f}",
            f"{point.value / point.total:.2f}" if point.total > 0 else "",
            f"{point.gain:+,.0f} ({point.gain_low:+,.0f} to {point.gain_high:+,.0f})",
            f"{point.shadow_price:.2f}",
        )
    console.print(table)
    console.print(
        f"steps, bounds and targets do not count here: each ad group that can be judged lies between {LEAST:g} and "
        f"{MOST:g} times today's budget; far from today curves are extrapolated",
        highlight=False,
    )


def _print_groups(groups: pl.DataFrame, console: Console) -> None:
    table = Table(title="by group", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("group", overflow="ellipsis", no_wrap=True, max_width=max(18, console.width - 66))
    for heading in ("now", "proposed", "gain a day (90 %)", "next unit"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("held by", no_wrap=True)
    for row in groups.sort("current_total", descending=True).head(_SHOWN_ROWS).iter_rows(named=True):
        low, middle, high = (row[f"expected_gain{end}"] for end in ("_low", "", "_high"))
        table.add_row(
            row["group"],
            f"{row['current_total']:,.2f}",
            f"{row['proposed_total']:,.2f}",
            f"{middle:+,.1f} ({low:+,.1f} to {high:+,.1f})",
            "" if row["shadow_price"] is None else f"{row['shadow_price']:.2f}",
            row["binding"],
        )
    console.print(table)


def _interval(row: dict[str, float | None], name: str) -> str:
    middle, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "" if middle is None or low is None or high is None else f"{middle:.2f} ({low:.1f}-{high:.1f})"
