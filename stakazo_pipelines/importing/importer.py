"""An export file, from reading to landing: rows are read, same keys added up, and each account-day becomes a vintage.

Nothing is invented: no entities snapshot, no days that the export does not have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.importing.layouts import recognise
from stakazo_pipelines.importing.mapping import ColumnMapping, Constants
from stakazo_pipelines.importing.rows import AMOUNTS, COUNTS, AcceptedRow, Defaults, RejectedRow, RowReader
from stakazo_pipelines.importing.table import Table, read_table, the_table_file
from stakazo_pipelines.lake import Lake, insight_rows_frame, quarantine_frame
from stakazo_pipelines.platforms.port import Account, InsightRow
from stakazo_pipelines.vocabulary import EntityStatus, Level

DEFAULT_CURRENCY, DEFAULT_TIMEZONE = "USD", "UTC"
# Measures that the port's rows must have and an export may lack: name in a mapping -> column of the lake.
_OPTIONAL = {
    "impressions": "impressions",
    "clicks": "clicks",
    "conversions": "conversions",
    "value": "conversions_value",
}
_MINOR_UNITS = 100  # of an account that only an export tells of: nothing is ever written to it


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `accepted` rows became `rows` (account, day, entity) after `merged` were added to another.

    `unreported` are measures that the export has no column for: they land as NULL, not as 0.
    """

    source: str
    layout: str
    platform: str
    level: Level
    accepted: int
    merged: int
    rows: tuple[InsightRow, ...]
    accounts: tuple[Account, ...]
    rejected: tuple[RejectedRow, ...]
    unreported: tuple[str, ...]
    notes: tuple[str, ...]
    files: tuple[Path, ...] = ()

    @property
    def days(self) -> list[date]:
        """Report days to rebuild the marts of, in order."""
        return sorted({row.day for row in self.rows})

    @property
    def spend(self) -> Decimal:
        return sum((row.spend for row in self.rows), Decimal(0))

    @property
    def conversions(self) -> Decimal:
        return sum((row.conversions for row in self.rows), Decimal(0))

    @property
    def conversions_value(self) -> Decimal:
        return sum((row.conversions_value for row in self.rows), Decimal(0))


def import_file(
    path: Path,
    *,
    platform: str,
    imported_at: datetime,
    mapping: ColumnMapping | None = None,
    account: str | None = None,
    currency: str | None = None,
    timezone: str | None = None,
    lake: Lake | None = None,
) -> ImportReport:
    """Read an export (a file, or the folder of just one); given a lake, land it as raw vintages.

    `imported_at` (aware; the --as-of instant) is when they count as fetched. Without `mapping` the layout must be a
    known one. `account`, `currency` and `timezone` fill what the file leaves open, before the mapping's constants.
    Raises InputError (file, header, nothing usable), LakeError (landing).
    """
    path = the_table_file(path)
    table = read_table(path)
    found = ("mapping", mapping) if mapping else recognise(table.header)
    if found is None:
        raise InputError(
            f"{path}: the layout is not known; map its columns with --mapping FILE or --column name=column. "
            f"It has: {', '.join(table.header)}"
        )
    layout, used = found
    used.check_against(table.header, source=str(path))
    given = Constants(account=account, currency=currency, timezone=timezone)
    defaults, notes = _defaults(used, path, imported_at, given)
    report = read_rows(table, used, defaults, platform=platform, layout=layout, notes=notes)
    return report if lake is None else land(report, lake, imported_at)


def read_rows(
    table: Table, mapping: ColumnMapping, defaults: Defaults, *, platform: str, layout: str, notes: Sequence[str] = ()
) -> ImportReport:
    """Rows of a table in our terms. Pure.

    Raises InputError when not one row can be used, or an account has two currencies or time zones.
    """
    reader = RowReader(mapping, table.header, defaults)
    accepted: list[AcceptedRow] = []
    rejected: list[RejectedRow] = []
    first_seen: dict[tuple[str, ...], int] = {}
    for number, cells in table.rows:
        row = reader.read(number, cells)
        earlier = first_seen.setdefault(cells, number)
        if isinstance(row, RejectedRow):
            rejected.append(row)
        elif earlier != number:
            rejected.append(RejectedRow(number, "row", f"is the same in every cell as row {earlier}", row.native))
        else:
            accepted.append(row)
    if not accepted:
        first = rejected[0]
        raise InputError(
            f"{table.source}: none of its {len(rejected)} rows can be used; "
            f"{first.where}, {first.field}: {first.reason}"
        )
    level = Level.AD if mapping.ad else Level.AD_GROUP
    rows = _added_up(accepted, level)
    merged = len(accepted) - len(rows)
    if merged:
        notes = (*notes, f"{merged} rows share day and entity with another (extra breakdown columns) and were added up")
    return ImportReport(
        source=table.source,
        layout=layout,
        platform=platform,
        level=level,
        accepted=len(accepted),
        merged=merged,
        rows=tuple(rows),
        accounts=_accounts(accepted, table.source),
        rejected=tuple(rejected),
        unreported=tuple(ours for theirs, ours in _OPTIONAL.items() if getattr(mapping, theirs) is None),
        notes=tuple(notes),
    )


