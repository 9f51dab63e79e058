"""What an adAnalytics request asks for, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from stakazo_pipelines.sandbox.linkedin import urns
from stakazo_pipelines.sandbox.linkedin.analytics import catalogue
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.errors import bad_param
from stakazo_pipelines.sandbox.linkedin.restli import as_list

_FACETS = {
    "accounts": (urns.ACCOUNT, "account_id", "account"),
    "campaignGroups": (urns.GROUP, "campaign_id", "campaign"),
    "campaigns": (urns.CAMPAIGN, "ad_group_id", "ad_group"),
    "creatives": (urns.CREATIVE, "ad_id", "ad"),
}
_LEVELS = ("account", "campaign", "ad_group", "ad")
_MOST_PIVOTS = 3


@dataclass(frozen=True, slots=True)
class Query:
    """`facets` maps a column of the world's report to the ids wanted; `level` is the finest that anything needs."""

    pivots: tuple[str, ...]
    granularity: str
    since: date
    until: date
    facets: Mapping[str, frozenset[str]]
    posts: frozenset[str] | None
    organizations: frozenset[str] | None
    level: str
    fields: tuple[str, ...]
    sort: tuple[str, bool] | None

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name not in catalogue.KEYS)

    @property
    def by_member(self) -> bool:
        return catalogue.COUNTRY in self.pivots


def read_query(call: Call, today: date) -> Query:
    """Raises LinkedInError."""
    call.only("q", "pivot", "pivots", "timeGranularity", "dateRange", "accounts", "campaignGroups", "campaigns",
              "creatives", "shares", "companies", "campaignType", "objectiveType", "sortBy", "fields", "start",
              "count")  # fmt: skip
    pivots = _pivots(call)
    granularity = call.choice("timeGranularity", catalogue.GRANULARITIES, "")
    if not granularity:
        raise bad_param("timeGranularity", "is required")
    since, until = _days(call, today)
    facets, depth = {}, [_LEVELS.index(catalogue.PIVOT_LEVELS.get(pivot, "account")) for pivot in pivots]
    for name, (kind, column, level) in _FACETS.items():
        wanted = urns.numbers(call.params.get(name), kind, name)
        if wanted is not None:
            facets[column] = wanted
            depth.append(_LEVELS.index(level))
    posts = _posts(call)
    if posts is not None:
        depth.append(_LEVELS.index("ad"))
    organizations = urns.numbers(call.params.get("companies"), "organization", "companies")
    if not facets and posts is None and organizations is None:
        raise bad_param("accounts", "at least one facet is required")
    fields = _fields(call)
    if catalogue.REACH in fields and (until - since).days >= catalogue.MOST_REACH_DAYS:
        raise bad_param("fields", f"{catalogue.REACH} is available for at most {catalogue.MOST_REACH_DAYS} days")
    level = _LEVELS[max(depth)]
    return Query(pivots, granularity, since, until, facets, posts, organizations, level, fields, _sort(call))


def _pivots(call: Call) -> tuple[str, ...]:
    known = {*catalogue.PIVOT_LEVELS, *catalogue.EMPTY_PIVOTS}
    if call.text("q") == "analytics":
        pivot = call.choice("pivot", known, "")
        if not pivot:
            raise bad_param("pivot", "is required")
        return (pivot,)
    pivots = as_list(call.params.get("pivots"))
    named = tuple(str(item.get("value") if isinstance(item, dict) else item) for item in pivots)
    if not 1 <= len(named) <= _MOST_PIVOTS or len(set(named)) != len(named):
        raise bad_param("pivots", f"must be a list of 1 to {_MOST_PIVOTS} different pivots")
    if set(named) - known:
        raise bad_param("pivots", f"{', '.join(set(named) - known)} is not an enum symbol")
    return named


def _days(call: Call, today: date) -> tuple[date, date]:
    spans = call.params.get("dateRange")
    if not isinstance(spans, Mapping) or "start" not in spans:
        raise bad_param("dateRange", "a record with a start is required")
    since = _day(spans["start"])
    until = _day(spans["end"]) if "end" in spans else max(today, since)
    if until < since:
        raise bad_param("dateRange", "ends before it starts")
    return since, until


def _day(parts: Any) -> date:
    try:
        return date(*(int(parts[name]) for name in ("year", "month", "day")))
    except (KeyError, TypeError, ValueError) as error:
        raise bad_param("dateRange", "days must be (year:Y,month:M,day:D)") from error


def _posts(call: Call) -> frozenset[str] | None:
    shares = call.params.get("shares")
    if shares is None:
        return None
    found = [urns.post_number(text) for text in as_list(shares)]
    if not found or None in found:
        raise bad_param("shares", "must be a list of post URNs")
    return frozenset(number for number in found if number is not None)


def _fields(call: Call) -> tuple[str, ...]:
    fields = call.fields()
    if fields is None:
        return ("impressions", "clicks")
    if len(fields) > catalogue.MOST_FIELDS:
        raise bad_param("fields", f"at most {catalogue.MOST_FIELDS} fields can be requested")
    for name in fields:
        if name not in catalogue.METRICS and name not in catalogue.KEYS:
            raise bad_param("fields", f"{name} is no field of adAnalytics", "FIELD_INVALID")
    return tuple(dict.fromkeys(fields))


def _sort(call: Call) -> tuple[str, bool] | None:
    """The metric in the fields' spelling, and whether downward."""
    sort = call.params.get("sortBy")
    if sort is None:
        return None
    if not isinstance(sort, Mapping) or sort.get("field") not in catalogue.SORTABLE:
        raise bad_param("sortBy", f"field must be one of {', '.join(catalogue.SORTABLE)}")
    if sort.get("order", "ASCENDING") not in ("ASCENDING", "DESCENDING"):
        raise bad_param("sortBy", "order must be ASCENDING or DESCENDING")
    first, *rest = str(sort["field"]).lower().split("_")
    return first + "".join(word.capitalize() for word in rest), sort.get("order") == "DESCENDING"
