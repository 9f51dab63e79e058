"""Report rows from TikTok's JSON to the port's type. Pure. All values are text, and "-" stands for not reported."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from stakazo_pipelines.platforms.port import Breakdown, InsightRow, InsightsQuery
from stakazo_pipelines.platforms.rows import RowCollector, asked_days
from stakazo_pipelines.platforms.tiktok.fields import (
    BREAKDOWNS,
    CONVERSIONS,
    CONVERSIONS_VALUE,
    ID_DIMENSIONS,
    VIDEO_PLAYS,
)
from stakazo_pipelines.platforms.wire import WireError, amount, count, ident, text
from stakazo_pipelines.vocabulary import Level

WINDOW = "7d_click_1d_view"  # TikTok's default
NOT_REPORTED = "-"
UNKNOWN_SEGMENT = "unknown"
_NOWHERE = frozenset({"", NOT_REPORTED, "NONE", "UNKNOWN", "UNLIMITED"})
_DEPTH = {Level.ACCOUNT: 0, Level.CAMPAIGN: 1, Level.AD_GROUP: 2, Level.AD: 3}
_MIDNIGHT = "00:00:00"


def collector(query: InsightsQuery) -> RowCollector:
    """What keeps the rows of a query."""
    return RowCollector(query, RowParser(query), key_field=ID_DIMENSIONS[query.level])


class RowParser:
    """Reads the rows of one query."""

    def __init__(self, query: InsightsQuery) -> None:
        self._query = query
        self._depth = _DEPTH[query.level]
        self._days = asked_days(query)
        self._hourly = Breakdown.HOUR in query.breakdowns

    def __call__(self, row: Mapping[str, object]) -> InsightRow:
        """Raises WireError."""
        dimensions, metrics = _part(row, "dimensions"), _part(row, "metrics")
        if self._query.level is Level.ACCOUNT and ident(dimensions, "advertiser_id") != self._query.account.id:
            raise WireError("advertiser_id", "of another account")
        day, hour = self._time(dimensions)
        return InsightRow(
            day=day,
            level=self._query.level,
            account_id=self._query.account.id,
            campaign_id=self._id("campaign_id", 1, dimensions, metrics),
            ad_group_id=self._id("adgroup_id", 2, dimensions, metrics),
            ad_id=self._id("ad_id", 3, dimensions, metrics),
            campaign_name=self._name("campaign_name", 1, metrics),
            ad_group_name=self._name("adgroup_name", 2, metrics),
            ad_name=self._name("ad_name", 3, metrics),
            impressions=count(metrics, "impressions"),
            clicks=count(metrics, "clicks"),
            spend=amount(metrics, "spend"),
            conversions=_booked(metrics, CONVERSIONS),
            conversions_value=_booked(metrics, CONVERSIONS_VALUE),
            attribution_window=WINDOW,
            reach=_optional(metrics, "reach"),
            video_plays=_optional(metrics, VIDEO_PLAYS),
            engagements=_optional(metrics, "engagements"),
            segments=self._segments(dimensions, hour),
            native=row,
        )

    def _id(
        self, field: str, depth: int, dimensions: Mapping[str, object], metrics: Mapping[str, object]
    ) -> str | None:
        """The level's own id is a dimension, those above are attributes."""
        if depth > self._depth:
            return None
        found = ident(dimensions if depth == self._depth else metrics, field)
        if found == NOT_REPORTED:
            raise WireError(field, "not reported")
        return found

    def _name(self, field: str, depth: int, metrics: Mapping[str, object]) -> str | None:
        name = text(metrics, field) if depth <= self._depth else NOT_REPORTED
        return None if name == NOT_REPORTED else name

    def _time(self, dimensions: Mapping[str, object]) -> tuple[date, str]:
        """Day and two-digit hour of "2026-07-01 13:00:00"; by day the hour is midnight's."""
        field = "stat_time_hour" if self._hourly else "stat_time_day"
        value = text(dimensions, field)
        if not value:
            raise WireError(field, "missing")
        day = self._days.get(value[:10])
        clock = value[11:]
        if day is None:
            raise WireError(field, f"not a day that was asked for: {value[:30]!r}")
        hours = clock[:2]
        whole = clock[2:] == ":00:00" and hours.isascii() and hours.isdigit() and int(hours) < 24
        if value[10:11] not in ("", " ") or not (whole or (not clock and not self._hourly)):
            raise WireError(field, f"not a full hour: {value[:30]!r}")
        if not self._hourly and clock not in ("", _MIDNIGHT):
            raise WireError(field, f"not a day: {value[:30]!r}")
        return day, hours

    def _segments(self, dimensions: Mapping[str, object], hour: str) -> dict[Breakdown, str]:
        segments: dict[Breakdown, str] = {}
        for breakdown in self._query.breakdowns:
            if breakdown is Breakdown.HOUR:
                segments[breakdown] = hour
                continue
            field = BREAKDOWNS[breakdown]
            if dimensions.get(field) is None:
                raise WireError(field, "missing")
            segments[breakdown] = _segment(breakdown, text(dimensions, field))
        return segments


def _part(row: Mapping[str, object], field: str) -> Mapping[str, object]:
    part = row.get(field)
    if not isinstance(part, dict):
        raise WireError(field, "missing" if part is None else "not an object")
    return part


def _booked(metrics: Mapping[str, object], field: str) -> Decimal:
    """Purchases or their value; "-" is an ad whose goal has none, so none were booked. Absent is an error."""
    return Decimal(0) if metrics.get(field) == NOT_REPORTED else amount(metrics, field)


def _optional(metrics: Mapping[str, object], field: str) -> int | None:
    return count(metrics, field) if metrics.get(field) not in (None, NOT_REPORTED) else None


def _segment(breakdown: Breakdown, value: str) -> str:
    """In the words that all platforms share: 18-24, 55+, female, two-letter countries."""
    word = value.strip().upper()
    if word in _NOWHERE:
        return UNKNOWN_SEGMENT
    if breakdown is Breakdown.GENDER:
        bare = word.removeprefix("GENDER_")
        return UNKNOWN_SEGMENT if bare in _NOWHERE else bare.lower()
    if breakdown is Breakdown.AGE:
        first, _, last = word.removeprefix("AGE_").partition("_")
        if not (first.isdigit() and last.isdigit()):
            return value
        return f"{first}+" if last == "100" else f"{first}-{last}"
    return word
