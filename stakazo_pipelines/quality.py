"""Checks on frames, as pure functions: each returns the offending rows, so that an empty frame means all is well."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl

from stakazo_pipelines.platforms.wire import zone_problem
from stakazo_pipelines.vocabulary import Level

FINER_GRAINS = {"campaigns": Level.CAMPAIGN, "ad groups": Level.AD_GROUP, "ads": Level.AD}  # than the account's
READINESS_DAYS = 7  # how far back `readiness` looks
NON_NEGATIVE = ("impressions", "clicks", "link_clicks", "spend", "conversions", "conversions_value", "reach")


def duplicated(frame: pl.DataFrame, *, keys: Sequence[str]) -> pl.DataFrame:
    """Rows whose key occurs more than once."""
    return frame.filter(pl.struct(keys).is_duplicated()).sort(keys)


def negative(frame: pl.DataFrame, *, columns: Sequence[str] = NON_NEGATIVE) -> pl.DataFrame:
    """Rows with a measure below zero."""
    present = [column for column in columns if column in frame.columns]
    return frame.filter(pl.any_horizontal([pl.col(column) < 0 for column in present]))


def unreconciled(account_report: pl.DataFrame, parts: pl.DataFrame, *, tolerance: float) -> pl.DataFrame:
    """Account-days where the parts' spend does not add up to the account's, beyond `tolerance` (of the larger).

    `parts` is a report of a finer grain. Returns date_day, platform, account_id, account_spend, parts_spend, gap. An
    account-day that only one of the two has counts as a gap of 1. Both need date_day, platform, account_id and spend.
    """
    keys = ["date_day", "platform", "account_id"]
    account = account_report.group_by(keys).agg(account_spend=pl.col("spend").cast(pl.Float64).sum())
    added_up = parts.group_by(keys).agg(parts_spend=pl.col("spend").cast(pl.Float64).sum())
    joined = account.join(added_up, on=keys, how="full", coalesce=True).with_columns(
        pl.col("account_spend", "parts_spend").fill_null(0.0)
    )
    larger = pl.max_horizontal("account_spend", "parts_spend")
    gap = pl.when(larger > 0).then((pl.col("account_spend") - pl.col("parts_spend")).abs() / larger).otherwise(0.0)
    return joined.with_columns(gap=gap).filter(pl.col("gap") > tolerance).sort(keys)


def disordered(estimates: pl.DataFrame) -> pl.DataFrame:
    """Estimates outside their own interval or with one that begins below zero, and arms that stand twice."""
    roas, low, high = pl.col("roas"), pl.col("roas_low"), pl.col("roas_high")
    twice = pl.struct("platform", "account_id", "arm_id").is_duplicated()
    return estimates.filter((roas < low) | (roas > high) | (low < 0) | twice)


def out_of_bounds(allocations: pl.DataFrame, *, step_cap: float, growth: float) -> pl.DataFrame:
    """Proposals further from the current budget than one step, emptied, or of an account whose total grows.

    `allocations` needs platform, account_id, current_budget and proposed_budget; `growth` is the fraction by which an
    account's total may grow (rounding).
    """
    current, proposed = pl.col("current_budget"), pl.col("proposed_budget")
    account = ["platform", "account_id"]
    too_far = (proposed - current).abs() > current * step_cap * (1 + 1e-9) + 1e-6
    grown = proposed.sum().over(account) > current.sum().over(account) * (1 + growth) + 1e-6
    emptied = (proposed <= 0) & (current > 0)
    return allocations.filter(too_far | grown | emptied | (proposed < 0) | proposed.is_null())


def readiness(
    account_report: pl.DataFrame,
    finer: Mapping[str, pl.DataFrame],
    *,
    day: date,
    tolerance: float,
    max_age_days: int,
    known: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Which accounts' data may be acted upon for `day`: platform, account_id, last_day, gap, ready, reason.

    An account is ready when its newest report day is at most `max_age_days` before `day` and, on every day given whose
    total was fetched separately (an import's was not), the spend of every finer report (by what its rows are called,
    such as "ads") adds up to it: a page that a platform left out shows there. Give the recent days only.
    `known` are rows of the newest entity snapshots: an account in them is not ready either while it reported nothing,
    or while its budgets were not read since `day` ended in its zone, because its platform cannot be read, or its zone
    is none.
    """
    keys = ["platform", "account_id"]
    accounts = account_report.group_by(keys).agg(last_day=pl.col("date_day").max())
    if known is not None:
        accounts = accounts.join(_unread_since(known, day), on=keys, how="full", coalesce=True)
    else:
        accounts = accounts.with_columns(read=pl.lit(None, dtype=pl.String))
    fetched = account_report.filter(pl.col("reported_level") == Level.ACCOUNT.value)
    gaps = _largest_gaps(fetched, finer, tolerance=tolerance)
    age = (pl.lit(day) - pl.col("last_day")).dt.total_days()
    reason = (
        pl.when(pl.col("last_day").is_null())
        .then(pl.format("no report in the {} days up to {}", pl.lit(READINESS_DAYS), pl.lit(day)))
        .when(age > max_age_days)
        .then(pl.format("last report is of {}, {} days before", "last_day", age))
        .when(pl.col("read").is_not_null())
        .then(pl.col("read"))
        .when(pl.col("gap") > 0)
        .then(pl.format("{} and account totals differ by {} %", "parts", (pl.col("gap") * 100).round(1)))
        .otherwise(pl.lit(""))
    )
    joined = accounts.join(gaps, on=keys, how="left").with_columns(pl.col("gap").fill_null(0.0))
    return joined.with_columns(reason=reason, ready=reason == "").drop("read", "parts").sort(keys)


def _largest_gaps(fetched: pl.DataFrame, finer: Mapping[str, pl.DataFrame], *, tolerance: float) -> pl.DataFrame:
    """Of each account that does not add up: the largest gap, and between which parts and the account it is."""
    keys = ["platform", "account_id"]
    found = [
        unreconciled(fetched, report.join(fetched, on=[*keys, "date_day"], how="semi"), tolerance=tolerance).select(
            *keys, "gap", parts=pl.lit(name)
        )
        for name, report in finer.items()
    ]
    return pl.concat(found).sort("gap", descending=True, maintain_order=True).unique(keys, keep="first")


def _unread_since(snapshots: pl.DataFrame, day: date) -> pl.DataFrame:
    """Each account, and in `read` that its snapshot was taken before `day` had ended in its zone, if it was."""
    keys = ["platform", "account_id"]
    newest = snapshots.group_by(keys).agg(pl.col("timezone").last(), pl.col("fetched_at").max())
    told = [_not_since(day, zone, read) for zone, read in newest.select("timezone", "fetched_at").iter_rows()]
    return newest.select(*keys, read=pl.Series(told, dtype=pl.String))


def _not_since(day: date, zone: str | None, read: datetime | None) -> str | None:
    """Why nothing read at this time may be acted upon; None when `day` had ended in the zone."""
    if problem := zone_problem(zone or ""):
        return f"its entity snapshot has an {problem}; read its entities again"
    if read is None:
        return "its entity snapshot does not say when it was read; read its entities again"
    if read.astimezone(ZoneInfo(zone or "")).date() > day:
        return None
    return f"its budgets were last read on {read.astimezone(UTC):%Y-%m-%d %H:%M} UTC, before the day had ended"
