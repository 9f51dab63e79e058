"""The accounts that the entity snapshots tell, and those of which they tell nothing that can be relied on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake, Snapshots
from stakazo_pipelines.lake.account_rows import account_of
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.vocabulary import Level

AccountKey = tuple[str, str]  # platform, account id

_ACCOUNT = ["platform", "account_id"]
_MEND = "read its entities again, or delete the file: then the snapshot before it counts"


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """found: accounts whose newest snapshot can be used. aside: of each other one the file, row and column that are
    wrong, and what to do.
    """

    found: Mapping[AccountKey, Account]
    aside: Mapping[AccountKey, str]


def known_accounts(lake: Lake, as_of: date = date.max) -> KnownAccounts:
    """Every account in the newest entity snapshots on or before `as_of`."""
    return accounts_in(lake.entities(as_of=as_of))


def accounts_in(snapshots: Snapshots) -> KnownAccounts:
    """Every account of snapshots with all columns."""
    rows = snapshots.frame.with_columns(row=pl.int_range(1, pl.len() + 1).over(_ACCOUNT))
    own = rows.filter(pl.col("level") == Level.ACCOUNT.value)
    own_rows = own.partition_by(_ACCOUNT, as_dict=True)
    others = _contradicting(rows, own)
    found: dict[AccountKey, Account] = {}
    aside: dict[AccountKey, str] = {}
    for bad in snapshots.unreadable:  # an account's newest first
        aside.setdefault(bad.file.account, f"unusable snapshot: {bad.path}: {bad.reason}; {_MEND}")
    for file in snapshots.files:
        key = file.account
        if key in aside:
            continue  # its rows are of an older snapshot
        try:
            found[key] = _account(own_rows.get(key), others.get(key))
        except LakeError as error:
            aside[key] = f"unusable snapshot: {file.path}: {error}; {_MEND}"
    return KnownAccounts(found, aside)


def _account(rows: pl.DataFrame | None, contradiction: str | None) -> Account:
    """The account of its only row, which no other contradicts. Raises LakeError naming the row."""
    if rows is None:
        raise LakeError(f"level: no row is the {Level.ACCOUNT}'s own")
    numbers = rows["row"].to_list()
    if len(numbers) > 1:
        raise LakeError(f"rows {' and '.join(map(str, numbers))}: level: only one row is the {Level.ACCOUNT}'s own")
    try:
        account = account_of(rows.row(0, named=True))
    except LakeError as error:
        raise LakeError(f"row {numbers[0]}: {error}") from None
    if contradiction is not None:
        raise LakeError(contradiction)
    return account


def _contradicting(rows: pl.DataFrame, own: pl.DataFrame) -> dict[AccountKey, str]:
    """By account the first row that names another currency or time zone than the account's own row does."""
    both = rows.join(own.unique(_ACCOUNT, keep="first"), on=_ACCOUNT, suffix="_own", maintain_order="left")
    found = [
        both.filter(pl.col(name).ne_missing(pl.col(f"{name}_own"))).select(
            *_ACCOUNT, "row", column=pl.lit(name), here=name, there=f"{name}_own"
        )
        for name in ("currency", "timezone")
    ]
    first = pl.concat(found).unique(_ACCOUNT, keep="first", maintain_order=True)
    return {
        (platform, account_id): f"row {row}: {column}: {here!r}, where the account's own row has {there!r}"
        for platform, account_id, row, column, here, there in first.iter_rows()
    }
