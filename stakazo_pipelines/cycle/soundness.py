"""Impossible figures and snapshots that cannot be used: the accounts that have them are set aside, the others go on.

What one account's figures are wrong by nobody knows, so that none of its days teach anything and its budgets stay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import polars as pl

from stakazo_pipelines import marts
from stakazo_pipelines.cycle.accounts import AccountKey, accounts_in
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.panel import AMOUNTS, check_columns

_ACCOUNT = ["platform", "account_id"]
_ARM = [*_ACCOUNT, "arm_id"]
_MEND = "see where it comes from, then build the marts of those days again"
ARM_COLUMNS = (*_ARM, "campaign_id", "objective", "currency", "budget")


@dataclass(frozen=True, slots=True)
class Sound:
    """arm_days: those of accounts without fault. arms: those whose budget is known; accounts with another fault keep
    theirs. aside: of each account that is set aside, the table or file, column and row that are wrong.
    """

    arm_days: pl.DataFrame
    arms: pl.DataFrame
    aside: Mapping[AccountKey, str]


def sound(arm_days: pl.DataFrame, arms: pl.DataFrame, unread: Mapping[AccountKey, str] = MappingProxyType({})) -> Sound:
    """What of `marts.arm_days` can be measured; `unread` are accounts to set aside anyhow, and why.

    Raises MeasurementError where a whole column is missing or is text.
    """
    check_columns(arm_days)
    check_columns(arms, table="arms", needed=ARM_COLUMNS, amounts=("budget",))
    wrong_arms = _wrong_arms(arms)
    faults = pl.concat([wrong_arms, *_wrong_days(arm_days), _currencies(arm_days, arms), _shared_ids(arm_days, arms)])
    if faults.is_empty() and not unread:
        return Sound(arm_days, arms, {})
    told = faults.group_by(_ACCOUNT, maintain_order=True).agg(pl.col("fault").first())
    unusable = faults.filter("unknown").select(_ARM)
    wrong = {
        (platform or "", account or ""): f"impossible figures: {fault}; {_MEND}"
        for platform, account, fault in told.iter_rows()
    }
    left_out = pl.concat([told.select(_ACCOUNT), _keys(unread)])
    return Sound(
        arm_days.join(left_out, on=_ACCOUNT, how="anti", nulls_equal=True, maintain_order="left"),
        arms.join(unusable, on=_ARM, how="anti", nulls_equal=True, maintain_order="left"),
        {**wrong, **unread},
    )


def sound_days(lake: Lake, as_of: date, window_days: int) -> Sound:
    """The same from the marts and the entity snapshots. Raises LakeError too."""
    snapshots = lake.entities(as_of=as_of)
    given = marts.arm_days(lake, as_of=as_of, window_days=window_days, snapshots=snapshots)
    return sound(*given, accounts_in(snapshots).aside)


def readiness_with(verdicts: pl.DataFrame, aside: Mapping[AccountKey, str]) -> pl.DataFrame:
    """The verdicts of `quality.readiness`, in which an account that is set aside is not ready, before all else why."""
    if not aside:
        return verdicts
    rows = [(*key, fault) for key, fault in aside.items()]
    faults = pl.DataFrame(rows, schema=dict.fromkeys((*_ACCOUNT, "fault"), pl.String), orient="row")
    joined = verdicts.join(faults, on=_ACCOUNT, how="full", coalesce=True)
    reason = pl.coalesce("fault", "reason")
    return joined.with_columns(reason=reason, ready=reason == "", gap=pl.col("gap").fill_null(0.0)).select(
        verdicts.columns
    ).sort(_ACCOUNT)  # fmt: skip


def _keys(accounts: Iterable[AccountKey]) -> pl.DataFrame:
    return pl.DataFrame(list(accounts), schema=dict.fromkeys(_ACCOUNT, pl.String), orient="row")


def _fault(rows: pl.DataFrame, words: pl.Expr, *, unknown: bool = False) -> pl.DataFrame:
    """Of each arm its first fault. unknown: its budget is not known."""
    return rows.select(
        *(pl.col(name).cast(pl.String) for name in _ARM), words.alias("fault"), pl.lit(unknown).alias("unknown")
    ).unique(_ARM, keep="first", maintain_order=True)


def _where(table: str, column: str, what: str, *, day: bool = True) -> pl.Expr:
    arm = pl.col("arm_id").fill_null("an arm without id")
    when = pl.format(" on {}", pl.col("date_day").cast(pl.String).fill_null("no day")) if day else pl.lit("")
    return pl.format(f"{table}.{column} {what} ({{}}{{}})", arm, when)


def _wrong_arms(arms: pl.DataFrame) -> pl.DataFrame:
    budget = pl.col("budget").cast(pl.Float64)
    known = (budget.is_finite() & (budget >= 0)).fill_null(value=False)
    twice = arms.filter(pl.struct(_ARM).is_duplicated())
    nameless = arms.filter(pl.any_horizontal(pl.col(_ARM).is_null()))
    return pl.concat(
        [
            _fault(
                nameless, _where("arms", "arm_id", "is empty, or its platform or account is", day=False), unknown=True
            ),
            _fault(
                arms.filter(~known), _where("arms", "budget", "is no amount of at least 0", day=False), unknown=True
            ),
            _fault(twice, _where("arms", "arm_id", "stands more than once", day=False), unknown=True),
        ]
    )


def _wrong_days(arm_days: pl.DataFrame) -> list[pl.DataFrame]:
    found = []
    for name in AMOUNTS:
        amount = pl.col(name).cast(pl.Float64)
        wrong = arm_days.filter((amount.is_nan() | amount.is_infinite() | (amount < 0)).fill_null(value=False))
        found.append(_fault(wrong, _where("arm_days", name, "is negative, infinite or undefined")))
    found += [
        _fault(arm_days.filter(pl.col(name).is_null()), _where("arm_days", name, "is empty"))
        for name in (*_ARM, "date_day")
    ]
    twice = arm_days.filter(pl.struct(*_ARM, "date_day").is_duplicated())
    found.append(_fault(twice, _where("arm_days", "date_day", "stands more than once")))
    return found


def _currencies(arm_days: pl.DataFrame, arms: pl.DataFrame) -> pl.DataFrame:
    """Accounts in several currencies, or in none: where it is their arms, what a budget is worth is unknown."""
    of_days, of_arms = (frame.select(*_ARM, "currency").unique() for frame in (arm_days, arms))
    return pl.concat(
        [_mixed(of_arms, "arms", unknown=True), _mixed(pl.concat([of_days, of_arms]), "arm_days", unknown=False)]
    )


def _mixed(rows: pl.DataFrame, table: str, *, unknown: bool) -> pl.DataFrame:
    money = pl.col("currency").fill_null("none")
    mixed = (
        rows.group_by(_ACCOUNT)
        .agg(money.unique().sort().str.join(" and ").alias("currencies"), money.unique().alias("each"))
        .filter((pl.col("each").list.len() > 1) | pl.col("each").list.contains("none"))
        .drop("each")
    )
    wrong = rows.join(mixed, on=_ACCOUNT, nulls_equal=True).sort(_ARM)
    return _fault(wrong, pl.format(f"{table}.currency of the account is {{}}", "currencies"), unknown=unknown)


def _shared_ids(arm_days: pl.DataFrame, arms: pl.DataFrame) -> pl.DataFrame:
    """Arms whose id another account has too: the account that comes first keeps it."""
    rows = pl.concat([frame.select(_ARM).unique() for frame in (arms, arm_days)]).unique().drop_nulls()
    owner = pl.struct(_ACCOUNT)
    first = owner.sort().first().over("arm_id")
    later = rows.filter(owner != first).sort(_ARM)
    return _fault(later, pl.format("arm_id {} is also one of another account", "arm_id"), unknown=True)
