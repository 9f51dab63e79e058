"""Plots for asset metadata: small PNGs inside Markdown, which is what the Dagster UI renders."""

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from dagster import MarkdownMetadataValue, MetadataValue

from stakazo_pipelines.measurement.maturity import BETWEEN, MATURE_AGE, MaturityCurve

if TYPE_CHECKING:  # matplotlib takes longer to import than most of the project: it comes with the first picture
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PNG_BYTES = 50_000  # stored with every event: a larger picture would bloat the event log
_BLUE, _ORANGE, _GREEN, _GREY = "#2563eb", "#ea580c", "#059669", "#9ca3af"


def roas_forest(estimates: pl.DataFrame, *, target: float, most: int = 24) -> MarkdownMetadataValue:
    """ROAS with its 90 % interval, the arms with the largest budgets first. Greyed where the state is not ok.

    Estimates and allocations drawn here also have the arm's `name`.
    """
    rows = by_weight(estimates.filter(pl.col("roas").is_not_null())).head(most).reverse()
    figure, axes = _canvas(height=1.2 + 0.2 * max(rows.height, 4))
    for place, row in enumerate(rows.iter_rows(named=True)):
        colour = _BLUE if row["state"] == "ok" else _GREY
        axes.plot([row["roas_low"], row["roas_high"]], [place, place], color=colour, linewidth=2)
        axes.plot(row["roas"], place, "o", color=colour, markersize=4)
    axes.axvline(target, color=_ORANGE, linewidth=1, linestyle="--")
    axes.set_yticks(range(rows.height), [_short(name) for name in rows["name"]], fontsize=7)
    axes.set_xlabel(f"ROAS at today's budget, 90 % interval (dashed: target {target:g}; grey: not enough to act on)")
    return _markdown(figure, "ROAS intervals of the arms with the largest budgets")


def budget_moves(allocations: pl.DataFrame, *, most: int = 20) -> MarkdownMetadataValue:
    """Budget before and after, in percent of before, the largest moves first (currencies side by side)."""
    share = (pl.col("proposed_budget").cast(pl.Float64) / pl.col("current_budget").cast(pl.Float64) - 1) * 100
    moved = allocations.with_columns(change=share).filter(pl.col("change").abs() > 0)
    rows = moved.sort(pl.col("change").abs(), descending=True).head(most).sort("change")
    figure, axes = _canvas(height=1.2 + 0.22 * max(rows.height, 4))
    colours = [_BLUE if change > 0 else _ORANGE for change in rows["change"]]
    axes.barh(range(rows.height), rows["change"].to_list(), color=colours)
    labels = [
        f"{_short(row['name'])}  {row['current_budget']:,.6g} > {row['proposed_budget']:,.6g} {row['currency']}"
        for row in rows.iter_rows(named=True)
    ]
    axes.set_yticks(range(rows.height), labels, fontsize=7)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_xlabel(f"change of the daily budget in percent ({moved.height} of {allocations.height} arms move)")
    return _markdown(figure, "Budgets before and after")


def account_totals(accounts: pl.DataFrame, *, currency: str, most: int = 12) -> MarkdownMetadataValue:
    """Daily totals before and after in one currency: every platform, then its accounts, the largest first.

    accounts: platform, account_id, current_total and proposed_total (null where the account's currency has no rate).
    """
    from matplotlib.ticker import EngFormatter

    known = accounts.filter(pl.col("current_total").is_not_null())
    before, after = pl.col("current_total"), pl.col("proposed_total")
    platforms = known.group_by("platform").agg(before.sum(), after.sum()).with_columns(label=pl.col("platform"))
    single = known.with_columns(label=pl.format("{} {}", "platform", "account_id")).sort(before, descending=True)
    columns = ["label", "current_total", "proposed_total"]
    rows = pl.concat([platforms.sort("platform").select(columns), single.head(most).select(columns)]).reverse()
    figure, axes = _canvas(height=1.0 + 0.3 * max(rows.height, 3))
    for offset, column, colour, label in (
        (0.18, "current_total", _GREY, "before"),
        (-0.18, "proposed_total", _BLUE, "after"),
    ):
        places = [place + offset for place in range(rows.height)]
        axes.barh(places, rows[column].to_list(), height=0.34, color=colour, label=label)
    axes.set_yticks(range(rows.height), [_short(label) for label in rows["label"]], fontsize=7)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel(f"daily budgets in {currency}")
    axes.legend(fontsize=7, loc="lower right")
    return _markdown(figure, "Totals of platforms and accounts before and after")


