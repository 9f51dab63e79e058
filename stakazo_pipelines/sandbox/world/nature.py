"""The hidden truth: what each ad group's audience and each ad really are, drawn from (seed, id) alone.

Nothing here depends on budgets or on when an entity was made, so entities created later get parameters the same way.
All money is in minor units of the account's currency, as floats.
"""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from scipy.special import ndtri

from stakazo_pipelines.sandbox.world.noise import Floats, Ints, Stream, derive, gamma_mean_one, keys, normal, uniform
from stakazo_pipelines.sandbox.world.traits import Traits

DELAYS = 15  # conversions become visible 0..14 days after their report day
BURST_SHAPE = 12.0  # gamma shape of the daily multiplier: what makes daily counts overdispersed
VALUE_CV = 0.7  # spread of one conversion's value around its arm's mean

_OBJECTIVE_FACTOR = {"OUTCOME_SALES": 1.0, "OUTCOME_LEADS": 0.7, "OUTCOME_TRAFFIC": 0.55}
_OTHER_OBJECTIVE = 0.45

# Relative delivery by local hour: low at night, a bump at noon and a peak in the evening.
_HOURS = np.array(
    [30, 20, 14, 11, 11, 16, 28, 44, 56, 62, 66, 70, 76, 72, 66, 64, 66, 72, 84, 98, 104, 98, 78, 50], dtype=np.float64
)


@dataclass(slots=True)
class Groups:
    """Per ad group. Daily value at spend s: `level * half * 2 x^hill / (1 + x^hill)`, x = s / half (a Hill curve)."""

    id: Ints
    campaign: Ints  # id of the campaign
    half: Floats  # half-saturation spend a day
    level: Floats  # value per unit of money at the half-saturation point
    hill: Floats  # exponent: below 1 concave from the start, above 1 S-shaped
    carry: Floats  # largest lift that past spend gives to today's value
    memory: Floats  # share of yesterday's adstock kept today
    tire: Floats  # days of half-saturation spend after which an ad's excess appeal fell to 1/e
    floor: Floats  # share of appeal that never tires
    aov: Floats  # mean value of a conversion
    cap: Floats  # most the audience lets it spend in a day (inf for most)
    cpm: Floats  # mean price of 1000 impressions
    strength: Floats  # claim on a campaign's budget
    weekend: Floats  # log lift on Saturday and Sunday
    swing: Floats  # amplitude of the slow drift
    phase: Floats  # where in the drift it starts, turns


@dataclass(slots=True)
class Ads:
    """Per ad; `group` is the row of its ad group. Rates are per impression, or per the step before in the funnel."""

    id: Ints
    group: Ints
    strength: Floats
    ctr: Floats
    link: Floats
    landing: Floats
    cart: Floats
    hook: Floats
    hold: Floats
    frequency: Floats


@dataclass(frozen=True, slots=True)
class Market:
    """What one account's market is like: its platform's traits drawn out, money in minor units of the account."""

    budget: float  # typical daily budget of an ad group
    appetite: float  # typical spend at half saturation
    level: float  # typical value per unit of money there
    cpm: float
    aov: float
    delay: Floats  # shares of conversions by days of delay
    ctr: float
    hook: float
    floors: tuple[float, float]  # smallest daily budget of an ad group, of a campaign


def market(seed: int, account_id: int, traits: Traits, minor_units: int, rate: float) -> Market:
    """`rate` is how many major units make about one US dollar. The delay shares over 0..14 days add up to 1."""
    scale, floor = minor_units * rate, minor_units * max(rate, 1.0)
    u = [float(derive(keys(seed, Stream.NATURE, account_id), salt)[0]) for salt in range(1, 6)]
    first, second, decay = (low + width * x for (low, width), x in zip(traits.delay, u, strict=False))
    tail = decay ** np.arange(DELAYS - 2)
    return Market(
        budget=traits.budget * scale,
        appetite=traits.appetite * scale,
        level=traits.level[0] + traits.level[1] * u[4],
        cpm=(traits.cpm[0] + traits.cpm[1] * u[3]) * scale,
        aov=traits.order_value * scale,
        delay=np.concatenate([[first, second], (1 - first - second) * tail / tail.sum()]),
        ctr=traits.ctr,
        hook=traits.hook,
        floors=(traits.floors[0] * floor, traits.floors[1] * floor),
    )


def _spread(seed: int, ids: Ints, salt: int) -> Floats:
    return np.asarray(ndtri(derive(keys(seed, Stream.NATURE, ids), salt)), dtype=np.float64)


