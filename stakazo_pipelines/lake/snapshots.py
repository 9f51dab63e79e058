"""The newest usable entity snapshot of each account: a file is one account's, and so is whatever is wrong with it.

A snapshot whose rows do not say whose they are, of which level, or which entity, is passed over like a torn one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from stakazo_pipelines.lake.vintages import RawFile, Reading, Unreadable, newest_whole, read_raw
from stakazo_pipelines.vocabulary import Level

_KEYS = ("platform", "account_id", "level", "entity_id", "status")
_LEVELS = [level.value for level in Level]
_FILE, _OWNER = "file", ("of_platform", "of_account_id")


@dataclass(frozen=True, slots=True)
class Snapshots(Reading):
    """frame: of each account the rows of its newest usable snapshot, in the order of their file.

    unreadable: newer snapshots that were passed over, an account's newest first. files: where the rows are from.
    """

    files: tuple[RawFile, ...] = ()

    @property
    def accounts(self) -> frozenset[tuple[str, str]]:
        """Platform and id of every account that has a snapshot, whether one can be used or not."""
        return frozenset(file.account for file in (*self.files, *(bad.file for bad in self.unreadable)))


def newest_snapshots(files: Iterable[RawFile], *, columns: Sequence[str] = ()) -> Snapshots:
    """Of each account's entity snapshots the newest that can be used, in these columns (none: all of them)."""
    left, passed = list(files), list[Unreadable]()
    wanted = list(dict.fromkeys((*columns, *_KEYS))) if columns else []
    while True:
        chosen, torn = newest_whole(left, key=lambda file: file.account)
        reading = read_raw(chosen, "entities", columns=wanted, path_as=_FILE)
        bad = {one.path: one for one in (*torn, *_nameless(reading.frame, chosen), *reading.unreadable)}
        passed += bad.values()
        left = [file for file in left if file.path not in bad]
        if all(file.path not in bad for file in chosen):
            newest_first = sorted(passed, key=lambda one: one.file.age, reverse=True)
            frame = reading.frame.select(list(columns) or pl.exclude(_FILE))
            return Snapshots(frame, tuple(newest_first), tuple(chosen))


def _nameless(rows: pl.DataFrame, files: Sequence[RawFile]) -> list[Unreadable]:
    """Files with a row that is no entity of the file's account, each with its first such row."""
    by_path = {str(file.path): file for file in files}
    named = [(path, file.platform, file.account_id) for path, file in by_path.items()]
    owners = pl.DataFrame(named, schema=dict.fromkeys((_FILE, *_OWNER), pl.String()), orient="row")
    faults = [
        *(
            pl.when(pl.col(name).ne_missing(pl.col(f"of_{name}"))).then(
                pl.format(f"{name}: {{}}, in a file of {{}}/{{}}", _shown(name), *_OWNER)
            )
            for name in ("platform", "account_id")
        ),
        pl.when(~pl.col("level").is_in(_LEVELS).fill_null(value=False)).then(
            pl.format(f"level: one of {', '.join(_LEVELS)}, not {{}}", _shown("level"))
        ),
        *(
            pl.when(pl.col(name).fill_null("") == "").then(pl.lit(f"{name}: is empty"))
            for name in ("entity_id", "status")
        ),
    ]
    wrong = (
        rows.select(*_KEYS, _FILE, row=pl.int_range(1, pl.len() + 1).over(_FILE))
        .join(owners, on=_FILE, maintain_order="left")
        .select(_FILE, "row", fault=pl.coalesce(faults))
        .drop_nulls("fault")
        .unique(_FILE, keep="first", maintain_order=True)
    )
    return [Unreadable(by_path[path], f"row {row}: {fault}") for path, row, fault in wrong.iter_rows()]


def _shown(name: str) -> pl.Expr:
    return pl.col(name).fill_null("nothing")