def frontier_plot(points: pl.DataFrame, *, now: float, currency: str) -> MarkdownMetadataValue:
    """The most that each total a day can earn, and what its next unit earns. The dashed line is today's total.

    points: total, value, shadow_price, in that currency.
    """
    from matplotlib.ticker import EngFormatter

    figure = _figure(height=2.8)
    earns, price = figure.subplots(1, 2)
    steps = points.filter(pl.col("shadow_price").is_finite())
    earns.plot(points["total"], points["value"], color=_BLUE, marker="o", markersize=3)
    price.plot(steps["total"], steps["shadow_price"], color=_BLUE, marker="o", markersize=3)
    for axes, words in ((earns, "best value a day"), (price, "what the next unit earns")):
        axes.axvline(now, color=_ORANGE, linewidth=1, linestyle="--")
        axes.set_title(words, fontsize=8)
        axes.set_xlabel(f"total a day in {currency} (dashed: today)", fontsize=7)
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    earns.yaxis.set_major_formatter(EngFormatter(sep=""))
    return _markdown(figure, "What other totals would earn")


def response_curves_plot(estimates: pl.DataFrame, curve: pl.DataFrame, *, most: int = 6) -> MarkdownMetadataValue:
    """Expected daily value against daily spend with its 90 % band for the largest arms; a dot marks today's budget."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    rows = by_weight(estimates.filter(pl.col("state") == "ok")).head(most)
    lines = max(1, -(-rows.height // 3))
    figure = _figure(height=1.0 + 1.7 * lines)
    grid = figure.subplots(lines, 3, squeeze=False).ravel()
    for axes, row in zip(grid, rows.iter_rows(named=True), strict=False):
        points = curve.filter(pl.col("arm_id") == row["arm_id"], pl.col("account_id") == row["account_id"])
        axes.fill_between(points["spend"], points["value_low"], points["value_high"], color=_BLUE, alpha=0.15)
        axes.plot(points["spend"], points["value"], color=_BLUE, linewidth=1.4)
        axes.plot(row["budget"], row["roas"] * row["budget"], "o", color=_ORANGE, markersize=5)
        axes.set_title(f"{_short(row['name'])} ({row['currency']})", fontsize=7)
        axes.tick_params(labelsize=6)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(4))
            axis.set_major_formatter(EngFormatter(sep=""))
    for axes in grid[rows.height :]:
        axes.set_visible(False)
    figure.supxlabel("daily spend (dot: today's budget)", fontsize=7)
    figure.supylabel("expected value a day", fontsize=7)
    return _markdown(figure, "Response curves of the arms with the largest budgets")


def maturity_curve(
    curves: Mapping[str, MaturityCurve], to_come: pl.DataFrame, *, threshold: float
) -> MarkdownMetadataValue:
    """Left the share of eventual conversions that is reported at each age, right what recent days still lack.

    curves: by group; platforms are drawn with their 90 % bands, groups within them thin. to_come: the columns of
    `still_to_come`, of the platforms alone. Dashed: from there on a day is called mature.
    """
    from matplotlib.ticker import MaxNLocator

    figure = _figure(height=2.8)
    left, right = figure.subplots(1, 2, width_ratios=[4, 3])
    platforms = list(dict.fromkeys(name.split(BETWEEN)[0] for name in curves))
    colours = dict(zip(platforms, (_BLUE, _ORANGE, _GREEN, *[_GREY] * len(platforms)), strict=False))
    ages = range(MATURE_AGE + 1)
    for name, curve in curves.items():
        platform, *narrower = name.split(BETWEEN)
        if narrower:
            left.plot(ages, curve.shares, color=colours[platform], linewidth=0.6)
            continue
        low, high = curve.band(np.arange(MATURE_AGE + 1))
        left.fill_between(ages, low, high, color=colours[platform], alpha=0.15, linewidth=0)
        left.plot(ages, curve.shares, color=colours[platform], linewidth=1.4, label=platform)
    left.axhline(threshold, color="black", linewidth=0.6, linestyle="--")
    left.set_ylim(0, 1.02)
    left.set_xlabel("age of the report day in days (band: 90 %; thin: windows and objectives)", fontsize=7)
    left.set_ylabel("share of conversions reported", fontsize=7)
    for (group,), part in to_come.group_by("group", maintain_order=True):
        colour = colours[str(group)]
        right.fill_between(
            part["date_day"], part["to_come_low"], part["to_come_high"], color=colour, alpha=0.15, linewidth=0
        )
        right.plot(part["date_day"], part["to_come"], color=colour, linewidth=1.4, label=str(group))
    right.axhline(1 - threshold, color="black", linewidth=0.6, linestyle="--")
    right.set_ylim(0, 1.02)
    right.xaxis.set_major_locator(MaxNLocator(4))
    right.set_ylabel("share still to come", fontsize=7)
    right.set_xlabel("report day (dashed: called mature)", fontsize=7)
    right.legend(fontsize=7, loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    return _markdown(figure, "Conversion maturity, and what recent days still lack")


def coverage_over_time(days: pl.DataFrame, *, level: float = 0.9) -> MarkdownMetadataValue:
    """Share of the 90 % intervals that held, by the day of the estimate, a line per platform with the band of chance.

    days: platform, day, intervals, covered_90. The band is what 95 of 100 days would show if arms were independent.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _canvas(height=2.8)
    colours = (_BLUE, _ORANGE, _GREEN, _GREY)
    for place, (key, part) in enumerate(days.group_by("platform", maintain_order=True)):
        colour = colours[min(place, len(colours) - 1)]
        spread = 1.96 * (level * (1 - level) / part["intervals"]) ** 0.5
        low, high = (level - spread).clip(0.0, 1.0), (level + spread).clip(0.0, 1.0)
        axes.fill_between(part["day"], low, high, color=colour, alpha=0.08)
        axes.plot(part["day"], part["covered_90"], marker="o", markersize=3, color=colour, label=str(key[0]))
    axes.axhline(level, color="black", linewidth=0.6, linestyle="--")
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel("report day of the estimate (dashed: 90 %; band: chance alone)")
    axes.set_ylabel("intervals that held")
    if days.height:
        axes.legend(fontsize=7, loc="lower right")
    else:
        axes.text(0.5, 0.5, "nothing has matured yet", transform=axes.transAxes, ha="center")
    return _markdown(figure, "Coverage of the 90 % intervals over time")