def land(report: ImportReport, lake: Lake, imported_at: datetime) -> ImportReport:
    """Write each account-day as one vintage, and what was set aside beside it. Repeating it changes nothing."""
    lake.ensure_layout()
    dataset = f"insights_{report.level}"
    files: list[Path] = []
    reported_before = 0
    for account in report.accounts:
        present = lake.raw_days(report.platform, dataset, account_id=account.id)
        by_day: dict[date, list[InsightRow]] = {}
        for row in report.rows:
            if row.account_id == account.id:
                by_day.setdefault(row.day, []).append(row)
        reported_before += len(present & by_day.keys())
        for day, rows in sorted(by_day.items()):
            frame = insight_rows_frame(
                rows, account=account, level=report.level, platform=report.platform, fetched_at=imported_at
            ).with_columns(pl.lit(None).alias(name) for name in report.unreported)
            files.append(
                lake.append_raw(
                    report.platform, dataset, day=day, account_id=account.id, fetched_at=imported_at, frame=frame
                )
            )
    if report.rejected:
        owner = report.accounts[0]
        frame = quarantine_frame(report.rejected, account=owner, platform=report.platform, fetched_at=imported_at)
        day = imported_at.astimezone(ZoneInfo(owner.timezone)).date()
        lake.append_raw(
            report.platform, "quarantine", day=day, account_id=owner.id, fetched_at=imported_at, frame=frame
        )
    note = f"{reported_before} account-days had been reported before; of each the newest vintage counts, whole"
    return replace(report, files=tuple(files), notes=(*report.notes, note) if reported_before else report.notes)


def _defaults(
    mapping: ColumnMapping, path: Path, imported_at: datetime, given: Constants
) -> tuple[Defaults, list[str]]:
    """What flags say, else the mapping's constants, else assumptions, which are noted."""
    named = mapping.constants
    currency, zone = given.currency or named.currency, given.timezone or named.timezone
    notes = []
    if not (mapping.currency or currency):
        notes.append(f"no currency in file or mapping: {DEFAULT_CURRENCY} assumed (--currency changes it)")
    if not (mapping.timezone or zone):
        notes.append(f"no time zone in file or mapping: {DEFAULT_TIMEZONE} assumed (--timezone changes it)")
    if not mapping.conversions or not mapping.value:
        notes.append("no column for conversions or their value: returns cannot be estimated from this file")
    try:
        today = imported_at.astimezone(ZoneInfo(zone or DEFAULT_TIMEZONE)).date()
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(f"time zone {zone!r} is not an IANA name such as Europe/Istanbul") from None
    defaults = Defaults(
        account=given.account or named.account or path.stem,
        currency=currency or DEFAULT_CURRENCY,
        timezone=zone or DEFAULT_TIMEZONE,
        attribution_window=given.attribution_window or named.attribution_window or "as exported",
        today=today,
    )
    return defaults, notes


def _accounts(rows: Iterable[AcceptedRow], source: str) -> tuple[Account, ...]:
    found: dict[str, AcceptedRow] = {}
    for row in rows:
        first = found.setdefault(row.account, row)
        for name in ("currency", "timezone"):
            if getattr(first, name) != getattr(row, name):
                raise InputError(
                    f"{source}: account {row.account} has {name} {getattr(first, name)} in row {first.row} and "
                    f"{getattr(row, name)} in row {row.row}; split the file or map the account's column"
                )
    return tuple(
        Account(row.account, row.account, row.currency, row.timezone, _MINOR_UNITS, EntityStatus.ACTIVE)
        for row in found.values()
    )


def _added_up(rows: Iterable[AcceptedRow], level: Level) -> list[InsightRow]:
    groups: dict[tuple[str, ...], list[AcceptedRow]] = {}
    for row in rows:
        key = (row.account, row.day.isoformat(), row.campaign_id, row.ad_group_id, row.ad_id or "")
        groups.setdefault(key, []).append(row)
    return [_as_insight(group, level) for group in groups.values()]


def _as_insight(group: Sequence[AcceptedRow], level: Level) -> InsightRow:
    first = group[0]
    amounts = {name: sum((row.amounts[name] or Decimal(0) for row in group), Decimal(0)) for name in AMOUNTS}
    counts = {name: _total([row.counts[name] for row in group]) for name in COUNTS}
    return InsightRow(
        day=first.day,
        level=level,
        account_id=first.account,
        campaign_id=first.campaign_id,
        ad_group_id=first.ad_group_id,
        ad_id=first.ad_id,
        campaign_name=first.campaign_name,
        ad_group_name=first.ad_group_name,
        ad_name=first.ad_name,
        impressions=counts["impressions"] or 0,
        clicks=counts["clicks"] or 0,
        spend=amounts["spend"],
        conversions=amounts["conversions"],
        conversions_value=amounts["value"],
        attribution_window=first.attribution_window,
        link_clicks=counts["link_clicks"],
        reach=counts["reach"] if len(group) == 1 else None,  # people of two rows may be the same people
        video_plays=counts["video_plays"],
        engagements=counts["engagements"],
        native={"rows": [dict(row.native) for row in group]},
    )


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
