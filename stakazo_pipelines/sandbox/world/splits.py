"""Exact splits of an ad-day over segments: whole numbers that add up to the total, with entity-specific shares."""

import itertools
from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.sandbox.world.entities import WorldError
from stakazo_pipelines.sandbox.world.noise import Floats, Ints, Stream, derive, keys

_SEGMENTS: dict[str, dict[str, float]] = {
    "age": {"18-24": 0.17, "25-34": 0.28, "35-44": 0.23, "45-54": 0.16, "55-64": 0.1, "65+": 0.06},
    "gender": {"female": 0.53, "male": 0.44, "unknown": 0.03},
    "publisher_platform": {"facebook": 0.47, "instagram": 0.44, "audience_network": 0.06, "messenger": 0.03},
}
_COUNTRIES = {
    "USD": {"US": 0.86, "CA": 0.1, "GB": 0.04},
    "EUR": {"DE": 0.6, "FR": 0.2, "AT": 0.12, "NL": 0.08},
    "JPY": {"JP": 0.97, "TW": 0.03},
    "GBP": {"GB": 0.93, "IE": 0.07},
}
BREAKDOWNS = ("age", "gender", "country", "publisher_platform")


@dataclass(frozen=True, slots=True)
class Split:
    """`labels[i]` are the segment's values in the order of the breakdowns; shares are (ads, segments)."""

    labels: list[tuple[str, ...]]
    delivery: Floats
    response: Floats


def split(seed: int, currency: str, breakdowns: tuple[str, ...], ads: Ints) -> Split:
    """Shares of delivery and of conversions by segment, for each ad: joint over the breakdowns asked for."""
    unknown = set(breakdowns) - set(BREAKDOWNS)
    if unknown:
        raise WorldError(f"no breakdown {', '.join(sorted(unknown))}: one of {', '.join(BREAKDOWNS)}")
    tables = [_COUNTRIES.get(currency, {"US": 1.0}) if b == "country" else _SEGMENTS[b] for b in breakdowns]
    labels = list(itertools.product(*tables))
    delivery, response = np.ones((ads.size, 1)), np.ones((ads.size, 1))
    for name, table in zip(breakdowns, tables, strict=True):
        key = keys(seed, Stream.SEGMENT, ads[:, None], BREAKDOWNS.index(name), np.arange(len(table))[None, :])
        shown = np.array(list(table.values())) * np.exp(1.2 * (derive(key, 1) - 0.5))
        bought = shown * np.exp(1.4 * (derive(key, 2) - 0.5))
        delivery = (delivery[:, :, None] * (shown / shown.sum(axis=1, keepdims=True))[:, None, :]).reshape(ads.size, -1)
        response = (response[:, :, None] * (bought / bought.sum(axis=1, keepdims=True))[:, None, :]).reshape(
            ads.size, -1
        )
    return Split(labels, delivery, response)


def apportion(total: Ints, share: Floats, offset: Floats) -> Ints:
    """Whole parts of each total, (rows,) by shares (rows, segments) adding up to 1, by rounding the running total.

    Each part is within 1 of its exact share. `offset`, uniform on (0, 1) per row, makes small parts fair on average:
    a single click falls into a segment with the segment's own probability.
    """
    edges = np.cumsum(share, axis=1)
    edges[:, -1] = 1.0
    ends = np.floor(total[:, None] * edges + offset[:, None])
    return np.asarray(np.diff(ends, axis=1, prepend=0.0), dtype=np.int64)


def pick(share: Floats, u: Floats) -> Ints:
    """The segment in which each uniform falls: shares (rows, segments), u (rows,)."""
    edges = np.cumsum(share, axis=1)
    return np.asarray(np.minimum((u[:, None] * edges[:, -1:] >= edges).sum(axis=1), share.shape[1] - 1), dtype=np.int64)