def engines_compared(compared: pl.DataFrame) -> MarkdownMetadataValue:
    """Per arm, against its conversions: differences of posterior means, and ratios of widths, daily engine to full.

    compared: conversions, and `<quantity>_difference` and `<quantity>_width_ratio` of log_value and elasticity.
    """
    figure = _figure(height=3.2)
    left, right = figure.subplots(1, 2)
    sold = compared["conversions"].clip(lower_bound=0.5)
    for quantity, colour in (("log_value", _BLUE), ("elasticity", _ORANGE)):
        label = quantity.replace("_", " ")
        left.plot(sold, compared[f"{quantity}_difference"], ".", color=colour, markersize=3, alpha=0.6, label=label)
        right.plot(sold, compared[f"{quantity}_width_ratio"], ".", color=colour, markersize=3, alpha=0.6, label=label)
    for axes, centre, title in (
        (left, 0.0, "difference of means, in posterior deviations"),
        (right, 1.0, "width of 90 % intervals, daily over full"),
    ):
        axes.axhline(centre, color="black", linewidth=0.6)
        axes.set_xscale("log")
        axes.set_xlabel("conversions of the arm", fontsize=8)
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=7)
    left.legend(fontsize=7)
    return _markdown(figure, "The daily engine against full Bayesian sampling, arm by arm")


def by_weight(rows: pl.DataFrame, *, money: str = "budget") -> pl.DataFrame:
    """Rows sorted by their share of their account's money: amounts of different currencies do not compare."""
    share = pl.col(money) / pl.col(money).sum().over("platform", "account_id")
    return rows.sort(share, "arm_id", descending=[True, False])


def _figure(*, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(8, height), dpi=80, layout="constrained")


def _canvas(*, height: float) -> "tuple[Figure, Axes]":
    figure = _figure(height=height)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    axes.xaxis.label.set_fontsize(8)
    return figure, axes


def _short(arm_id: str) -> str:
    return arm_id if len(arm_id) <= 30 else f"…{arm_id[-28:]}"


def _markdown(figure: "Figure", alt: str) -> MarkdownMetadataValue:
    for dpi in (80, 60, 40):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi)
        if buffer.tell() <= MAX_PNG_BYTES:
            break
    return MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")