def draw_groups(seed: int, ids: Ints, campaign: Ints, where: Market, objectives: list[str]) -> Groups:
    """Hidden parameters of ad groups; shapes all `(len(ids),)`."""
    z = [_spread(seed, ids, salt) for salt in range(16)]
    u = [derive(keys(seed, Stream.NATURE, ids), 100 + salt) for salt in range(8)]
    factor = np.array([_OBJECTIVE_FACTOR.get(name, _OTHER_OBJECTIVE) for name in objectives], dtype=np.float64)
    half = where.appetite * np.exp(0.3 + 0.8 * z[0])
    return Groups(
        id=ids,
        campaign=campaign,
        half=half,
        level=factor * where.level * np.exp(0.36 * z[1]),
        hill=np.where(u[0] < 0.1, 1.2 + 0.3 * u[1], 0.8 + 0.3 * u[1]),
        carry=0.05 + 0.3 * u[2],
        memory=0.4 + 0.4 * u[3],
        tire=60.0 + 120.0 * u[4],
        floor=0.55 + 0.3 * u[5],
        aov=where.aov * np.exp(1.0 * z[2]),
        cap=np.where(u[6] < 0.06, where.appetite * np.exp(0.2 + 0.6 * z[3]), np.inf),
        cpm=where.cpm * np.exp(0.3 * z[4]),
        strength=np.exp(0.6 * z[5]),
        weekend=0.12 * z[6],
        swing=0.05 + 0.08 * u[7],
        phase=derive(keys(seed, Stream.NATURE, ids), 120),
    )


def draw_ads(seed: int, ids: Ints, group: Ints, where: Market, video: Floats) -> Ads:
    """Hidden parameters of ads; `video` is 1 where the creative is a video. Shapes `(len(ids),)`."""
    z = [_spread(seed, ids, salt) for salt in range(8)]
    return Ads(
        id=ids,
        group=group,
        strength=np.exp(0.7 * z[0]),
        ctr=np.clip(where.ctr * np.exp(0.35 * z[1]), 0.002, 0.2),
        link=np.clip(0.72 + 0.08 * z[2], 0.4, 0.95),
        landing=np.clip(0.78 + 0.06 * z[3], 0.4, 0.97),
        cart=np.clip(0.11 * np.exp(0.4 * z[4]), 0.01, 0.6),
        hook=np.clip(where.hook + 0.06 * z[5], 0.05, 0.6) * video,
        hold=np.clip(0.22 + 0.06 * z[6], 0.03, 0.7) * video,
        frequency=np.clip(1.15 + 0.1 * z[7], 1.0, 2.0),
    )


def appeal(seed: int, ids: Ints, epoch: Ints) -> Floats:
    """How well an ad converts against its fellows (mean about 1); a new creative (epoch) is a new draw."""
    return np.exp(0.25 * np.asarray(ndtri(derive(keys(seed, Stream.NATURE, ids, epoch), 50))) - 0.03125)


T = TypeVar("T", Groups, Ads)


def burst(seed: int, ids: Ints, day: int) -> Floats:
    """Daily multiplier of each ad group's conversions (mean 1)."""
    return gamma_mean_one(BURST_SHAPE, uniform(seed, Stream.BURST, ids, day))


def append(old: T, new: T) -> T:
    """Both tables, one after the other."""
    joined = {f.name: np.concatenate([getattr(old, f.name), getattr(new, f.name)]) for f in fields(old)}
    return type(old)(**joined)


def head(table: T, rows: int) -> T:
    """The first rows of a table: as it was when it had that many."""
    return type(table)(**{f.name: getattr(table, f.name)[:rows] for f in fields(table)})


def curve(g: Groups, rows: Ints, spend: Floats) -> Floats:
    """Value a day at steady conditions for `spend` of shape (..., len(rows)); Hill curve, see `Groups`."""
    x = np.power(spend / g.half[rows], g.hill[rows])
    return np.asarray(g.level[rows] * g.half[rows] * 2.0 * x / (1.0 + x), dtype=np.float64)


def hour_profile(seed: int, ids: Ints, labels: Ints, hours: Ints) -> Floats:
    """Shares of the day's spend by hour, shape (hours, ids), each column adding up to 1 over the local day."""
    noise = np.exp(0.12 * normal(seed, Stream.HOUR, hours[:, None], ids[None, :]))
    weight = _HOURS[labels][:, None] * noise
    return np.asarray(weight / weight.sum(axis=0), dtype=np.float64)


def hour_price(labels: Ints) -> Floats:
    """CPM by local hour, relative: auctions are cheaper at night."""
    return np.asarray((_HOURS[labels] / 60.0) ** 0.15, dtype=np.float64)


def conditions(seed: int, account_id: int, g: Groups, rows: Ints, day: int, weekday: int) -> Floats:
    """Multiplier of value on one day: weekly season, slow drift (three sinusoids), and the account's shared shock."""
    shock = float(normal(seed, Stream.SHOCK, account_id, day)[0])
    season = np.where(weekday >= 5, g.weekend[rows] + 0.06, -0.02 * (weekday - 2))
    turn = 2.0 * np.pi * (day / np.array([[31.0], [67.0], [151.0]]) + g.phase[rows] * np.array([[1.0], [3.0], [7.0]]))
    drift = g.swing[rows] * np.sin(turn).sum(axis=0)
    return np.asarray(np.exp(0.11 * shock - 0.00605 + season + drift), dtype=np.float64)
