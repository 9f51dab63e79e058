"""What every adapter does with report rows: keep each entity, day and segment once, quarantine the rest.

A row that cannot be trusted is quarantined, never repaired: text for a number, a missing id, a day nobody asked for, a
second version of a row. How a row is read is the platform's: a parser that raises WireError.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

from stakazo_pipelines.platforms.port import (
    Account,
    EntitiesResult,
    Entity,
    InsightRow,
    InsightsQuery,
    InsightsResult,
    Quarantined,
)
from stakazo_pipelines.platforms.wire import WireError
from stakazo_pipelines.vocabulary import Level

_LOG = logging.getLogger(__name__)
_Key = tuple[date, str | None, tuple[str, ...]]


class RowCollector:
    """Takes the rows of a query as they come. `parse` reads one; `key_field` is what its entity's id is called."""

    def __init__(
        self, query: InsightsQuery, parse: Callable[[Mapping[str, object]], InsightRow], *, key_field: str
    ) -> None:
        self._parse = parse
        self._key_field = key_field
        self._where = f"{query.level} insights of account {query.account.id}"
        self._rows: dict[_Key, InsightRow] = {}
        self._conflicting: set[_Key] = set()
        self._quarantined: list[Quarantined] = []

    def add(self, rows: Iterable[object]) -> None:
        for native in rows:
            if not isinstance(native, dict):
                self._reject("not an object", "", native)
                continue
            try:
                row = self._parse(native)
            except WireError as error:
                self._reject(error.reason, error.field, native)
                continue
            self._keep(row)

    def result(self) -> InsightsResult:
        return InsightsResult(tuple(self._rows.values()), tuple(self._quarantined))

    def _keep(self, row: InsightRow) -> None:
        key = (row.day, _entity_of(row), tuple(row.segments.values()))
        if key in self._conflicting:
            self._reject("one of several versions of the same row", self._key_field, row.native)
            return
        first = self._rows.get(key)
        if first is None:
            self._rows[key] = row
        elif first.native == row.native:
            self._reject("the same row again (a repeated page?); dropped", self._key_field, row.native)
        else:
            # Nobody can say which one is right, so neither counts.
            self._conflicting.add(key)
            for version in (self._rows.pop(key).native, row.native):
                self._reject("one of several versions of the same row", self._key_field, version)

    def _reject(self, reason: str, field: str, native: object) -> None:
        self._quarantined.append(Quarantined(reason, field, native, self._where))


def collect_accounts(rows: Iterable[object], parse: Callable[[Mapping[str, object]], Account]) -> list[Account]:
    """Every account that can be read; of another one not even the id is known, so it can only be logged."""
    accounts = []
    for row in rows:
        try:
            accounts.append(parse(row if isinstance(row, dict) else {}))
        except WireError as error:
            _LOG.error("an ad account is left out, its %s cannot be read: %s", error.field, error.reason)
    return accounts


def collect_entities(
    rows: Iterable[object], parse: Callable[[Mapping[str, object]], Entity], *, where: str
) -> EntitiesResult:
    """Every row that can be read, once; the others quarantined with field and reason."""
    entities: dict[str, Entity] = {}
    quarantined: list[Quarantined] = []
    for row in rows:
        if not isinstance(row, dict):
            quarantined.append(Quarantined("not an object", "", row, where))
            continue
        try:
            entity = parse(row)
        except WireError as error:
            quarantined.append(Quarantined(error.reason, error.field, row, where))
            continue
        if entity.id in entities:
            quarantined.append(
                Quarantined("listed twice; the later one counts", "id", entities[entity.id].native, where)
            )
        entities[entity.id] = entity
    return EntitiesResult(tuple(entities.values()), tuple(quarantined))


def asked_days(query: InsightsQuery) -> Mapping[str, date]:
    """The days of a query by their ISO text, to look up what a row says."""
    span = (query.until - query.since).days + 1
    return {(day := query.since + timedelta(offset)).isoformat(): day for offset in range(span)}


def _entity_of(row: InsightRow) -> str | None:
    match row.level:
        case Level.AD:
            return row.ad_id
        case Level.AD_GROUP:
            return row.ad_group_id
        case Level.CAMPAIGN:
            return row.campaign_id
        case _:
            return row.account_id
