"""Insights as visible now: additive whole-number measures per entity, day, hour and segment.

Ad rows are the atoms; every coarser level, and every total over segments or hours, is their exact sum (reach excepted).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from stakazo_pipelines.sandbox.world import conversions, splits
from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.entities import WorldError
from stakazo_pipelines.sandbox.world.nature import Ads
from stakazo_pipelines.sandbox.world.noise import Ints, Stream, counts, derive, keys, thinned, uniform

LEVELS = ("account", "campaign", "ad_group", "ad")
_MOST_ATOMS = 400_000  # rows worked on at once; keeps memory flat however long the range
_OVERLAP = {"ad": 1.0, "ad_group": 0.94, "campaign": 0.86, "account": 0.72}  # people reached by several ads count once


@dataclass(frozen=True, slots=True)
class Report:
    """Column arrays of equal length, one row per entity and day (and hour, and segment).

    ad_id, ad_group_id, campaign_id, account_id   text, those of the level and above
    day                                           datetime64[D], account-local
    hour                                          0..23, only in hourly reports
    age, gender, country, publisher_platform      text, those asked for
    impressions, clicks, link_clicks, landing_page_views, add_to_cart, video_views (3 s), thruplays,
    post_engagement, reach                        int64
    spend, purchase_value                         float64, major units, whole minor units
    purchases                                     int64, = 7d_click + 1d_view
    purchases_1d_click, _7d_click, _1d_view and purchase_value_…: the same by window; 1d_click lies within 7d_click
    """

    columns: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return int(self.columns["day"].size)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.columns[name]


@dataclass(slots=True)
class _Rows:
    """Rows of (ad, day, hour) before grouping; `event_row` places each conversion."""

    ad: Ints
    day: Ints
    hour: Ints | None
    measures: dict[str, Ints]
    event_row: Ints


def report(
    account: AccountWorld,
    level: str,
    since: date,
    until: date,
    *,
    hourly: bool = False,
    breakdowns: tuple[str, ...] = (),
) -> Report:
    """Rows with delivery or conversions on report days since..until inclusive."""
    if level not in LEVELS:
        raise WorldError(f"no report level {level!r}: one of {', '.join(LEVELS)}")
    first = max(account.calendar.index(since), 0)
    last = max(min(account.calendar.index(until), account.day) + 1, first)
    parts = splits.split(account.seed, account.account.currency, breakdowns, account.ads.id)
    atoms = account.ads.id.size * len(parts.labels) * (24 if hourly else 1)
    step = max(_MOST_ATOMS // max(atoms, 1), 1)
    pieces = [
        _piece(account, level, (d, min(d + step, last)), hourly, breakdowns, parts)
        for d in range(first, max(last, first + 1), step)
    ]
    return Report({name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]})


def _piece(
    account: AccountWorld,
    level: str,
    days: tuple[int, int],
    hourly: bool,
    breakdowns: tuple[str, ...],
    parts: splits.Split,
) -> dict[str, npt.NDArray[Any]]:
    """Columns of the report days [first, last)."""
    events = visible(account, *days)
    if hourly:
        rows = _hour_rows(account, days[0], _by_hour(account, *days), events)
    else:
        rows = _day_rows(account, days[0], _by_day(account, *days), events)
    size, measures = len(parts.labels), rows.measures
    if size > 1:
        hour = np.zeros_like(rows.day) if rows.hour is None else rows.hour
        offset = uniform(account.seed, Stream.SEGMENT, account.ads.id[rows.ad], rows.day, hour)
        share = parts.delivery[rows.ad]
        measures = {name: splits.apportion(total, share, offset).ravel() for name, total in measures.items()}
    segment = splits.pick(parts.response[events.ad], derive(events.key, conversions.SEGMENT))
    measures |= _purchases(events, rows.event_row * size + segment, rows.ad.size * size)
    return _grouped(account, level, rows, measures, breakdowns, parts.labels)


def funnel(seed: int, ads: Ads, ad: Ints, day: Ints, impressions: Ints) -> dict[str, Ints]:
    """Everything that follows from impressions, monotone in them, for rows of the same shape as `ad`."""
    key = keys(seed, Stream.RATES, ads.id[ad], day)
    u = [derive(key, salt) for salt in range(1, 12)]
    rate = ads.ctr[ad] * np.exp(0.35 * (u[0] - 0.5))
    clicks = np.minimum(counts(impressions * rate, u[1], u[2]), impressions)
    links = thinned(clicks, ads.link[ad], u[3])
    landed = thinned(links, ads.landing[ad], u[4])
    views = thinned(impressions, ads.hook[ad] * (0.9 + 0.2 * u[5]), u[6])
    return {
        "impressions": impressions,
        "clicks": clicks,
        "link_clicks": links,
        "landing_page_views": landed,
        "add_to_cart": thinned(landed, ads.cart[ad], u[7]),
        "video_views": views,
        "thruplays": thinned(views, ads.hold[ad], u[8]),
        "post_engagement": clicks + views + thinned(impressions, np.full(ad.shape, 0.01), u[9]),
        "reach": -np.floor(-impressions / ads.frequency[ad]).astype(np.int64),
    }


def visible(account: AccountWorld, first: int, last: int) -> conversions.Events:
    """Conversions of report days [first, last) that have arrived by now."""
    chunks = account.events[first:last]
    if first <= account.day < last and account.day == len(account.events):
        chunks = [*chunks, account.live_events()]
    events = conversions.join(chunks)
    midnights = np.array([account.calendar.day(d).first for d in range(first, last + 15)], dtype=np.int64)
    arrival = np.where(events.delay == 0, 0, midnights[events.day - first + events.delay] + events.part)
    return events.take(arrival < account.hour)


def _by_hour(account: AccountWorld, first: int, last: int) -> Ints:
    """Spend and impressions, (2, days, 24 local hours, ads)."""
    n = account.ads.id.size
    out = np.zeros((2, last - first, 24, n), dtype=np.int64)
    for d in range(first, last):
        local = account.calendar.day(d)
        for i, ledger in enumerate((account.spend, account.impressions)):
            hours = ledger[local.first : min(local.last, account.hour), :n]
            np.add.at(out[i, d - first, :, : hours.shape[1]], local.labels[: hours.shape[0]], hours)
    return out


def _by_day(account: AccountWorld, first: int, last: int) -> Ints:
    """Spend and impressions, (2, days, ads)."""
    n = account.ads.id.size
    out = np.zeros((2, last - first, n), dtype=np.int64)
    for d in range(first, last):
        local = account.calendar.day(d)
        for i, ledger in enumerate((account.spend, account.impressions)):
            hours = ledger[local.first : min(local.last, account.hour), :n]
            out[i, d - first, : hours.shape[1]] = hours.sum(axis=0, dtype=np.int64)
    return out


def _day_rows(account: AccountWorld, first: int, by_day: Ints, events: conversions.Events) -> _Rows:
    spend, impressions = by_day
    kept = (spend > 0) | (impressions > 0)
    kept[events.day - first, events.ad] = True
    day, ad = np.nonzero(kept)
    place = np.cumsum(kept.ravel()).reshape(kept.shape) - 1
    measures = funnel(account.seed, account.ads, ad, day + first, impressions[day, ad])
    measures["spend"] = spend[day, ad]
    return _Rows(ad, day + first, None, measures, place[events.day - first, events.ad])


def _hour_rows(account: AccountWorld, first: int, by_hour: Ints, events: conversions.Events) -> _Rows:
    spend, impressions = by_hour.transpose(0, 1, 3, 2)  # days, ads, hours
    share = (
        spend[events.day - first, events.ad] / np.maximum(spend.sum(axis=2)[events.day - first, events.ad], 1)[:, None]
    )
    event_hour = splits.pick(share, derive(events.key, conversions.HOUR))
    kept = (spend > 0) | (impressions > 0)
    kept[events.day - first, events.ad, event_hour] = True
    day, ad, hour = np.nonzero(kept)
    place = np.cumsum(kept.ravel()).reshape(kept.shape) - 1
    until = np.cumsum(impressions, axis=2)[day, ad, hour]
    through = funnel(account.seed, account.ads, ad, day + first, until)
    before = funnel(account.seed, account.ads, ad, day + first, until - impressions[day, ad, hour])
    measures = {name: through[name] - before[name] for name in through}
    measures["spend"] = spend[day, ad, hour]
    return _Rows(ad, day + first, hour, measures, place[events.day - first, events.ad, event_hour])


def _purchases(events: conversions.Events, row: Ints, size: int) -> dict[str, Ints]:
    within = {
        "": np.ones(row.shape, dtype=np.bool_),
        "_1d_click": events.window == conversions.ONE_DAY_CLICK,
        "_7d_click": events.window != conversions.ONE_DAY_VIEW,
        "_1d_view": events.window == conversions.ONE_DAY_VIEW,
    }
    out = {}
    for name, mask in within.items():
        out[f"purchases{name}"] = np.bincount(row[mask], minlength=size)
        out[f"purchase_value{name}"] = _total(events.value[mask], row[mask], size)
    return out


def _total(values: Ints, row: Ints, size: int) -> Ints:
    return np.rint(np.bincount(row, weights=values, minlength=size)).astype(np.int64)


def _grouped(
    account: AccountWorld,
    level: str,
    rows: _Rows,
    measures: dict[str, Ints],
    breakdowns: tuple[str, ...],
    labels: list[tuple[str, ...]],
) -> dict[str, npt.NDArray[Any]]:
    ads, groups, size = account.ads, account.groups, len(labels)
    group = ads.group[rows.ad]
    entity = {"ad": ads.id[rows.ad], "ad_group": groups.id[group], "campaign": groups.campaign[group]}
    ids = entity.get(level, np.full(rows.ad.shape, account.id))
    known, code = np.unique(ids, return_inverse=True)
    hour = np.zeros_like(rows.day) if rows.hour is None else rows.hour
    slot = ((rows.day * known.size + code) * 24 + hour)[:, None] * size + np.arange(size)
    seen = np.any([m != 0 for m in measures.values()], axis=0)
    kept, inverse = np.unique(slot.ravel()[seen], return_inverse=True)
    totals = {name: _total(m[seen], inverse, kept.size) for name, m in measures.items()}
    rest, segment = np.divmod(kept, size)
    rest, hour = np.divmod(rest, 24)
    day, code = np.divmod(rest, max(known.size, 1))
    columns: dict[str, npt.NDArray[Any]] = _ids(account, level, known, code)
    columns["day"] = np.datetime64(account.calendar.first_day, "D") + day
    if rows.hour is not None:
        columns["hour"] = hour
    for i, name in enumerate(breakdowns):
        columns[name] = np.array([label[i] for label in labels], dtype=object)[segment]
    for name, values in totals.items():
        money = name == "spend" or name.startswith("purchase_value")
        columns[name] = values / account.account.minor_units if money else values
    people = np.floor(totals["reach"] * _OVERLAP[level]).astype(np.int64)
    columns["reach"] = np.maximum(people, np.minimum(totals["reach"], 1))
    return columns


def _ids(account: AccountWorld, level: str, known: Ints, code: Ints) -> dict[str, npt.NDArray[Any]]:
    """Id columns of the level and of all above it."""
    columns: dict[str, npt.NDArray[Any]] = {}
    row, ads, groups = known, account.ads, account.groups
    if level == "ad":
        columns["ad_id"] = _text(known)[code]
        row = groups.id[ads.group[np.searchsorted(ads.id, known)]]
    if level in ("ad", "ad_group"):
        columns["ad_group_id"] = _text(row)[code]
        row = groups.campaign[np.searchsorted(groups.id, row)]
    if level != "account":
        columns["campaign_id"] = _text(row)[code]
    columns["account_id"] = np.full(code.shape, account.account.id, dtype=object)
    return columns


def _text(ids: Ints) -> npt.NDArray[np.object_]:
    return np.array([str(i) for i in ids], dtype=object)
