"""Which column of a plain table is which: by our names, by the usual other ones, or an error that says what to do.

Simulators, dashboards and notebooks write `channel`, `cost`, `revenue`; a table for a marketing mix model has one row a
week and a column of spend for each channel, from which nobody can read what a channel earned.
"""

import re
from difflib import get_close_matches

import polars as pl

from stakazo_pipelines.errors import InputError

REQUIRED = ("date", "ad_group", "spend", "conversions", "conversions_value")
OPTIONAL = ("campaign", "platform", "currency", "budget")
# Other names of ours, the most telling first: the finest thing that a budget could belong to, money before counts.
OTHER_NAMES = {
    "date": ("day", "date_start", "date_day", "reporting_starts", "ds", "week", "date_week", "week_start", "timestamp"),
    "ad_group": (
        "ad_set", "adset", "adset_name", "ad_set_name", "ad_group_name", "adgroup", "campaign_name", "campaign",
        "channel", "channel_name", "media_channel", "media", "source",
    ),
    "spend": ("cost", "amount_spent", "ad_spend", "adspend", "media_spend", "total_spend", "cost_micros"),
    "conversions": (
        "purchases", "results", "orders", "transactions", "post_click_conversions", "conversion", "leads", "installs",
    ),
    "conversions_value": (
        "revenue", "purchase_value", "conversion_value", "value", "purchases_conversion_value", "total_revenue",
    ),
}  # fmt: skip
_MICROS = "cost_micros"  # another unit: named in advice, never taken
_SPEND_OF_A_CHANNEL = re.compile(r"^(?P<before>.+)_(?:s|spend|cost)$|^(?:spend|cost)_(?P<after>.+)$")


def plain(name: str) -> str:
    """A column's name without case, spaces, hyphens and byte-order mark."""
    return name.strip().strip("\ufeff").lower().replace(" ", "_").replace("-", "_")


def under_our_names(raw: pl.DataFrame, source: str) -> pl.DataFrame:
    """The frame under plain column names. An InputError lists what is missing of `REQUIRED` and what may be meant."""
    names = [plain(name).removesuffix("_duplicated_0") for name in raw.columns]
    twice = sorted({name for name in names if names.count(name) > 1 and name in (*REQUIRED, *OPTIONAL)})
    if twice:
        raise InputError(f"{source}: the column {', '.join(twice)} appears more than once; keep one")
    if missing := [name for name in REQUIRED if name not in names]:
        raise InputError(f"{source}: {_advice(missing, names)}; found: {', '.join(raw.columns) or 'nothing'}")
    if nested := [name for name, kind in raw.schema.items() if kind.is_nested() or kind in (pl.Object, pl.Binary)]:
        raise InputError(f"{source}: the column {', '.join(nested)} holds no plain values (text, numbers, dates)")
    unique = [name if names.count(name) == 1 else f"{name} {index}" for index, name in enumerate(names)]
    return raw.rename(dict(zip(raw.columns, unique, strict=True)))


def taken(raw: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame with other names brought to ours, and notes that say so; unchanged where that is not enough for a plan.

    A table with a value and no conversions counts none (value itself is then measured); one with conversions and no
    value takes each for 1. Several columns of spend mean that the value belongs to no single one: nothing is taken.
    """
    names = {plain(name): name for name in raw.columns}
    if len(names) < len(raw.columns) or _channels(list(names)):
        return raw, ()
    renamed, notes = dict[str, str](), list[str]()
    for ours in REQUIRED:
        usable = [other for other in OTHER_NAMES[ours] if other in names and other != _MICROS]
        if ours not in names and usable:
            renamed[names[usable[0]]] = ours
            notes.append(f"{ours} is read from the column {names[usable[0]]}")
    frame = raw.rename(renamed)
    absent = [name for name in REQUIRED if name not in names and name not in renamed.values()]
    if absent == ["conversions"]:
        notes.append("there is no column of conversions")
        frame = frame.with_columns(conversions=pl.lit(0.0))
    elif absent == ["conversions_value"]:
        notes.append("there is no column of value: every conversion is worth 1, and ROAS is conversions per money")
        own = next(name for name in frame.columns if plain(name) == "conversions")
        frame = frame.with_columns(pl.col(own).alias("conversions_value"))
    elif absent:
        return raw, ()
    return frame, tuple(notes)


def _advice(missing: list[str], names: list[str]) -> str:
    fixes = []
    for name in missing:
        near = [other for other in OTHER_NAMES[name] if other in names] or get_close_matches(name, names, 1)
        fixes.append(f"{name} (rename {near[0]}?)" if near else name)
    words = f"missing column {', '.join(fixes)}"
    if "ad_group" in missing and (channels := _channels(names)):
        some = ", ".join(channels[:4]) + (", …" if len(channels) > 4 else "")
        return (
            f"{words}. A row holds the spend of {len(channels)} channels ({some}) beside one result of them all, so "
            "what each earned is not in this table: a plan needs one row per date and ad group, each with its own "
            "conversions or value"
        )
    return f"{words} (or say which it is: --column ad_group=channel --column spend=cost --column value=revenue …)"


def _channels(names: list[str]) -> list[str]:
    """The channels of a table that has a column of spend for each; none where at most one column looks like that."""
    found = [match["before"] or match["after"] for name in names if (match := _SPEND_OF_A_CHANNEL.match(name))]
    known = {other for others in OTHER_NAMES.values() for other in others} | {*REQUIRED, *OPTIONAL}
    several = [name for name in found if f"{name}_spend" not in known]
    return several if len(several) > 1 else []


def apart(frame: pl.DataFrame) -> str:
    """What to know of a table whose rows are weeks or months, as `table_input` makes it; empty for one of days."""
    gaps = (
        frame.select("date", "ad_group")
        .unique()
        .sort("date")
        .select(gap=pl.col("date").diff().over("ad_group").dt.total_days())["gap"]
        .drop_nulls()
    )
    if len(gaps) < 2 or int(gaps.min()) < 6:  # type: ignore[arg-type]
        return ""
    usual = int(gaps.median())  # type: ignore[arg-type]
    return f"the rows are {usual} days apart: what is told as a day (budgets, gains, the total) is for {usual} days"
